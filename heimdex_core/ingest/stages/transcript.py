"""Stage `transcript`: what is said. Lines that came with the video, else what the recogniser hears."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.stages import audio, probe, subtitles
from heimdex_core.ingest.stages.audio import Sound
from heimdex_core.ingest.stages.subtitles import Lines, limited
from heimdex_core.models.base import SpeechRecognizer
from heimdex_core.types import Json, MediaInfo, Transcript, WorkContext, to_json


def transcribe(
    info: MediaInfo,
    *,
    lines: Lines,
    sound: Callable[[], tuple[Sound, Path | None]],
    recognizer: Callable[[], SpeechRecognizer | None],
    language: str,
    context: WorkContext,
) -> Transcript:
    """The transcript, limited to [0, duration).

    `sound` (with its WAV, None without any) and `recognizer` are called only where there are no lines.
    """
    found = lines.found
    if found is None:
        heard, wav = sound()
        found = limited(_recognised(heard, wav, recognizer, language, context), info)
    return _finished(found, lines.notes, language)


def _recognised(
    sound: Sound,
    wav: Path | None,
    recognizer: Callable[[], SpeechRecognizer | None],
    language: str,
    context: WorkContext,
) -> Transcript:
    if wav is None or sound.wav is None:
        return Transcript((), source="none")  # the audio stage has said why
    if not sound.speech:
        return Transcript((), source="none", notes=("transcript_no_speech",))
    model = recognizer()
    if model is None:
        return Transcript((), source="none", notes=("transcript_no_recogniser",))
    if language != "auto" and model.languages is not None and language not in model.languages:
        return Transcript((), source="none", notes=(f"transcript_language:{language}",))
    return model.transcribe(wav, language=language, context=context)


def _finished(found: Transcript, notes: tuple[str, ...], language: str) -> Transcript:
    """With the language that was asked for where the source names none, and all notes."""
    said = [*notes, *found.notes]
    if found.rough and found.segments:
        said.append("transcript_rough")
    spoken = found.language or (language if language != "auto" else None)
    return dataclasses.replace(found, language=spoken, notes=tuple(dict.fromkeys(said)))


def run(context: StageContext, work: WorkContext) -> StageOutput:
    def sound() -> tuple[Sound, Path | None]:
        found = context.result(audio.SPEC)
        return found, context.work.file(found.wav) if found.wav else None

    found = transcribe(
        context.result(probe.SPEC),
        lines=context.result(subtitles.SPEC),
        sound=sound,
        recognizer=context.models.speech,
        language=context.language,
        context=work,
    )
    return StageOutput(to_json(found))


# Where lines came with the video nobody listens: neither the sound nor the recogniser plays a part.


def _needed_now(context: StageContext) -> tuple[StageSpec[Any], ...]:
    return (probe.SPEC, subtitles.SPEC) if subtitles.were_supplied(context) else SPEC.needs


def _own_params(context: StageContext) -> Json:
    language: Json = {"language": context.language}
    return language if subtitles.were_supplied(context) else {**language, "no_speech_limit": context.no_speech_limit}


def _model(context: StageContext) -> str | None:
    speech = None if subtitles.were_supplied(context) else context.models.speech()
    return f"{context.models.choice.speech}@{speech.revision}" if speech is not None else None


SPEC = StageSpec(
    name="transcript",
    version=2,
    branch="speech",
    run=run,
    parse=Transcript.from_json,
    label={"en": "Transcribing", "ko": "받아 적기"},
    needs=(probe.SPEC, audio.SPEC, subtitles.SPEC),
    needed_now=_needed_now,
    reads_files_of=(audio.SPEC,),
    own_params=_own_params,
    model=_model,
    weight=40.0,
)
