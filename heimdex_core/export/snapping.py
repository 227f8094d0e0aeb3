"""In and out points on the ends of words and sentences, so that no clip opens or closes in the middle of one."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.errors import UnknownName
from heimdex_core.export.captions.words import ends_sentence
from heimdex_core.types import Interval, Word

SENTENCE_PAUSE_S = 1.0
"""A sentence also ends before a silence of this length, whatever its punctuation."""
CONTEXT_S = 60.0
"""How far around a clip words are looked at: a longer sentence is cut there."""


def snap(words: Sequence[Word], start_s: float, end_s: float, to: str = "word") -> tuple[float, float]:
    """[start_s, end_s) moved so that each word, or each sentence, lies inside it as a whole or outside it.

    A word is inside if its middle is; a sentence is inside if one of its words is. Silence at either end is kept.

    Args:
        words: what is said in the clip and around it, in seconds of the video.
        start_s: where the clip begins.
        end_s: where it ends.
        to: what is not to be divided, "word" or "sentence".

    Returns (start_s, end_s); unchanged where nobody speaks. Raises UnknownName for another `to`.
    """
    if to not in ("word", "sentence"):
        raise UnknownName(kind="unit to snap to", name=to, known="word, sentence")
    ordered = sorted(words, key=lambda word: word.start_s)
    groups = [[word] for word in ordered] if to == "word" else sentences(ordered)
    clip = Interval(start_s, end_s)
    inside = [group for group in groups if any(_is_inside(word, clip) for word in group)]
    if not inside:
        return _between_words(ordered, start_s, end_s)
    first_s = inside[0][0].start_s
    last_s = max(word.end_s for group in inside for word in group)
    outside = [group for group in groups if group not in inside]
    # what is left of a word that is outside is not heard either
    before_s = max((group[-1].end_s for group in outside if group[0].start_s < first_s), default=start_s)
    after_s = min((group[0].start_s for group in outside if group[-1].end_s > last_s), default=end_s)
    snapped = min(first_s, max(start_s, before_s)), max(last_s, min(end_s, after_s))
    return max(0.0, snapped[0]), snapped[1]


def sentences(words: Sequence[Word]) -> list[list[Word]]:
    """Words, in the order of their times, divided into sentences by punctuation, Korean endings and long silences."""
    found: list[list[Word]] = []
    is_open = False
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else None
        if is_open:
            found[-1].append(word)
        else:
            found.append([word])
        is_silent_after = following is not None and following.start_s - word.end_s >= SENTENCE_PAUSE_S
        is_open = not (is_silent_after or ends_sentence(word, following))
    return found


def _between_words(words: Sequence[Word], start_s: float, end_s: float) -> tuple[float, float]:
    """Without what is left of words whose middles lie outside, if anything remains."""
    from_s = max((word.end_s for word in words if word.start_s < start_s < word.end_s), default=start_s)
    until_s = min((word.start_s for word in words if word.start_s < end_s < word.end_s), default=end_s)
    return (from_s, until_s) if from_s < until_s else (start_s, end_s)


def _is_inside(word: Word, clip: Interval) -> bool:
    return clip.start_s <= (word.start_s + word.end_s) / 2 < clip.end_s
