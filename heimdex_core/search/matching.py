"""Which parts of a text match the terms of a query, as they are written there. The only highlighter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import takewhile

from heimdex_core.store import analysis

__all__ = ["match_spans", "matched_words", "pieces", "snippet"]

_WIDE = re.compile("[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]")
"""Korean, Chinese and Japanese characters, which are twice as wide as others."""


def match_spans(text: str, terms: Iterable[str]) -> list[tuple[int, int]]:
    """The parts [start, end) of `text` that match any of the terms, in order; those of recent texts are kept."""
    return list(_spans(text, tuple(terms)))


@lru_cache(maxsize=4096)
def _spans(text: str, terms: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    # the same cards are drawn at every move of a slider, and stemming their words takes most of that time
    return tuple(analysis.match_spans(text, terms))


def pieces(text: str, terms: Iterable[str]) -> list[tuple[str, bool]]:
    """`text` divided into (piece, whether it matches a term); the pieces joined are the text again.

    `terms` are index terms (SearchResult.terms), not words of the query: "breads" matches "bread".
    """
    found: list[tuple[str, bool]] = []
    at = 0
    for start, end in match_spans(text, terms):
        found += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [(piece, is_match) for piece, is_match in [*found, (text[at:], False)] if piece]


def matched_words(texts: Iterable[str], terms: Sequence[str]) -> tuple[str, ...]:
    """The matching words of several texts in order, each once whatever its case."""
    found: dict[str, str] = {}
    for text in filter(None, texts):
        for start, end in match_spans(text, terms):
            found.setdefault(text[start:end].casefold(), text[start:end])
    return tuple(found.values())


def snippet(text: str, terms: Iterable[str], *, lead: int = 20, length: int = 240) -> list[tuple[str, bool]]:
    """The part of `text` in which most terms match, as `pieces`; its beginning where none does.

    Args:
        text: for example a transcript.
        terms: index terms.
        lead: how much at most is kept before the first match, so that two short lines show it; counted in narrow
            characters, of which a Korean, Chinese or Japanese one takes two.
        length: how long the part is at most, counted in the same way.

    Words are kept whole where there are spaces. An ellipsis stands for what is left out at either end.
    """
    spans = match_spans(text, terms)
    start = _back(text, _densest(text, spans, length - lead)[0], lead) if spans else 0
    end = _forward(text, start, length)
    first_match = next((a for a, _ in spans if a >= start), 0)
    if start > 0 and not text[start - 1].isspace() and 0 <= (space := text.find(" ", start)) < first_match:
        start = space + 1
    if end < len(text) and (space := text.rfind(" ", start, end)) != -1 and space >= _last_end(spans, end):
        end = space
    found = [("…", False)] if start > 0 else []
    at = start
    for first, last in ((max(a, start), min(b, end)) for a, b in spans if b > start and a < end):
        found += [(text[at:first], False), (text[first:last], True)]
        at = last
    found += [(text[at:end], False), ("…" if end < len(text) else "", False)]
    return [(piece, is_match) for piece, is_match in found if piece]


def _densest(text: str, spans: Sequence[tuple[int, int]], length: int) -> tuple[int, int]:
    """The match from which on most different words match within `length`; the first of several."""

    def count(at: int) -> int:
        end = _forward(text, spans[at][0], length)
        return len({text[a:b].casefold() for a, b in takewhile(lambda span: span[1] <= end, spans[at:])})

    return spans[max(range(len(spans)), key=count)]


def _width(character: str) -> int:
    return 2 if _WIDE.match(character) else 1


def _back(text: str, at: int, width: int) -> int:
    """The position that lies `width` before `at`."""
    while at > 0 and (width := width - _width(text[at - 1])) >= 0:
        at -= 1
    return at


def _forward(text: str, at: int, width: int) -> int:
    """The position that lies `width` behind `at`."""
    while at < len(text) and (width := width - _width(text[at])) >= 0:
        at += 1
    return at


def _last_end(spans: Sequence[tuple[int, int]], before: int) -> int:
    return max((b for _, b in spans if b <= before), default=0)
