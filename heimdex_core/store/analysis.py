"""How text becomes terms: the same way for the index, for queries and for highlighting matched words.

English and other spaced scripts: lower case, Snowball's English stemmer on Latin words. Korean:
overlapping pairs of syllables (a single syllable is a term), and after them the morphemes, so that a noun is found
whatever particle it has and a verb in all its forms. Chinese and Japanese: overlapping pairs of
characters. Numbers are not split. Terms contain no white space, so a text can be indexed as its terms
joined by spaces: their positions are kept, and phrases can be searched.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

from heimdex_core.store.morphemes import MARK, has_hangul, morphemes

VERSION = 1
"""Written into the index; an index of another version has to be rebuilt."""

QUOTE_MARKS = '"\u201c\u201d\u201e\u201f\u300c\u300d\u300e\u300f\uff02'
"""Quotation marks as they are typed, also by word processors and on Korean and Japanese keyboards."""

_HANGUL = "\uac00-\ud7a3"
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\u31f0-\u31ff"
_RUNS = re.compile(
    rf"(?P<hangul>[{_HANGUL}]+)|(?P<cjk>[{_CJK}]+)"
    rf"|(?P<number>\d+(?:[.,:]\d+)*)"
    rf"|(?P<word>[^\W\d_{_HANGUL}{_CJK}]+(?:['\u2019][^\W\d_{_HANGUL}{_CJK}]+)*)"
)

_COMPARED = str.maketrans({"y": "i", "'": None, "\u2019": None})
"""Stems have no apostrophes, and "i" for some "y"."""

_STOP_WORDS = """
    a about above across after against all along also am among an and any are around as at be because been before
    behind being below beneath beside between both but by can could did do does doing down during each for from had
    has have he her his how i if in inside into is it its just me more most my near no nor not of off on once only
    onto or other our out outside over own same she should so some such than that the their them then there these
    they this those through to too toward under until up upon us very was we were what when where which while who
    whom why will with would you your
"""

_local = threading.local()


@dataclass(frozen=True, slots=True)
class Token:
    """A term and the part [start, end) of the text that it stands for, in characters."""

    text: str
    start: int
    end: int


def terms(text: str) -> list[str]:
    """The terms of a text in order."""
    return [token.text for token in tokens(text)]


def for_index(text: str) -> str:
    """The text as it is indexed: its terms with one space between them, and its morphemes."""
    return " ".join([*terms(text), *morpheme_terms(text)])


def morpheme_terms(text: str) -> list[str]:
    """The morphemes of the Korean words in a text, in order, as index terms."""
    return [one.term for one in morphemes(_compose(text)[0])] if has_hangul(text) else []


def tokens(text: str, beginnings: tuple[str, ...] | None = None) -> Iterator[Token]:
    """The terms of a text in order, with their positions.

    With `beginnings`, of `beginning`, words that begin otherwise may be left out: they need not be stemmed where other
    terms are looked for.
    """
    composed, starts, ends = _compose(text)
    lowered = composed.lower().replace("y", "i") if beginnings is not None and composed.isascii() else None
    for match in _RUNS.finditer(composed):
        start, run = match.start(), match.group()
        if beginnings is not None and run[:2].isascii() and run[:2].isalpha():
            if lowered is None or "'" in run:
                begins = _letters(run).startswith(beginnings)
            else:  # the same, made for the whole text at once: no letter is left out
                begins = lowered.startswith(beginnings, start)
            if not begins:
                continue
        if match.lastgroup in ("hangul", "cjk"):
            for at in range(max(1, len(run) - 1)):
                pair = run[at : at + 2]
                yield Token(pair, starts[start + at], ends[start + at + len(pair) - 1])
        else:
            term = run.lower() if match.lastgroup == "number" else _word(run)
            yield Token(term, starts[start], ends[match.end() - 1])


@lru_cache(maxsize=1 << 10)  # it is asked for with every text of a page
def beginning(term: str) -> str:
    """What every word of this stem begins with: the stem without its last letter, and with "i" for "y".

    "hoping" becomes "hope", "sensibility" becomes "sensibl", and "dying" becomes "die".
    """
    return _letters(term)[: max(2, len(term) - 1)]


def _letters(word: str) -> str:
    """A word as it is compared with beginnings."""
    return word.lower().translate(_COMPARED)


def is_korean(text: str) -> bool:
    """Whether all words of a text are in Hangul."""
    return has_hangul(text) and all(has_hangul(term) for term in terms(text))


def _compose(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """NFKC of `text`, and for each of its characters the part [start, end) of `text` that it stands for.

    Korean typed on some systems arrives as single letters; composing cluster by cluster keeps positions exact. A
    character that becomes several (a ligature, a fraction) is the part of all of them.
    """
    if text.isascii():
        return text, range(len(text)), range(1, len(text) + 1)
    clusters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _continues(text[end]):
            continue
        composed = unicodedata.normalize("NFKC", text[start:end])
        clusters.append(composed)
        starts += [start] * len(composed)
        ends += [end] * len(composed)
        start = end
    return "".join(clusters), starts, ends


def _continues(character: str) -> bool:
    """Combining marks, and Hangul vowels and final consonants written as separate letters."""
    return bool(unicodedata.combining(character)) or "\u1160" <= character <= "\u11ff"


@lru_cache(maxsize=1 << 15)  # stemming is most of what indexing a text takes, and words come again and again
def _word(word: str) -> str:
    lowered = word.lower().replace("\u2019", "'")
    if not any("a" <= letter <= "z" for letter in lowered):
        return lowered
    return _stem(lowered)


@lru_cache(maxsize=1 << 15)  # a stem takes 30 microseconds, and most words of a text are common ones
def _stem(word: str) -> str:
    stemmer = getattr(_local, "english", None)
    if stemmer is None:
        # One for each thread: a stemmer object holds the word that it is working on.
        stemmer = _local.english = snowballstemmer.stemmer("english")
    return str(stemmer.stemWord(word)).replace("'", "")


# --- queries --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """Any of `words` may occur (the more, the better); each of `phrases` (terms in sequence) must occur.

    `words` are index terms: those of a text, and then its morphemes.
    """

    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """Every term once, in order."""
        return tuple(dict.fromkeys([*self.words, *(term for phrase in self.phrases for term in phrase)]))

    @property
    def has_only_stop_words(self) -> bool:
        """Whether it asks only for words that nearly every text has, such as "the", and not in quotation marks."""
        return not self.phrases and bool(self.words) and _STOP_TERMS.issuperset(self.words)


_QUOTED = re.compile(r'["\u201c\u201d]([^"\u201c\u201d]*)["\u201c\u201d]')


@lru_cache(maxsize=64)
def parse_query(text: str) -> ParsedQuery:
    """Split a query into words and quoted phrases. Stop words are dropped if anything else is left."""
    phrases = tuple(phrase for phrase in (tuple(terms(quoted)) for quoted in _QUOTED.findall(text)) if phrase)
    rest = terms(_QUOTED.sub(" ", text))
    kept = [term for term in rest if term not in _STOP_TERMS]
    if not kept and not phrases:
        kept = rest
    words = dict.fromkeys([*kept, *morpheme_terms(_QUOTED.sub(" ", text))])
    return ParsedQuery(words=tuple(words), phrases=phrases)


_STOP_TERMS = frozenset(term for word in _STOP_WORDS.split() for term in (word, *terms(word)))
"""Dropped from queries that have other words too. Quoted phrases and the index keep them."""


def match_spans(text: str, query_terms: Iterable[str]) -> list[tuple[int, int]]:
    """The parts [start, end) of `text` that match any of the terms, in order; overlapping ones are joined."""
    wanted = frozenset(query_terms)
    beginnings = tuple(map(beginning, wanted))
    if text.isascii():  # else a term may not begin as any part of the text does
        letters = _letters(text)
        if not any(start in letters for start in beginnings):
            return []
    found = [(token.start, token.end) for token in tokens(text, beginnings) if token.text in wanted]
    if any(MARK in term for term in wanted) and has_hangul(text):
        found = sorted([*found, *_morpheme_spans(text, wanted)])
    spans: list[tuple[int, int]] = []
    for start, end in found:
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _morpheme_spans(text: str, wanted: frozenset[str]) -> Iterator[tuple[int, int]]:
    composed, starts, ends = _compose(text)
    for one in morphemes(composed):
        if one.term in wanted and one.start < one.end:
            yield starts[one.start], ends[one.end - 1]
