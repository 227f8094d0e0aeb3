"""Words with their times, joined to text and parted where speech parts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from heimdex_core.types import Segment, Word


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CLOSING = "\"'”’»)]}〉》」』"
_ABBREVIATIONS = _listed("mr. mrs. ms. dr. prof. st. vs. no. etc. e.g. i.e. a.m. p.m. u.s. inc. ltd. jr. sr.")
_KOREAN_END = re.compile(r"(니다|니까|세요|어요|아요|에요|예요|네요|군요|지요|까요|해요|죠)$")
_KOREAN_CLAUSE = re.compile(r"(지만|는데|은데|니까|면서|려고|어서|아서|해서|므로|거나|고|며|면)$")
_KOREAN_END_PAUSE_S = 0.35
_PAUSE_S = 0.25
_CONJUNCTIONS = _listed("and but or nor so because if when while that which who where than")
# a line should not end with one of these, but may well begin with one
_LEADING = _CONJUNCTIONS | _listed("""
    a an the whose as of in on at to for from by with into about over under between through my your his her its our
    their this these those is are was were be not i you he she it we they
""")


def width_units(text: str) -> float:
    """Rough width of a text in Latin letters; one of Hangul, Han or Kana counts 1.8."""
    return sum(1.8 if unicodedata.east_asian_width(c) in "WF" else 1.0 for c in text)


def join_words(words: Iterable[str]) -> str:
    """Words as one text, without spaces between Han, Kana, Thai, Lao, Khmer and Burmese."""
    text = ""
    for word in words:
        text += word if not text or (_is_unspaced(text[-1]) and _is_unspaced(word[:1])) else f" {word}"
    return text


def spoken_words(segments: Iterable[Segment], start_s: float, end_s: float) -> tuple[Word, ...]:
    """The words of a transcript whose middle lies in [start_s, end_s), in player time of the source.

    The words of a line without word times share its time by their lengths.
    """
    found: list[Word] = []
    for line in segments:
        if line.end_s <= start_s or line.start_s >= end_s:
            continue
        words = line.words or shared_times(line.text.split(), line.start_s, line.end_s)
        found += [word for word in words if start_s <= (word.start_s + word.end_s) / 2 < end_s]
    return tuple(sorted(found, key=lambda word: word.start_s))


def shared_times(texts: Sequence[str], start_s: float, end_s: float) -> tuple[Word, ...]:
    """Words that share the time by their numbers of characters."""
    total, done, found = sum(len(text) + 1 for text in texts), 0, []
    for text in texts:
        until = done + len(text) + 1
        edges = (start_s + (end_s - start_s) * part / total for part in (done, until))
        found.append(Word(text, *edges))
        done = until
    return tuple(found)


def ends_sentence(word: Word, following: Word | None) -> bool:
    """Whether a sentence ends with `word`; where Korean has no full stops, at a final ending before a pause."""
    if following is None:
        return True
    text, next_text = word.text.strip().rstrip(_CLOSING), following.text.strip().lstrip("\"'“‘«([{〈《「『¿¡-–— ")
    if text.endswith(("?", "!", "。", "！", "？", "؟", "…", "।")):
        return not next_text[:1].islower()
    if text.endswith("."):
        if text.lower() in _ABBREVIATIONS or re.fullmatch(r"[A-Za-z]\.", text):
            return False
        return not next_text[:1].islower()
    return bool(_KOREAN_END.search(text)) and following.start_s - word.end_s >= _KOREAN_END_PAUSE_S


def break_cost(word: str, following: str, pause_s: float = 0.0) -> float:
    """How bad it is to part two words, from 0 (after a full stop) to 2 (an article and its noun)."""
    word, following = word.strip().rstrip(_CLOSING), following.strip()
    if unicodedata.category(word[-1:] or " ").startswith("P") and not word.endswith(("'", "-")):
        return 0.0
    cost = 1.0
    if word.lower() in _LEADING:
        cost = 2.0
    elif following.lower() in _CONJUNCTIONS or _KOREAN_CLAUSE.search(word):
        cost = 0.4
    elif following.lower() in _LEADING:
        cost = 0.7
    return cost / 2 if pause_s >= _PAUSE_S else cost


def _is_unspaced(character: str) -> bool:
    code = ord(character) if character else 0
    return (
        0x3040 <= code <= 0x30FF
        or 0x3400 <= code <= 0x9FFF
        or 0x0E00 <= code <= 0x0EFF
        or 0x1000 <= code <= 0x109F
        or 0x1780 <= code <= 0x17FF
        or code in (0x3001, 0x3002, 0xFF01, 0xFF0C, 0xFF1F)
    )
