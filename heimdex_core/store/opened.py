"""Opened indexes, shared by the views of one process: each is opened again only when its manifest has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar, cast

from heimdex_core.files import file_signature
from heimdex_core.store import vectors
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.lexical import LexicalIndex
from heimdex_core.store.vectors import VectorIndex
from heimdex_core.types import Space

T = TypeVar("T")


class OpenedIndexes:
    """The opened indexes by folder. Safe to share between threads; opening one does not block the use of others."""

    def __init__(self, paths: LibraryPaths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._opening: dict[Path, threading.Lock] = {}
        self._held: dict[Path, tuple[Any, Any]] = {}

    def vectors(self, space: Space) -> VectorIndex:
        """The present vector index of a space. Raises FileNotFoundError, SpaceMismatch, LibraryDamaged."""
        folder = self._paths.vector_index(space)
        return self._open(folder, lambda: vectors.open_index(folder, space))

    def words(self, set_id: int) -> LexicalIndex:
        """The present lexical index of a set. Raises FileNotFoundError, LibraryDamaged."""
        folder = self._paths.lexical_of(set_id)
        return self._open(folder, lambda: LexicalIndex.open(folder))

    def keep_only(self, spaces: Collection[Space], set_id: int) -> None:
        """Forget all indexes but those of `spaces` and of the set. Views that use them keep them."""
        wanted = {self._paths.lexical_of(set_id), *(self._paths.vector_index(space) for space in spaces)}
        with self._lock:
            self._held = {folder: held for folder, held in self._held.items() if folder in wanted}

    def clear(self) -> None:
        """Forget all indexes."""
        with self._lock:
            self._held = {}

    def _open(self, folder: Path, open_now: Callable[[], T | None]) -> T:
        with self._lock:
            opening = self._opening.setdefault(folder, threading.Lock())
        with opening:
            signature = file_signature(folder / "manifest.json")
            with self._lock:
                held = self._held.get(folder)
            if held is not None and held[0] == signature:
                return cast(T, held[1])
            index = open_now()
            if index is None:
                raise FileNotFoundError(folder)
            with self._lock:
                self._held[folder] = (signature, index)
            return index
