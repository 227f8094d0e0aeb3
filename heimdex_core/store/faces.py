"""The faces of videos: videos/<video_id>/faces/sface.parquet, one row a face.

They lie beside the generations, which never change, so that a face can be removed. A file is written whole under a
temporary name and renamed. Of a face that was removed by hand, a row without vector, landmarks and keyframe is kept:
when the video is looked through again, a face at the same place is left out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from cachetools import LRUCache

from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import atomic_write, crash_point, file_signature, make_folder
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.parquet import read_table
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Box, make_face_id

log = logging.getLogger(__name__)

SPACE, DIM = "sface", 128
FOLDER = "faces"
MAX_ROWS = 5_000_000
_CACHED_USERS = 8
SAME_IOU, SAME_MS = 0.5, 500
"""A face of an earlier scan at most so far away, in the picture and in time, is the same one."""
REMOVED_IOU = 0.2
"""A face of the same scene that overlaps a removed one by so much is left out: rather one too many."""

Floats = npt.NDArray[np.float32]

SCHEMA = pa.schema(
    [
        ("face_id", pa.string()),
        ("time_ms", pa.int64()),
        ("start_ms", pa.int64()),
        ("end_ms", pa.int64()),
        ("keyframe", pa.string()),
        ("x", pa.float32()),
        ("y", pa.float32()),
        ("width", pa.float32()),
        ("height", pa.float32()),
        ("score", pa.float32()),
        ("landmarks", pa.list_(pa.float32(), 10)),
        ("vector", pa.list_(pa.float16(), DIM)),
    ]
)


@dataclass(frozen=True, slots=True)
class FaceRow:
    """A face, as it is stored. Without a vector it is one that was removed."""

    face_id: str
    time_ms: int
    start_ms: int
    """Of its scene."""
    end_ms: int
    box: Box
    keyframe: str = ""
    score: float = 0.0
    landmarks: tuple[float, ...] | None = None
    vector: Floats | None = None
    """(DIM,), of length 1."""

    @property
    def is_removed(self) -> bool:
        """Whether only its place is kept."""
        return self.vector is None

    def removed(self) -> FaceRow:
        """What is kept of it."""
        return FaceRow(self.face_id, self.time_ms, self.start_ms, self.end_ms, self.box)


@dataclass(frozen=True, eq=False)
class FaceTable:
    """The faces of one video."""

    video_id: str
    generation: int
    """Whose keyframes were looked through."""
    made_by: str
    """The models, by name and revision."""
    rows: tuple[FaceRow, ...]

    @cached_property
    def faces(self) -> tuple[FaceRow, ...]:
        """Those that were not removed."""
        return tuple(row for row in self.rows if not row.is_removed)

    @cached_property
    def vectors(self) -> npt.NDArray[np.float16]:
        """(n, DIM) of `faces`."""
        if not self.faces:
            return np.zeros((0, DIM), np.float16)
        return np.stack([row.vector for row in self.faces if row.vector is not None]).astype(np.float16)

    def without(self, face_ids: Iterable[str]) -> FaceTable:
        """The same where these faces are removed."""
        gone = frozenset(face_ids)
        return replace(self, rows=tuple(row.removed() if row.face_id in gone else row for row in self.rows))

    def following(self, before: FaceTable | None) -> FaceTable:
        """The same after an earlier scan: removed faces stay removed, and faces at the same place keep their ids."""
        if before is None:
            return self
        removed = [row for row in before.rows if row.is_removed]
        rows = [row for row in self.faces if not any(_is_removed(row, one) for one in removed)]
        used: set[str] = set()
        kept = []
        for row in rows:
            near = [one for one in before.faces if abs(one.time_ms - row.time_ms) <= SAME_MS]
            same = [one for one in near if one.face_id not in used and overlap(one.box, row.box) >= SAME_IOU]
            best = max(same, key=lambda one: overlap(one.box, row.box), default=row)
            used.add(best.face_id)
            kept.append(replace(row, face_id=best.face_id))
        return replace(self, rows=(*_distinct(kept), *removed))


def _is_removed(row: FaceRow, removed: FaceRow) -> bool:
    in_time = removed.start_ms <= row.time_ms < removed.end_ms or abs(row.time_ms - removed.time_ms) <= SAME_MS
    return in_time and overlap(row.box, removed.box) >= REMOVED_IOU


def _distinct(rows: Sequence[FaceRow]) -> list[FaceRow]:
    """The rows, each id once: the most certain face of those that have it."""
    best: dict[str, FaceRow] = {}
    for row in rows:
        if row.face_id not in best or row.score > best[row.face_id].score:
            best[row.face_id] = row
    return list(best.values())


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one[2] * one[3] + other[2] * other[3] - both)


# --- the file -------------------------------------------------------------------------------------


def write_faces(path: Path, table: FaceTable) -> None:
    """Write the faces of a video, atomically. Raises DiskFull."""
    columns: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
    for row in table.rows:
        values = (row.face_id, row.time_ms, row.start_ms, row.end_ms, row.keyframe, *row.box, row.score)
        vector = None if row.vector is None else row.vector.astype(np.float16)
        for name, value in zip(SCHEMA.names, (*values, row.landmarks, vector), strict=True):
            columns[name].append(value)
    about = {"kind": "faces", "version": "1", "generation": str(table.generation), "made_by": table.made_by}
    made = pa.table({name: pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names})
    make_folder(path.parent)
    # Plain and not compressed: vectors do not get smaller, and whoever looks for one finds it.
    with atomic_write(path) as file:
        pq.write_table(
            made.replace_schema_metadata(about), file, compression="none", use_dictionary=False, write_statistics=False
        )


def read_faces(path: Path, video_id: str) -> FaceTable | None:
    """The faces of a video; None where nobody has looked for them. Raises LibraryDamaged."""
    try:
        found = read_table(path, MAX_ROWS)
        about = found.schema.metadata or {}
        columns = {name: found.column(name).cast(SCHEMA.field(name).type) for name in SCHEMA.names}
        generation, made_by = int(about[b"generation"]), about[b"made_by"].decode()
        rows = _rows(columns)
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise LibraryDamaged(what=f"videos/{video_id}/{FOLDER}/{path.name}", reason=str(error)[:200]) from error
    return FaceTable(video_id, generation, made_by, rows)


def _rows(columns: Mapping[str, pa.ChunkedArray]) -> tuple[FaceRow, ...]:
    plain = {name: columns[name].to_pylist() for name in SCHEMA.names if name != "vector"}
    vectors = columns["vector"].combine_chunks()
    is_there = vectors.is_valid().to_numpy(zero_copy_only=False)
    values = vectors.drop_null().flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, DIM)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    if not np.isfinite(values).all() or not (norms > 0).all():
        raise ValueError("a vector is no direction")
    found = iter(values / norms)
    return tuple(
        FaceRow(
            face_id=plain["face_id"][n],
            time_ms=plain["time_ms"][n],
            start_ms=plain["start_ms"][n],
            end_ms=plain["end_ms"][n],
            box=(plain["x"][n], plain["y"][n], plain["width"][n], plain["height"][n]),
            keyframe=plain["keyframe"][n],
            score=plain["score"][n],
            landmarks=None if plain["landmarks"][n] is None else tuple(plain["landmarks"][n]),
            vector=next(found) if is_there[n] else None,
        )
        for n in range(len(plain["face_id"]))
    )


def new_row(
    video_id: str, time_s: float, scene: tuple[float, float], box: Box, *, keyframe: str, score: float,
    landmarks: Sequence[float], vector: Floats,
) -> FaceRow:  # fmt: skip
    """A face that was found at `time_s` in the scene (start_s, end_s)."""
    time_ms, start_ms, end_ms = (round(1000 * value) for value in (time_s, *scene))
    face_id = make_face_id(video_id, time_ms, box)
    return FaceRow(face_id, time_ms, start_ms, end_ms, box, keyframe, score, tuple(landmarks), vector)


# --- those of a library ---------------------------------------------------------------------------


@dataclass
class FaceFiles:
    """The faces of one library's videos. Safe to share between threads.

    Tables that were read are kept in memory, and what searches have made of them (`view_of`), until a file is replaced
    or removed: by this process at once, by another one when this one sees that the library has changed.
    """

    context: StoreContext
    _kept: dict[str, tuple[object, FaceTable | None]] = field(default_factory=dict)
    _views: LRUCache[str, Any] = field(default_factory=lambda: LRUCache(_CACHED_USERS))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    revision: int = 0
    """Changes whenever something is let go of: what was begun before must not be kept after it."""

    def path(self, video_id: str) -> Path:
        """The file with the faces of a video."""
        return self.context.paths.video(video_id) / FOLDER / f"{SPACE}.parquet"

    def signature(self, video_id: str) -> object:
        """Changes with the faces of the video; None where there is no file. Fetches it from object storage."""
        return file_signature(self.context.paths.fetched(self.path(video_id)))

    def table(self, video_id: str) -> FaceTable | None:
        """The faces of a video; None where nobody has looked for them, or they cannot be read, which is logged."""
        signature = self.signature(video_id)
        kept = self._kept.get(video_id)
        if kept is not None and kept[0] == signature:
            return kept[1]
        revision = self.revision
        try:
            found = read_faces(self.path(video_id), video_id) if signature is not None else None
        except LibraryDamaged as error:
            log.warning("the faces of a video are left out: %s", error)
            found = None
        with self._lock:
            if revision == self.revision:
                self._kept[video_id] = (signature, found)
        return found

    def view_of(self, user_id: str) -> Any:
        """What `keep_view` has kept; None where there is nothing."""
        with self._lock:
            return self._views.get(user_id)

    def keep_view(self, user_id: str, view: object, revision: int) -> None:
        """Keep what was made of a user's tables and photos while `revision` was the present one."""
        with self._lock:
            if revision == self.revision:
                self._views[user_id] = view

    def forget(self, *video_ids: str) -> None:
        """Let go of the tables of these videos, and of what was made of any tables or photos."""
        with self._lock:
            self.revision += 1
            self._views.clear()
            for video_id in video_ids:
                self._kept.pop(video_id, None)

    def forget_outdated(self, known: Mapping[str, object] | None = None) -> None:
        """Let go of tables whose files are not what was read; `known` has signatures that were just looked up."""
        known = known or {}
        outdated = [
            video_id
            for video_id, (signature, table) in list(self._kept.items())
            if table is not None
            and signature != (known[video_id] if video_id in known else file_signature(self.path(video_id)))
        ]
        if outdated:
            self.forget(*outdated)

    def replace(self, transaction: Transaction, video_id: str, change: Callable[[FaceTable | None], FaceTable]) -> None:
        """Write what `change` makes of the faces of a video, in a transaction, so that two changes follow each other.

        Raises DiskFull.
        """
        try:
            before = read_faces(self.context.paths.fetched(self.path(video_id)), video_id)
        except LibraryDamaged as error:
            log.warning("the faces of a video are written again: %s", error)
            before = None
        write_faces(self.path(video_id), change(before))
        self.forget(video_id)
        transaction.changed_files.add(f"videos/{video_id}/{FOLDER}/")
        crash_point("faces-written")
