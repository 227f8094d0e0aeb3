"""The morphemes of Korean words, by Kiwi: nouns, verbs, adjectives and adverbs without their particles and endings.

Kiwi takes about 2 s to load and 330 MB of memory, so it is loaded when the first Hangul is analysed and not before.
docs/decisions/search-korean-morphemes.md has the reasons.
"""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

_KEPT = frozenset({"NNG", "NNP", "NR", "XR", "VV", "VA", "MAG"})
"""Kept parts of speech, by Kiwi's tags (of the Sejong corpus): nouns, numerals, roots, verbs, adjectives, adverbs."""
_DROPPED = frozenset({"하", "있", "되"})
"""To do, to be and to become: nearly every sentence has one."""
MARK = "/"
"""Ends the term of a morpheme. Other terms are letters and digits, so none of them has it. The part of speech is no
part of the term: without its sentence a word often has several."""

_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")


@dataclass(frozen=True, slots=True)
class Morpheme:
    """A morpheme as an index term ("달리/") and the part [start, end) of the text that it was found in."""

    term: str
    start: int
    end: int


class _Analyser:
    """Kiwi, loaded once per process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kiwi: Any = None
        self.is_loaded = False

    def load(self) -> Any:
        """Kiwi; None where it is not installed, which is logged once."""
        with self._lock:
            if not self.is_loaded:
                try:
                    from kiwipiepy import Kiwi

                    self._kiwi = Kiwi(num_workers=1, load_typo_dict=False, load_multi_dict=False)
                    self._kiwi.tokenize("가")  # the first analysis takes as long as loading
                except ImportError as error:
                    log.warning("Korean words are compared by their syllables only: %s", error)
                self.is_loaded = True
            return self._kiwi


_analyser = _Analyser()


def has_hangul(text: str) -> bool:
    """Whether there is a Korean letter in the text."""
    return _HANGUL.search(text) is not None


def is_ready(text: str) -> bool:
    """Whether nothing has to be loaded to analyse this text."""
    return _analyser.is_loaded or not has_hangul(text)


def load() -> None:
    """Load Kiwi if it is not loaded yet."""
    _analyser.load()


def morphemes(text: str) -> Iterator[Morpheme]:
    """The morphemes of a text in order; none where it has no Hangul.

    The text must be in NFC: positions are those of its characters.
    """
    kiwi = _analyser.load() if has_hangul(text) else None
    for token in kiwi.tokenize(text) if kiwi is not None else ():
        form = unicodedata.normalize("NFC", token.form)
        is_kept = str(token.tag).partition("-")[0] in _KEPT and form not in _DROPPED and has_hangul(form)
        if is_kept and not any(character.isspace() for character in form):
            yield Morpheme(f"{form}{MARK}", token.start, token.start + token.len)
