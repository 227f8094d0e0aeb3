"""Nearest vectors: what the transcript and the vision channel have in common."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from heimdex_core.models.base import QueryVector
from heimdex_core.search.channels.base import Answer, Ask
from heimdex_core.search.channels.floors import floor_of
from heimdex_core.search.fusion.base import ScoredScenes
from heimdex_core.types import Space

if TYPE_CHECKING:
    from heimdex_core.store.reader import Reader


class QueryEncoder(Protocol):
    space: Space

    def encode_query(self, text: str) -> QueryVector: ...


class DenseChannel:
    """Scenes whose vector lies near the query's, above the model's floor."""

    name: str
    warm_up_text: str

    def __init__(self, reader: Reader, load: Callable[[], QueryEncoder]) -> None:
        self.reader = reader
        self._load = load
        self._lock = threading.Lock()
        self._encoder: QueryEncoder | None = None

    @property
    def is_ready(self) -> bool:
        return self._encoder is not None

    def prepare(self) -> None:
        with self._lock:
            if self._encoder is None:
                encoder = self._load()
                # The first query through a model builds its caches; it must not look like a slow one.
                encoder.encode_query(self.warm_up_text)
                self._encoder = encoder

    def answer(self, ask: Ask) -> Answer:
        early = self.nothing_to_search(ask)
        if early is not None:
            return early
        self.prepare()
        encoder = self._encoder
        if encoder is None:  # prepare() raised otherwise
            raise RuntimeError(f"{self.name} has no encoder")
        started = time.perf_counter()
        query = encoder.encode_query(ask.text)
        encode_ms = (time.perf_counter() - started) * 1000
        if query.vector is None:
            detail = ", ".join(query.unknown_words)
            return Answer(reason=query.reason or "no_known_words", detail=detail, encode_ms=encode_ms)
        found = self.reader.vector_search(
            encoder.space, query.vector, k=ask.depth, user_id=ask.user_id, video_ids=ask.video_ids
        )
        scenes = above_floor(found, floor_of(encoder.space), ask.depth)
        return Answer(
            scenes,
            reason=None if scenes.hits else "no_matches",
            used_words=query.used_words,
            encode_ms=encode_ms,
        )

    def nothing_to_search(self, ask: Ask) -> Answer | None:
        """An abstention that needs no model, or None."""
        return Answer(reason="no_matches") if ask.scene_count == 0 else None


def above_floor(found: list[tuple[str, float]], floor: float, depth: int) -> ScoredScenes:
    """The scenes above `floor`; those below are known to lie there, and count as the base."""
    kept = tuple((scene_id, float(score)) for scene_id, score in found if score > floor)
    if len(kept) < len(found):
        return ScoredScenes(kept, base=floor, unoffered=len(found) - len(kept))
    return ScoredScenes(kept)
