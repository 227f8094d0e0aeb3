"""Captions: cues from word times (cues.py), corrected by hand (correction.py), laid out (layout.py) and written as an
ASS file (ass.py) that media/burning.py draws. styles.py has the registries of styles and positions."""

from heimdex_core.export.captions.ass import NOTE_FONT_MISSING, NOTE_LETTERS_LEFT_OUT, caption_notes, write_captions
from heimdex_core.export.captions.correction import correct_cue
from heimdex_core.export.captions.cues import make_cues
from heimdex_core.export.captions.srt import cues_to_srt
from heimdex_core.export.captions.styles import (
    ABOVE_CAPTIONS,
    POSITIONS,
    STYLES,
    CaptionPosition,
    caption_position,
    caption_style,
)
from heimdex_core.export.captions.words import spoken_words

__all__ = [
    "ABOVE_CAPTIONS",
    "NOTE_FONT_MISSING",
    "NOTE_LETTERS_LEFT_OUT",
    "POSITIONS",
    "STYLES",
    "CaptionPosition",
    "caption_notes",
    "caption_position",
    "caption_style",
    "correct_cue",
    "cues_to_srt",
    "make_cues",
    "spoken_words",
    "write_captions",
]
