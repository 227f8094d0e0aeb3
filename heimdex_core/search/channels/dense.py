"""Nearest vectors: the channels over embedding spaces."""

from __future__ import annotations

import time
from collections.abc import Callable

from heimdex_core.search.channels.base import ChannelRequest, ChannelResult, ChannelSpec
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.channels.thresholds import offered
from heimdex_core.types import Space

Abstain = Callable[[ChannelRequest], str | None]
"""A reason (one of base.REASONS) for which the channel has nothing to search, found without a model; or None."""


def nothing_is_said(request: ChannelRequest) -> str | None:
    """Where no video has a transcript, the query's sentence has nothing to be compared with."""
    return None if request.view.has_transcripts(request.user_id, request.video_ids) else "no_transcript"


class DenseChannel:
    """Scenes whose vector lies near the query's in one space, above the model's threshold."""

    def __init__(self, name: str, space: Space, encoder: SharedEncoder, abstain: Abstain | None = None) -> None:
        self.name = name
        self.space = space
        self._encoder = encoder
        self._abstain = abstain

    @property
    def is_ready(self) -> bool:
        return self._encoder.is_ready

    def prepare(self) -> None:
        self._encoder.prepare()

    def search(self, request: ChannelRequest) -> ChannelResult:
        reason = self._abstain(request) if self._abstain is not None else None
        if reason is not None or request.scene_count == 0:
            return ChannelResult(reason=reason or "no_matches")
        self.prepare()
        started = time.perf_counter()
        query = self._encoder.encode(request.text)
        encode_ms = (time.perf_counter() - started) * 1000
        if query.vector is None:
            detail = ", ".join(query.unknown_words)
            return ChannelResult(reason=query.reason or "no_known_words", detail=detail, encode_ms=encode_ms)
        found = request.view.vector_search(
            self.space, query.vector, k=request.depth, user_id=request.user_id, video_ids=request.video_ids
        )
        scenes = offered(self.space, found)
        reason = None if scenes.hits else "no_matches"
        return ChannelResult(scenes, reason=reason, used_words=query.used_words, encode_ms=encode_ms)


def dense_spec(
    kind: str,
    side: str,
    space_role: str,
    warm_up_text: str,
    *,
    shares_weight_of: str | None = None,
    abstain: Abstain | None = None,
) -> ChannelSpec:
    """A channel over the spaces of a role."""

    def make(name: str, space: Space | None, encoder: SharedEncoder | None) -> DenseChannel:
        if space is None or encoder is None:
            raise TypeError(f"the channel {kind} needs a space and its encoder")
        return DenseChannel(name, space, encoder, abstain)

    return ChannelSpec(kind, side, make, space_role, warm_up_text, shares_weight_of)
