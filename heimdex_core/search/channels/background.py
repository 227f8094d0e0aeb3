"""How scores of different spaces become comparable: each is read against what unrelated queries get in its space.

A cosine of 0.3 means something else in every space. The score here is the number of standard deviations by which a
scene's cosine with the query exceeds its mean cosine with background queries, which are about other things:

    z = (q . s - mean of b . s) / deviation = ((q - mean of b) / deviation) . s

for the query's vector q, a scene's vector s and the background queries' vectors b. It is linear in s, so the index
finds the nearest scenes by z as it finds them by cosine. Subtracting the scene's own mean also holds back scenes that
are near to every query (hubs; Radovanovic et al., "Hubs in Space", JMLR 2010).

docs/decisions/search-two-text-models.md has the measurements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from heimdex_core.models.base import Vectors
from heimdex_core.models.text.coverage import HANGUL, LATIN, share_of
from heimdex_core.types import Space

DEVIATIONS: Mapping[str, float] = {
    "text/all-MiniLM-L6-v2": 0.079,
    "text/use-multilingual-3": 0.060,
}
"""Standard deviation of the cosines with background queries around a scene's mean, by the name of the space. It hardly
depends on the languages of query and scene (benchmarks/bilingual.py)."""

THRESHOLD = 2.5
"""The z that a scene must exceed to count as found: 98 of 100 unrelated scenes do not."""

LANGUAGES = ("en", "ko")
"""Those with background queries, which are in background_queries/. A query is compared with those of its language."""
MIN_QUERIES = 8
"""Of fewer background queries nothing is estimated."""

_FOLDER = Path(__file__).parents[1] / "background_queries"
_MOST_FOR_IMAGE_MODELS = 24
"""Queries that a model for images encodes: on a CPU each of them takes a tenth of a second and more."""
_QUICK = frozenset({"vision/palette"})
_MOSTLY = 0.5


class Encoder(Protocol):
    """Encodes many queries at once."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d) of queries; rows of zeros for those that the model does not read."""
        ...


@lru_cache
def background_queries(language: str | None) -> tuple[str, ...]:
    """The background queries of a language of LANGUAGES, of all of them for any other one."""
    if language not in LANGUAGES:
        return tuple(text for some in LANGUAGES for text in background_queries(some))
    lines = (_FOLDER / f"{language}.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line)


def background_vectors(space: Space, encoder: object, language: str | None) -> Vectors | None:
    """The vectors (n, d) of the background queries of a language that the model understands.

    Args:
        space: the encoder's.
        encoder: loaded.
        language: one of LANGUAGES; None for all of them.

    None for an encoder that cannot encode many queries at once, and where it understands fewer than MIN_QUERIES.
    """
    encode = getattr(encoder, "encode_queries", None)
    if encode is None:
        return None
    texts = background_queries(language)
    if space.kind == "vision" and space.name not in _QUICK:
        texts = texts[:: math.ceil(len(texts) / _MOST_FOR_IMAGE_MODELS)]
    vectors: Vectors = encode(texts)
    vectors = vectors[vectors.any(axis=1)]
    return vectors if len(vectors) >= MIN_QUERIES else None


@dataclass(frozen=True)
class NullDistribution:
    """What background queries of one language get in one space."""

    mean: Vectors
    """(d,) the mean of their vectors; its cosine with a scene is the scene's mean score."""
    deviation: float
    """Standard deviation of their scores around a scene's mean, as cosine."""
    queries: Vectors
    """(n, d) their vectors, standardised."""

    def standardised(self, query: Vectors) -> Vectors:
        """A vector (d,) whose inner product with a scene's vector is the scene's z."""
        return np.asarray((query - self.mean) / np.float32(self.deviation), dtype=np.float32)


def null_distribution(space: Space, encoder: Encoder, language: str | None) -> NullDistribution:
    """The null distribution of a space for queries in a language; None for one without background queries.

    Raises KeyError for a space without a measured deviation.
    """
    vectors = encoder.encode_queries(background_queries(language))
    vectors = vectors[vectors.any(axis=1)]
    mean, deviation = vectors.mean(axis=0), DEVIATIONS[space.name]
    return NullDistribution(mean, deviation, (vectors - mean) / np.float32(deviation))


def language_of(text: str) -> str | None:
    """The language of the background queries for a query: "ko" in Hangul, "en" in Latin script, else None.

    The other languages in Latin script have none of their own.
    """
    for language, script in (("ko", HANGUL), ("en", LATIN)):
        share = share_of(text, script)
        if share is not None and share >= _MOSTLY:
            return language
    return None
