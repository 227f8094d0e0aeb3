"""Merging the segments of a vector index in the background, into large ones that are searched fast.

A large segment takes minutes to make (vector_large.py), so it is made beside the index, in merge/, while others search
and write. Writers leave the segments that are being merged as they are, except for marking what is removed; the switch
takes index.lock for a moment. What a killed merge left is removed by the next one.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from heimdex_core import files
from heimdex_core.errors import LibraryBusy, LibraryDamaged
from heimdex_core.files import disk_errors, fsync_folder, write_json
from heimdex_core.store import vector_large, vectors
from heimdex_core.store.keyframe_vectors import Floats, Numbers
from heimdex_core.store.locks import FileLock
from heimdex_core.store.vector_methods import INDEX_TYPES
from heimdex_core.store.vector_segment import NAMES_TYPE, Halves, Key, Segment, files_of, indices
from heimdex_core.store.vector_writing import Content, halves_again, remove_segment, write_files
from heimdex_core.store.vectors import MERGE_FOLDER, Entry, by_video, merging_lock, pairs
from heimdex_core.types import Space, WorkContext

log = logging.getLogger(__name__)

EXACT_ROWS = 40_000
"""More rows than these, all searched one by one, are merged into a large segment. They are searched in some 3 ms."""
GROWTH = 3
"""A large segment is merged too if it has at most so many times the rows that are merged with it. So there are few of
them, and a row is written about once more for each time that the index grows as much."""
MAX_LARGE_BYTES = 2 << 30
"""Of the vectors of a large segment; making one takes twice the memory."""


def is_due(folder: Path) -> bool:
    """Whether there is something to merge or to sweep. Not in a damaged index, which has to be made again."""
    try:
        manifest = vectors.read_manifest(folder)
    except LibraryDamaged:
        return False
    if manifest is None or manifest["type"] != "SQfp16":
        return False
    is_left = (folder / MERGE_FOLDER).exists() and not merging_lock(folder).is_held()
    return is_left or bool(to_merge(manifest["segments"], manifest["space"]["dim"]))


def merge(folder: Path, space: Space, index_lock: FileLock, work: WorkContext) -> bool:
    """Merge the segments for which it is time; False if there are none, or another process merges them.

    Args:
        folder: the index's folder.
        space: the space of the vectors.
        index_lock: index.lock, which the caller does not hold.
        work: cancellation is checked often.

    Raises Cancelled, DiskFull, LibraryDamaged, SpaceMismatch; then the index is as it was.
    """
    if vectors.read_manifest(folder) is None:
        return False
    with ExitStack() as stack:
        try:
            stack.enter_context(merging_lock(folder).hold(timeout_s=0))
        except LibraryBusy:
            return False
        stack.callback(shutil.rmtree, folder / MERGE_FOLDER, ignore_errors=True)
        return _merge(folder, space, index_lock, work)


def _merge(folder: Path, space: Space, index_lock: FileLock, work: WorkContext) -> bool:
    built_in = folder / MERGE_FOLDER
    with index_lock.hold():
        shutil.rmtree(built_in, ignore_errors=True)  # a killed merge left it
        index, manifest = vectors.open_index(folder, space), vectors.read_manifest(folder)
        if index is None or manifest is None or index.index_type != "SQfp16":
            return False
        inputs = to_merge(manifest["segments"], space.dim)
        if not inputs:
            return False
        files.make_folder(built_in)
        with disk_errors(f"the index of {space.name}", folder):
            write_json(built_in / "inputs.json", {"segments": sorted(inputs)})
    log.info("merging %d segments of the index of %s", len(inputs), space.name)
    parts = [
        _Part(segment, gone)
        for segment, gone in zip(index.segments, index.removed, strict=True)
        if segment.number in inputs
    ]
    entry = _build(built_in, space, parts, work)
    files.crash_point("merge-built")
    with index_lock.hold():
        return _switch(folder, space, parts, entry)


class _Part:
    """What of a segment goes into the new one."""

    def __init__(self, segment: Segment, removed: frozenset[Key]) -> None:
        self.segment = segment
        self.keys = [key for key in segment.ranges if key not in removed]
        """Those with rows, in the order of the rows."""
        self.empty = sorted(segment.keys.difference(removed, segment.ranges))
        self.rows = np.flatnonzero(~segment.mask_of(removed))


def _build(folder: Path, space: Space, parts: Sequence[_Part], work: WorkContext) -> Entry:
    """Write the files of the new segment, numbered 0; its entry."""
    ends = np.cumsum([0, *(len(part.rows) for part in parts)])
    count = int(ends[-1])

    def read(rows: Numbers) -> Floats:
        found = np.empty((len(rows), space.dim), np.float32)
        homes = np.searchsorted(ends, rows, side="right") - 1
        for home in np.unique(homes).tolist():
            own = np.flatnonzero(homes == home)
            found[own] = parts[home].segment.method.vectors(parts[home].rows[rows[own] - ends[home]])
        return found

    vectors_ = vector_large.Vectors(count, space.dim, read)
    content = Content(
        [(key, len(part.segment.ranges.get(key, ()))) for part in parts for key in (*part.keys, *part.empty)],
        pa.concat_arrays([part.segment.scene_ids.take(indices(part.rows)) for part in parts]),
        pa.concat_arrays([part.segment.names.take(indices(part.rows)).cast(NAMES_TYPE) for part in parts]),
        lambda: _keyframes(parts, work),
    )
    about: dict[str, Any] = {"type": "SQfp16"}
    if count <= EXACT_ROWS:
        index = INDEX_TYPES["SQfp16"](space.dim)
        for slab in vectors_.slabs(work):
            index.add(slab)
        return write_files(folder, space, 0, about, content, index)
    made = vector_large.build(vectors_, work)
    log.info("a large segment of %d rows of the index of %s: %s", count, space.name, made.about)
    return write_files(folder, space, 0, {**about, "large": made.about}, content, made.index, made.codes)


def _keyframes(parts: Sequence[_Part], work: WorkContext) -> Iterator[Halves]:
    for part in parts:
        work.check()
        for key in part.keys:
            yield from halves_again(part.segment, part.segment.ranges[key])


def _switch(folder: Path, space: Space, parts: Sequence[_Part], entry: Entry) -> bool:
    """Put the new segment in the place of its inputs; False if one of them has gone meanwhile. Under index.lock."""
    manifest = vectors.read_manifest(folder)
    present = {} if manifest is None else {one["number"]: one for one in manifest["segments"]}
    inputs = {part.segment.number: part.segment.sha256 for part in parts}
    if manifest is None or any(present.get(n, {"sha256": ""}).get("sha256") != sha for n, sha in inputs.items()):
        log.info("the merged segments of the index of %s are not those of the index any more", space.name)
        return False
    counts = {key: len(part.segment.ranges.get(key, ())) for part in parts for key in (*part.keys, *part.empty)}
    gone = [key for n in inputs for key in pairs(present[n].get("removed", {})) if key in counts]
    number = vectors.next_number(folder, manifest)
    about = {**entry, "number": number}
    if gone:
        about |= {"removed": by_video(gone), "removed_rows": sum(counts[key] for key in gone)}
        if any(present[n].get("erase") for n in inputs):
            about["erase"] = True
    segments = [one for one in manifest["segments"] if one["number"] not in inputs] + [about]
    kept = {name: value for name, value in manifest.items() if name != "format"}
    try:
        with disk_errors(f"the index of {space.name}", folder):
            for built, final in zip(files_of(0), files_of(number), strict=True):
                if (folder / MERGE_FOLDER / built).exists():
                    os.replace(folder / MERGE_FOLDER / built, folder / final)
            fsync_folder(folder)
    except BaseException:
        remove_segment(folder, number)
        raise
    files.crash_point("merge-renamed")
    vectors.publish(folder, space, {**kept, "index_revision": number, "segments": segments}, present)
    return True


def to_merge(entries: Sequence[Entry], dim: int) -> set[int]:
    """The numbers of the segments to merge.

    Those that are searched row by row where they have more than EXACT_ROWS together, and large ones that are to lose
    rows; with them large ones that are not much larger, smallest first.

    Args:
        entries: the segments' entries in the manifest.
        dim: the width of the vectors.
    """
    sized = sorted((entry["rows"] - entry.get("removed_rows", 0), entry["number"]) for entry in entries)
    of_number = {entry["number"]: entry for entry in entries}
    large = [one for one in sized if of_number[one[1]].get("large")]
    exact = [one for one in sized if not of_number[one[1]].get("large")]
    most = MAX_LARGE_BYTES // (2 * dim)
    chosen: set[int] = set()
    total = 0
    # the largest first, so that what is chosen has more than EXACT_ROWS: otherwise it would be chosen again
    for rows, number in reversed(exact) if sum(rows for rows, _ in exact) > EXACT_ROWS else ():
        if not chosen or rows + total <= most:
            chosen.add(number)
            total += rows
    for rows, number in large:
        entry = of_number[number]
        is_to_lose_rows = entry.get("erase") or 2 * rows < entry["rows"]
        if is_to_lose_rows or (chosen and rows <= GROWTH * total and rows + total <= most):
            chosen.add(number)
            total += rows
    return chosen
