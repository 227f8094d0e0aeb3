"""Made-up generations, and the indexes of a folder over them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from heimdex_core.store import sidecar
from heimdex_core.store.keyframe_vectors import VectorRows
from heimdex_core.store.lance_search import LanceSearch
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.local_search import LocalSearch
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.scene_columns import SceneColumns
from heimdex_core.store.scene_set import Part, SceneTable
from heimdex_core.store.search_index import IndexOrder, SearchBackend, VectorSearch, WordSearch
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Scene, Space, VisibleVideo, WorkContext
from tests.store.making import make_scenes

SPACE = Space("text/made-up", "text", "made-up", "1", 8)
OTHER = Space("vision/made-up", "vision", "made-up", "1", 4)


def key(video: int, generation: int = 1) -> Key:
    return str(uuid.UUID(int=video)), generation


ONE, TWO, NEW_TWO, LAST = key(1), key(2), key(2, 2), key(3)
TEXTS = {
    ONE: ("a red car on the bridge", "the bridge and a car that is red", ""),
    TWO: ("stale bread", "어두운 밤에 비가 내려요", "a ferry in the harbour"),
    NEW_TWO: ("fresh bread", "별이 빛나는 밤", "a boat in the harbour"),
    LAST: ("it's a wolf's moon", "ferry", "red red red"),
}


class Generations:
    """Three scenes each. Scene n has a keyframe along the axis n and one along the next; the last one has no vector in
    OTHER. Scene 0 is in English and scene 1 in Korean, with the tag "Night sky"."""

    def __init__(self) -> None:
        self.read: list[Key] = []
        self.title = "A film"

    def scenes(self, of: Key) -> list[Scene]:
        return [
            replace(scene, tags=("Night sky",) * (n == 1), language=("en", "ko", None)[n])
            for n, scene in enumerate(make_scenes(of[0], TEXTS[of]))
        ]

    def vector_rows(self, space: Space, of: Key) -> VectorRows:
        self.read.append(of)
        count = 2 if space == OTHER else 3
        axes = [n + second for n in range(count) for second in (0, 1)]
        ids = [scene_id(of, n) for n in range(count) for _ in (0, 1)]
        return VectorRows(ids, np.eye(space.dim, dtype=np.float32)[axes], [f"{axis}.webp" for axis in axes])

    def texts(self, of: Key) -> tuple[str, list[Scene]]:
        return self.title, self.scenes(of)


def scene_id(of: Key, n: int) -> str:
    return f"{of[0]}_{2000 * n}_{2000 * n + 2000}"


def numbers(ids: Iterable[str]) -> list[tuple[int, int]]:
    """(video, scene) of each id."""
    return [(uuid.UUID(one.split("_")[0]).int, int(one.split("_")[1]) // 2000) for one in ids]


class Searched:
    """A backend over a folder, whose indexes are opened anew for each question."""

    def __init__(self, make: Callable[[LibraryPaths], SearchBackend], root: Path) -> None:
        self.paths = LibraryPaths(root)
        self.backend = make(self.paths)

    def write(self, keys: Collection[Key], redo: Collection[Key] = (), title: str = "A film") -> list[Key]:
        """Index exactly these generations; those whose vectors were read."""
        source, wanted = Generations(), frozenset(keys)
        source.title = title
        order = IndexOrder(source, {SPACE: wanted, OTHER: wanted}, {1: wanted}, redo=frozenset(redo))
        self.backend.write(order, WorkContext())
        return source.read

    def vectors(self, space: Space = SPACE) -> VectorSearch:
        index = self.backend.vector_index(space, OpenedIndexes())
        assert index is not None
        return index

    def words(self) -> WordSearch:
        index = self.backend.word_index(1, OpenedIndexes())
        assert index is not None
        return index

    def found(self, text: str, *allowed: Key) -> list[tuple[int, int]]:
        return numbers(one for one, _ in self.words().search(text, k=20, allowed=frozenset(allowed)).hits)


BACKENDS = {"local": LocalSearch, "lancedb": LanceSearch}


def all_scenes(*keys: Key) -> SceneTable:
    """The scene table of a user who has the videos of these generations."""
    videos, parts = [], []
    for of in keys:
        columns = SceneColumns.of(sidecar.scenes_table(Generations().scenes(of)))
        videos.append(VisibleVideo(of[0], "local", of[1], "A film", deleted=False))
        parts.append(Part(columns, range(3)))
    return SceneTable(videos, parts)


def table_with(*video_ids: str, texts: Sequence[str] = ("one", "two", "three")) -> SceneTable:
    """The scene table of a user with these videos, which have scenes of 2 s with these texts."""
    videos = [VisibleVideo(video_id, "local", 1, "A film", deleted=False) for video_id in video_ids]
    columns = [SceneColumns.of(sidecar.scenes_table(make_scenes(video_id, texts))) for video_id in video_ids]
    return SceneTable(videos, [Part(one, range(len(texts))) for one in columns])
