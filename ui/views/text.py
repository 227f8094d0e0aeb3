"""Texts with marked words, as [[text, is_marked], ...]: the components make text nodes of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

Segments = list[list[str | bool]]


def mark(text: str, words: Iterable[str]) -> Segments:
    """`text` in pieces, those that are one of `words` (as written there) marked.

    A word of letters is marked only where it stands alone; Korean, which joins particles to words,
    is marked wherever it occurs.
    """
    wanted = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    if not wanted or not text:
        return [[text, False]] if text else []
    pattern = re.compile("|".join(_pattern(word) for word in wanted), re.IGNORECASE)
    pieces: Segments = []
    at = 0
    for found in pattern.finditer(text):
        if found.start() > at:
            pieces.append([text[at : found.start()], False])
        pieces.append([found.group(), True])
        at = found.end()
    if at < len(text):
        pieces.append([text[at:], False])
    return pieces


def _pattern(word: str) -> str:
    quoted = re.escape(word)
    return rf"\b{quoted}\b" if word.isascii() and word[0].isalnum() and word[-1].isalnum() else quoted
