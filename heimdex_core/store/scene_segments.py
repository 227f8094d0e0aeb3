"""The scene table of a library: the rows of every scenes.parquet together, in segments that are mapped into memory.

It says nothing that the sidecars do not say: it is there so that a reader opens some files and not one for each video,
and has the scenes in mapped memory and not in its own. It has the generations of every model set. A generation that it
lacks is read from its sidecar.

scenes-<n>.arrow is an Arrow IPC file with the columns of scenes.parquet, in one batch; the rows of a generation follow
each other. The generations and their rows are in its metadata. As with vector indexes (vectors.py) a write adds a
segment, marks what is removed, and switches by renaming manifest.json; small segments are merged while writing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from heimdex_core import files
from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import (
    TEMPORARY_PREFIX,
    atomic_write,
    disk_errors,
    read_json,
    read_json_object,
    sha256_of,
    write_json,
)
from heimdex_core.store.scene_columns import SceneColumns
from heimdex_core.store.sidecar import SCENES_SCHEMA
from heimdex_core.store.vector_segment import Key
from heimdex_core.store.vectors import to_merge

WHAT = "the scene table"
FORMAT = 1
Load = Callable[[Key], "pa.Table | None"]
"""Returns the rows of a generation, with the columns of SCENES_SCHEMA; None if it cannot be read."""
Entry = dict[str, Any]
"""What the manifest says of a segment: number, rows, sha256, and the generations removed from it."""

MAX_ROWS = 40_000
MAX_BYTES = 256_000_000
"""Of a segment that is made of several generations. It is put together in memory, and a column of texts in one piece
has at most 2 GB."""

_GENERATIONS = b"heimdex.generations"
_FILE = re.compile(r"scenes-(\d+)\.arrow")


@dataclass(frozen=True, eq=False)
class SceneSegment:
    """An opened segment."""

    number: int
    sha256: str
    columns: SceneColumns
    rows: Mapping[Key, range]
    """The rows of each generation, also of those that have none."""

    def of(self, key: Key) -> pa.Table:
        """The rows of a generation."""
        own = self.rows[key]
        return self.columns.table.slice(own.start, len(own))


@dataclass(frozen=True, eq=False)
class SceneIndex:
    """An opened revision of the table."""

    revision: int
    segments: tuple[SceneSegment, ...]
    homes: Mapping[Key, SceneSegment]
    """The segment of each generation."""


# --- opening --------------------------------------------------------------------------------------


def open_index(folder: Path, held: SceneIndex | None = None) -> SceneIndex | None:
    """Open the current revision; None if there is none. Raises LibraryDamaged.

    Args:
        folder: the table's folder.
        held: a revision that is open already; segments that it has are not opened again.
    """
    for _ in range(10):
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        try:
            return _open_revision(folder, manifest, held)
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            if (read_manifest(folder) or {}).get("revision") == manifest["revision"]:
                raise LibraryDamaged(what=WHAT, reason=f"{type(error).__name__}: {error}"[:200]) from error
    raise LibraryDamaged(what=WHAT, reason="its files do not belong together")


def check(folder: Path) -> Collection[Key]:
    """The generations in the table, after its files were compared with their checksums; none if there is no table.

    Raises LibraryDamaged.
    """
    index = open_index(folder)
    for segment in index.segments if index is not None else ():
        path = _path(folder, segment.number)
        if sha256_of(path) != segment.sha256:
            raise LibraryDamaged(what=WHAT, reason=f"{path.name} is not what was written")
    return index.homes.keys() if index is not None else ()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest; None if there is no table. Raises LibraryDamaged."""
    try:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if manifest["format"] != FORMAT:
            raise LibraryDamaged(what=WHAT, reason=f"it has format {manifest['format']}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryDamaged(what=WHAT, reason=str(error)[:200]) from error
    return manifest


def _path(folder: Path, number: int) -> Path:
    return folder / f"scenes-{number}.arrow"


def _open_revision(folder: Path, manifest: Mapping[str, Any], held: SceneIndex | None) -> SceneIndex:
    opened = {segment.number: segment for segment in held.segments} if held is not None else {}
    segments: list[SceneSegment] = []
    homes: dict[Key, SceneSegment] = {}
    for entry in manifest["segments"]:
        segment = opened.get(entry["number"])
        if segment is None or segment.sha256 != entry["sha256"]:
            segment = _open_segment(folder, entry)
        removed = _removed(entry)
        live = [key for key in segment.rows if key not in removed]
        if not homes.keys().isdisjoint(live):
            raise ValueError("two segments have the same generation")
        segments.append(segment)
        homes.update(dict.fromkeys(live, segment))
    return SceneIndex(int(manifest["revision"]), tuple(segments), homes)


def _open_segment(folder: Path, entry: Entry) -> SceneSegment:
    """Map a segment into memory. Raises OSError and ValueError, of which pa.ArrowInvalid is one."""
    path = _path(folder, int(entry["number"]))
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        table = reader.read_all()
    if not table.schema.equals(SCENES_SCHEMA):
        raise ValueError("it has other columns")
    table.validate()
    rows: dict[Key, range] = {}
    at = 0
    for video_id, n, count in json.loads((table.schema.metadata or {})[_GENERATIONS]):
        rows[video_id, int(n)] = range(at, at := at + int(count))
    if not at == len(table) == entry["rows"]:
        raise ValueError("its row counts do not agree")
    columns = SceneColumns.of(table.replace_schema_metadata(None), path)
    return SceneSegment(int(entry["number"]), str(entry["sha256"]), columns, rows)


def _removed(entry: Entry) -> set[Key]:
    return {(video_id, int(n)) for video_id, n in entry.get("removed", ())}


# --- writing (under index.lock) -------------------------------------------------------------------


def sync(folder: Path, wanted: Collection[Key], load: Load, *, redo: Collection[Key] = (), erase: bool = False) -> bool:
    """Make the table contain exactly the `wanted` generations; False if it did already. The caller holds index.lock.

    Args:
        folder: the table's folder; created if it is missing.
        wanted: the generations.
        load: reads a generation that is not in the table yet; one that it cannot read is left out.
        redo: generations to read again even if the table contains them.
        erase: whether the rows of removed generations are to leave the files of this revision now.

    Raises DiskFull, and what `load` raises. A damaged table is written anew.
    """
    try:
        current = open_index(folder)
        entries: list[Entry] = (read_manifest(folder) or {}).get("segments", [])
    except LibraryDamaged:
        current, entries = None, []
    held = current.homes if current is not None else {}
    keep = (held.keys() & set(wanted)) - set(redo)
    missing = sorted(set(wanted) - keep)
    is_to_erase = erase and any(entry.get("removed") for entry in entries)
    if current is not None and not missing and keep == held.keys() and not is_to_erase:
        return False
    added = ((key, table) for key in missing if (table := load(key)) is not None)
    with disk_errors(WHAT, folder):
        files.make_folder(folder, levels=2)
        _write(folder, current, entries, keep, added, is_adding=bool(missing), erase=erase)
    return True


def _write(
    folder: Path,
    current: SceneIndex | None,
    entries: Sequence[Entry],
    keep: Collection[Key],
    added: Iterable[tuple[Key, pa.Table]],
    *,
    is_adding: bool,
    erase: bool,
) -> None:
    """Publish a revision with the `keep` generations and those `added`."""
    opened = {segment.number: segment for segment in current.segments} if current is not None else {}
    live = {number: [key for key in segment.rows if key in keep] for number, segment in opened.items()}
    counts = {number: sum(len(opened[number].rows[key]) for key in keys) for number, keys in live.items()}
    kept = [_marked(entry, opened[entry["number"]].rows, keep) for entry in entries if live[entry["number"]]]
    merged = to_merge([(entry["number"], counts[entry["number"]]) for entry in kept], is_adding=is_adding)
    again = {
        entry["number"]
        for entry in kept
        if entry["number"] in merged or 2 * counts[entry["number"]] < entry["rows"] or (erase and entry.get("removed"))
    }
    generations = ((key, opened[number].of(key)) for number in sorted(again) for key in live[number])
    segments = [entry for entry in kept if entry["number"] not in again]
    last = max([_last_number(folder), *opened])
    revision = 1 + (current.revision if current is not None else last)
    try:
        for number, part in enumerate(_in_parts(chain(generations, added)), start=last + 1):
            segments.append(_write_segment(folder, number, part))
        files.crash_point("scenes-written")
        write_json(folder / "manifest.json", {"format": FORMAT, "revision": revision, "segments": segments})
    except BaseException:
        # what failed may come after the rename of the manifest: then the new files are in use
        manifest = read_json_object(folder / "manifest.json") or {}
        _remove_others(folder, {entry["number"] for entry in (*entries, *manifest.get("segments", ()))})
        raise
    files.crash_point("scenes-switched")
    _remove_others(folder, {entry["number"] for entry in (*segments, *entries)})


def _marked(entry: Entry, rows: Iterable[Key], keep: Collection[Key]) -> Entry:
    removed = sorted(key for key in rows if key not in keep)
    return {**entry, "removed": removed} if removed else entry


def _last_number(folder: Path) -> int:
    numbers = [int(named.group(1)) for named in map(_FILE.fullmatch, (path.name for path in folder.iterdir())) if named]
    return max(numbers, default=0)


def _in_parts(generations: Iterable[tuple[Key, pa.Table]]) -> Iterator[list[tuple[Key, pa.Table]]]:
    """The generations, divided so that each part is one segment."""
    part: list[tuple[Key, pa.Table]] = []
    rows = size = 0
    for key, table in generations:
        if part and (rows + len(table) > MAX_ROWS or size + table.nbytes > MAX_BYTES):
            yield part
            part, rows, size = [], 0, 0
        part.append((key, table))
        rows, size = rows + len(table), size + table.nbytes
    if part:
        yield part


def _write_segment(folder: Path, number: int, generations: Sequence[tuple[Key, pa.Table]]) -> Entry:
    about = json.dumps([[*key, len(rows)] for key, rows in generations])
    schema = SCENES_SCHEMA.with_metadata({_GENERATIONS: about})
    table = pa.concat_tables([rows.select(SCENES_SCHEMA.names).cast(SCENES_SCHEMA) for _, rows in generations])
    path = _path(folder, number)
    with atomic_write(path) as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_table(table.combine_chunks())
    return {"number": number, "rows": len(table), "sha256": sha256_of(path)}


def _remove_others(folder: Path, used: Collection[int]) -> None:
    """Remove the files of segments that neither this manifest nor the one before names."""
    for path in folder.iterdir():
        named = _FILE.fullmatch(path.name)
        if (named and int(named.group(1)) not in used) or path.name.startswith(TEMPORARY_PREFIX):
            path.unlink(missing_ok=True)  # temporary files were left by a killed writer: the lock excludes another
