"""Stage `audio`: the sound as 16 kHz mono, and where in it somebody speaks."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from heimdex_core.errors import DecoderFailed
from heimdex_core.ingest.child_stage import in_child
from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec, part_of
from heimdex_core.ingest.stages import probe
from heimdex_core.media.audio import AudioResult, extract_audio
from heimdex_core.media.vad import silences, speech_spans
from heimdex_core.types import Interval, Json, WorkContext, to_json

_log = logging.getLogger(__name__)

WAV = "audio.wav"
_VAD_SHARE = 0.5
"""Part of the stage's progress that finding speech takes; the rest is extraction."""


@dataclass(frozen=True)
class Sound:
    """`wav` is a file name in the work folder, None without sound. `speech` and `silences` are [start, end) in s."""

    wav: str | None
    duration_s: float = 0.0
    track: int | None = None
    broken_at_s: float | None = None
    speech: tuple[Interval, ...] = ()
    silences: tuple[Interval, ...] = ()
    notes: tuple[str, ...] = ()
    crashed: bool = False
    """Whether the child process that extracts it was given up."""

    @staticmethod
    def from_json(data: Json) -> Sound:
        spans = {key: tuple(Interval(**i) for i in data[key]) for key in ("speech", "silences")}
        return Sound(**{**data, **spans, "notes": tuple(data["notes"])})


def run(context: StageContext, work: WorkContext) -> StageOutput:
    """Write WAV and find the speech in it; a file without sound is fine and said in the notes."""
    info, wav = context.result(probe.SPEC), context.work.file(WAV)
    extracting = part_of(work, 0.0, 1 - _VAD_SHARE, info.duration_s)
    try:
        audio = AudioResult.from_json(_extract(context, extracting).result)
    except DecoderFailed as error:
        _log.warning("The sound of %s is left out: %s", context.filename, error)
        lost = Sound(wav=None, broken_at_s=0.0, notes=("no_audio", "audio_broken:0.0"), crashed=True)
        return StageOutput(to_json(lost))
    if audio.path is None:
        return StageOutput(to_json(Sound(wav=None, broken_at_s=audio.broken_at_s, notes=audio.notes)))
    speech = speech_spans(wav, part_of(work, 1 - _VAD_SHARE, 1.0, info.duration_s))
    sound = Sound(
        wav=WAV,
        duration_s=audio.duration_s,
        track=audio.track,
        broken_at_s=audio.broken_at_s,
        speech=tuple(speech),
        silences=tuple(silences(speech, info.duration_s)),
        notes=audio.notes,
    )
    return StageOutput(to_json(sound), (WAV,))


@in_child
def _extract(context: StageContext, work: WorkContext) -> StageOutput:
    wav = context.work.file(WAV)
    return StageOutput(to_json(extract_audio(context.source, context.result(probe.SPEC), wav, work)), (WAV,))


SPEC = StageSpec(
    name="audio",
    version=1,
    branch="start",
    run=run,
    parse=Sound.from_json,
    keeps=lambda sound: not sound.crashed,
    label={"en": "Extracting the sound", "ko": "소리 추출"},
    needs=(probe.SPEC,),
    weight=2.0,
)
