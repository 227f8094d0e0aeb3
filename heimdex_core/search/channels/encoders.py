"""Query encoders as channels use them: loaded once, and asked once for each text however many channels read it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from cachetools import LRUCache

from heimdex_core.models.base import QueryVector
from heimdex_core.types import Space

_KEPT = 16


class QueryEncoder(Protocol):
    space: Space

    def encode_query(self, text: str) -> QueryVector: ...


class SharedEncoder:
    """One model's query side. Safe to share between threads."""

    def __init__(self, load: Callable[[], QueryEncoder], warm_up_text: str) -> None:
        self._load = load
        self._warm_up_text = warm_up_text
        self._loading = threading.Lock()
        self._encoder: QueryEncoder | None = None
        self._lock = threading.Lock()
        self._answers: LRUCache[str, Future[QueryVector]] = LRUCache(_KEPT)

    @property
    def is_ready(self) -> bool:
        return self._encoder is not None

    def prepare(self) -> QueryEncoder:
        """The encoder, loaded. Raises what loading raises, and tries again the next time."""
        with self._loading:
            if self._encoder is None:
                encoder = self._load()
                # The first query through a model builds its caches; it must not look like a slow one.
                encoder.encode_query(self._warm_up_text)
                self._encoder = encoder
            return self._encoder

    def encode(self, text: str) -> QueryVector:
        """The query's vector; whoever asks for the same text meanwhile waits for the one answer."""
        encoder = self.prepare()
        with self._lock:
            known = self._answers.get(text)
            mine: Future[QueryVector] = known or Future()
            if known is None:
                self._answers[text] = mine
        if known is not None:
            return known.result()
        try:
            mine.set_result(encoder.encode_query(text))
        except BaseException as error:
            with self._lock:
                if self._answers.get(text) is mine:
                    del self._answers[text]
            mine.set_exception(error)
            raise
        return mine.result()
