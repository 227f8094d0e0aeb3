"""The vector index of one space, in FAISS: immutable segments, and a manifest that says which of them count.

A write adds a segment with the new generations (vector_segment.py) and renames manifest.json, which is the switch. A
generation that is removed is a mark in the manifest; its rows go when the segment is merged. Small segments are merged
while writing, so that what a write costs does not grow with the index, and neither does the number of small segments.

The segments of the manifest before are kept for readers that are opening them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged, UnknownName
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, read_json, read_json_object, sha256_of, write_json
from heimdex_core.store.keyframe_vectors import Floats, VectorRows
from heimdex_core.store.locks import FileLock
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.vector_methods import INDEX_TYPES
from heimdex_core.store.vector_segment import CHECKSUMS, Key, Segment, files_of, open_segment
from heimdex_core.store.vector_writing import FILE_NAME, Rows, new_rows, remove_segment, rows_again, write_segment
from heimdex_core.types import Space, to_json

Load = Callable[[Key], "VectorRows | tuple[list[str], Floats] | None"]
"""Returns the rows of a generation (n scene ids and (n, d) vectors, and which keyframes these are); None if it cannot
be read."""

Entry = dict[str, Any]
"""What the manifest says of a segment: number, type, rows, checksums, and the generations removed from it."""

MANIFEST_FORMAT = 2
LARGE_MANIFEST_FORMAT = 3
"""Of an index with a large segment (vector_large.py), which versions before them would not search."""

MERGE_FOLDER = "merge"
"""Where the background builds what it merges."""

MAX_SMALL_SEGMENTS = 16
"""With more small segments than this, a write merges the smallest ones. Twenty of them are searched in 13 ms."""
SMALL_ROWS = 20_000
"""A segment of more rows is not merged while writing, unless most of its rows were removed."""
MERGED_SEGMENTS = 8
"""How many segments become one: a row is written about once more for each time that the index grows eightfold."""


# --- opening --------------------------------------------------------------------------------------


def open_index(
    folder: Path, space: Space, held: VectorIndex | None = None, *, to_search: bool = True
) -> VectorIndex | None:
    """Open the current revision; None if there is no index. Raises SpaceMismatch, LibraryDamaged.

    Args:
        folder: the index's folder.
        space: the space of the vectors.
        held: a revision that is open already; segments that it has are not opened again.
        to_search: whether to read the ids of all scenes now, and not when they are first needed.
    """
    for _ in range(10):
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        space.check(Space(**manifest["space"]))
        try:
            index = _open_revision(folder, space, manifest, held)
            for segment in index.segments if to_search else ():
                segment.load()
            return index
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
            raise LibraryDamaged(
                what=f"the index of {space.name}", reason=f"{type(error).__name__}: {error}"[:200]
            ) from error
        except FileNotFoundError:
            if (read_manifest(folder) or {}).get("index_revision") == manifest["index_revision"]:
                break  # the manifest still names the file, so it is really missing
    raise LibraryDamaged(what=f"the index of {space.name}", reason="its files do not belong together")


def check(folder: Path, space: Space) -> Collection[Key]:
    """The generations in the index, after its files were compared with their checksums; none if there is no index.

    Raises LibraryDamaged, SpaceMismatch. An index that an older version wrote has no checksum.
    """
    index, manifest = open_index(folder, space), read_manifest(folder)
    if index is None or manifest is None:
        return ()
    for entry in manifest["segments"]:
        for name, key in zip(files_of(entry["number"]), CHECKSUMS, strict=True):
            wanted = entry.get(key)
            if wanted is not None and sha256_of(folder / name) != wanted:
                raise LibraryDamaged(what=f"the index of {space.name}", reason=f"{name} is not what was written")
    return index.keys


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an index; None if there is no index. Raises LibraryDamaged."""
    try:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if manifest["format"] == 1:
            manifest = _of_one_file(manifest)
        if manifest["format"] not in (MANIFEST_FORMAT, LARGE_MANIFEST_FORMAT):
            raise LibraryDamaged(what=f"the index {folder.name}", reason=f"it has format {manifest['format']}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what=f"the index {folder.name}", reason=str(error)[:200]) from error
    return manifest


def _of_one_file(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a version before segments: all that it had is one segment."""
    of_files = ("sha256", "keyframe_count", "keyframes_sha256", "generations", "type")
    entry = {
        "number": manifest["index_revision"],
        "rows": manifest["count"],
        **{name: manifest[name] for name in of_files if name in manifest},
    }
    kept = {name: value for name, value in manifest.items() if name not in of_files[:-1]}
    return {**kept, "format": MANIFEST_FORMAT, "segments": [entry]}


def _open_revision(folder: Path, space: Space, manifest: Mapping[str, Any], held: VectorIndex | None) -> VectorIndex:
    opened = {segment.number: segment for segment in held.segments} if held is not None else {}
    segments: list[Segment] = []
    for entry in manifest["segments"]:
        segment = opened.get(entry["number"])
        if segment is None or segment.sha256 != entry.get("sha256"):
            segment = open_segment(folder, space, entry)
        segments.append(segment)
    removed = [frozenset(pairs(entry.get("removed", {}))) for entry in manifest["segments"]]
    index = VectorIndex(space, int(manifest["index_revision"]), tuple(segments), tuple(removed), manifest["type"])
    if len(index.homes) != sum(len(segment.keys - gone) for segment, gone in zip(segments, removed, strict=True)):
        raise LibraryDamaged(what=f"the index of {space.name}", reason="two segments have the same generation")
    live = sum(len(segment) - segment.rows_in(gone) for segment, gone in zip(segments, removed, strict=True))
    if live != manifest["count"]:
        raise LibraryDamaged(what=f"the index of {space.name}", reason="its row counts do not agree")
    return index


def pairs(generations: Mapping[str, Iterable[int]]) -> list[Key]:
    return [(video_id, int(n)) for video_id, numbers in generations.items() for n in numbers]


def by_video(keys: Iterable[Key]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for video_id, n in sorted(keys):
        found.setdefault(video_id, []).append(n)
    return found


# --- writing (under index.lock) -------------------------------------------------------------------


def sync(
    folder: Path,
    space: Space,
    wanted: Collection[Key],
    load: Load,
    *,
    redo: Collection[Key] = (),
    index_type: str | None = None,
    erase: bool = False,
    opened: OpenedIndexes | None = None,
) -> bool:
    """Make the index contain exactly the `wanted` generations; False if it did already. The caller holds index.lock.

    Args:
        folder: the index's folder; created if it is missing.
        space: the space of the vectors.
        wanted: the generations.
        load: reads a generation that is not in the index yet; one that it cannot read is left out.
        redo: generations to read again even if the index contains them.
        index_type: a key of INDEX_TYPES. None keeps the type of the index; a new or damaged one gets SQfp16. Another
            type than the present one rebuilds the index.
        erase: whether the rows of removed generations are to leave the files of this revision now.
        opened: keeps the segments open for the next write, as opening them takes longer the more there is in them.

    Raises SpaceMismatch, DiskFull, UnknownName for an unknown index_type, and what `load` raises.
    """
    if index_type is not None and index_type not in INDEX_TYPES:
        raise UnknownName(kind="index type", name=index_type, known=", ".join(sorted(INDEX_TYPES)))
    try:
        open_now = partial(open_index, folder, space, to_search=False)
        current = open_now() if opened is None else opened.get(folder, lambda held: open_now(held=held))
        before = read_manifest(folder)
    except LibraryDamaged:
        current, before = None, None
    if current is not None and index_type not in (None, current.index_type):
        current = None
    kind = index_type or (current.index_type if current else "SQfp16")
    keep = frozenset((set(current.homes) & set(wanted)) - set(redo) if current else ())
    missing = sorted(set(wanted) - keep)
    entries = list(before["segments"]) if current is not None and before is not None else []
    is_to_erase = erase and any(entry.get("removed") and not entry.get("erase") for entry in entries)
    if current is not None and not missing and len(keep) == len(current.homes) and not is_to_erase:
        return False
    try:
        _Writer(folder, space, kind, current, before).write(entries, keep, _batches(missing, load), erase=erase)
    except LibraryDamaged:
        if not keep:
            raise
        # A segment that was to be merged cannot be read.
        _Writer(folder, space, kind, None, before).write([], frozenset(), _batches(wanted, load), erase=erase)
    return True


def _batches(keys: Iterable[Key], load: Load) -> Iterator[list[Rows]]:
    """The rows of these generations, of so many at a time that they fit into memory; an empty list if there are none.

    A segment of more than SMALL_ROWS rows is not merged by the next writes.
    """
    batch: list[Rows] = []
    count = 0
    for key in sorted(keys):
        content = load(key)
        if content is None:
            continue
        batch.append(new_rows(key, VectorRows(*content)))
        count += len(batch[-1].scene_ids)
        if count > SMALL_ROWS:
            yield batch
            batch, count = [], 0
    yield batch


class _Writer:
    """One write: a segment with what is new, marks for what is removed, and the merging that this asks for."""

    def __init__(
        self, folder: Path, space: Space, kind: str, current: VectorIndex | None, before: Mapping[str, Any] | None
    ) -> None:
        files.make_folder(folder, levels=3)
        self._folder, self._space, self._kind = folder, space, kind
        self._opened = {segment.number: segment for segment in current.segments} if current is not None else {}
        self._before = [entry["number"] for entry in before["segments"]] if before is not None else []
        self._revision = next_number(folder, before)

    def write(
        self, entries: Sequence[Entry], keep: frozenset[Key], batches: Iterator[list[Rows]], *, erase: bool
    ) -> None:
        """Publish the `keep` generations of the segments of `entries`, and what is new. See `sync` for `erase`."""
        added = next(batches)
        live = {entry["number"]: sorted(self._opened[entry["number"]].keys & keep) for entry in entries}
        kept = [self._marked(entry, live[entry["number"]], erase=erase) for entry in entries if live[entry["number"]]]
        again = self._to_write_again(kept, is_adding=bool(added), erase=erase)
        generations = [
            rows_again(self._opened[entry["number"]], key) for entry in again for key in live[entry["number"]]
        ]
        segments = [entry for entry in kept if entry not in again]
        try:
            if generations or added or not segments:
                segments.append(self._write([*generations, *added]))
            for batch in batches:
                if batch:
                    self._revision += 1
                    segments.append(self._write(batch))
        except BaseException:
            for entry in segments:
                if entry["number"] not in self._opened:
                    remove_segment(self._folder, entry["number"])
            raise
        self._publish(segments)

    def _to_write_again(self, kept: Sequence[Entry], *, is_adding: bool, erase: bool) -> list[Entry]:
        """The segments whose rows go into the new one. That takes too long for large ones (vector_merging.py)."""
        small = [entry for entry in kept if not entry.get("large")]
        reserved = merging_inputs(self._folder)
        free = [entry for entry in small if entry["number"] not in reserved]
        merged = to_merge([(entry["number"], self._live_rows(entry)) for entry in free], is_adding=is_adding)
        return [
            entry
            for entry in small
            if entry["number"] in merged
            or (erase and entry.get("removed"))
            or (entry["number"] not in reserved and self._is_mostly_removed(entry))
        ]

    def _write(self, rows: Sequence[Rows]) -> Entry:
        return write_segment(self._folder, self._space, self._revision, self._kind, rows)

    def _marked(self, entry: Entry, live: Collection[Key], *, erase: bool) -> Entry:
        removed = self._opened[entry["number"]].keys.difference(live)
        if not removed:
            return entry
        removed_rows = self._opened[entry["number"]].rows_in(removed)
        marked = {**entry, "removed": by_video(removed), "removed_rows": removed_rows}
        return {**marked, "erase": True} if erase and entry.get("large") else marked

    def _live_rows(self, entry: Entry) -> int:
        return int(entry["rows"]) - self._opened[entry["number"]].rows_in(pairs(entry.get("removed", {})))

    def _is_mostly_removed(self, entry: Entry) -> bool:
        return 2 * self._live_rows(entry) < entry["rows"]

    def _publish(self, segments: Sequence[Entry]) -> None:
        about = {
            "space": to_json(self._space),
            "type": self._kind,
            "index_revision": self._revision,
            "count": sum(self._live_rows(e) if e["number"] in self._opened else e["rows"] for e in segments),
            "segments": list(segments),
        }
        publish(self._folder, self._space, about, self._before)


def next_number(folder: Path, manifest: Mapping[str, Any] | None) -> int:
    """A number that no segment and no revision has had that is still known."""
    used = [int(m.group(1)) for m in map(FILE_NAME.fullmatch, (p.name for p in folder.iterdir())) if m]
    before = [] if manifest is None else [manifest["index_revision"], *(e["number"] for e in manifest["segments"])]
    return max([0, *used, *before]) + 1


def publish(folder: Path, space: Space, manifest: dict[str, Any], before: Collection[int]) -> None:
    """Make this manifest the present one, and remove the files that neither it nor the one before names.

    Args:
        folder: the index's folder.
        space: the space of the vectors.
        manifest: all but its format.
        before: the numbers of the segments of the manifest before.

    Raises DiskFull; then the segments that are only in the new manifest are removed.
    """
    numbers = {entry["number"] for entry in manifest["segments"]}
    is_large = any(entry.get("large") for entry in manifest["segments"])
    about = {"format": LARGE_MANIFEST_FORMAT if is_large else MANIFEST_FORMAT, **manifest}
    try:
        with disk_errors(f"the index of {space.name}", folder):
            write_json(folder / "manifest.json", about)
    except BaseException:
        # What failed may come after the rename of the manifest: then these files are in use.
        if (read_manifest(folder) or {}).get("index_revision") != manifest["index_revision"]:
            for number in numbers.difference(before):
                remove_segment(folder, number)
        raise
    files.crash_point("manifest-switched")
    for path in folder.iterdir():
        named = FILE_NAME.fullmatch(path.name)
        is_unused = named is not None and int(named.group(1)) not in numbers.union(before)
        if is_unused or path.name.startswith(TEMPORARY_PREFIX):
            path.unlink(missing_ok=True)  # temporary files were left by a killed writer: the lock excludes another


def merging_lock(folder: Path) -> FileLock:
    """The lock of whoever merges segments of this index in the background."""
    return FileLock(folder / "merge.lock", rank=0, what="The search index", keep_file=False)


def merging_inputs(folder: Path) -> frozenset[int]:
    """The numbers of the segments that are being merged in the background: writers leave them as they are."""
    if not merging_lock(folder).is_held():
        return frozenset()
    return frozenset((read_json_object(folder / MERGE_FOLDER / "inputs.json") or {}).get("segments", ()))


def to_merge(sizes: Sequence[tuple[int, int]], *, is_adding: bool) -> set[int]:
    """Which segments a write merges with what it adds: the smallest ones, where there are too many small ones.

    The tiers are those of a log-structured merge tree (O'Neil et al., 1996, "The Log-Structured Merge-Tree").

    Args:
        sizes: (number, rows) of the segments.
        is_adding: whether the write adds rows of its own, which would be one more segment.
    """
    small = sorted((rows, number) for number, rows in sizes if rows <= SMALL_ROWS)
    if len(small) + is_adding <= MAX_SMALL_SEGMENTS:
        return set()
    merged: set[int] = set()
    total = 0
    for rows, number in small[: MERGED_SEGMENTS - is_adding]:
        total += rows
        if total > 2 * SMALL_ROWS:
            break
        merged.add(number)
    return merged
