"""Which words of a hit matched the query, as they are written there."""

from __future__ import annotations

from heimdex_core.store.analysis import mark


def matched_words(texts: tuple[str, ...], terms: tuple[str, ...]) -> tuple[str, ...]:
    """The matching words of the texts, each once (whatever its case), in order."""
    found: dict[str, str] = {}
    for text in texts:
        for start, end in mark(text, terms):
            word = text[start:end]
            found.setdefault(word.casefold(), word)
    return tuple(found.values())
