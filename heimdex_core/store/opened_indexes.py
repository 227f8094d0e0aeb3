"""The indexes that a process has opened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar, cast

from heimdex_core.files import file_signature

T = TypeVar("T")


class OpenedIndexes:
    """The opened indexes by folder, shared by the views of one process; each is opened again when its manifest changes.

    Safe to share between threads; opening one does not block the use of others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: dict[Path, threading.Lock] = {}
        self._held: dict[Path, tuple[Any, Any]] = {}

    def get(self, folder: Path, open_now: Callable[[T | None], T | None]) -> T | None:
        """The present index of a folder, from `open_now` unless it is held already; None if there is none.

        `open_now` is given the index as it was held before, if it was.
        """
        with self._lock:
            opening = self._opening.setdefault(folder, threading.Lock())
        with opening:
            signature = file_signature(folder / "manifest.json")
            with self._lock:
                held = self._held.get(folder)
            if held is not None and held[0] == signature:
                return cast(T, held[1])
            index = open_now(cast(T, held[1]) if held is not None else None)
            if index is not None:
                with self._lock:
                    self._held[folder] = (signature, index)
            return index

    def keep_only(self, folders: Collection[Path]) -> None:
        """Forget the indexes of all other folders. Views that use them keep them."""
        with self._lock:
            self._held = {folder: held for folder, held in self._held.items() if folder in folders}
