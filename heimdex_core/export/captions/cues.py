"""Cues from word times: parted by sense, long enough to be read, never over the end of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from heimdex_core.export.captions.words import break_cost, ends_sentence, join_words, width_units
from heimdex_core.types import Cue, CueWord, Word

MIN_CUE_S = 0.7
MAX_CUE_S = 5.0
_CLOSED_GAP_S = 0.3
_LONG_PAUSE_S = 0.9
_MAX_UNITS = 42.0
# characters a second that are read with ease
_READING_SPEED = {"ko": 12.0, "ja": 8.0, "zh": 8.0, "yue": 8.0}
_USUAL_READING_SPEED = 16.0
_SHORTEST_WORD_S = 0.02


def make_cues(words: Sequence[Word], *, start_s: float, end_s: float, language: str | None) -> tuple[Cue, ...]:
    """Captions of [start_s, end_s), in player time of the source; none overlap.

    Args:
        words: of the transcript, in any order; those whose middle lies outside are ignored.
        start_s, end_s: the part of the source that is shown.
        language: of the words, as ISO 639-1; None if unknown. It decides how fast they can be read.
    """
    usable = _in_order(words, start_s, end_s)
    groups = [group for sentence in _joined(_sentences(usable)) for group in _parted(sentence)]
    return _timed(groups, start_s, end_s, reading_speed(usable, language))


def reading_speed(words: Sequence[Word], language: str | None) -> float:
    """Characters a second; without a language, by whether most letters are wide."""
    if language is None:
        text = "".join(word.text for word in words)
        language = "ko" if width_units(text) > 1.4 * max(1, len(text)) else ""
    return _READING_SPEED.get(language.split("-")[0].lower(), _USUAL_READING_SPEED)


def _in_order(words: Sequence[Word], start_s: float, end_s: float) -> list[Word]:
    """Words with text, inside the part, each ending before the next one starts."""
    inside = [w for w in words if w.text.strip() and start_s <= (w.start_s + w.end_s) / 2 < end_s]
    found: list[Word] = []
    for word in sorted(inside, key=lambda w: (w.start_s, w.end_s)):
        begin = max(word.start_s, start_s, found[-1].start_s + _SHORTEST_WORD_S if found else 0.0)
        if found and found[-1].end_s > begin:
            found[-1] = replace(found[-1], end_s=begin)
        finish = min(max(word.end_s, begin + _SHORTEST_WORD_S), end_s)
        if begin < finish:
            found.append(replace(word, text=" ".join(word.text.split()), start_s=begin, end_s=finish))
    return found


def _sentences(words: Sequence[Word]) -> list[list[Word]]:
    """Also parted where nothing is said for long."""
    found: list[list[Word]] = []
    current: list[Word] = []
    for n, word in enumerate(words):
        following = words[n + 1] if n + 1 < len(words) else None
        current.append(word)
        paused = following is not None and following.start_s - word.end_s >= _LONG_PAUSE_S
        if paused or ends_sentence(word, following):
            found.append(current)
            current = []
    return found


def _parted(sentence: list[Word]) -> list[list[Word]]:
    """The division of a sentence into cues that costs least (dynamic programming over the last cue's first word)."""
    count = len(sentence)
    best: list[tuple[float, int]] = [(0.0, 0)] + [(float("inf"), 0)] * count
    for end in range(1, count + 1):
        for first in range(end - 1, -1, -1):
            cost = _cost(sentence, first, end)
            if cost is None:
                break
            best[end] = min(best[end], (best[first][0] + cost, first))
    cuts = [count]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    return [sentence[first:end] for first, end in pairwise(reversed(cuts))]


def _cost(sentence: list[Word], first: int, end: int) -> float | None:
    """Of words[first:end] as one cue; None if that is too much for one."""
    words = sentence[first:end]
    units = width_units(join_words(w.text for w in words))
    length_s = words[-1].end_s - words[0].start_s
    if len(words) > 1 and (units > _MAX_UNITS or length_s > MAX_CUE_S):
        return None
    cost = 1.0 + max(0.0, 1 - units / _MAX_UNITS) ** 2
    if end < len(sentence):
        last, following = sentence[end - 1], sentence[end]
        cost += break_cost(last.text, following.text, following.start_s - last.end_s)
        length_s = following.start_s - words[0].start_s
    return cost + (1.0 if length_s < MIN_CUE_S else 0.0)


def _joined(sentences: list[list[Word]]) -> list[list[Word]]:
    """Sentences too short to be read are shown with the one before if both fit."""
    found: list[list[Word]] = []
    for sentence in sentences:
        last = found[-1] if found else None
        if last and min(_length_s(last), _length_s(sentence)) < MIN_CUE_S and _fit_together(last, sentence):
            last.extend(sentence)
        else:
            found.append(list(sentence))
    return found


def _fit_together(last: list[Word], sentence: list[Word]) -> bool:
    both = [*last, *sentence]
    return (
        sentence[0].start_s - last[-1].end_s < _CLOSED_GAP_S
        and _length_s(both) <= MAX_CUE_S
        and width_units(join_words(w.text for w in both)) <= _MAX_UNITS
    )


def _length_s(words: list[Word]) -> float:
    return words[-1].end_s - words[0].start_s


def _timed(groups: list[list[Word]], start_s: float, end_s: float, speed: float) -> tuple[Cue, ...]:
    cues: list[Cue] = []
    for n, words in enumerate(groups):
        text = join_words(w.text for w in words)
        limit = groups[n + 1][0].start_s if n + 1 < len(groups) else end_s
        begin = words[0].start_s
        wanted = max(words[-1].end_s, begin + max(MIN_CUE_S, len(text) / speed))
        finish = min(limit, wanted, begin + MAX_CUE_S)
        if n + 1 < len(groups) and limit - finish < _CLOSED_GAP_S:
            finish = limit
        if finish - begin < MIN_CUE_S:
            begin = max(cues[-1].end_s if cues else start_s, finish - MIN_CUE_S)
        cues.append(Cue(begin, finish, text, tuple(CueWord(w.start_s, min(w.end_s, finish), w.text) for w in words)))
    return tuple(cues)
