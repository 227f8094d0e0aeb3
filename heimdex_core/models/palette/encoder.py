"""Palette: images and written descriptions in one space, by colour, light, texture and layout.

It needs no weights. Its knowledge is in vocabulary.toml; a query without any of its words gets no vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from heimdex_core.models.base import Image, QueryVector, Vectors
from heimdex_core.models.family import ModelFamily
from heimdex_core.models.palette.descriptor import describe
from heimdex_core.models.palette.layout import BODY, DIM, LENGTH, REVISION, SPACE
from heimdex_core.models.palette.query_encoder import attainable, group_mix, group_vector, vector_of
from heimdex_core.models.palette.query_parser import Group, parse
from heimdex_core.models.palette.vocabulary import FILE, Vocabulary, vocabulary

MOST_TAGS = 8
CERTAIN = {"colour": 0.33, "look": 0.6, "thing": 0.45}
"""Least score of a tag by kind of concept, as a share of the score of a perfect example."""


class Palette:
    """An ImageTextEncoder. It has no state between calls and may be used from many threads."""

    space = SPACE

    @property
    def is_loaded(self) -> bool:
        """Always true: there are no weights."""
        return True

    @property
    def size_bytes(self) -> int:
        """Size of the vocabulary."""
        return FILE.stat().st_size

    def load(self) -> None:
        """Read the vocabulary now. Raises ModelBroken."""
        vocabulary()

    def check(self) -> None:
        """Raise ModelBroken where the vocabulary does not fit the descriptor."""
        vocabulary()

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """The vectors (n, DIM) of RGB images of any size. Raises InvalidValue for other arrays."""
        if not images:
            return np.zeros((0, DIM), dtype=np.float32)
        return np.stack([describe(image) for image in images])

    def encode_query(self, text: str) -> QueryVector:
        """What a description asks for, as a vector (DIM,); abstains with "no_known_words"."""
        query = parse(text, vocabulary())
        vector = vector_of(query.groups, vocabulary())
        reason = None if vector is not None else "no_known_words"
        return QueryVector(vector, reason, query.used_words, query.unknown_words)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, DIM) of descriptions; rows of zeros for those that ask for nothing."""
        found = [self.encode_query(text).vector for text in texts]
        return np.array([np.zeros(DIM, np.float32) if vector is None else vector for vector in found])

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """English names of what the image with this vector (DIM,) shows, most certain first, at most MOST_TAGS."""
        return self._tagger.tags(vector)

    @cached_property
    def _tagger(self) -> Tagger:
        return Tagger(vocabulary())


class Tagger:
    """Scores an image's vector for every concept that is a tag."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        concepts = [concept for concept in vocabulary.concepts if concept.is_tag]
        self._limits = {concept.name: CERTAIN[concept.kind] for concept in concepts}
        groups = [Group.of(concept) for concept in concepts]
        asked = np.stack([group_vector(group, vocabulary) for group in groups])
        # the score of an image with everything that the concept asks for
        best = [attainable(row, group_mix(group, vocabulary)) for group, row in zip(groups, asked, strict=True)]
        self._weights = (asked / np.maximum(best, 1e-6)[:, None]).astype(np.float32)

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        """The names whose scores are certain enough, most certain first, at most MOST_TAGS."""
        scores = self._weights @ (np.asarray(vector, dtype=np.float32)[:BODY] * LENGTH)
        shares = {name: float(score) for name, score in zip(self._limits, scores, strict=True)}
        certain = {name: shares[name] / limit for name, limit in self._limits.items() if shares[name] >= limit}
        return tuple(sorted(certain, key=lambda name: (-certain[name], name))[:MOST_TAGS])


FAMILY = ModelFamily(
    name="palette",
    kind="vision",
    make=lambda name, settings, purpose: Palette(),
    names={REVISION: ""},
    licence="Apache-2.0",
    spaces={REVISION: SPACE},
)
