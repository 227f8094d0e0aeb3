"""The way from object storage into a machine's working folder: what readers look at at once, the rest on its use."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cachetools import LRUCache

from heimdex_core.errors import ObjectDamaged
from heimdex_core.files import TEMPORARY_PREFIX, make_folder, remove_tree, sha256_of
from heimdex_core.store import mirror_tree
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.mirror_state import Copy, MirrorState, Stored
from heimdex_core.store.mirror_tree import Read
from heimdex_core.store.mirror_upload import object_key, units
from heimdex_core.store.object_storage import ObjectStorage
from heimdex_core.store.transaction import Row

FRAMES = "frames/"
"""Files of a generation that are fetched one by one, when they are shown."""

_FRAME_CACHE = "cache/frames/"
"""Frames of generations that are not here."""
_INCOMING = ".mirror/incoming"
_KEPT_LISTINGS = 256
_IN_USE_S = 3600.0
"""What was used so lately is kept, however full the cache is: somebody may be reading it."""
_TOUCH_EVERY_S = 60.0
_LEVELS = 8
"""Folders between the library and a file of it, at most."""
_OF_ONE_WRITER = "evaluation/"
"""What is written before it is named, without a lock: by whoever works on it, so nobody else does at that time."""
_LAST = ("manifest.json", "visible.parquet")
"""Names of files that refer to others, which therefore come before them."""


@dataclass
class Fetches:
    """Fetches files into one working folder. Safe to share between threads and processes.

    Args:
        paths: of the working folder.
        storage: of the library.
        state: of the working folder.
        read: runs a query on the catalog without waiting for a writer.
        limit_bytes: how much of what is fetched when it is used is kept.
    """

    paths: LibraryPaths
    storage: ObjectStorage
    state: MirrorState
    read: Read
    limit_bytes: int
    _listings: LRUCache[str, dict[str, tuple[str, int]]] = field(default_factory=lambda: LRUCache(_KEPT_LISTINGS))
    _touched: dict[str, float] = field(default_factory=dict)
    _fetching: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # --- what every machine has -------------------------------------------------------------------

    def prepare(self) -> None:
        """Fetch what `pull` will need, beside the library's files: an index takes long, and nobody waits for this."""
        folder = make_folder(self.paths.root / _INCOMING, levels=2)
        changed = {row["path"]: mirror_tree.stored_of(row) for row in self._changed()}
        missing = {
            stored.sha256
            for path, stored in changed.items()
            if stored and mirror_tree.is_pulled(path) and not self._has(path, stored)
        }
        self.storage.get_many([(object_key(sha256), folder / sha256) for sha256 in missing])

    def pull(self) -> bool:
        """Bring the copies that every machine has to the library's present state; whether anything has changed.

        Copies of other files that are out of date are removed. The caller excludes other writers of the folder. Raises
        what ObjectStorage raises; then everything is as before, or partly new, and the next call goes on.
        """
        rows = self._changed()
        if not rows:
            return False
        changed = {row["path"]: mirror_tree.stored_of(row) for row in rows}
        wanted = {path: stored for path, stored in changed.items() if stored and mirror_tree.is_pulled(path)}
        for path in self._written_here(_OF_ONE_WRITER, wanted):
            del wanted[path], changed[path]
        gone = [path for path in changed if path not in wanted]
        for paths in _in_order(path for path, stored in wanted.items() if not self._has(path, stored)):
            self._get_files({path: wanted[path] for path in paths})
        for path in gone:
            stored = changed[path]
            if stored is None or not self._has(path, stored):
                self._remove(path)
        self.state.pulled = max(int(row["revision"]) for row in rows)
        return True

    def refresh(self, scope: str) -> None:
        """Bring the files of a scope to the library's present state; those that are written here at this moment stay.

        The caller excludes other fetches. Raises as `pull`.
        """
        named = mirror_tree.in_scope(self.read, scope)
        wanted = {path: stored for path, stored in named.items() if stored is not None}
        kept = self._written_here(scope, wanted)
        for paths in _in_order(path for path, one in wanted.items() if path not in kept and not self._has(path, one)):
            self._get_files({path: wanted[path] for path in paths})
        for path in self.state.noted(scope).keys() & (named.keys() - wanted.keys()):
            self._remove(path)

    def _written_here(self, scope: str, wanted: Mapping[str, Stored]) -> set[str]:
        """The files of a scope whose content is known here, and has been replaced by one that is not named yet."""
        noted = self.state.noted(scope)
        return {
            path
            for path, stored in wanted.items()
            if path in noted and noted[path].stored == stored and (self.paths.root / path).exists()
        }

    def reset(self, scope: str) -> None:
        """Make the files of a scope exactly those of the library, whatever an unfinished change has left there.

        The caller excludes other writers of the scope.
        """
        named = mirror_tree.in_scope(self.read, scope)
        wanted = {path: stored for path, stored in named.items() if stored is not None}
        present = {place.relative_to(self.paths.root).as_posix() for place in units(self.paths, scope)}
        noted = self.state.noted(scope)
        right = {
            path
            for path, one in noted.items()
            if wanted.get(path) == one.stored and one.is_still(self.paths.root / path)
        }
        for paths in _in_order(wanted.keys() - right):
            self._get_files({path: wanted[path] for path in paths})
        for path in present - wanted.keys():
            self._remove(path)

    def _changed(self) -> list[Row]:
        """The rows that changed since the last pull; on a new machine only those of which it gets a copy."""
        before = self.state.pulled
        is_new = before == 0 and not self.state.by_age()
        return mirror_tree.changed_since(self.read, before, pulled_only=is_new)

    def _has(self, path: str, stored: Stored) -> bool:
        return self.state.copy_of(path, self.paths.root / path) == stored

    def _get_files(self, wanted: Mapping[str, Stored]) -> None:
        missing: list[tuple[str, Path]] = []
        for path, stored in wanted.items():
            place = self.paths.root / path
            make_folder(place.parent, levels=_LEVELS)
            try:
                os.replace(self.paths.root / _INCOMING / stored.sha256, place)
            except FileNotFoundError:
                missing.append((object_key(stored.sha256), place))
        self.storage.get_many(missing)
        for path, stored in wanted.items():
            self._check(path, stored)
        self.state.note({path: Copy.of(self.paths.root / path, stored) for path, stored in wanted.items()})

    def _check(self, path: str, stored: Stored) -> None:
        if sha256_of(self.paths.root / path) != stored.sha256:
            (self.paths.root / path).unlink(missing_ok=True)
            raise ObjectDamaged(key=object_key(stored.sha256), reason="its content is not what was stored")

    def _remove(self, path: str) -> None:
        place = self.paths.root / path
        if place.is_dir():
            remove_tree(place)
        else:
            place.unlink(missing_ok=True)
        self.state.forget(path)

    # --- what is fetched when it is used ----------------------------------------------------------

    def ensure(self, place: Path) -> bool:
        """Have a file or a generation's folder here, if the library has it; whether it is here now.

        Of a generation the frames are left out. Raises what ObjectStorage raises, DiskFull.
        """
        path = self.paths.relative(place)
        if place.exists():
            self._touch(path)
            return True
        with self._only_once(path):
            if place.exists():
                return True
            stored = mirror_tree.in_scope(self.read, path).get(path)
            if stored is None:
                return False
            self.make_room(stored.size_bytes)
            if stored.kind == "folder":
                self._get_folder(place, stored)
            else:
                self._get_files({path: stored})
        return True

    def ensure_any(self, scope: str, beginning: str) -> None:
        """Have the files of a scope here whose names begin so, as `source.` in a video's folder."""
        names = [path for path, stored in mirror_tree.in_scope(self.read, scope).items() if stored is not None]
        for path in names:
            if path.startswith(f"{scope}{beginning}"):
                self.ensure(self.paths.root / path)

    def frame(self, generation: Path, name: str) -> Path:
        """The file of one frame of a generation, of which nothing else has to be here."""
        path = self.paths.relative(generation)
        if (place := generation / FRAMES / name).exists():
            self._touch(path)
            return place
        kept = f"{_FRAME_CACHE}{path.replace('/gen/', '/').removeprefix('videos/')}/{name}"
        place = self.paths.root / kept
        if place.exists():
            self._touch(kept)
            return place
        with self._only_once(kept):
            found = self._listing(path).get(f"{FRAMES}{name}")
            if found is not None and not place.exists():
                self.make_room(found[1])
                self._get_files({kept: Stored("file", *found)})
        return place

    def ensure_frames(self, generation: Path) -> None:
        """Have all frames of a generation here."""
        if not self.ensure(generation):
            return
        listing = self._listing(self.paths.relative(generation))
        missing = {n: f for n, f in listing.items() if n.startswith(FRAMES) and not (generation / n).exists()}
        if missing:
            make_folder(generation / FRAMES)
            self.storage.get_many([(object_key(sha256), generation / name) for name, (sha256, _) in missing.items()])
            self.state.add_bytes(self.paths.relative(generation), sum(size for _, size in missing.values()))

    def _get_folder(self, place: Path, stored: Stored) -> None:
        listing = listed_files(self.storage, stored)
        unfinished = make_folder(place.parent, levels=_LEVELS) / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        try:
            wanted = {name: found for name, found in listing.items() if not name.startswith(FRAMES)}
            for name in listing:
                make_folder((unfinished / name).parent, levels=_LEVELS)
            self.storage.get_many([(object_key(sha256), unfinished / name) for name, (sha256, _) in wanted.items()])
            for name, (sha256, _) in wanted.items():
                if sha256_of(unfinished / name) != sha256:
                    raise ObjectDamaged(key=object_key(sha256), reason="its content is not what was stored")
            with suppress(OSError):  # another process was first
                unfinished.rename(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        here = sum(size for _, size in wanted.values())
        self.state.note({self.paths.relative(place): Copy.of(place, stored)})
        self.state.add_bytes(self.paths.relative(place), here - stored.size_bytes)

    def _listing(self, path: str) -> dict[str, tuple[str, int]]:
        """The files of a generation: (SHA-256, bytes) by name. The lists of the last generations are kept."""
        stored = mirror_tree.in_scope(self.read, path).get(path)
        if stored is None:
            return {}
        with self._lock:
            kept = self._listings.get(stored.sha256)
        if kept is None:
            kept = listed_files(self.storage, stored)
            with self._lock:
                self._listings[stored.sha256] = kept
        return kept

    def _only_once(self, path: str) -> threading.Lock:
        with self._lock:
            return self._fetching.setdefault(path, threading.Lock())

    def _touch(self, path: str) -> None:
        now = time.monotonic()
        if now - self._touched.get(path, -_TOUCH_EVERY_S) >= _TOUCH_EVERY_S:
            self._touched[path] = now
            self.state.touch(path)

    # --- keeping it small -------------------------------------------------------------------------

    def make_room(self, needed_bytes: int = 0) -> int:
        """Remove the copies that were used least recently, until `needed_bytes` more are within the limit; how many.

        Only what the library has as well is removed, and nothing that was used within the last hour.
        """
        copies = [one for one in self.state.by_age() if not mirror_tree.is_pulled(one[0])]
        too_much = sum(size for _, size, _ in copies) + needed_bytes - self.limit_bytes
        removed = 0
        for path, size_bytes, used_at in copies:
            if too_much <= 0 or time.time() - used_at < _IN_USE_S:
                break
            if path.startswith(_FRAME_CACHE) or not (self.paths.root / path).exists() or self._is_stored(path):
                self._remove(path)
                removed += 1
                too_much -= size_bytes
        return removed

    def _is_stored(self, path: str) -> bool:
        noted = self.state.noted(path).get(path)
        return noted is not None and mirror_tree.in_scope(self.read, path).get(path) == noted.stored


def _in_order(paths: Iterable[str]) -> list[list[str]]:
    """Files that others refer to first; the indexes before what is visible."""
    every = sorted(paths)
    lasts = [[path for path in every if path.rpartition("/")[2] == name] for name in _LAST]
    others = [path for path in every if path.rpartition("/")[2] not in _LAST]
    return [some for some in (others, *lasts) if some]


def listed_files(storage: ObjectStorage, stored: Stored) -> dict[str, tuple[str, int]]:
    """The files of a folder that lies in the storage: (SHA-256, bytes) by name. Raises ObjectDamaged, ObjectMissing."""
    key = object_key(stored.sha256)
    try:
        found = json.loads(storage.get_bytes(key))["files"]
        listing = {str(name): (str(sha256), int(size)) for name, (sha256, size) in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ObjectDamaged(key=key, reason=f"it is no list of files: {error}"[:200]) from error
    if any(name.startswith("/") or ".." in Path(name).parts for name in listing):
        raise ObjectDamaged(key=key, reason="it names files outside of its folder")
    return listing
