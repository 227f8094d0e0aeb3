"""The way from a machine's working folder into object storage: content first, then its name, in a transaction.

Content is uploaded under its SHA-256, so an upload is never wrong and never in the way of another one; it becomes part
of the library when the catalog names it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.files import TEMPORARY_PREFIX, sha256_of
from heimdex_core.store import mirror_tree
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.mirror_state import Copy, MirrorState, Stored, signature_of
from heimdex_core.store.object_storage import ObjectStorage
from heimdex_core.store.object_transfers import side_by_side
from heimdex_core.store.transaction import Changes, Transaction

OBJECTS = "objects/"
"""The folder of the storage that has content by its SHA-256."""

_IGNORED = (".part", ".lock", ".lance")
"""Endings of files that belong to this machine alone, and of the tables of LanceDB, which are elsewhere."""
_IGNORED_FOLDERS = ("merge",)
_LARGE_BYTES = 1_000_000
"""A smaller object is written again rather than asked after."""


def object_key(sha256: str) -> str:
    """Where content lies in the storage."""
    return f"{OBJECTS}{sha256}"


@dataclass(frozen=True)
class Uploads:
    """Uploads files of one working folder. Safe to share between threads.

    Args:
        paths: of the working folder.
        storage: of the library.
        state: of the working folder.
    """

    paths: LibraryPaths
    storage: ObjectStorage
    state: MirrorState

    def upload(self, place: Path) -> Stored:
        """Bring a file, or a generation's folder, into the storage, if it is not there; returns its content.

        Raises what ObjectStorage raises.
        """
        path = self.paths.relative(place)
        if (known := self.state.copy_of(path, place)) is not None:
            return known
        copy = self._upload_new(place)
        self.state.note({path: copy})
        return copy.stored

    def record(self, transaction: Transaction) -> None:
        """Let the catalog name what the changes of the transaction have left in the working folder."""
        changes: dict[str, Stored | None] = {}
        for scope in sorted(scopes_of(transaction)):
            changes |= self._changes_in(transaction, scope)
        named = {path: mirror_tree.in_scope(transaction.rows, path).get(path) for path in transaction.removed_files}
        changes |= {path: None for path, stored in named.items() if stored is not None}
        if changes:
            mirror_tree.write(transaction, changes)

    def _changes_in(self, transaction: Transaction, scope: str) -> dict[str, Stored | None]:
        """What differs in a scope between the working folder and the catalog: the content, None for what was removed.

        A file that this machine never had is not one that was removed.
        """
        named = mirror_tree.in_scope(transaction.rows, scope)
        noted = self.state.noted(scope)
        present = {place.relative_to(self.paths.root).as_posix(): place for place in units(self.paths, scope)}
        new = {path for path, place in present.items() if path not in noted or not noted[path].is_still(place)}
        uploaded = dict(zip(new, side_by_side(self._upload_unless_gone, [present[path] for path in new]), strict=True))
        kept = {path: copy for path, copy in uploaded.items() if copy is not None}
        self.state.note(kept)
        copies = {path: noted[path] for path in present.keys() - new} | kept
        changes: dict[str, Stored | None] = {}
        changes |= {path: copy.stored for path, copy in copies.items() if named.get(path) != copy.stored}
        gone = noted.keys() - present.keys()
        changes |= {path: None for path in gone if named.get(path) == noted[path].stored}
        for path in self._outdated(transaction, scope, {**named, **changes}):
            changes.pop(path, None)
            if named.get(path) is not None:
                changes[path] = None
        return changes

    def _outdated(self, transaction: Transaction, scope: str, paths: Iterable[str]) -> list[str]:
        """Of the files of a video's folder: generations older than those in use, or all if the video is no more."""
        if (video_id := _video_of(scope)) is None:
            return []
        if not transaction.rows("select 1 from videos where video_id = ?", [video_id]):
            return list(paths)
        rows = transaction.rows("select generation from video_generations where video_id = ?", [video_id])
        kept = {int(row["generation"]) for row in rows}
        generations = mirror_tree.generations_of(video_id)
        numbers = {path: int(path.rpartition("/")[2]) for path in paths if path.startswith(generations)}
        return [path for path, n in numbers.items() if n < max(kept, default=0) and n not in kept]

    def _upload_unless_gone(self, place: Path) -> Copy | None:
        """None for what is replaced or removed at this moment, by somebody who records that."""
        try:
            return self._upload_new(place)
        except FileNotFoundError:
            return None

    def _upload_new(self, place: Path) -> Copy:
        signature = signature_of(place)  # first: if it is replaced meanwhile, that is seen the next time
        return Copy(self._upload_folder(place) if place.is_dir() else self._upload_file(place), signature)

    def _upload_file(self, place: Path) -> Stored:
        stored = Stored("file", sha256_of(place), place.stat().st_size)
        key = object_key(stored.sha256)
        if stored.size_bytes < _LARGE_BYTES or not self.storage.exists(key):
            self.storage.put_file(key, place)
        return stored

    def _upload_folder(self, folder: Path) -> Stored:
        listing: dict[str, tuple[str, int]] = {}
        for place in _files_below(folder):
            listing[place.relative_to(folder).as_posix()] = (sha256_of(place), place.stat().st_size)
        self.storage.put_many([(object_key(sha256), folder / name) for name, (sha256, _) in listing.items()])
        stored, data = listed(listing)
        self.storage.put_bytes(object_key(stored.sha256), data)
        return stored


def listed(listing: dict[str, tuple[str, int]]) -> tuple[Stored, bytes]:
    """The content of a folder, and the object that has the list of its files: (SHA-256, bytes) by name."""
    data = json.dumps({"files": dict(sorted(listing.items()))}, ensure_ascii=False).encode()
    return Stored("folder", hashlib.sha256(data).hexdigest(), sum(size for _, size in listing.values())), data


def scopes_of(changes: Changes) -> set[str]:
    """The files and folders that the changes of a transaction may have touched."""
    scopes = set(changes.changed_files) | {f"videos/{video_id}/" for video_id in changes.changed_videos}
    scopes |= {f"preferences/{user_id}.json" for user_id in changes.changed_preferences}
    scopes |= {f"trays/{user_id}.json" for user_id in changes.changed_trays}
    scopes |= {"accounts.json"} if changes.accounts_changed else set()
    scopes |= {"shares.json"} if changes.shares_changed else set()
    scopes |= {f"people/{user_id}.json" for user_id in changes.changed_people}
    return scopes | ({"visible.parquet"} if changes.visibility_changed else set())


def _video_of(scope: str) -> str | None:
    """The video whose folder a scope is."""
    parts = scope.split("/")
    return parts[1] if parts[0] == "videos" and len(parts) == 3 and not parts[2] else None


def units(paths: LibraryPaths, scope: str) -> Iterator[Path]:
    """The files of a scope that belong to the library, and the generations, each of which is one unit."""
    place = paths.root / scope
    if not scope.endswith("/"):
        if place.is_file():
            yield place
        return
    if not place.is_dir():
        return
    if place.parent != paths.videos:
        yield from _files_below(place)
        return
    for entry in sorted(place.iterdir()):
        if entry.is_file() and _is_shared(entry.name):
            yield entry
    yield from _files_below(place / "faces")
    generations = place / "gen"
    if generations.is_dir():
        yield from sorted(entry for entry in generations.iterdir() if entry.name.isdecimal() and entry.is_dir())


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _is_shared(name) and name not in _IGNORED_FOLDERS]
        yield from (Path(parent) / name for name in sorted(names) if _is_shared(name))


def _is_shared(name: str) -> bool:
    return not name.startswith(TEMPORARY_PREFIX) and not name.endswith(_IGNORED)
