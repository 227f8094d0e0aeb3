"""From a vector back to words: which concepts of the vocabulary a picture comes near to."""

from __future__ import annotations

import numpy as np

from heimdex_core.models.base import Vectors
from heimdex_core.models.palette.colours import Floats
from heimdex_core.models.palette.layout import BODY, LENGTH
from heimdex_core.models.palette.query_encoder import attainable, concept_vector, group_mix
from heimdex_core.models.palette.query_parser import Group
from heimdex_core.models.palette.vocabulary import Concept, Vocabulary

MOST = 8
CERTAIN = {"colour": 0.33, "look": 0.6, "thing": 0.45}
"""Part of what a perfect example of the concept would score, from which on it is named; by kind."""


class Tagger:
    """Scores every concept that is a tag against a picture's vector."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        concepts = [concept for concept in vocabulary.concepts if concept.is_tag]
        self._names = [concept.name for concept in concepts]
        self._limits = {concept.name: CERTAIN[concept.kind] for concept in concepts}
        asked = np.stack([concept_vector(concept, vocabulary) for concept in concepts])
        best = np.array([_best(concept, row, vocabulary) for concept, row in zip(concepts, asked, strict=True)])
        self._weights = (asked / best[:, None]).astype(np.float32)

    def certainties(self, vector: Vectors) -> dict[str, float]:
        """Name -> score as part of a perfect example's; below 0 where the picture is the opposite."""
        scores = self._weights @ (np.asarray(vector, dtype=np.float32)[:BODY] * LENGTH)
        return dict(zip(self._names, (float(score) for score in scores), strict=True))

    def tags(self, vector: Vectors) -> tuple[str, ...]:
        scores = self.certainties(vector)
        certain = {name: scores[name] / limit for name, limit in self._limits.items() if scores[name] >= limit}
        found = sorted(certain, key=lambda name: (-certain[name], name))
        return tuple(found[:MOST])


def _best(concept: Concept, asked: Floats, vocabulary: Vocabulary) -> float:
    """What a picture would score that is all that the concept asks for."""
    group = Group(thing=concept) if concept.kind == "thing" else Group()
    if concept.kind != "thing":
        group.describe(concept)
    return max(attainable(asked, group_mix(group, vocabulary)), 1e-6)
