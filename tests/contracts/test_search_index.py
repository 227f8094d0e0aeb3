"""Whatever a library is searched with answers the same: files of FAISS and tantivy, or tables of LanceDB."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import InvalidValue, SpaceMismatch
from heimdex_core.store import vector_index
from heimdex_core.store.hits import table_of
from heimdex_core.store.keyframe_vectors import Floats, VectorRows
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.opened_indexes import OpenedIndexes
from heimdex_core.store.scene_set import SceneSet
from heimdex_core.store.search_index import IndexOrder
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Filters, Scene, Space, WorkContext
from tests.store.making import make_scenes
from tests.support.searched import (
    BACKENDS,
    LAST,
    NEW_TWO,
    ONE,
    OTHER,
    SPACE,
    TWO,
    Searched,
    all_scenes,
    key,
    numbers,
    scene_id,
)


@pytest.fixture(params=sorted(BACKENDS))
def searched(request: pytest.FixtureRequest, tmp_path: Path) -> Searched:
    return Searched(BACKENDS[request.param], tmp_path)


# --- vectors --------------------------------------------------------------------------------------


def test_best_first_and_equal_scores_by_name(searched: Searched) -> None:
    searched.write([ONE, TWO])
    hits = searched.vectors().search(np.eye(8)[0], k=4, allowed=frozenset([ONE, TWO]))
    assert numbers(one for one, _ in hits) == [(1, 0), (2, 0), (1, 1), (1, 2)]
    assert [score for _, score in hits] == pytest.approx([0.7071, 0.7071, 0, 0], abs=1e-3)
    assert searched.vectors().search(np.eye(8)[0], k=0, allowed=frozenset([ONE])) == []


def test_only_allowed_generations(searched: Searched) -> None:
    searched.write([ONE, TWO, NEW_TWO])
    search = searched.vectors().search
    assert numbers(s for s, _ in search(np.eye(8)[0], k=9, allowed=frozenset([NEW_TWO]))) == [(2, 0), (2, 1), (2, 2)]
    assert search(np.eye(8)[0], k=9, allowed=frozenset()) == []
    assert search(np.eye(8)[0], k=9, allowed=frozenset([key(9)])) == []
    only = ["none", scene_id(ONE, 2), "it's no ' id"]
    assert numbers(s for s, _ in search(np.eye(8)[0], k=9, allowed=frozenset([ONE]), scene_ids=only)) == [(1, 2)]


def test_keyframes(searched: Searched) -> None:
    searched.write([ONE, TWO])
    hits = searched.vectors().match(np.eye(8)[1], k=2, allowed=frozenset([ONE]), temperature=0)
    assert [(numbers([hit.scene_id])[0], hit.score, hit.keyframe) for hit in hits] == [
        ((1, 0), 1.0, "1.webp"),
        ((1, 1), 1.0, "1.webp"),
    ]
    (mean, *_) = searched.vectors().match(np.eye(8)[0], k=1, allowed=frozenset([TWO]), temperature=np.inf)
    assert (numbers([mean.scene_id]), mean.score, mean.keyframe) == ([(2, 0)], 0.5, "0.webp")
    found = searched.vectors().keyframe_vectors([(scene_id(TWO, 2), TWO), (scene_id(TWO, 1), NEW_TWO)])
    assert {one: rows.tolist() for one, rows in found.items()} == {scene_id(TWO, 2): np.eye(8)[[2, 3]].tolist()}


def test_hits_as_rows_of_a_table(searched: Searched) -> None:
    """Video 2 is not in the table, so its scenes are left out."""
    searched.write([ONE, TWO, LAST])
    table, allowed = all_scenes(LAST, ONE), frozenset([ONE, TWO, LAST])
    index, words = searched.vectors(), searched.words()
    plain = [hit for hit in index.search(np.eye(8)[0], k=9, allowed=allowed) if hit[0] in table.ids_at(np.arange(6))]
    hits = index.search(np.eye(8)[0], k=9, allowed=allowed, table=table)
    assert (list(hits), table_of(hits.scenes)) == (plain, table)
    matches = index.match(np.eye(8)[1], k=9, allowed=allowed, temperature=0, table=table)
    as_ids = index.match(np.eye(8)[1], k=9, allowed=allowed, temperature=0)
    assert list(matches) == [match for match in as_ids if match.scene_id in set(hits.scenes)]
    assert table_of(matches.hits.scenes) is table
    found = words.search("red ferry", k=9, allowed=allowed, table=table).hits
    assert sorted(numbers(found.scenes)) == [(1, 0), (1, 1), (3, 1), (3, 2)]
    assert table_of(found.scenes) is table
    places, rows = index.vectors_at(table, np.array([5, 0, 3]))
    assert places.tolist() == [0, 1, 2]
    scenes = list(zip(table.ids_at(np.array([5, 0, 3])), [ONE, LAST, ONE], strict=True))
    assert np.array_equal(rows, index.vectors(scenes)[1])


def test_scenes_without_a_vector_have_no_row_in_the_index(searched: Searched) -> None:
    searched.write([ONE, TWO])
    places, rows = searched.vectors(OTHER).vectors_at(all_scenes(TWO, ONE), np.arange(6))
    assert (places.tolist(), rows.shape) == ([0, 1, 3, 4], (4, 4))


def test_vectors_of_scenes(searched: Searched) -> None:
    searched.write([ONE, TWO])
    index = searched.vectors()
    ids, rows = index.vectors([(scene_id(ONE, 2), ONE), ("none", ONE), (scene_id(TWO, 0), TWO)])
    assert numbers(ids) == [(1, 2), (2, 0)]
    assert rows[0, 2:4] == pytest.approx([0.7071, 0.7071], abs=1e-3)
    assert rows.dtype == np.float32
    found = index.vector(scene_id(TWO, 0), TWO)
    assert found is not None
    assert found.tolist() == rows[1].tolist()
    assert index.vector(scene_id(TWO, 0), NEW_TWO) is None
    assert index.vectors([])[1].shape == (0, 8)


def test_scenes_outside_of_another_space(searched: Searched) -> None:
    searched.write([ONE, TWO, NEW_TWO])
    index, other = searched.vectors(), searched.vectors(OTHER)
    allowed = frozenset([ONE, NEW_TWO])
    assert numbers(s for s, _ in index.search(np.eye(8)[0], k=9, allowed=allowed, outside=other)) == [(1, 2), (2, 2)]
    assert index.has_outside(other, allowed=allowed)
    assert not other.has_outside(index, allowed=allowed)
    assert not index.has_outside(other, allowed=frozenset([key(9)]))
    table = all_scenes(ONE, NEW_TWO)
    for n, expected in ((0, False), (2, True)):
        chosen = SceneSet(table, table.starts_ms == 2000 * n)
        assert index.has_outside(other, allowed=allowed, scene_ids=chosen) is expected
    assert index.sample(9, outside=other).shape == (3, 8)
    assert index.sample(2).shape == (2, 8)
    assert index.sample(99).shape == (9, 8)
    assert other.sample(9, outside=index).shape == (0, 4)


@pytest.mark.parametrize("runs_share", [0, 1])
def test_sets_of_scenes(searched: Searched, monkeypatch: pytest.MonkeyPatch, runs_share: int) -> None:
    """Of an index in memory, the rows of a set are copied one by one or run by run."""
    monkeypatch.setattr(vector_index, "RUNS_SHARE", runs_share)
    searched.write([ONE, TWO, NEW_TWO])
    table = all_scenes(ONE, NEW_TWO)
    allowed = frozenset([ONE, NEW_TWO])
    for mask in (table.starts_ms == 2000, table.starts_ms > 0, table.starts_ms < 0):
        chosen = SceneSet(table, mask)
        expected = sorted(numbers(chosen))
        hits = searched.vectors().search(np.eye(8)[0], k=9, allowed=allowed, scene_ids=chosen)
        assert sorted(numbers(s for s, _ in hits)) == expected
        matched = searched.vectors().match(np.eye(8)[0], k=9, allowed=allowed, scene_ids=chosen, temperature=0.1)
        assert sorted(numbers(hit.scene_id for hit in matched)) == expected
        said = searched.words().search("film", k=9, allowed=allowed, scene_ids=chosen)
        assert sorted(numbers(s for s, _ in said.hits)) == expected


def test_a_query_of_another_width_and_another_space_are_refused(searched: Searched) -> None:
    searched.write([ONE])
    with pytest.raises(InvalidValue):
        searched.vectors().search(np.ones(7), k=1, allowed=frozenset([ONE]))
    with pytest.raises(SpaceMismatch):
        searched.vectors(replace(SPACE, revision="2"))


# --- words ----------------------------------------------------------------------------------------


def test_words_and_phrases(searched: Searched) -> None:
    searched.write([ONE, TWO, LAST])
    every = (ONE, TWO, LAST)
    assert searched.found("cars", *every) == [(1, 0), (1, 1)]  # the shorter text first
    assert searched.found('"red car"', *every) == [(1, 0)]
    assert searched.found('"wolf\'s moon"', *every) == [(3, 0)]
    assert searched.found('"red" ferry', *every)[0] == (3, 2)  # three times
    assert searched.found('"bridge" nonsense', *every) == [(1, 0), (1, 1)]
    assert sorted(searched.found("night", *every)) == [(1, 1), (2, 1), (3, 1)]  # a tag
    assert searched.found("nonsense", *every) == []
    assert searched.words().search("", k=5, allowed=frozenset(every)).terms == ()
    assert searched.words().search("the cars", k=5, allowed=frozenset(every)).terms == ("car",)
    assert searched.found("ferry") == []
    assert searched.found("ferry", TWO) == [(2, 2)]


def test_korean(searched: Searched) -> None:
    searched.write([ONE, TWO, NEW_TWO])
    assert sorted(searched.found("밤", TWO, ONE)) == [(2, 1)]
    assert sorted(searched.found("비", TWO, NEW_TWO)) == [(2, 1)]
    assert searched.found('"어두운 밤에"', TWO) == [(2, 1)]
    assert searched.found('"밤에 어두운"', TWO) == []
    assert numbers(searched.words().with_phrase("밤", allowed=frozenset([NEW_TWO]))) == [(2, 1)]


def test_phrases_that_exclude(searched: Searched) -> None:
    searched.write([ONE, TWO, LAST])
    words = searched.words()
    assert sorted(numbers(words.with_phrase("red", allowed=frozenset([ONE, LAST])))) == [(1, 0), (1, 1), (3, 2)]
    assert numbers(words.with_phrase("night sky", allowed=frozenset([TWO]))) == [(2, 1)]
    assert words.with_phrase("sky night", allowed=frozenset([TWO])) == []
    assert words.with_phrase("", allowed=frozenset([TWO])) == []
    assert words.with_phrase("night sky", allowed=frozenset([TWO]), fields=("on_screen_text",)) == []


def test_whether_a_word_is_there(searched: Searched) -> None:
    searched.write([ONE, TWO])
    words, allowed = searched.words(), frozenset([TWO])
    assert [words.has_word(word, allowed=allowed) for word in ("Harbour", "bread", "film", "night", "비가")] == [
        True
    ] * 5
    assert not any(words.has_word(word, allowed=allowed) for word in ("bridge", "harbou", "", "!", "별이"))
    assert not words.has_word("bread", allowed=frozenset())


@pytest.mark.parametrize(
    ("word", "edits", "expected"),
    [
        ("harbor", 1, [(2, 2)]),
        ("habrour", 1, [(2, 2)]),  # a swap is one edit
        ("brigd", 1, [(1, 0), (1, 1)]),  # the term of bridge is bridg
        ("hrbor", 1, []),
        ("hrbor", 2, [(2, 2)]),
        ("habror", 2, [(2, 2)]),
        ("two words", 2, []),
    ],
)
def test_similar_words(searched: Searched, word: str, edits: int, expected: list[tuple[int, int]]) -> None:
    for keys in ([ONE], [ONE, TWO]):  # the second generation is added to what is there
        searched.write(keys)
    found = searched.words().with_similar_word(word, edits=edits, k=9, allowed=frozenset([ONE, TWO]))
    assert sorted(numbers(found)) == expected
    assert len(searched.words().with_similar_word(word, edits=edits, k=1, allowed=frozenset([ONE, TWO]))) <= 1


def test_coverage(searched: Searched) -> None:
    searched.write([ONE, TWO, NEW_TWO])
    asked: list[list[tuple[str, ...]]] = [[("harbour",)], [("stale", "bread"), ("ferri",)], [("absent",)], [("night",)]]
    ids = [scene_id(TWO, n) for n in range(3)] + [scene_id(ONE, 0)]
    found = searched.words().coverage(asked, scene_ids=ids, allowed=frozenset([ONE, TWO]))
    assert found == {scene_id(TWO, 0): 0.25, scene_id(TWO, 1): 0.25, scene_id(TWO, 2): 0.5}
    enough = searched.words().coverage(asked, scene_ids=ids, allowed=frozenset([ONE, TWO]), least=0.5)
    assert enough == {scene_id(TWO, 2): 0.5}
    assert searched.words().coverage(asked, scene_ids=[], allowed=frozenset([ONE])) == {}


def test_filters(searched: Searched) -> None:
    searched.write([ONE, LAST])
    table = all_scenes(ONE, LAST)
    for filters, mask in (
        (Filters(languages=("KO",)), table.in_language(["ko"])),
        (Filters(tags=("night SKY",)), table.with_tag("night sky")),
    ):
        chosen = SceneSet(table, mask)
        found = searched.words().search(
            "film", k=9, allowed=frozenset([ONE, LAST]), scene_ids=chosen, filters=[filters]
        )
        assert sorted(numbers(s for s, _ in found.hits)) == [(1, 1), (3, 1)]


# --- what is in them ------------------------------------------------------------------------------


def test_generations_are_replaced_and_removed(searched: Searched) -> None:
    assert sorted(set(searched.write([ONE, TWO]))) == [ONE, TWO]
    assert searched.write([ONE, TWO]) == []
    assert set(searched.write([ONE, TWO, NEW_TWO])) == {NEW_TWO}
    assert searched.write([ONE, NEW_TWO]) == []
    assert set(searched.backend.check_vectors(SPACE)) == {ONE, NEW_TWO}
    assert set(searched.backend.check_words(1)) == {ONE, NEW_TWO}
    assert searched.backend.count(SPACE) == 6
    assert searched.found("bread", ONE, TWO, NEW_TWO) == [(2, 0)]
    assert searched.found("stale", ONE, TWO, NEW_TWO) == []
    assert searched.found("fresh", ONE, TWO, NEW_TWO) == [(2, 0)]
    hits = searched.vectors().search(np.eye(8)[0], k=9, allowed=frozenset([ONE, TWO, NEW_TWO]))
    assert len(hits) == 6


def test_generations_are_read_again(searched: Searched) -> None:
    searched.write([ONE, TWO])
    assert set(searched.write([ONE, TWO], redo=[TWO], title="Another film")) == {TWO}
    assert sorted(searched.found("another", ONE, TWO)) == [(2, 0), (2, 1), (2, 2)]
    assert searched.backend.count(SPACE) == 6


def test_an_opened_index_stays_as_it_was(searched: Searched) -> None:
    searched.write([ONE, TWO])
    words, index = searched.words(), searched.vectors()
    searched.write([NEW_TWO])
    assert len(words.search("film", k=9, allowed=frozenset([ONE, TWO])).hits) == 6
    assert len(index.search(np.eye(8)[0], k=9, allowed=frozenset([ONE, TWO]))) == 6


def test_indexes_of_dropped_sets_are_removed(searched: Searched) -> None:
    searched.write([ONE])
    searched.backend.keep_only([])
    assert searched.backend.vector_index(SPACE, OpenedIndexes()) is None
    assert searched.backend.word_index(1, OpenedIndexes()) is None
    assert searched.backend.count(SPACE) == 0


# --- both beside each other -----------------------------------------------------------------------

VOCABULARY = np.array([f"word{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(600)])
DIM, VIDEOS, SCENES, QUERIES = 64, 20, 50, 40


class Many:
    """Made-up generations of many scenes: words after Zipf's law, vectors around 30 centres."""

    def __init__(self) -> None:
        self.space = Space("text/many", "text", "many", "1", DIM)
        rng = np.random.default_rng(14)
        weights = 1 / np.arange(1, len(VOCABULARY) + 1)
        self.said = [" ".join(rng.choice(VOCABULARY, 12, p=weights / weights.sum())) for _ in range(VIDEOS * SCENES)]
        self.centres = rng.normal(size=(30, DIM))
        self.vectors = self.near(rng, VIDEOS * SCENES)
        self.queries = self.near(rng, QUERIES)
        self.asked = [" ".join(rng.choice(VOCABULARY[:300], 3)) for _ in range(QUERIES)]
        self.keys = frozenset(key(n) for n in range(1, VIDEOS + 1))

    def near(self, rng: np.random.Generator, count: int) -> Floats:
        """(count, DIM) unit vectors."""
        found = self.centres[rng.integers(0, 30, count)] + rng.normal(scale=0.7, size=(count, DIM))
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)

    def part(self, of: Key) -> slice:
        first = (uuid.UUID(of[0]).int - 1) * SCENES
        return slice(first, first + SCENES)

    def ids(self) -> list[str]:
        """By row of `vectors`."""
        return [scene_id(key(n), scene) for n in range(1, VIDEOS + 1) for scene in range(SCENES)]

    def vector_rows(self, space: Space, of: Key) -> VectorRows:
        return VectorRows(self.ids()[self.part(of)], self.vectors[self.part(of)])

    def texts(self, of: Key) -> tuple[str, list[Scene]]:
        return "", make_scenes(of[0], self.said[self.part(of)])


def spearman(first: list[str], second: list[str]) -> float:
    """The rank correlation of those that both have: Spearman, 1904."""
    both = [one for one in first if one in second]
    ranks = np.array([second.index(one) for one in both])
    return float(np.corrcoef(np.arange(len(both)), ranks.argsort().argsort())[0, 1]) if len(both) > 1 else 1.0


def test_agreement(tmp_path: Path) -> None:
    many = Many()
    answers: dict[str, list[list[str]]] = {}
    for name, make in BACKENDS.items():
        paths = LibraryPaths(tmp_path / name)
        paths.root.mkdir()
        backend = make(paths)
        backend.write(IndexOrder(many, {many.space: many.keys}, {1: many.keys}), WorkContext())
        index, words = backend.vector_index(many.space, OpenedIndexes()), backend.word_index(1, OpenedIndexes())
        assert index is not None
        assert words is not None
        answers[f"{name} vectors"] = [
            [one for one, _ in index.search(query, k=10, allowed=many.keys)] for query in many.queries
        ]
        answers[f"{name} words"] = [
            [one for one, _ in words.search(text, k=10, allowed=many.keys).hits] for text in many.asked
        ]
    exact = np.argsort(-(many.queries @ many.vectors.T), axis=1)[:, :10]
    answers["exact vectors"] = [[many.ids()[row] for row in best] for best in exact]
    for first, second, least in (
        ("local vectors", "exact vectors", 0.98),
        ("lancedb vectors", "exact vectors", 0.98),
        ("lancedb vectors", "local vectors", 0.98),
        ("lancedb words", "local words", 0.95),
    ):
        pairs = list(zip(answers[first], answers[second], strict=True))
        overlap = np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs])
        correlation = np.mean([spearman(a, b) for a, b in pairs])
        print(f"{first}, {second}: overlap of the best 10 {overlap:.3f}, Spearman {correlation:.3f}")
        assert overlap >= least, (first, second)
        assert correlation >= 0.95, (first, second)
