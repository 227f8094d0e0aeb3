"""Which parts of a text match the terms of a query, as they are written there. The only highlighter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from heimdex_core.store.analysis import match_spans

__all__ = ["match_spans", "matched_words", "pieces"]


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
    for text in texts:
        for word, is_match in pieces(text, terms):
            if is_match:
                found.setdefault(word.casefold(), word)
    return tuple(found.values())
