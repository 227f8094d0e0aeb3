"""What a library asks of its indexes, whatever they are made of: protocols, and the values that they exchange.

Implementations: local_search.py (FAISS and tantivy, files of the library), lance_search.py (tables of LanceDB).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import numpy.typing as npt

from heimdex_core.store.hits import Hits, KeyframeMatches
from heimdex_core.store.keyframe_vectors import Floats, Numbers, VectorRows
from heimdex_core.store.locks import FileLock
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.scene_set import SceneSet, SceneTable
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Filters, ModelSet, Scene, Space, WorkContext

EXCLUDING_FIELDS = ("transcript", "title", "tags")
"""Where a scene must not have a word that is excluded: what is described or read off the screen is guessed."""


@dataclass(frozen=True)
class LexicalResult:
    """What a search found."""

    hits: Hits
    """(scene_id, BM25 score), best first."""
    terms: tuple[str, ...] = ()
    """The index terms of the query, each once."""


# --- searching ------------------------------------------------------------------------------------


class VectorSearch(Protocol):
    """One space at one moment: one vector a scene, and those of its keyframes.

    Safe to share between threads. Methods raise LibraryDamaged if the files are not there any more.
    """

    space: Space

    def search(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: Collection[str] | None = None,
        outside: Self | None = None,
        table: SceneTable | None = None,
    ) -> Hits:
        """The best scenes of the `allowed` generations.

        Args:
            vector: (d,) float.
            k: the number of results at most.
            allowed: the generations to search in.
            scene_ids: if given, only these scenes; a SceneSet is fast.
            outside: if given, only scenes that have no vector there, in the same generation.
            table: if given, the hits are rows of it, and scenes that it does not have are left out.

        Returns (scene_id, inner product), best first; equal scores are ordered by scene_id. Raises InvalidValue for a
        vector of another width.
        """

    def match(
        self,
        vector: npt.ArrayLike,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: Collection[str] | None = None,
        temperature: float,
        table: SceneTable | None = None,
    ) -> KeyframeMatches:
        """As `search`, scored by the scenes' keyframes (keyframe_vectors.py) where they have several.

        The `k` candidates are those that `search` finds.
        """

    def has_outside(self, other: Self, *, allowed: frozenset[Key], scene_ids: SceneSet | None = None) -> bool:
        """Whether a scene of the `allowed` generations (of `scene_ids`, if given) has a vector here and none there."""

    def vector(self, scene_id: str, key: Key) -> Floats | None:
        """The stored (d,) float32 vector of a scene in one generation; None if it has none."""

    def vectors(self, scenes: Sequence[tuple[str, Key]]) -> tuple[list[str], Floats]:
        """(n scene ids, (n, d) their vectors) of those scenes that have one."""

    def vectors_at(self, table: SceneTable, rows: Numbers) -> tuple[Numbers, Floats]:
        """((m,) those of the places in `rows` whose scenes have a vector, (m, d) the vectors).

        Args:
            table: a table of scenes.
            rows: (n,) rows of it.
        """

    def sample(self, count: int, *, outside: Self | None = None) -> Floats:
        """The vectors (n, d) of `count` scenes at most, always the same ones; of those without one in `outside`."""

    def keyframe_vectors(self, scenes: Sequence[tuple[str, Key]]) -> dict[str, Floats]:
        """By scene: the (k, d) vectors of its keyframes, or its own (1, d); those without a vector are left out."""


class WordSearch(Protocol):
    """The words of one model set at one moment. Safe to share between threads.

    Methods raise LibraryDamaged if the files are not there any more.
    """

    def search(
        self,
        text: str,
        *,
        k: int,
        allowed: frozenset[Key],
        scene_ids: SceneSet | None = None,
        filters: Sequence[Filters] = (),
        table: SceneTable | None = None,
    ) -> LexicalResult:
        """The best scenes of the `allowed` generations, `k` at most. Quoted phrases must occur, other words may.

        Args:
            text: words and quoted phrases.
            k: the number of results at most.
            allowed: the generations to search in.
            scene_ids: if given, only these scenes are found.
            filters: which all of `scene_ids` pass, so that they are found sooner.
            table: as in VectorSearch.search.
        """

    def coverage(
        self,
        words: Sequence[Sequence[tuple[str, ...]]],
        *,
        scene_ids: Collection[str],
        allowed: frozenset[Key],
        least: float = 0.0,
    ) -> dict[str, float]:
        """Which share of `words` each of these scenes of the `allowed` generations has, above 0 to 1.

        Args:
            words: each as the term sequences of which at least one must be in one field of the scene.
            scene_ids: each is looked up, so they should not be many.
            allowed: the generations to search in.
            least: scenes with a smaller share are left out, which may take less time.
        """

    def with_phrase(self, text: str, *, allowed: frozenset[Key], fields: Sequence[str] = EXCLUDING_FIELDS) -> list[str]:
        """Ids of the scenes of the `allowed` generations with the phrase `text` in one of the fields."""

    def has_word(self, word: str, *, allowed: frozenset[Key]) -> bool:
        """Whether any scene of the `allowed` generations has the word in any field."""

    def with_similar_word(self, word: str, *, edits: int, k: int, allowed: frozenset[Key]) -> list[str]:
        """Ids of up to `k` scenes with a term that is at most `edits` (0 to 2) edits away."""


# --- writing --------------------------------------------------------------------------------------


class GenerationReader(Protocol):
    """Reads generations that are to be indexed; answers None for one that cannot be read."""

    def vector_rows(self, space: Space, key: Key) -> VectorRows | None:
        """The rows of a generation; none where it has no vectors of the space."""

    def texts(self, key: Key) -> tuple[str, list[Scene]] | None:
        """The title and the scenes."""


@dataclass(frozen=True)
class IndexOrder:
    """What some indexes have to contain."""

    source: GenerationReader
    spaces: Mapping[Space, frozenset[Key]] = field(default_factory=dict)
    """The generations of each space's index; others are left as they are."""
    words: Mapping[int, frozenset[Key]] = field(default_factory=dict)
    """The generations of the words of each model set, by set_id; others are left as they are."""
    redo: frozenset[Key] = frozenset()
    """Generations that are read again even if they are in an index."""
    rebuild: bool = False
    """Whether to read all of them again."""
    index_type: str | None = None
    """A FAISS type of vectors.INDEX_TYPES for all vector indexes; None keeps each as it is."""
    erase: bool = False
    """Whether what is removed is to leave the files now, and not when they are written again."""


class SearchBackend(Protocol):
    """The vector indexes and the words of one library. The caller of what writes holds index.lock."""

    def folders(self, model_set: ModelSet) -> list[Path]:
        """The folders whose manifest.json is replaced whenever a search in the set may answer differently."""

    def vector_index(self, space: Space, opened: OpenedIndexes) -> VectorSearch | None:
        """The present index; None if there is none. `opened` keeps what is open already.

        Raises SpaceMismatch, LibraryDamaged.
        """

    def word_index(self, set_id: int, opened: OpenedIndexes) -> WordSearch | None:
        """The present words of a model set; None if there are none. Raises LibraryDamaged."""

    def write(self, order: IndexOrder, work: WorkContext) -> None:
        """Make indexes contain exactly what is ordered; a generation that cannot be read is left out.

        Progress is counted in indexes; cancellation is checked before each. Raises Cancelled, DiskFull, SpaceMismatch,
        UnknownName for an unknown index type, and what the order's source raises.
        """

    def keep_only(self, model_sets: Sequence[ModelSet]) -> None:
        """Remove the indexes that belong to none of these sets."""

    def count(self, space: Space) -> int:
        """The number of vectors in the index of a space; 0 if there is none."""

    def check_vectors(self, space: Space) -> Collection[Key]:
        """The generations in the index, after its files were checked. Raises LibraryDamaged, SpaceMismatch."""

    def check_words(self, set_id: int) -> Collection[Key]:
        """The generations among the words, after the files were checked. Raises LibraryDamaged."""

    def is_merge_due(self, model_sets: Sequence[ModelSet]) -> bool:
        """Whether `merge` would do something. It reads manifests only."""

    def merge(self, model_sets: Sequence[ModelSet], index_lock: FileLock, work: WorkContext) -> int:
        """Do in the background what would take too long while writing; how many times. index_lock is not held.

        Raises Cancelled, DiskFull, LibraryDamaged; then the indexes are as they were.
        """
