"""Pictures and sentences of several videos go through a model together.

Whoever comes while the model is at work waits, and what has gathered by then is the next batch. Nobody
waits for others to come: a single caller is served at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from heimdex_core.models.base import Captioner, Image, ImageTextEncoder, TextEncoder, Vectors
from heimdex_core.models.registry import Models

Item = TypeVar("Item")
Found = TypeVar("Found")

TEXTS = 128
PICTURES = 64
CAPTIONS = 32
"""Most that is joined. Adapters cut it into the batches that fit their device."""


@dataclass(eq=False)
class _Request(Generic[Item, Found]):
    items: Sequence[Item]
    found: list[Found] = field(default_factory=list)
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.error is not None or len(self.found) == len(self.items)


class SharedBatches(Generic[Item, Found]):
    """Joins the requests of many threads. `work` gives one result for each item, in order."""

    def __init__(self, work: Callable[[list[Item]], Sequence[Found]], size: int) -> None:
        self._work = work
        self._size = max(1, size)
        self._changed = threading.Condition()
        self._waiting: list[_Request[Item, Found]] = []
        self._is_busy = False

    @property
    def waiting(self) -> int:
        """How many requests are not answered yet, the one at work included."""
        with self._changed:
            return len(self._waiting)

    def run(self, items: Sequence[Item]) -> list[Found]:
        """The results of `items`. Raises what `work` raises for these alone, whatever they were joined with."""
        request: _Request[Item, Found] = _Request(items)
        with self._changed:
            self._waiting.append(request)
        try:
            while self._lead(request):
                pass
        finally:
            with self._changed:
                if request in self._waiting:
                    self._waiting.remove(request)
                self._changed.notify_all()
        if request.error is not None:
            raise request.error
        return request.found

    def _lead(self, request: _Request[Item, Found]) -> bool:
        """Wait for the answer or for the model, then work on the next batch; false when there is an answer."""
        with self._changed:
            self._changed.wait_for(lambda: request.is_done or not self._is_busy)
            if request.is_done:
                return False
            self._is_busy = True
            parts = self._next()
        try:
            self._work_on(parts)
        finally:
            with self._changed:
                self._is_busy = False
                self._waiting = [one for one in self._waiting if not one.is_done]
                self._changed.notify_all()
        return True

    def _next(self) -> list[tuple[_Request[Item, Found], Sequence[Item]]]:
        """The oldest waiting items, up to a batch; the lock must be held."""
        parts = []
        room = self._size
        for request in self._waiting:
            start = len(request.found)
            part = request.items[start : start + room]
            if part:
                parts.append((request, part))
                room -= len(part)
            if room == 0:
                break
        return parts

    def _work_on(self, parts: list[tuple[_Request[Item, Found], Sequence[Item]]]) -> None:
        try:
            found = self._work([item for _, part in parts for item in part])
        except Exception as error:  # raised again by whoever asked for it
            if len(parts) == 1:
                parts[0][0].error = error
                return
            for part in parts:
                self._work_on([part])
            return
        start = 0
        for request, items in parts:
            request.found.extend(found[start : start + len(items)])
            start += len(items)


class _SharedText:
    """A TextEncoder."""

    def __init__(self, model: TextEncoder) -> None:
        self._model = model
        self._passages: SharedBatches[str, Vectors] = SharedBatches(
            lambda texts: list(model.encode_passages(texts)), TEXTS
        )

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        return _stacked(self._passages.run(texts), self._model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class _SharedVision:
    """An ImageTextEncoder."""

    def __init__(self, model: ImageTextEncoder) -> None:
        self._model = model
        self._images: SharedBatches[Image, Vectors] = SharedBatches(
            lambda images: list(model.encode_images(images)), PICTURES
        )

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        return _stacked(self._images.run(images), self._model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class _SharedCaptioner:
    """A Captioner."""

    def __init__(self, model: Captioner) -> None:
        self._model = model
        self._images: SharedBatches[Image, str] = SharedBatches(lambda images: model.caption(images), CAPTIONS)

    def caption(self, images: Sequence[Image]) -> tuple[str, ...]:
        return tuple(self._images.run(images))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class SharedModels(Models):
    """The same models, for runs that go on beside each other in one process."""

    def __init__(self, models: Models) -> None:
        vars(self).update(vars(models))  # the very same instances: nothing is loaded twice
        self._wrapped: dict[int, Any] = {}
        self._wrapped_lock = threading.Lock()

    def text(self) -> TextEncoder:
        return self._of(super().text())

    def vision(self) -> ImageTextEncoder:
        return self._of(super().vision())

    def captioner(self) -> Captioner | None:
        model = super().captioner()
        return None if model is None else self._of(model)

    def encoder(self, space_name: str) -> TextEncoder | ImageTextEncoder:
        return self._of(super().encoder(space_name))

    def _of(self, model: Any) -> Any:
        with self._wrapped_lock:
            if id(model) not in self._wrapped:
                self._wrapped[id(model)] = _shared(model)
            return self._wrapped[id(model)]


def _shared(model: Any) -> Any:
    if isinstance(model, Captioner):
        return _SharedCaptioner(model)
    return _SharedVision(model) if isinstance(model, ImageTextEncoder) else _SharedText(model)


def _stacked(rows: Sequence[Vectors], model: TextEncoder | ImageTextEncoder) -> Vectors:
    return np.stack(rows) if rows else np.zeros((0, model.space.dim), dtype=np.float32)
