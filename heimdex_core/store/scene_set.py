"""A user's scenes as columns, and sets of them as masks: what filters are evaluated on.

A filter may leave half of a million scenes, so a set of scenes is one truth value for each row of the table, and
becomes ids only where somebody iterates over it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heimdex_core.store.scene_columns import Mask, Numbers, SceneColumns
from heimdex_core.types import VisibleVideo

V = TypeVar("V", bound=np.generic)

_SCENE_ID = re.compile("(.*)_(0|[1-9][0-9]{0,9})_(0|[1-9][0-9]{0,9})", re.DOTALL)


class Part(NamedTuple):
    """The scenes of one generation."""

    columns: SceneColumns
    rows: range
    """Those of `columns`."""

    @property
    def scene_ids(self) -> pa.ChunkedArray:
        """The ids of the scenes."""
        return self.columns.table.column("scene_id").slice(self.rows.start, len(self.rows))


class _Piece(NamedTuple):
    """Rows of the table that follow each other in `columns`, too."""

    columns: SceneColumns
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class SceneTable:
    """The scenes of one user in one view. What is needed of them is put together when it is first used.

    The rows of a video follow each other, in the order of its scenes; the videos are in the order of the files that
    they are in.
    """

    videos: Sequence[VisibleVideo]
    """Newest first."""
    parts: Sequence[Part]
    """The scenes of each of the videos."""

    def __len__(self) -> int:
        return int(self._offsets[-1])

    @cached_property
    def _order(self) -> list[int]:
        """The numbers of the videos in the order of the rows: that of the files, in which their rows are together."""
        seen: dict[SceneColumns, int] = {}
        places = [(seen.setdefault(part.columns, len(seen)), part.rows.start) for part in self.parts]
        return sorted(range(len(places)), key=places.__getitem__)

    @cached_property
    def _pieces(self) -> list[_Piece]:
        pieces: list[_Piece] = []
        home, start, stop = None, 0, 0
        for columns, rows in (*(self.parts[number] for number in self._order), (None, range(0))):
            if columns is home and rows.start == stop:
                stop = rows.stop
                continue
            if home is not None and stop > start:
                pieces.append(_Piece(home, start, stop))
            home, start, stop = columns, rows.start, rows.stop
        return pieces

    @cached_property
    def _offsets(self) -> Numbers:
        """(pieces + 1,) where the rows of each piece begin."""
        return np.cumsum([0, *(piece.stop - piece.start for piece in self._pieces)]).astype(np.int64)

    @cached_property
    def counts(self) -> Numbers:
        """(v,) how many scenes each video has."""
        return np.array([len(part.rows) for part in self.parts], dtype=np.int64)

    @cached_property
    def first_rows(self) -> Numbers:
        """(v,) where the rows of each video begin."""
        first = np.zeros(len(self.parts), dtype=np.int64)
        in_order = self.counts[self._order]
        first[self._order] = np.cumsum(in_order) - in_order
        return first

    @cached_property
    def video_numbers(self) -> npt.NDArray[np.int32]:
        """(n,) the number of each scene's video in `videos`."""
        return np.repeat(np.array(self._order, dtype=np.int32), self.counts[self._order])

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Of the videos that have scenes."""
        return {video.video_id: number for number, video in enumerate(self.videos) if len(self.parts[number].rows)}

    @cached_property
    def generations(self) -> dict[tuple[str, int], int]:
        """The number of the video of each generation: (video_id, generation)."""
        return {(video.video_id, video.generation): number for number, video in enumerate(self.videos)}

    # --- columns ----------------------------------------------------------------------------------

    @cached_property
    def starts_ms(self) -> Numbers:
        """(n,) when each scene starts, in milliseconds."""
        return self._joined(lambda columns: columns.starts_ms, np.int64)

    @cached_property
    def ends_ms(self) -> Numbers:
        """(n,) when each scene ends, in milliseconds."""
        return self._joined(lambda columns: columns.ends_ms, np.int64)

    @cached_property
    def durations_s(self) -> npt.NDArray[np.float64]:
        """(n,) the length of each scene in seconds, rounded to milliseconds as scene ids are."""
        return self._joined(lambda columns: columns.durations_s, np.float64)

    @cached_property
    def has_speech(self) -> Mask:
        """(n,) whether each scene has a transcript that is not blank."""
        return self._joined(lambda columns: columns.has_speech, np.bool_)

    def in_language(self, codes: Iterable[str]) -> Mask:
        """(n,) whether each scene's language is one of these codes."""
        wanted = {code.lower() for code in codes}
        return self._joined(lambda columns: columns.in_language(wanted), np.bool_)

    def with_tag(self, tag: str) -> Mask:
        """(n,) whether each scene has this tag, in any case."""
        return self._joined(lambda columns: columns.with_tag(tag.lower()), np.bool_)

    def _joined(self, column: Callable[[SceneColumns], npt.NDArray[V]], dtype: type[V]) -> npt.NDArray[V]:
        """(n,) a column of all pieces; it is asked for once for each file."""
        found: dict[SceneColumns, npt.NDArray[V]] = {}
        for piece in self._pieces:
            if piece.columns not in found:
                found[piece.columns] = column(piece.columns)
        return np.concatenate([np.zeros(0, dtype), *(found[p.columns][p.start : p.stop] for p in self._pieces)])

    # --- scenes by id -----------------------------------------------------------------------------

    def tables_at(self, rows: Numbers) -> list[pa.Table]:
        """The scenes of these rows, each with the columns of scenes.parquet as a table of one row."""
        homes = np.searchsorted(self._offsets, rows, side="right") - 1
        pieces = [self._pieces[home] for home in homes.tolist()]
        places = (rows - self._offsets[homes]).tolist()
        return [piece.columns.table.slice(piece.start + place, 1) for piece, place in zip(pieces, places, strict=True)]

    def ids_at(self, rows: Numbers) -> list[str]:
        """The ids of the scenes of these rows, which are made of the video, the start and the end (`make_scene_id`)."""
        numbers, starts, ends = (column[rows].tolist() for column in (self.video_numbers, self.starts_ms, self.ends_ms))
        videos = self.videos
        return [f"{videos[n].video_id}_{start}_{end}" for n, start, end in zip(numbers, starts, ends, strict=True)]

    @cached_property
    def places_by_id(self) -> Numbers:
        """(v,) the place of each video in the order of the videos' ids, as they begin the ids of scenes."""
        places = np.zeros(len(self.videos), dtype=np.int64)
        places[sorted(range(len(self.videos)), key=lambda n: f"{self.videos[n].video_id}_")] = np.arange(len(places))
        return places

    def rows_in(self, table: SceneTable, rows: Numbers) -> Numbers:
        """See RowSource."""
        return rows if table is self else table.rows_of(self.ids_at(rows))

    def keys_at(self, rows: Numbers) -> list[tuple[str, int]]:
        """(video_id, generation) of the scenes of these rows."""
        videos = [self.videos[number] for number in self.video_numbers[rows].tolist()]
        return [(video.video_id, video.generation) for video in videos]

    def rows_of(self, scene_ids: Sequence[str]) -> Numbers:
        """(len(scene_ids),) the row of each scene; -1 for one that is not in the table.

        An id is made of the scene's video, start and end (`make_scene_id`), so these tell whether a row is the scene's.
        """
        parts = [match.groups() if match else ("", "-1", "-1") for match in map(_SCENE_ID.fullmatch, scene_ids)]
        video_ids, starts, ends = zip(*parts, strict=True) if parts else ((), (), ())
        return self.rows_at(video_ids, list(map(int, starts)), list(map(int, ends)))

    def rows_at(self, video_ids: Sequence[str], starts_ms: npt.ArrayLike, ends_ms: npt.ArrayLike) -> Numbers:
        """(len(video_ids),) the row of the scene of each video that has these times; -1 where there is none."""
        numbers = self._numbers_of(video_ids)
        starts, ends = (np.asarray(times, dtype=np.int64) for times in (starts_ms, ends_ms))
        rows = np.full(len(numbers), -1, dtype=np.int64)
        known = np.flatnonzero(numbers >= 0)
        near = self._last_rows(numbers[known], starts[known])
        is_same = (near >= 0) & (self.starts_ms[near] == starts[known]) & (self.ends_ms[near] == ends[known])
        rows[known[is_same]] = near[is_same]
        # what is not where its time says is of a video with two scenes of one start, or is not there
        for at in known[~is_same].tolist():
            rows[at] = self._find(int(numbers[at]), f"{video_ids[at]}_{starts[at]}_{ends[at]}")
        return rows

    def rows_at_times(self, video_ids: Sequence[str], times_ms: Numbers) -> Numbers:
        """(len(video_ids),) the row of the scene of each video that has this moment in it; -1 where there is none."""
        rows = np.full(len(video_ids), -1, dtype=np.int64)
        numbers = self._numbers_of(video_ids)
        known = np.flatnonzero(numbers >= 0)
        last = self._last_rows(numbers[known], times_ms[known])
        is_in = (last >= 0) & (times_ms[known] < self.ends_ms[last])
        rows[known[is_in]] = last[is_in]
        return rows

    def _numbers_of(self, video_ids: Sequence[str]) -> Numbers:
        """(len(video_ids),) the number of each video; -1 for one that has no scenes here."""
        return np.fromiter(map(self._numbers.get, video_ids, repeat(-1)), np.int64, len(video_ids))

    def _last_rows(self, numbers: Numbers, times_ms: Numbers) -> Numbers:
        """(n,) the row of the last scene of each video that starts at a time or before it; -1 where there is none.

        All are looked for side by side, each among the rows of its own video.
        """
        low = self.first_rows[numbers] - 1
        high = low + 1 + self.counts[numbers]
        first = low + 1
        while (is_open := high - low > 1).any():
            middle = np.where(is_open, (low + high) >> 1, first)
            is_before = is_open & (self.starts_ms[middle] <= times_ms)
            low = np.where(is_before, middle, low)
            high = np.where(is_open & ~is_before, middle, high)
        return np.where(low >= first, low, -1)

    def _find(self, number: int, scene_id: str) -> int:
        columns, own = self.parts[number]
        row = columns.find(scene_id, own)
        return -1 if row is None else row - own.start + int(self.first_rows[number])

    def of_videos(self, video_ids: Collection[str]) -> Mask:
        """(n,) whether each row is of one of these videos."""
        wanted = frozenset(video_ids)
        chosen = np.array([video.video_id in wanted for video in self.videos], dtype=bool)
        return chosen[self.video_numbers] if len(chosen) else np.zeros(0, dtype=bool)

    def of_scenes(self, scene_ids: Iterable[str]) -> Mask:
        """(n,) whether each row is one of these scenes."""
        mask = np.zeros(len(self), dtype=bool)
        rows = self.rows_of(list(scene_ids))
        mask[rows[rows >= 0]] = True
        return mask

    # --- facets -----------------------------------------------------------------------------------

    def count_languages(self, rows: Numbers) -> Counter[str]:
        """How many of the scenes of these rows each language has."""
        counts: Counter[str] = Counter()
        for columns, own in self._by_columns(rows):
            numbers, names = columns.languages
            counts.update(_counted(numbers[own], names))
        return counts

    def count_tags(self, rows: Numbers) -> Counter[str]:
        """How many of the scenes of these rows, each given once, have each tag."""
        counts: Counter[str] = Counter()
        for columns, own in self._by_columns(rows):
            homes, (numbers, names) = columns.tags
            is_own = np.zeros(len(columns), dtype=bool)
            is_own[own] = True
            chosen = is_own[homes] & (numbers >= 0)
            once = np.unique(homes[chosen] * len(names) + numbers[chosen])  # a scene may have a tag twice
            counts.update(_counted(once % max(len(names), 1), names))
        return counts

    def _by_columns(self, rows: Numbers) -> Iterator[tuple[SceneColumns, Numbers]]:
        """The files that have these rows, each with the rows as it counts them."""
        homes = np.searchsorted(self._offsets, rows, side="right") - 1
        for home in np.unique(homes):
            piece = self._pieces[home]
            yield piece.columns, rows[homes == home] - self._offsets[home] + piece.start


class SceneSet(Collection[str]):
    """Some scenes of a table. Immutable; an ordinary collection of ids, video by video, newest video first."""

    def __init__(self, table: SceneTable, mask: Mask) -> None:
        """`mask` is (n,), one value for each row of the table."""
        self.table = table
        self.mask = mask
        self._count = int(np.count_nonzero(mask))  # summing truth values takes 20 times as long

    def __len__(self) -> int:
        return self._count

    def __contains__(self, scene_id: object) -> bool:
        return isinstance(scene_id, str) and bool(self.has([scene_id])[0])

    def __iter__(self) -> Iterator[str]:
        rows = np.flatnonzero(self.mask)
        rows = rows[np.argsort(self.table.video_numbers[rows], kind="stable")]
        return iter(self.table.ids_at(rows))

    def has(self, scene_ids: Sequence[str]) -> Mask:
        """(len(scene_ids),) whether each of these scenes is in the set."""
        return self.has_rows(self.table.rows_of(scene_ids))

    def has_rows(self, rows: Numbers) -> Mask:
        """(len(rows),) whether the scene of each row of the table is in the set; -1 is none."""
        return (rows >= 0) & self.mask[rows] if len(self.mask) else np.zeros(len(rows), dtype=bool)

    @property
    def share(self) -> float:
        """The part of the table's scenes that are in the set, 0 to 1."""
        return self._count / len(self.table) if len(self.table) else 0.0


def _counted(numbers: npt.NDArray[np.integer], names: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True) if count}
