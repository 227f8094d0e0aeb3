"""Nearest vectors: what the channels over embedding spaces have in common."""

from __future__ import annotations

import time

from heimdex_core.search.channels.base import Answer, Ask
from heimdex_core.search.channels.encoding import SharedEncoder
from heimdex_core.search.channels.floors import offered
from heimdex_core.types import Space


class DenseChannel:
    """Scenes whose vector lies near the query's in one space, above the model's floor."""

    def __init__(self, name: str, space: Space, encoder: SharedEncoder) -> None:
        self.name = name
        self.space = space
        self._encoder = encoder

    @property
    def is_ready(self) -> bool:
        return self._encoder.is_ready

    def prepare(self) -> None:
        self._encoder.prepare()

    def answer(self, ask: Ask) -> Answer:
        early = self.nothing_to_search(ask)
        if early is not None:
            return early
        self.prepare()
        started = time.perf_counter()
        query = self._encoder.encode(ask.text)
        encode_ms = (time.perf_counter() - started) * 1000
        if query.vector is None:
            detail = ", ".join(query.unknown_words)
            return Answer(reason=query.reason or "no_known_words", detail=detail, encode_ms=encode_ms)
        found = ask.view.vector_search(
            self.space, query.vector, k=ask.depth, user_id=ask.user_id, video_ids=ask.video_ids
        )
        scenes = offered(self.space, found)
        return Answer(
            scenes,
            reason=None if scenes.hits else "no_matches",
            used_words=query.used_words,
            encode_ms=encode_ms,
        )

    def nothing_to_search(self, ask: Ask) -> Answer | None:
        """An abstention that needs no model, or None."""
        return Answer(reason="no_matches") if ask.scene_count == 0 else None
