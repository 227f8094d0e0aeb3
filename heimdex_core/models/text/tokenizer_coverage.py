"""Whether a model's tokenizer can read a text, told by how it cuts the words up.

A script that the vocabulary knows is cut into pieces of several letters; one that it does not know into
letters, parts of letters or bytes, or into the mark for the unknown.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.errors import ModelBroken
from heimdex_core.models.text.language import is_latin_letter, latin_share

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LATIN_SHARE = 0.5
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SYLLABLES = 0x2E80
"""From here on a character is a syllable or a word, not a letter."""


def words_of(text: str) -> list[str]:
    return _WORD.findall(text)


class Reader:
    """A tokenizer.json, read at the first use. Safe to share between threads."""

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._name = name
        self._lock = threading.Lock()
        self._tokenizer: Tokenizer | None = None

    def tokenizer(self) -> Tokenizer:
        """Without truncation and padding. Raises ModelBroken."""
        with self._lock:
            if self._tokenizer is None:
                from tokenizers import Tokenizer

                try:
                    found = Tokenizer.from_file(str(self._file))
                except Exception as error:  # tokenizers raises bare Exception
                    raise ModelBroken(name=self._name, reason=f"{self._file.name}: {error}") from error
                found.no_truncation()
                found.no_padding()
                self._tokenizer = found
            return self._tokenizer

    def reason(self, text: str) -> str | None:
        """Why the model has nothing to say about `text`: "no_known_words", "language"; None where it has."""
        words = words_of(text)
        unread = set(self.unread(words))
        if not words:
            return "no_known_words"
        foreign = sum(weight(word) for word in words if word in unread)
        share = latin_share(text)
        if share is not None and share < LATIN_SHARE:
            return "language" if foreign >= (1 - LATIN_SHARE) * sum(map(weight, words)) else None
        return "no_known_words" if len(unread) == len(set(words)) else None

    def unread(self, words: list[str]) -> list[str]:
        """Those of `words` that the tokenizer does not know."""
        if not words:
            return []
        tokenizer = self.tokenizer()
        unknown = self._unknown_id(tokenizer)
        found = []
        for word, cut in zip(words, tokenizer.encode_batch(words, add_special_tokens=False), strict=True):
            if unknown in cut.ids or len(cut.ids) > most_pieces(word):
                found.append(word)
        return found

    @staticmethod
    def _unknown_id(tokenizer: Tokenizer) -> int:
        """The id of the mark for the unknown; -1 where there is none (byte-level vocabularies)."""
        for mark in ("[UNK]", "<unk>", "<UNK>"):
            found = tokenizer.token_to_id(mark)
            if found is not None:
                return int(found)
        return -1


def weight(word: str) -> float:
    """Letters of a word; a syllable counts as two and a half."""
    return sum(2.5 if ord(char) >= _SYLLABLES else 1.0 for char in word)


def most_pieces(word: str) -> float:
    """Into how many pieces a vocabulary that knows the script would cut this word, at most."""
    foreign = [char for char in word if char.isalpha() and not is_latin_letter(char)]
    if not foreign:
        return float("inf")
    letters = sum(ord(char) < _SYLLABLES for char in foreign)
    # one more for the mark of a word's beginning, which some vocabularies keep apart
    return 0.8 * letters + 1.2 * (len(foreign) - letters) + (len(word) - len(foreign)) + 1
