"""Stage: what is said. Supplied subtitles win, then embedded ones, then the recogniser."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from heimdex_core.errors import SubtitlesUnreadable
from heimdex_core.ingest.audio import Sound
from heimdex_core.media.subtitles import embedded_subtitles, read_subtitles
from heimdex_core.models.base import SpeechRecognizer
from heimdex_core.types import MediaInfo, Transcript, WorkContext

VERSION = 1


def transcribe(
    source: Path,
    info: MediaInfo,
    *,
    subtitles: Path | None,
    sound: Sound,
    wav: Path | None,
    recognizer: Callable[[], SpeechRecognizer | None],
    language: str,
    context: WorkContext,
) -> Transcript:
    """The transcript, limited to [0, duration). `recognizer` is called only if it is needed.

    Subtitles that cannot be read do not stop the video: the next source is used, and the notes say so.
    """
    notes: list[str] = []
    for read in (lambda: read_subtitles(subtitles) if subtitles else None, lambda: embedded_subtitles(source, info)):
        try:
            found = read()
        except SubtitlesUnreadable as error:
            notes.append(f"subtitles_unreadable:{error.details.get('reason', '')}")
            continue
        if found is not None and found.segments:
            return _finished(found, info, notes, language)
        if found is not None:
            notes += [*found.notes, "subtitles_empty"]
    return _finished(_recognised(sound, wav, recognizer, language, context), info, notes, language)


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


def _finished(found: Transcript, info: MediaInfo, notes: list[str], language: str) -> Transcript:
    """Only what lies inside the video, with the language that was asked for where the source names none."""
    inside = tuple(
        dataclasses.replace(s, end_s=min(s.end_s, info.duration_s))
        for s in found.segments
        if s.start_s < info.duration_s and s.text.strip()
    )
    outside = len(found.segments) - len(inside)
    said = [*notes, *found.notes] + ([f"transcript_outside:{outside}"] if outside else [])
    if found.rough and inside:
        said.append("transcript_rough")
    spoken = found.language or (language if language != "auto" else None)
    return dataclasses.replace(found, segments=inside, language=spoken, notes=tuple(dict.fromkeys(said)))
