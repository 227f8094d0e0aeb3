"""Sound for ffmpeg that its own filters cannot take: decoded to WAV, in a child process."""

from __future__ import annotations

import logging
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from heimdex_core.errors import DecoderFailed
from heimdex_core.media.audio import write_sound
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.graph import SAMPLE_RATE_HZ, RenderClip
from heimdex_core.settings import get_settings
from heimdex_core.types import Json, MediaInfo, WorkContext, to_json

_log = logging.getLogger(__name__)

# A clip becomes whole frames and may so be a little longer.
_SPARE_S = 0.25


def needs_decoding(clip: RenderClip) -> bool:
    """Whether ffmpeg's filters cannot take the clip's track as it is."""
    return clip.audio_track is not None and clip.info.sound is not None and clip.info.sound.needs_decoding


def with_decoded_sound(
    clips: Sequence[RenderClip], folder: Path, context: WorkContext, *, every: bool = False
) -> list[RenderClip]:
    """The clips; those that need it, or `every` one with a track, with their sound decoded to a file in `folder`.

    `context` is asked for cancellation. Raises Cancelled, DiskFull, FileUnreadable, NotAVideo.
    """
    found = []
    for n, clip in enumerate(clips):
        if clip.sound_file is None and clip.audio_track is not None and (every or needs_decoding(clip)):
            wav = folder / f"{n}.wav"
            decode_sound(clip.path, clip.info, wav, start_s=clip.start_s, end_s=clip.end_s + _SPARE_S, context=context)
            clip = replace(clip, sound_file=wav)
        found.append(clip)
    return found


def decode_sound(
    path: Path, info: MediaInfo, out_wav: Path, *, start_s: float, end_s: float, context: WorkContext
) -> None:
    """As `audio.write_sound` at the rate of rendered files, in a child process; silence where the child dies twice."""
    asked = {
        "path": str(path.absolute()),
        "info": to_json(info),
        "out_wav": str(out_wav.absolute()),
        "start_s": start_s,
        "end_s": end_s,
    }
    quiet = WorkContext(is_cancelled=context.is_cancelled)
    try:
        run_in_child(
            f"{__name__}:write_asked",
            asked,
            filename=path.name,
            limits=ChildLimits.of(get_settings()),
            context=quiet,
            scratch=out_wav.parent,
        )
    except DecoderFailed as error:
        _log.warning("The sound of %s is left out: %s", path.name, error)
        with wave.open(str(out_wav), "wb") as wav:
            wav.setnchannels(2)
            wav.setsampwidth(2)
            wav.setframerate(SAMPLE_RATE_HZ)


def write_asked(asked: Json, work: WorkContext) -> None:
    """In the child."""
    write_sound(
        Path(asked["path"]),
        MediaInfo.from_json(asked["info"]),
        Path(asked["out_wav"]),
        start_s=asked["start_s"],
        end_s=asked["end_s"],
        rate_hz=SAMPLE_RATE_HZ,
        context=work,
    )
