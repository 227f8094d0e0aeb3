"""Where a text matches the terms of a query, as it is written there: for marking and for the reasons of a hit."""

from __future__ import annotations

from collections.abc import Iterable

from heimdex_core.store.analysis import match_spans

__all__ = ["match_spans", "matched_words", "pieces"]


def pieces(text: str, terms: Iterable[str]) -> list[tuple[str, bool]]:
    """`text` in pieces, each with whether it matches any of the query's index terms (SearchResult.terms)."""
    found: list[tuple[str, bool]] = []
    at = 0
    for start, end in match_spans(text, terms):
        found += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [(piece, is_match) for piece, is_match in [*found, (text[at:], False)] if piece]


def matched_words(texts: tuple[str, ...], terms: tuple[str, ...]) -> tuple[str, ...]:
    """The matching words of the texts, each once (whatever its case), in order."""
    found: dict[str, str] = {}
    for text in texts:
        for word, is_match in pieces(text, terms):
            if is_match:
                found.setdefault(word.casefold(), word)
    return tuple(found.values())
