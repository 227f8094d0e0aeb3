"""The languages of speech that the pages offer; the models may know more."""

from __future__ import annotations

CODES = ("auto", "en", "ko", "ja", "zh", "es", "fr", "de")
"""After Whisper's codes; "auto" finds out for each video."""
