"""Dense channels: nearest vectors of the query's embedding in one space."""

from __future__ import annotations

import time
from collections.abc import Callable

from heimdex_core.search.channels.base import ChannelRequest, ChannelResult
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.channels.thresholds import above_threshold
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

    def is_ready(self, request: ChannelRequest) -> bool:
        """Whether the encoder is loaded."""
        return self._encoder.is_ready

    def prepare(self, request: ChannelRequest) -> None:
        """Load the encoder."""
        self._encoder.prepare()

    def search(self, request: ChannelRequest) -> ChannelResult:
        """The nearest scenes above the threshold; abstains where the encoder does not understand the query."""
        reason = self._abstain(request) if self._abstain is not None else None
        if reason is not None or request.scene_count == 0:
            return ChannelResult(reason=reason or "no_matches")
        self.prepare(request)
        started = time.perf_counter()
        query = self._encoder.encode(request.text)
        encode_ms = (time.perf_counter() - started) * 1000
        if query.vector is None:
            detail = ", ".join(query.unknown_words)
            return ChannelResult(reason=query.reason or "no_known_words", detail=detail, encode_ms=encode_ms)
        nearest = request.view.vector_search(
            self.space, query.vector, k=request.depth, user_id=request.user_id, video_ids=request.video_ids
        )
        scenes = above_threshold(self.space, nearest)
        reason = None if scenes.hits else "no_matches"
        return ChannelResult(scenes, reason=reason, used_words=query.used_words, encode_ms=encode_ms)
