"""What background queries say about one embedding space: which scenes are hubs, and from which score on one is close.

A hub is a scene that is near to every query. Query-bank normalisation (Bogolin et al., "Cross Modal Retrieval with
Querybank Normalisation", CVPR 2022) divides a scene's similarity by a number of the scene, which says how similar it is
to a bank of queries. Here that number is the mean cosine, and is subtracted, which is what the inverted softmax of the
paper becomes where its temperature is high: a first trial found more right scenes so than with lower temperatures
(docs/decisions/search-calibration.md). A mean of cosines is the cosine with the mean, so it is subtracted from the
query once, instead of being stored for each scene. A query that has little in common with the background queries loses
as little of it (`without_mean`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.search.calibration import MIN_SCORES, Tail, closeness_of, fit_tail
from heimdex_core.search.channels.background import background_vectors, language_of
from heimdex_core.search.channels.base import ChannelRequest
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.channels.thresholds import NAMED_PROPERTIES, threshold_of
from heimdex_core.search.closeness import Closeness
from heimdex_core.types import Space

SAMPLE = 1024
"""Scenes of the library whose scores are looked at."""
_KEPT = 8

Scores = npt.NDArray[np.float32]


class Tails:
    """The tails of a channel, each fitted once. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fitted: LRUCache[Hashable, Tail | None] = LRUCache(_KEPT)

    def get(self, key: Hashable, scores: Callable[[], Scores | None]) -> Tail | None:
        """The tail that is kept under the key, else one fitted to `scores()`; None where these are too few.

        Args:
            key: what the scores depend on: a view of the library and a language.
            scores: of n scenes for m background queries, in any shape; None if there are none.
        """
        with self._lock:
            if key not in self._fitted:
                found = scores()
                self._fitted[key] = fit_tail(found) if found is not None and found.size >= MIN_SCORES else None
            return self._fitted[key]


class SpaceLimits:
    """The limits of one space, from the vectors of the background queries that its encoder understands."""

    def __init__(self, space: Space, encoder: SharedEncoder) -> None:
        self._space = space
        self._encoder = encoder
        self._tails = Tails()
        self._lock = threading.Lock()
        self._queries: dict[str | None, Vectors | None] = {}

    def is_ready(self, text: str) -> bool:
        """Whether the background queries of the text's language are encoded."""
        return language_of(text) in self._queries

    def prepare(self, text: str) -> None:
        """Encode the background queries of the text's language. Loads the encoder."""
        language = language_of(text)
        with self._lock:
            if language not in self._queries:
                self._queries[language] = background_vectors(self._space, self._encoder.prepare(), language)

    def damped(self, text: str, vector: Vectors) -> Vectors:
        """The vector (d,) of a query less what it shares with the background queries, so that hubs do not come first.

        In spaces with a measured threshold, which is about plain cosines, the vector as it is.
        """
        queries = self._queries.get(language_of(text))
        return vector if queries is None or not self.is_damped(text) else without_mean(vector, queries)

    def is_damped(self, text: str) -> bool:
        """Whether `damped` changes the vector of a query."""
        return threshold_of(self._space) is None and self._queries.get(language_of(text)) is not None

    def closeness(self, request: ChannelRequest, query: QueryVector) -> Closeness | None:
        """The limits for a query; None for one with an example, which was not measured, and where nothing is known.

        Raises LibraryDamaged, ViewOutdated.
        """
        if request.example is not None:
            return None
        if len(query.used_words) < len(query.unknown_words):
            return Closeness(math.inf, math.inf)  # what the model does not know may be what the query is about
        language = language_of(request.text)

        def scores() -> Scores | None:
            queries = self._queries.get(language)
            if queries is None:
                return None
            bank = without_mean(queries, queries) if self.is_damped(request.text) else queries
            return request.view.sample_vectors(self._space, SAMPLE) @ bank.T

        tail = self._tails.get((request.view.token, language), scores)
        floor = threshold_of(self._space)
        limits = closeness_of(tail, request.scene_count, floor)
        if limits is not None and floor is not None and self._space.name in NAMED_PROPERTIES:
            return Closeness(floor, limits.strong_at)
        return limits


def without_mean(vectors: Vectors, queries: Vectors) -> Vectors:
    """Vectors less their share of the mean m of the background queries: v - min(1, max(0, v . m / m . m)) m.

    The share is the least-squares projection, and about 1 for a query like the background queries. One that has nothing
    in common with them stays as it is: what they get from a scene says nothing about it.

    Args:
        vectors: (d,) of one query, or (n, d) of several.
        queries: (m, d) of the background queries.
    """
    mean = queries.mean(axis=0)
    length = float(mean @ mean)
    share = np.clip(vectors @ mean / length, 0.0, 1.0) if length else np.zeros(vectors.shape[:-1])
    return np.asarray(vectors - np.multiply.outer(share, mean), dtype=np.float32)
