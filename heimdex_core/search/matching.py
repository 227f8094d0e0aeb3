"""Which words of a hit matched the query, and where they stand."""

from __future__ import annotations

from heimdex_core.store.analysis import mark

Span = tuple[int, int]


def matched_spans(text: str, terms: tuple[str, ...]) -> tuple[Span, ...]:
    """[start, end) character positions in `text` of the words that match, in order, not overlapping."""
    spans: list[Span] = []
    for start, end in sorted(mark(text, terms)) if text and terms else ():
        if spans and start <= spans[-1][1] - 1:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return tuple(spans)


def matched_words(texts: tuple[str, ...], terms: tuple[str, ...]) -> tuple[str, ...]:
    """The matching words of the texts as they are written there, each once, in order."""
    found: dict[str, str] = {}
    for text in texts:
        for start, end in matched_spans(text, terms):
            word = text[start:end]
            found.setdefault(word.casefold(), word)
    return tuple(found.values())
