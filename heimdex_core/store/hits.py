"""Scenes that were found, as rows of what has them.

Their ids are made when somebody asks for them: of a thousand scenes that a channel finds, a page shows twenty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, overload

import numpy as np
import numpy.typing as npt

from heimdex_core.store.ordering import KeyOf, Numbers, best_first
from heimdex_core.store.scene_set import SceneTable

Scores = npt.NDArray[np.float64]


class RowSource(Protocol):
    """What has scenes as rows: a table of scenes, an index."""

    def ids_at(self, rows: Numbers) -> list[str]:
        """The ids of the scenes of these rows."""

    def rows_in(self, table: SceneTable, rows: Numbers) -> Numbers:
        """(len(rows),) the row in the table of each row's scene; -1 for one that it does not have."""


class SceneRows(Sequence[str]):
    """The ids of the scenes of some rows. Immutable."""

    def __init__(self, source: RowSource, rows: Numbers) -> None:
        """`rows` are (n,) rows of the source."""
        self.source = source
        self.rows = rows
        self._ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if self._ids is not None:
            return self._ids[at]
        return self.source.ids_at(self.rows[at]) if isinstance(at, slice) else self.source.ids_at(self.rows[[at]])[0]

    def __iter__(self) -> Iterator[str]:
        if self._ids is None:
            self._ids = self.source.ids_at(self.rows)
        return iter(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, places: Numbers) -> SceneRows:
        """Those at these places."""
        return SceneRows(self.source, self.rows[places])


def taken(scene_ids: Sequence[str], places: Numbers) -> Sequence[str]:
    """The ids at these places."""
    if isinstance(scene_ids, SceneRows):
        return scene_ids.take(places)
    return [scene_ids[place] for place in places.tolist()]


def table_of(scene_ids: Sequence[str]) -> SceneTable | None:
    """The table whose rows the scenes are; None where they are no rows of one."""
    if isinstance(scene_ids, SceneRows) and isinstance(scene_ids.source, SceneTable):
        return scene_ids.source
    return None


def keys_by_id(scene_ids: Sequence[str]) -> tuple[KeyOf, ...]:
    """Keys for `best_first` by which scenes are in the order of their ids."""

    def ids_at(places: Numbers) -> npt.NDArray[np.str_]:
        return np.array(list(taken(scene_ids, places)))

    table = table_of(scene_ids)
    if table is None:
        return (ids_at,)
    numbers = table.video_numbers[rows_in(table, scene_ids)]
    return (lambda places: table.places_by_id[numbers[places]]), ids_at


def rows_in(table: SceneTable, scene_ids: Sequence[str]) -> Numbers:
    """(len(scene_ids),) the row of each scene in the table; -1 for one that it does not have."""
    if not isinstance(scene_ids, SceneRows):
        return table.rows_of(scene_ids)
    return scene_ids.source.rows_in(table, scene_ids.rows)


class Hits(Sequence[tuple[str, float]]):
    """(scene_id, score) of the scenes that were found. Immutable."""

    def __init__(self, scenes: Sequence[str], scores: npt.ArrayLike) -> None:
        """`scores` are (n,), those of the n `scenes`, each of which is there once."""
        self.scenes = scenes
        self.scores: Scores = np.asarray(scores, dtype=np.float64)

    def __len__(self) -> int:
        return len(self.scores)

    @overload
    def __getitem__(self, at: int) -> tuple[str, float]: ...
    @overload
    def __getitem__(self, at: slice) -> list[tuple[str, float]]: ...
    def __getitem__(self, at: int | slice) -> tuple[str, float] | list[tuple[str, float]]:
        if isinstance(at, slice):
            return list(zip(self.scenes[at], self.scores[at].tolist(), strict=True))
        return self.scenes[at], float(self.scores[at])

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return zip(self.scenes, self.scores.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, places: Numbers) -> Hits:
        """Those at these places."""
        return Hits(taken(self.scenes, places), self.scores[places])

    def of_table(self, table: SceneTable | None) -> Hits:
        """Those that the table has, as its rows; without a table all as they are."""
        if table is None:
            return self
        rows = rows_in(table, self.scenes)
        return Hits(SceneRows(table, rows[rows >= 0]), self.scores[rows >= 0])

    def best_first(self) -> Numbers:
        """(n,) the places by score, of equal ones by id."""
        return best_first(self.scores, keys_by_id(self.scenes))


def joined(parts: Sequence[Hits]) -> Hits:
    """The hits of all parts, which have no scene in common."""
    if len(parts) == 1:
        return parts[0]
    scores = np.concatenate([np.zeros(0), *(part.scores for part in parts)])
    tables = {id(table): table for part in parts if (table := table_of(part.scenes)) is not None}
    if len(tables) == 1 and all(table_of(part.scenes) is not None for part in parts):
        ((_, table),) = tables.items()
        return Hits(SceneRows(table, np.concatenate([rows_in(table, part.scenes) for part in parts])), scores)
    return Hits([scene_id for part in parts for scene_id in part.scenes], scores)


def no_hits(table: SceneTable) -> Hits:
    """None of the table's scenes."""
    return Hits(SceneRows(table, np.zeros(0, dtype=np.int64)), np.zeros(0))


class KeyframeMatch(NamedTuple):
    """A scene that was found, and which of its keyframes is the most similar one."""

    scene_id: str
    score: float
    keyframe: str | None
    """Its file name; None where the vector is that of the scene as a whole."""


class Keyframes:
    """The file names of the keyframes of hits that match best, None where the vector is that of the whole scene.

    A name is looked up when it is asked for.
    """

    def __init__(self, names_at: Callable[[Numbers], Sequence[str | None]], places: Numbers) -> None:
        """`names_at` gives the names of some of the `places` (n,), one for each hit."""
        self._names_at = names_at
        self._places = places

    @classmethod
    def of(cls, names: Sequence[str | None]) -> Keyframes:
        """Those of these names."""
        return cls(lambda places: [names[place] for place in places.tolist()], np.arange(len(names)))

    def __len__(self) -> int:
        return len(self._places)

    def take(self, places: Numbers) -> Keyframes:
        """Those at these places."""
        return Keyframes(self._names_at, self._places[places])

    def names(self) -> Sequence[str | None]:
        """(n,) all names."""
        return self._names_at(self._places)


class KeyframeMatches(Sequence[KeyframeMatch]):
    """Scenes that were found by their keyframes. Immutable."""

    def __init__(self, hits: Hits, keyframes: Keyframes) -> None:
        """`keyframes` are those of the hits, in their order."""
        self.hits = hits
        self.keyframes = keyframes

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, at: int) -> KeyframeMatch: ...
    @overload
    def __getitem__(self, at: slice) -> list[KeyframeMatch]: ...
    def __getitem__(self, at: int | slice) -> KeyframeMatch | list[KeyframeMatch]:
        return list(self)[at]

    def __iter__(self) -> Iterator[KeyframeMatch]:
        for (scene_id, score), name in zip(self.hits, self.keyframes.names(), strict=True):
            yield KeyframeMatch(scene_id, score, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, places: Numbers) -> KeyframeMatches:
        """Those at these places."""
        return KeyframeMatches(self.hits.take(places), self.keyframes.take(places))

    def of_table(self, table: SceneTable | None) -> KeyframeMatches:
        """See Hits."""
        if table is None:
            return self
        has_row = np.flatnonzero(rows_in(table, self.hits.scenes) >= 0)
        return KeyframeMatches(self.hits.of_table(table), self.keyframes.take(has_row))
