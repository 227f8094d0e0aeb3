"""Scenes as columns: a table of scenes, and what filters and lookups need of it as arrays, computed at first use.

Arrays are taken from Arrow's buffers, because `to_numpy` imports pandas, half a second of a short search.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.errors import SceneNotFound
from heimdex_core.store.rows import scalar
from heimdex_core.types import parse_scene_id

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
N = TypeVar("N", np.int32, np.int64, np.float64)
Codes = tuple[npt.NDArray[np.int32], list[str]]
"""(the number of each value in the list of values, or -1 for null; the values, each once)."""


@dataclass(frozen=True, eq=False)
class SceneColumns:
    """The scenes of one or more generations. Immutable; all views of a process share it."""

    table: pa.Table
    """(n,) rows with the columns of sidecar.SCENES_SCHEMA, in one chunk or none."""
    path: Path | None = None
    """The Arrow file that the table is mapped from; None for a table in memory."""

    @classmethod
    def of(cls, table: pa.Table, path: Path | None = None) -> SceneColumns:
        """The columns of any table with these columns; see `path` above."""
        is_whole = all(column.num_chunks <= 1 for column in table.columns)
        return cls(table, path) if is_whole else cls(table.combine_chunks())

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def starts_ms(self) -> Numbers:
        """(n,) when each scene starts, in milliseconds, rounded as scene ids are."""
        return np.round(self._floats("start_s") * 1000).astype(np.int64)

    @cached_property
    def ends_ms(self) -> Numbers:
        """(n,) when each scene ends, rounded likewise."""
        return np.round(self._floats("end_s") * 1000).astype(np.int64)

    @cached_property
    def durations_s(self) -> npt.NDArray[np.float64]:
        """(n,) the length of each scene in seconds, rounded to milliseconds as scene ids are."""
        return np.round(self._floats("end_s") - self._floats("start_s"), 3)

    @cached_property
    def has_speech(self) -> Mask:
        """(n,) whether each scene has a transcript that is not blank."""
        chunk = self._chunk("transcript")
        if chunk is None:
            return np.zeros(0, dtype=bool)
        lengths = pc.fill_null(pc.utf8_length(pc.utf8_trim_whitespace(chunk)), scalar(0, pa.int32()))
        return np.asarray(_values(lengths, np.int32) > 0)

    @cached_property
    def languages(self) -> Codes:
        """The language of each scene, -1 where it is not known."""
        chunk = self._chunk("language")
        return (np.zeros(0, np.int32), []) if chunk is None else _codes(chunk)

    @cached_property
    def tags(self) -> tuple[Numbers, Codes]:
        """(the row of each tag, the tags): those of all scenes, one after the other."""
        chunk = self._chunk("tags")
        if chunk is None:
            return np.zeros(0, np.int64), (np.zeros(0, np.int32), [])
        return _values(pc.list_parent_indices(chunk), np.int64), _codes(pc.list_flatten(chunk))

    @cached_property
    def _tags_in_lower_case(self) -> list[str]:
        return [name.lower() for name in self.tags[1][1]]

    def in_language(self, codes: Collection[str]) -> Mask:
        """(n,) whether each scene's language is one of these codes, given in lower case."""
        numbers, names = self.languages
        return _is_chosen(numbers, [name.lower() in codes for name in names])

    def with_tag(self, tag: str) -> Mask:
        """(n,) whether each scene has this tag, given in lower case."""
        rows, (numbers, _) = self.tags
        mask = np.zeros(len(self), dtype=bool)
        mask[rows[np.flatnonzero(_is_chosen(numbers, [name == tag for name in self._tags_in_lower_case]))]] = True
        return mask

    def find(self, scene_id: str, rows: range) -> int | None:
        """The row of a scene among the `rows` of its generation; None if it is not one of them."""
        try:
            start_ms = parse_scene_id(scene_id)[1]
        except SceneNotFound:
            return None
        near = rows.start + int(np.searchsorted(self.starts_ms[rows.start : rows.stop], start_ms))
        column = self.table.column("scene_id")
        if near < rows.stop and column[near].as_py() == scene_id:
            return near
        # two scenes with one start, or scenes that are not in order
        own = column.slice(rows.start, len(rows)).to_pylist()
        return rows.start + own.index(scene_id) if scene_id in own else None

    def behind(self, scene_id: str, rows: range) -> int:
        """The row behind a scene among the `rows` of its generation, `rows.stop` behind the last one.

        For a scene that is not there it is the first row that starts no earlier. Raises SceneNotFound for no scene_id.
        """
        row = self.find(scene_id, rows)
        if row is not None:
            return row + 1
        start_ms = parse_scene_id(scene_id)[1]
        return rows.start + int(np.searchsorted(self.starts_ms[rows.start : rows.stop], start_ms))

    def _chunk(self, name: str) -> pa.Array | None:
        column = self.table.column(name)
        return column.chunk(0) if column.num_chunks else None

    def _floats(self, name: str) -> npt.NDArray[np.float64]:
        chunk = self._chunk(name)
        return np.zeros(0) if chunk is None else _values(chunk, np.float64)


def _values(array: pa.Array, dtype: type[N]) -> npt.NDArray[N]:
    """The values of an array of numbers that has no nulls."""
    if not len(array):
        return np.zeros(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * np.dtype(dtype).itemsize)


def _codes(array: pa.Array) -> Codes:
    encoded = array.dictionary_encode()
    numbers = pc.fill_null(encoded.indices, scalar(-1, pa.int32()))
    return _values(numbers, np.int32), encoded.dictionary.to_pylist()


def _is_chosen(numbers: npt.NDArray[np.int32], is_chosen: list[bool]) -> Mask:
    """Whether the value of each number is a chosen one; null, the number -1, is none."""
    if sum(is_chosen) == 1:  # the usual case takes a tenth of the time
        return numbers == is_chosen.index(True)
    return np.array([*is_chosen, False])[numbers]
