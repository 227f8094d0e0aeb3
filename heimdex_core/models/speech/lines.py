"""Recognised words as lines: times in order and inside the file, broken where people read a break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heimdex_core.types import Segment, Word

PAUSE_S = 0.6
LONGEST_S = 10.0
SENTENCE_S = 2.0
"""A sentence's end breaks a line that is at least this long."""
SHORTEST_S = 0.02
BESIDE_S = 0.1
"""How far a word may reach out of the speech that the detector heard."""
_ENDS = tuple(".?!。？！…")


def within_speech(words: Sequence[Word], speech: Sequence[tuple[float, float]]) -> tuple[Word, ...]:
    """Words without the silence before and after them, each kept to the speech that most of it lies in.

    The first word of whatever Whisper hears at once begins at the very start of it, and a word beside a pause
    often takes the pause in. Words that touch no speech are left as they are.
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


def lines(words: Sequence[Word], *, no_speech: float | None, after_s: float, total_s: float) -> list[Segment]:
    """Segments of `words`, whose texts keep their own spaces ("" between them is right in every script).

    Nothing begins before `after_s` or ends after `total_s`; words and lines do not overlap.
    """
    found: list[list[Word]] = []
    for word in _in_order(words, after_s, total_s):
        line = found[-1] if found else None
        if line and not _breaks(line, word):
            line.append(word)
        else:
            found.append([word])
    return [_segment(line, no_speech) for line in found]


def _in_order(words: Sequence[Word], after_s: float, total_s: float) -> list[Word]:
    mended: list[Word] = []
    at_s = after_s
    for word in words:
        start_s = min(max(word.start_s, at_s), total_s)
        at_s = min(max(word.end_s, start_s), total_s)
        mended.append(replace(word, start_s=round(start_s, 3), end_s=round(at_s, 3)))
    return mended


def _breaks(line: Sequence[Word], word: Word) -> bool:
    """True where `word` begins a new line. A word without a length never does, so that every line has one."""
    first, last = line[0], line[-1]
    if word.end_s - word.start_s < SHORTEST_S or last.end_s - first.start_s < SHORTEST_S:
        return False
    if word.start_s - last.end_s >= PAUSE_S or word.end_s - first.start_s > LONGEST_S:
        return True
    return last.text.rstrip().endswith(_ENDS) and last.end_s - first.start_s >= SENTENCE_S


def _segment(line: Sequence[Word], no_speech: float | None) -> Segment:
    sure = [word.confidence for word in line if word.confidence is not None]
    return Segment(
        start_s=line[0].start_s,
        end_s=max(line[-1].end_s, line[0].start_s + SHORTEST_S),
        text="".join(word.text for word in line).strip(),
        confidence=round(sum(sure) / len(sure), 4) if sure else None,
        no_speech=no_speech,
        words=tuple(replace(word, text=word.text.strip()) for word in line),
    )
