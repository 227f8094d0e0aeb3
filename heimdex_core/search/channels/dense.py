"""Dense channels: nearest vectors of the query's embedding in one space."""

from __future__ import annotations

from collections.abc import Callable

from heimdex_core.models.base import Vectors
from heimdex_core.search.channels import query_vectors
from heimdex_core.search.channels.base import ChannelRequest, ChannelResult
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.channels.limits import SpaceLimits
from heimdex_core.search.channels.thresholds import above_threshold
from heimdex_core.search.examples import by_example
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.store.hits import Hits, Keyframes
from heimdex_core.types import Space

Abstain = Callable[[ChannelRequest], str | None]
"""Checks, without a model, whether there is anything to search: a reason (one of base.REASONS) or None."""


class DenseChannel:
    """Finds the scenes whose vector in one space is near the query's, above the model's threshold."""

    def __init__(self, name: str, space: Space, encoder: SharedEncoder, abstain: Abstain | None = None) -> None:
        self.name = name
        self.space = space
        self._encoder = encoder
        self._abstain = abstain
        self._limits = SpaceLimits(space, encoder)

    def is_ready(self, request: ChannelRequest) -> bool:
        """Whether the towers of the model that the request needs are loaded."""
        has_limits = not request.text or self._limits.is_ready(request.text)
        return has_limits and query_vectors.is_ready(request, self.space, self._encoder)

    def prepare(self, request: ChannelRequest) -> None:
        """Load them."""
        query_vectors.prepare(request, self.space, self._encoder)
        if request.text:
            self._limits.prepare(request.text)

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The nearest scenes above the threshold; abstains where the encoder does not understand the query.

        Scenes with several keyframes are scored by these.
        """
        reason = self._abstain(request) if self._abstain is not None else None
        if reason is not None or request.scene_count == 0:
            return ChannelResult(reason=reason or "no_matches")
        self.prepare(request)
        query = query_vectors.vector_of(request, self.space, self._encoder)
        if query.vector is None:
            return query.abstention()
        hidden = request.example.hidden if request.example is not None else frozenset()
        vector = query.vector if query.by_example else self._limits.damped(request.text, query.vector)
        nearest, keyframes = self._nearest(request, vector, request.depth + len(hidden))
        if query.by_example:
            scenes = by_example(nearest, hidden)
        else:
            scenes = above_threshold(self.space, nearest, is_damped=self._limits.is_damped(request.text))
        return ChannelResult(
            scenes,
            reason=None if scenes.hits else "no_matches",
            used_words=query.used_words,
            encode_ms=query.encode_ms,
            keyframes=None if keyframes is None else keyframes.take(ScoredScenes(nearest).positions(scenes.scene_ids)),
            closeness=None if query.text is None else self._limits.closeness(request, query.text),
        )

    def _nearest(self, request: ChannelRequest, vector: Vectors, k: int) -> tuple[Hits, Keyframes | None]:
        """(the nearest scenes with their scores, the keyframe of each that matched best where there are pictures)."""
        if self.space.kind != "vision":
            nearest = request.view.vector_search(
                self.space,
                vector,
                k=k,
                user_id=request.user_id,
                video_ids=request.video_ids,
                scene_ids=request.scene_ids,
            )
            return nearest, None
        matches = request.view.keyframe_search(
            self.space,
            vector,
            k=k,
            user_id=request.user_id,
            video_ids=request.video_ids,
            scene_ids=request.scene_ids,
            temperature=request.temperature,
        )
        return matches.hits, matches.keyframes
