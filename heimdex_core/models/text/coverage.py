"""Which texts a model can read: by their script, and by how the model's tokenizer splits their words.

A tokenizer splits words of a script that its vocabulary covers into pieces of several letters, and others into letters,
parts of letters or bytes, or into the token for the unknown.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.errors import ModelBroken
from heimdex_core.models.base import QueryVector

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LATIN_SHARE = 0.5
"""A text with a smaller share of a model's scripts is one in another script."""
LATIN = frozenset({"LATIN"})
HANGUL = frozenset({"HANGUL"})
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SYLLABLES = 0x2E80
"""From this code point on a character stands for a syllable or a word, not for a letter."""
_LETTERS_IN_SYLLABLE = 2.5
"""A Hangul syllable or a Chinese character says about as much as this many Latin letters. Without the factor one
Korean word in an English sentence would weigh next to nothing."""


@lru_cache(maxsize=4096)
def script_of(char: str) -> str:
    """The script of a letter as Unicode names it, such as "LATIN", "HANGUL" or "CJK"; "" for anything else."""
    if not char.isalpha():
        return ""
    name = unicodedata.name(char, "").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    return name.split(" ", 1)[0]


def is_latin_letter(char: str) -> bool:
    """Whether a character is a letter of the Latin script, accented and full-width ones included."""
    return script_of(char) == "LATIN"


def share_of(text: str, scripts: frozenset[str]) -> float | None:
    """The share of letters of these scripts among all letters, 0 to 1; None for a text without letters."""
    own = other = 0.0
    for char in text:
        if not char.isalpha():
            continue
        weight = _LETTERS_IN_SYLLABLE if ord(char) >= _SYLLABLES and not is_latin_letter(char) else 1.0
        if script_of(char) in scripts:
            own += weight
        else:
            other += weight
    return own / (own + other) if own + other else None


def latin_share(text: str) -> float | None:
    """The share of Latin letters among all letters, 0 to 1; None for a text without letters."""
    return share_of(text, LATIN)


def _is_foreign(text: str) -> bool:
    share = latin_share(text)
    return share is not None and share < LATIN_SHARE


def words_of(text: str) -> list[str]:
    """The words and numbers of a text, without punctuation."""
    return _WORD.findall(text)


class Coverage(ABC):
    """Which texts a model can read."""

    @abstractmethod
    def reason(self, text: str) -> str | None:
        """Why the model cannot encode `text`, "no_known_words" or "language"; None where it can."""

    @abstractmethod
    def unknown_words(self, words: list[str]) -> list[str]:
        """Those of `words` that the model does not know."""

    def query(self, text: str) -> QueryVector:
        """The known and the unknown words of a query, or the reason why the model abstains; without the vector."""
        words = words_of(text)
        reason = self.reason(text)
        unknown = set(words if reason else self.unknown_words(words))
        used = tuple(word for word in words if word not in unknown)
        return QueryVector(None, reason, used, tuple(word for word in words if word in unknown))


class ScriptCoverage(Coverage):
    """Of a model for languages in these scripts, whose tokenizer says nothing about others."""

    def __init__(self, scripts: frozenset[str]) -> None:
        self._scripts = scripts

    def reason(self, text: str) -> str | None:
        if not words_of(text):
            return "no_known_words"
        share = share_of(text, self._scripts)
        return "language" if share is not None and share < LATIN_SHARE else None

    def unknown_words(self, words: list[str]) -> list[str]:
        return [word for word in words if share_of(word, self._scripts) not in (None, 1.0)]


class TokenizerCoverage(Coverage):
    """Of what the tokenizer in a tokenizer.json covers. Loaded at the first use; safe to share between threads."""

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._name = name

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, without truncation and padding. Raises ModelBroken."""
        from tokenizers import Tokenizer

        try:
            found = Tokenizer.from_file(str(self._file))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelBroken(name=self._name, reason=f"{self._file.name}: {error}") from error
        found.no_truncation()
        found.no_padding()
        return found

    def reason(self, text: str) -> str | None:
        words = words_of(text)
        if not words:
            return "no_known_words"
        unknown = set(self.unknown_words(words))
        if _is_foreign(text):
            foreign = sum(letters_in(word) for word in words if word in unknown)
            return "language" if foreign >= (1 - LATIN_SHARE) * sum(map(letters_in, words)) else None
        return "no_known_words" if len(unknown) == len(set(words)) else None

    def unknown_words(self, words: list[str]) -> list[str]:
        if not words:
            return []
        tokenizer = self.tokenizer
        # byte-level vocabularies have no token for the unknown
        marks = {tokenizer.token_to_id(token) for token in ("[UNK]", "<unk>", "<UNK>")} - {None}
        splits = tokenizer.encode_batch(words, add_special_tokens=False)
        return [
            word
            for word, split in zip(words, splits, strict=True)
            if marks.intersection(split.ids) or len(split.ids) > most_pieces(word)
        ]


def letters_in(word: str) -> float:
    """The length of a word in letters, with syllables counted as several."""
    return sum(_LETTERS_IN_SYLLABLE if ord(char) >= _SYLLABLES else 1.0 for char in word)


def most_pieces(word: str) -> float:
    """The most pieces into which a tokenizer whose vocabulary covers the script would split a word."""
    foreign = [char for char in word if char.isalpha() and not is_latin_letter(char)]
    if not foreign:
        return float("inf")
    letters = sum(ord(char) < _SYLLABLES for char in foreign)
    # plus one for the marker of a word's start, which is a token of its own in some vocabularies
    return 0.8 * letters + 1.2 * (len(foreign) - letters) + (len(word) - len(foreign)) + 1
