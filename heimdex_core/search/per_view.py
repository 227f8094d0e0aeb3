"""What is kept of the last searches, apart for each of the views that were searched last.

It holds the tables and the indexes of its view. So what belongs to a view that is not searched any more goes with it:
a large library that changes all the time would fill the memory otherwise, and files that are open keep their place on
the disk when they are removed.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

KEPT_VIEWS = 3
"""Views that are kept for the next pages of a search."""

V = TypeVar("V")


class PerView(Generic[V]):
    """Values by the token of a view and a key. Safe to share between threads."""

    def __init__(self, size: int) -> None:
        """`size` values of a view are kept, those of the last KEPT_VIEWS views."""
        self._size = size
        self._lock = threading.Lock()
        self._views: LRUCache[str, LRUCache[Hashable, V]] = LRUCache(KEPT_VIEWS)

    def get(self, token: str, key: Hashable) -> V | None:
        """The value; None if there is none."""
        with self._lock:
            values = self._views.get(token)
            return None if values is None else values.get(key)

    def keep(self, token: str, key: Hashable, value: V) -> None:
        """Keep the value, also in place of another."""
        with self._lock:
            if token not in self._views:
                self._views[token] = LRUCache(self._size)
            self._views[token][key] = value
