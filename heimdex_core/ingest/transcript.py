"""Stage: what is said. Lines that came with the video, else what the recogniser hears."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from heimdex_core.ingest.audio import Sound
from heimdex_core.ingest.subtitles import Lines, limited
from heimdex_core.models.base import SpeechRecognizer
from heimdex_core.types import MediaInfo, Transcript, WorkContext

VERSION = 2


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
