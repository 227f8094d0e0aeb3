"""The languages of the app, and those of speech that its pages offer."""

from __future__ import annotations

LANGUAGES: dict[str, str] = {"en": "English", "ko": "한국어"}
DEFAULT_LANGUAGE = "en"

SPEECH_LANGUAGES = ("auto", "en", "ko", "ja", "zh", "es", "fr", "de")
"""Whisper's codes; "auto" detects the language of each video. The models may know more."""
