"""A user's scenes as columns, and sets of them as masks: what filters are evaluated on.

A filter may leave half of a million scenes, so a set of scenes is one truth value for each row of the table, and
becomes ids only where somebody iterates over it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.types import VisibleVideo

Mask = npt.NDArray[np.bool_]

SCHEMA = pa.schema(
    [
        ("scene_id", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("transcript", pa.string()),
        ("language", pa.string()),
        ("tags", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class SceneTable:
    """The scenes of one user in one view, video by video, newest video first. Columns are computed when first used."""

    videos: Sequence[VisibleVideo]
    table: pa.Table
    """(n,) rows with the columns of SCHEMA."""
    lengths: Sequence[int]
    """How many rows each of the videos has."""

    @classmethod
    def of(cls, videos: Sequence[VisibleVideo], tables: Sequence[pa.Table]) -> SceneTable:
        """Join the tables of the videos; nothing is copied."""
        chosen = (table.select(SCHEMA.names).replace_schema_metadata(None) for table in tables)
        parts = [part if part.schema.equals(SCHEMA) else part.cast(SCHEMA) for part in chosen]
        # not `empty_table`, which would import pandas
        joined = pa.concat_tables([pa.Table.from_batches([], SCHEMA), *parts])
        return cls(videos, joined, [len(table) for table in tables])

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def scene_ids(self) -> list[str]:
        """The ids of the scenes."""
        ids: list[str] = self.table.column("scene_id").to_pylist()
        return ids

    @cached_property
    def positions(self) -> dict[str, int]:
        """The row of each scene."""
        return {scene_id: row for row, scene_id in enumerate(self.scene_ids)}

    def rows_of(self, scene_ids: Iterable[str]) -> npt.NDArray[np.int64]:
        """The row of each of these scenes; -1 for one that is not in the table."""
        return np.fromiter((self.positions.get(scene_id, -1) for scene_id in scene_ids), dtype=np.int64)

    @cached_property
    def languages(self) -> pa.StringArray:
        """(n,) the language of each scene; null where it is not known."""
        return self.table.column("language").combine_chunks()

    @cached_property
    def tags(self) -> pa.ListArray:
        """n lists of the scenes' tags."""
        return self.table.column("tags").combine_chunks()

    @cached_property
    def video_numbers(self) -> npt.NDArray[np.int32]:
        """(n,) the number of each scene's video in `videos`."""
        return np.repeat(np.arange(len(self.videos), dtype=np.int32), self.lengths)

    @cached_property
    def durations_s(self) -> npt.NDArray[np.float64]:
        """(n,) the length of each scene in seconds, rounded to milliseconds as scene ids are."""
        lengths = pc.subtract(self.table.column("end_s"), self.table.column("start_s"))
        return np.round(lengths.to_numpy(zero_copy_only=False), 3)

    @cached_property
    def has_speech(self) -> Mask:
        """(n,) whether each scene has a transcript that is not blank."""
        lengths = pc.utf8_length(pc.utf8_trim_whitespace(self.table.column("transcript")))
        # by way of a list, as `to_numpy` would import pandas; every first search of a process needs this
        return np.fromiter(map(bool, lengths.to_pylist()), dtype=bool, count=len(self))

    def in_language(self, codes: Iterable[str]) -> Mask:
        """(n,) whether each scene's language is one of these codes."""
        column = pc.fill_null(pc.utf8_lower(self.languages), "")
        wanted = pa.array(sorted({code.lower() for code in codes}), pa.string())
        return np.asarray(pc.is_in(column, value_set=wanted).to_numpy(zero_copy_only=False))

    def with_tag(self, tag: str) -> Mask:
        """(n,) whether each scene has this tag, in any case."""
        same = pc.equal(pc.utf8_lower(pc.list_flatten(self.tags)), pa.scalar(tag.lower(), pa.string()))
        rows = pc.list_parent_indices(self.tags).to_numpy(zero_copy_only=False)
        mask = np.zeros(len(self), dtype=bool)
        mask[rows[pc.fill_null(same, False).to_numpy(zero_copy_only=False)]] = True
        return mask

    def of_scenes(self, scene_ids: Iterable[str]) -> Mask:
        """(n,) whether each row is one of these scenes."""
        mask = np.zeros(len(self), dtype=bool)
        mask[[row for row in map(self.positions.get, scene_ids) if row is not None]] = True
        return mask


class SceneSet(Collection[str]):
    """Some scenes of a table. Immutable; an ordinary collection of ids, in the order of the table."""

    def __init__(self, table: SceneTable, mask: Mask) -> None:
        """`mask` is (n,), one value for each row of the table."""
        self.table = table
        self.mask = mask
        self._count = int(mask.sum())

    def __len__(self) -> int:
        return self._count

    def __contains__(self, scene_id: object) -> bool:
        row = self.table.positions.get(scene_id) if isinstance(scene_id, str) else None
        return row is not None and bool(self.mask[row])

    def __iter__(self) -> Iterator[str]:
        ids = self.table.scene_ids
        return (ids[row] for row in np.flatnonzero(self.mask))

    @property
    def share(self) -> float:
        """The part of the table's scenes that are in the set, 0 to 1."""
        return self._count / len(self.table) if len(self.table) else 0.0
