"""Query encoders as channels use them: loaded once, and called once per text however many channels need it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, cast

from cachetools import LRUCache

from heimdex_core.models.base import Image, ImageTextEncoder, QueryVector, Vectors
from heimdex_core.types import Space

_CACHED_QUERIES = 64


class QueryEncoder(Protocol):
    """The query side of an embedding model."""

    @property
    def space(self) -> Space:
        """The space of its vectors."""
        ...

    def encode_query(self, text: str) -> QueryVector:
        """The embedding of a query, or the reason why there is none."""
        ...


class TextQueryEncoder(QueryEncoder, Protocol):
    """The query side of a text encoder that shares its work with another one (routed.py)."""

    def understands(self, text: str) -> bool:
        """Whether the model can read a text. Loads no weights."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d) of queries; rows of zeros for those that the model does not read."""
        ...


class QueryModels(Protocol):
    """The part of `models.registry.Models` that search uses."""

    def encoder(self, space_name: str) -> QueryEncoder:
        """The encoder of a space, not loaded. Raises UnknownName for a space that the models do not have."""
        ...


class SharedEncoder:
    """The encoder of one model, shared by its channels and by threads."""

    def __init__(self, load: Callable[[], QueryEncoder], warm_up_text: str) -> None:
        """Nothing is loaded yet.

        Args:
            load: loads the model; after it has raised, the next `prepare` calls it again.
            warm_up_text: a query that is encoded directly after loading.
        """
        self._load = load
        self._warm_up_text = warm_up_text
        self._loading = threading.RLock()
        self._made: QueryEncoder | None = None
        self._encoder: QueryEncoder | None = None
        self._reads_images = False
        self._lock = threading.Lock()
        self._vectors: LRUCache[tuple[str, str], Future[QueryVector]] = LRUCache(_CACHED_QUERIES)

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded."""
        return self._encoder is not None

    def understands(self, text: str) -> bool:
        """Whether the model, which must be a text encoder, can read a text. Loads no weights."""
        return cast(TextQueryEncoder, self._make()).understands(text)

    @property
    def reads_images(self) -> bool:
        """Whether the model can encode an image without loading anything."""
        return self._reads_images

    def encode_image(self, image: Image) -> Vectors:
        """The (d,) vector of an RGB image of any size; the model must be an image encoder. Loads it."""
        vectors = cast(ImageTextEncoder, self._make()).encode_images([image])
        self._reads_images = True
        return vectors[0]

    def _make(self) -> QueryEncoder:
        """The encoder, whether it is loaded or not."""
        with self._loading:
            if self._made is None:
                self._made = self._load()
            return self._made

    def prepare(self) -> QueryEncoder:
        """The encoder, loaded first if necessary. Raises what loading raises."""
        with self._loading:
            if self._encoder is None:
                encoder = self._make()
                # The first query through a model fills its caches, which would make a user's first query slow.
                encoder.encode_query(self._warm_up_text)
                self._encoder = encoder
            return self._encoder

    def encode(self, text: str, user_id: str) -> QueryVector:
        """The vector of a user's query. Threads that need it at the same time share one call of the model.

        It is kept for that user alone: nobody can tell from the time of a search what others have looked for.
        """
        encoder = self.prepare()
        key = user_id, text
        with self._lock:
            known = self._vectors.get(key)
            mine: Future[QueryVector] = known or Future()
            if known is None:
                self._vectors[key] = mine
        if known is not None:
            return known.result()
        try:
            mine.set_result(encoder.encode_query(text))
        except BaseException as error:
            with self._lock:
                if self._vectors.get(key) is mine:
                    del self._vectors[key]
            mine.set_exception(error)
            raise
        return mine.result()
