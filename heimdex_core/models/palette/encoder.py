"""Palette: pictures and written descriptions in one space, by colour, light, texture and layout.

It needs no weights. What it knows is written down in vocabulary.toml; a query with none of its words
gets no answer, never a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from heimdex_core.models.base import Image, QueryVector, Vectors
from heimdex_core.models.palette.descriptor import describe
from heimdex_core.models.palette.layout import DIM, SPACE
from heimdex_core.models.palette.query_encoder import vector_of
from heimdex_core.models.palette.query_parser import read
from heimdex_core.models.palette.tagging import Tagger
from heimdex_core.models.palette.vocabulary import FILE, vocabulary


class Palette:
    """An ImageTextEncoder. It keeps no state between calls and may be used from many threads."""

    space = SPACE
    licence = "Apache-2.0"

    @property
    def is_loaded(self) -> bool:
        return True

    @property
    def size_bytes(self) -> int:
        return FILE.stat().st_size

    def load(self) -> None:
        """Read the vocabulary now."""
        vocabulary()

    def check(self) -> None:
        """Raise ModelBroken where the vocabulary does not hold to the descriptor."""
        vocabulary()

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """(n, DIM) unit vectors of RGB pictures of any size. Raises InvalidValue for other arrays."""
        if not images:
            return np.zeros((0, DIM), dtype=np.float32)
        return np.stack([describe(image) for image in images])

    def encode_query(self, text: str) -> QueryVector:
        """What a description asks for; abstains with "no_known_words"."""
        reading = read(text, vocabulary())
        vector = vector_of(reading.groups, vocabulary())
        reason = None if vector is not None else "no_known_words"
        return QueryVector(vector, reason, reading.used_words, reading.unknown_words)

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """English names of what a picture's vector (DIM,) shows, most certain first, at most 8."""
        return self._tagger.tags(vector)

    @cached_property
    def _tagger(self) -> Tagger:
        return Tagger(vocabulary())
