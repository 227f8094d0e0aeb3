"""Which script a text is written in: enough to know when a model cannot read it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=4096)
def is_latin_letter(char: str) -> bool:
    """True for letters of the Latin script, accented and full-width ones too."""
    return char.isalpha() and unicodedata.name(char, "").replace("FULLWIDTH ", "").startswith("LATIN ")


def latin_share(text: str) -> float | None:
    """Latin letters among all letters, 0 to 1; None where the text has no letter at all.

    A Hangul syllable or a Chinese character says about as much as two and a half Latin letters, so it
    counts as that many; else one Korean word in an English sentence would weigh next to nothing.
    """
    latin = other = 0.0
    for char in text:
        if not char.isalpha():
            continue
        if is_latin_letter(char):
            latin += 1
        else:
            other += 2.5 if ord(char) >= 0x2E80 else 1
    return latin / (latin + other) if latin + other else None
