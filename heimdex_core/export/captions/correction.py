"""Corrected cues: new words with the times of those that were heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from heimdex_core.export.captions.words import shared_times
from heimdex_core.types import Cue, CueWord


def correct_cue(cue: Cue, text: str) -> Cue:
    """The cue with another text and the same times; "" shows nothing.

    Words that stay keep their times; the others share, by their lengths, the time of the words that they replace. Words
    that are put in share the time of the word before them.
    """
    texts = text.split()
    heard = cue.words or _shared(cue.text.split(), cue.start_s, cue.end_s)
    words: list[CueWord] = []
    for old, new in _aligned(heard, texts):
        if not new:
            continue
        if len(old) == len(new):
            words += [replace(word, text=text) for word, text in zip(old, new, strict=True)]
            continue
        start_s = old[0].start_s if old else (words[-1].end_s if words else cue.start_s)
        end_s = old[-1].end_s if old else cue.end_s
        words += _shared(new, start_s, max(start_s, end_s))
    return replace(cue, text=" ".join(texts), words=tuple(words))


def _shared(texts: Sequence[str], start_s: float, end_s: float) -> tuple[CueWord, ...]:
    return tuple(CueWord(word.start_s, word.end_s, word.text) for word in shared_times(texts, start_s, end_s))


def _aligned(heard: Sequence[CueWord], texts: Sequence[str]) -> list[tuple[list[CueWord], list[str]]]:
    """Pairs of (heard words, new words) that stand for each other, in order."""
    pairs: list[tuple[list[CueWord], list[str]]] = []
    matcher = SequenceMatcher(None, [_bare(word.text) for word in heard], [_bare(text) for text in texts], False)
    for kind, first, last, start, end in matcher.get_opcodes():
        old, new = list(heard[first:last]), list(texts[start:end])
        if kind == "equal":
            pairs += [([word], [text]) for word, text in zip(old, new, strict=True)]
        elif kind == "insert" and pairs:
            pairs[-1][1].extend(new)
        elif kind == "insert" and last < len(heard):
            pairs.append(([], new))
        else:
            pairs.append((old, new))
    if len(pairs) > 1 and not pairs[0][0]:  # put in before the first word: they share its time
        pairs[:2] = [(pairs[1][0], pairs[0][1] + pairs[1][1])]
    return pairs


def _bare(text: str) -> str:
    """As words are compared: without case and punctuation."""
    return "".join(c for c in text.casefold() if c.isalnum()) or text
