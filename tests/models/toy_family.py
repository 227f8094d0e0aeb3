"""A whole model family in one small file: a text encoder that counts the letters a to d."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.models.family import ModelFamily
from heimdex_core.types import Space

LETTERS = "abcd"
SPACE = Space(name="text/toy", kind="text", model="toy", revision="x", dim=len(LETTERS))


class ToyEncoder:
    """A TextEncoder."""

    space = SPACE
    is_loaded = True
    size_bytes = 0

    def load(self) -> None:
        """There is nothing to load."""

    def check(self) -> None:
        """There is nothing to check."""

    def understands(self, text: str) -> bool:
        return any(letter in text for letter in LETTERS)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        counts = np.array([[text.count(letter) for letter in LETTERS] for text in texts], dtype=np.float32)
        norms = np.linalg.norm(counts, axis=1, keepdims=True)
        return np.divide(counts, norms, out=counts, where=norms > 0)

    def encode_query(self, text: str) -> QueryVector:
        if not self.understands(text):
            return QueryVector(None, reason="no_known_words", unknown_words=tuple(text.split()))
        return QueryVector(self.encode_passages([text])[0], used_words=tuple(text.split()))


FAMILY = ModelFamily(
    name="toy",
    kind="text",
    make=lambda name, settings, purpose: ToyEncoder(),
    names={"x": ""},
    licence="CC0-1.0",
    spaces={"x": SPACE},
)
