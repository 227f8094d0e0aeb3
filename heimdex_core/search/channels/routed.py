"""A dense channel over two text spaces: one whose model is better in its languages, and one that knows many languages.

Each scene is scored in one of the two. A query that the first model reads is compared in the first space with the
scenes that have a vector there, and in the second space with all others. Any other query is compared in the second
space with all scenes. The second model is not loaded where no scene needs it. Scores are made comparable by the null
distributions of the spaces (background.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from heimdex_core.errors import HeimdexError, ViewOutdated
from heimdex_core.search.calibration import Tail, closeness_of
from heimdex_core.search.channels.background import (
    THRESHOLD,
    NullDistribution,
    language_of,
    null_distribution,
)
from heimdex_core.search.channels.base import ChannelRequest, ChannelResult
from heimdex_core.search.channels.encoders import SharedEncoder, TextQueryEncoder
from heimdex_core.search.channels.limits import SAMPLE, Scores, Tails
from heimdex_core.search.channels.query_vectors import RequestVector, vector_of
from heimdex_core.search.closeness import Closeness
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.store.hits import Hits, joined
from heimdex_core.types import Space

MEASURED = Tail(centre=-0.1, scale=1.14)
"""The tail of z in both spaces and languages, as 4,000 scenes had it (evaluation/closeness.py). It is that of smaller
libraries too, whose own few scenes would not say enough."""
ENOUGH_SCENES = 1000
"""From so many scenes on a library has a tail of its own."""

Abstain = Callable[[ChannelRequest], str | None]


@dataclass
class RoutedSpace:
    """A space with its encoder, and the null distributions that were needed so far. Safe to share between threads."""

    space: Space
    encoder: SharedEncoder
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _nulls: dict[str | None, NullDistribution] = field(default_factory=dict)

    def is_ready(self, language: str | None) -> bool:
        """Whether nothing has to be loaded for a query in this language."""
        return self.encoder.is_ready and language in self._nulls

    def null(self, language: str | None) -> NullDistribution:
        """The null distribution for a query in this language. Loads the encoder."""
        with self._lock:
            if language not in self._nulls:
                encoder = cast(TextQueryEncoder, self.encoder.prepare())
                self._nulls[language] = null_distribution(self.space, encoder, language)
            return self._nulls[language]


class RoutedChannel:
    """Finds the scenes that are nearest to the query, each in the space that suits its language."""

    def __init__(self, name: str, first: RoutedSpace, second: RoutedSpace, abstain: Abstain) -> None:
        self.name = name
        self._first = first
        self._second = second
        self._abstain = abstain
        self._tails = Tails()

    def is_ready(self, request: ChannelRequest) -> bool:
        """Whether the encoders that this request needs are loaded."""
        try:
            language = language_of(request.text)
            return all(part.is_ready(language) for part, _ in self._parts(request))
        except ViewOutdated:
            raise
        except HeimdexError:
            return True  # raised again by the search, whose error becomes the channel's result

    def prepare(self, request: ChannelRequest) -> None:
        """Load the encoders that this request needs."""
        for part, _ in self._parts(request):
            part.null(language_of(request.text))

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The nearest scenes above the threshold; abstains where neither encoder understands the query."""
        reason = self._abstain(request)
        if reason is not None or request.scene_count == 0:
            return ChannelResult(reason=reason or "no_matches")
        self.prepare(request)
        language = language_of(request.text)
        nearest: list[Hits] = []
        queries: list[RequestVector] = []
        for part, outside in self._parts(request):
            query = vector_of(request, part.space, part.encoder)
            queries.append(query)
            if query.vector is not None:
                found = request.view.vector_search(
                    part.space,
                    part.null(language).standardised(query.vector),
                    k=request.depth,
                    user_id=request.user_id,
                    video_ids=request.video_ids,
                    scene_ids=request.scene_ids,
                    outside=outside,
                )
                nearest.append(found)
        if all(query.vector is None for query in queries):
            return queries[-1].abstention()
        hidden = request.example.hidden if request.example is not None else frozenset()
        scenes = _found(joined(nearest), hidden, request.depth)
        used = tuple(dict.fromkeys(word for query in queries for word in query.used_words))
        return ChannelResult(
            scenes,
            None if scenes.hits else "no_matches",
            used_words=used,
            encode_ms=sum(query.encode_ms for query in queries),
            closeness=self._closeness(request, language),
        )

    def _closeness(self, request: ChannelRequest, language: str | None) -> Closeness | None:
        """The limits in z, by one tail for both spaces; None for a query with an example, which was not measured."""
        if request.example is not None:
            return None
        parts = self._parts(request)

        def scores() -> Scores | None:
            of_parts = [
                request.view.sample_vectors(part.space, SAMPLE, outside=outside) @ part.null(language).queries.T
                for part, outside in parts
            ]
            if sum(map(len, of_parts)) < ENOUGH_SCENES:
                return None
            return np.concatenate([found.ravel() for found in of_parts])

        key = request.view.token, language, tuple(part.space.name for part, _ in parts)
        return closeness_of(self._tails.get(key, scores) or MEASURED, request.scene_count, THRESHOLD)

    def _parts(self, request: ChannelRequest) -> list[tuple[RoutedSpace, Space | None]]:
        """The spaces to search; with the second element only the scenes that have no vector in that space."""
        if request.scene_count == 0:
            return []
        if not self._first.encoder.understands(request.text):
            return [(self._second, None)]
        parts: list[tuple[RoutedSpace, Space | None]] = [(self._first, None)]
        first, second = self._first.space, self._second.space
        if request.view.has_vectors_outside(
            second, first, user_id=request.user_id, video_ids=request.video_ids, scene_ids=request.scene_ids
        ):
            parts.append((self._second, first))
        return parts


def _found(nearest: Hits, hidden: frozenset[str], depth: int) -> ScoredScenes:
    """The best scenes above the threshold, without the hidden ones. The others are known to score at most that."""
    if hidden:
        nearest = nearest.take(np.flatnonzero([scene_id not in hidden for scene_id in nearest.scenes]))
    best = nearest.take(nearest.best_first()[:depth])
    kept = best.take(np.flatnonzero(best.scores > THRESHOLD))
    if len(kept) < len(best):
        return ScoredScenes(kept, base=THRESHOLD, unoffered=len(best) - len(kept), lowest=THRESHOLD)
    return ScoredScenes(kept, lowest=THRESHOLD)
