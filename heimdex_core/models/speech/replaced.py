"""Recognisers of earlier versions that libraries are still pinned to, and what recognises speech in their place.

What such a recogniser has made stays valid, because the spec and the revision are unchanged. New speech is recognised
by the present model, and the video gets a note.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from heimdex_core.models.family import ModelFamily, adapter_options
from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.types import Transcript, WorkContext

REPLACEMENT = "tiny.en"
REVISIONS = {"en-us": "5.1.1-en-us"}
"""The last revision of each model of pocketsphinx."""


class ReplacedRecognizer(Whisper):
    """A SpeechRecognizer: Whisper under the revision of the model that it replaces. Arguments are Whisper's."""

    version = 1

    @property
    def revision(self) -> str:
        """That of the replaced model."""
        return REVISIONS["en-us"]

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        """As Whisper has it, with the note "recogniser_replaced:<name of the size>"."""
        found = super().transcribe(wav_path, language=language, context=context)
        return replace(found, notes=(*found.notes, f"recogniser_replaced:{REPLACEMENT}"))


FAMILY = ModelFamily(
    name="pocketsphinx",
    kind="speech",
    make=lambda name, settings, purpose: ReplacedRecognizer(
        REPLACEMENT, no_speech_limit=settings.no_speech_limit, **adapter_options(settings, purpose, "speech")
    ),
    names=dict.fromkeys(REVISIONS, ""),
    licence="MIT",
    is_offered=False,
)
