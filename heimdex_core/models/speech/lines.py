"""Recognised words as lines: in order, inside the file, broken at pauses and ends of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heimdex_core.types import Segment, Word

PAUSE_S = 0.6
LONGEST_S = 10.0
SENTENCE_S = 2.0
"""The end of a sentence breaks a line of at least this length."""
SHORTEST_S = 0.02
BESIDE_S = 0.1
"""How far a word may extend beyond the detected speech."""
SENTENCE_ENDS = tuple(".?!。？！…")


def within_speech(words: Sequence[Word], speech: Sequence[tuple[float, float]]) -> tuple[Word, ...]:
    """The words without silence before and after them, each limited to the speech that it overlaps most.

    Whisper lets the first word of a clip begin where the clip begins, and a word beside a pause often includes the
    pause. Words that overlap no speech are unchanged. `speech` is [start, end) in seconds, as the words' times.
    """
    return tuple(_within(word, speech) for word in words)


def _within(word: Word, speech: Sequence[tuple[float, float]]) -> Word:
    touched = [
        (min(word.end_s, b) - max(word.start_s, a), a, b) for a, b in speech if a < word.end_s and b > word.start_s
    ]
    if not touched:
        return word
    _, begin_s, end_s = max(touched)
    return replace(word, start_s=max(word.start_s, begin_s - BESIDE_S), end_s=min(word.end_s, end_s + BESIDE_S))


def lines(
    words: Sequence[Word],
    *,
    no_speech: float | None,
    after_s: float,
    total_s: float,
    sentence_ends: tuple[str, ...] = SENTENCE_ENDS,
) -> list[Segment]:
    """`words`, with their leading spaces, as segments that do not overlap, between `after_s` and `total_s`.

    `no_speech`, the probability that there is no speech (0 to 1), is copied to the segments. A word that ends with one
    of `sentence_ends` is the last of its sentence.
    """
    found: list[list[Word]] = []
    for word in _in_order(words, after_s, total_s):
        if found and not _breaks(found[-1], word, sentence_ends):
            found[-1].append(word)
        else:
            found.append([word])
    return [_segment(line, no_speech) for line in found]


def _in_order(words: Sequence[Word], after_s: float, total_s: float) -> list[Word]:
    ordered: list[Word] = []
    at_s = after_s
    for word in words:
        start_s = min(max(word.start_s, at_s), total_s)
        at_s = min(max(word.end_s, start_s), total_s)
        ordered.append(replace(word, start_s=round(start_s, 3), end_s=round(at_s, 3)))
    return ordered


def _breaks(line: Sequence[Word], word: Word, sentence_ends: tuple[str, ...]) -> bool:
    """Whether `word` begins a new line. A word of no duration never does, so that every line has a duration."""
    first, last = line[0], line[-1]
    if word.end_s - word.start_s < SHORTEST_S or last.end_s - first.start_s < SHORTEST_S:
        return False
    if word.start_s - last.end_s >= PAUSE_S or word.end_s - first.start_s > LONGEST_S:
        return True
    return last.text.rstrip().endswith(sentence_ends) and last.end_s - first.start_s >= SENTENCE_S


def _segment(line: Sequence[Word], no_speech: float | None) -> Segment:
    known = [word.confidence for word in line if word.confidence is not None]
    return Segment(
        start_s=line[0].start_s,
        end_s=max(line[-1].end_s, line[0].start_s + SHORTEST_S),
        text="".join(word.text for word in line).strip(),
        confidence=round(sum(known) / len(known), 4) if known else None,
        no_speech=no_speech,
        words=tuple(replace(word, text=word.text.strip()) for word in line),
    )
