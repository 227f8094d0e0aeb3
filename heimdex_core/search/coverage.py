"""The content words of a query, to see how many of them a scene has.

A scene with one common word of a long query is found by BM25 as well, and usually has nothing to do with it. Words
that are in nearly every text, and those that only say that something is asked for ("a scene with", "how to", "방법"),
are no content words unless there are no others.
"""

from __future__ import annotations

import re

from heimdex_core.store import analysis
from heimdex_core.store.morphemes import MARK, has_hangul, morphemes

Word = tuple[tuple[str, ...], ...]
"""A content word, as the term sequences of which a text that has it contains at least one."""

CLOSE_SHARE = 0.5
"""A scene is close if it has so much of the content words."""
STRONG_SHARE = 1.0

_GENERIC = """
    anybody anyone anything everybody everyone everything get go like make man men nobody people person show some
    somebody someone something take talk tell thing tip use want way woman women
    video clip scene shot footage film story
    것 경험 느낌 때 말 모습 방법 법 사람 설명 소식 영상 요령 이야기 이유 일 장면 점 중
"""
_PHRASE = re.compile(r'"([^"]*)"')
_GENERIC_TERMS = frozenset(term for word in _GENERIC.split() for term in (word, *analysis.terms(word)[:1]))


def content_words(lookup: str) -> tuple[Word, ...]:
    """The content words of a query, each once; a quoted phrase counts as one.

    Args:
        lookup: the query with its phrases in straight quotation marks.
    """
    phrases = [tuple(analysis.terms(phrase)) for phrase in _PHRASE.findall(lookup)]
    rest = _PHRASE.sub(" ", lookup)
    found: list[Word] = [(phrase,) for phrase in phrases if phrase]
    plain = [word for word in _words(rest) if not _is_generic(word)]
    return tuple(dict.fromkeys([*found, *plain])) or tuple(dict.fromkeys(_words(rest)))


def _words(text: str) -> list[Word]:
    words: list[Word] = []
    known = [one.term.removesuffix(MARK) for one in morphemes(text)]
    for form in known:
        pairs = tuple(analysis.terms(form))
        # an index of an older format has no morphemes, but the pairs of syllables
        words.append(((f"{form}{MARK}",), pairs) if len(form) > 1 else ((f"{form}{MARK}",),))
    for piece in text.split():
        if has_hangul(piece):
            # particles and endings stand behind, so the first pair of syllables is most likely that of the stem
            words += [] if known else [((term,),) for term in analysis.terms(piece)[:1]]
        elif not analysis.parse_query(piece).has_only_stop_words:
            words += [((term,),) for term in analysis.parse_query(piece).words]
    return words


def _is_generic(word: Word) -> bool:
    return word[0][0].removesuffix(MARK) in _GENERIC_TERMS
