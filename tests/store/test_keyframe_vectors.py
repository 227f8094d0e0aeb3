"""A row a keyframe: how scenes are scored by them, how files and indexes keep them, and what older ones have."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store import Store, sidecar, vectors
from heimdex_core.store.hits import KeyframeMatch
from heimdex_core.store.keyframe_vectors import VectorRows, by_scene, scene_scores
from heimdex_core.store.vector_index import VectorIndex
from tests.store.making import SPACES, VISION, add, axis, make_scenes, new_store, register, stage

E = np.eye(4, dtype=np.float32)
KEY = ("video", 1)
TWO_SCENES = VectorRows(["a", "a", "b"], np.stack([E[0], E[1], E[2]]), ["a0.webp", "a1.webp", "b0.webp"])

# --- scores ---------------------------------------------------------------------------------------


def test_the_score_is_the_softmax_weighted_mean() -> None:
    """Cosines .2 and .4 at temperature .1: weights 1 / (1 + e^2) = .1192 and .8808, so .2 x .1192 + .4 x .8808."""
    scores, best = scene_scores(np.array([0.2, 0.4]), np.array([0, 2]), 0.1)
    assert scores[0] == pytest.approx(0.2 * 0.119203 + 0.4 * 0.880797, abs=1e-6)
    assert best.tolist() == [1]


def test_the_temperature_leads_from_the_maximum_to_the_mean() -> None:
    cosines, starts = np.array([0.2, 0.4, 0.9]), np.array([0, 3])
    at = {t: float(scene_scores(cosines, starts, t)[0][0]) for t in (0.0, 1e-320, 0.05, 0.5, 1e9, math.inf)}
    assert at[0.0] == at[1e-320] == pytest.approx(0.9)
    assert at[1e9] == pytest.approx(at[math.inf]) == pytest.approx(0.5)
    assert list(at.values()) == sorted(at.values(), reverse=True)


def test_scenes_are_scored_each_by_its_own_keyframes() -> None:
    cosines = np.array([0.5, 0.1, 0.3, 0.3, -0.2])
    scores, best = scene_scores(cosines, np.array([0, 1, 4, 5]), math.inf)
    assert scores == pytest.approx([0.5, 0.7 / 3, -0.2])
    assert best.tolist() == [0, 1, 0], "the first of equal ones"
    assert [len(part) for part in scene_scores(np.zeros(0), np.array([0]), 0.1)] == [0, 0]


def test_the_vector_of_a_scene_is_the_mean_of_its_keyframes_of_length_1() -> None:
    scenes = by_scene(TWO_SCENES)
    assert scenes.scene_ids == ["a", "b"]
    assert scenes.vectors == pytest.approx(np.array([[0.5**0.5, 0.5**0.5, 0, 0], [0, 0, 1, 0]]))
    opposite = VectorRows(["a", "a", "b"], np.stack([E[0], -E[0], E[2]]), ["0", "1", "2"])
    assert by_scene(opposite).scene_ids == ["b"], "opposite vectors have no mean"
    highest = by_scene(TWO_SCENES._replace(vectors=np.stack([E[0], E[0] * 0.5, E[2]]), pooling="max"))
    assert highest.vectors == pytest.approx(np.stack([E[0], E[2]]))


# --- files ----------------------------------------------------------------------------------------


def test_a_file_keeps_a_row_a_keyframe(tmp_path: Path) -> None:
    sidecar.write_vectors(tmp_path, VISION, TWO_SCENES._replace(pooling="max"))
    back = sidecar.read_vector_rows(tmp_path, VISION)
    assert (back.scene_ids, back.keyframes, back.pooling) == (["a", "a", "b"], ["a0.webp", "a1.webp", "b0.webp"], "max")
    assert np.array_equal(back.vectors, TWO_SCENES.vectors)
    assert sidecar.read_vectors(tmp_path, VISION)[0] == ["a", "b"]


def test_versions_before_keyframes_refuse_the_file(tmp_path: Path) -> None:
    """They would take every keyframe for a scene. They know format 1 only."""
    sidecar.write_vectors(tmp_path, VISION, TWO_SCENES)
    assert pq.read_schema(sidecar.vectors_path(tmp_path, VISION.name)).metadata[b"format"] == b"2"
    sidecar.write_vectors(tmp_path, VISION, ["a"], E[:1])
    assert pq.read_schema(sidecar.vectors_path(tmp_path, VISION.name)).metadata[b"format"] == b"1"


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (["a", "b", "a"], ["0.webp", "1.webp", "2.webp"]),
        (["a", "a", "b"], ["0.webp", "0.webp", "2.webp"]),
        (["a", "a", "b"], ["../0.webp", "1.webp", "2.webp"]),
    ],
)
def test_keyframes_in_disorder_are_refused(tmp_path: Path, ids: list[str], names: list[str]) -> None:
    sidecar.write_vectors(tmp_path, VISION, VectorRows(ids, E[:3], names))
    with pytest.raises(LibraryDamaged):
        sidecar.read_vectors(tmp_path, VISION)


# --- the index ------------------------------------------------------------------------------------


def index_of(folder: Path, **generations: VectorRows | tuple[list[str], np.ndarray]) -> VectorIndex:
    """An index of generations; `one=` is generation 1 of the video "one"."""
    contents = {(name, 1): rows for name, rows in generations.items()}
    vectors.sync(folder, VISION, contents, contents.get)
    index = vectors.open_index(folder, VISION)
    assert index is not None
    return index


def test_candidates_are_scored_by_their_keyframes(tmp_path: Path) -> None:
    index = index_of(tmp_path, one=TWO_SCENES, old=(["o"], np.array([[0.8, 0, 0.6, 0]], np.float32)))
    everything = [("one", 1), ("old", 1)]
    best = index.match(E[0], k=9, allowed=everything, temperature=0.0)
    assert best == [
        KeyframeMatch("a", 1.0, "a0.webp"),
        KeyframeMatch("o", pytest.approx(0.8, abs=1e-3), None),  # type: ignore[arg-type]
        KeyframeMatch("b", 0.0, "b0.webp"),
    ]
    assert index.search(E[0], k=9, allowed=everything)[0][0] == "o", "as whole scenes the other one is nearer"
    mean = index.match(E[0], k=9, allowed=everything, temperature=math.inf)
    assert [(hit.scene_id, round(hit.score, 3)) for hit in mean] == [("o", 0.8), ("a", 0.5), ("b", 0.0)]
    assert index.match(E[0], k=1, allowed=everything, temperature=0.0)[0].scene_id == "o", "one candidate only"
    assert index.match(E[1], k=9, allowed=everything, scene_ids=["a"], temperature=0.0)[0].keyframe == "a1.webp"
    assert index.match(E[0], k=9, allowed=[], temperature=0.0) == []


def test_keyframes_stay_with_their_scenes_when_others_come_and_go(tmp_path: Path) -> None:
    three = VectorRows(["x", "x", "y", "y"], E, ["x0.webp", "x1.webp", "y0.webp", "y1.webp"])
    index_of(tmp_path, one=TWO_SCENES)
    index_of(tmp_path, one=TWO_SCENES, old=(["o"], E[3:]), two=three)
    index = index_of(tmp_path, two=three, old=(["o"], E[3:]))
    assert index.keyframe_vectors([("y", ("two", 1))])["y"].tolist() == E[2:].tolist()
    assert index.match(E[3], k=9, allowed=[("two", 1)], temperature=0.0)[0] == KeyframeMatch("y", 1.0, "y1.webp")
    ids, own = index.vectors([("o", ("old", 1)), ("gone", ("old", 1)), ("a", ("one", 1))])
    assert (ids, own.tolist()) == (["o"], E[3:].tolist())
    assert set(vectors.check(tmp_path, VISION)) == {("two", 1), ("old", 1)}


def test_an_index_without_keyframes_has_no_file_for_them(tmp_path: Path) -> None:
    one_each = VectorRows(["a", "b"], E[:2], ["a0.webp", "b0.webp"])
    index = index_of(tmp_path, one=one_each)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index-1.faiss", "manifest.json", "rows-1.parquet"]
    assert index.match(E[1], k=1, allowed=[("one", 1)], temperature=0.1) == [KeyframeMatch("b", 1.0, "b0.webp")]


def test_an_index_that_an_earlier_version_wrote_is_searched_and_added_to(tmp_path: Path) -> None:
    index_of(tmp_path, old=(["o"], E[:1]))
    rows = tmp_path / "rows-1.parquet"
    pq.write_table(pq.read_table(rows).drop_columns(["keyframes"]), rows)
    opened = vectors.open_index(tmp_path, VISION)
    assert opened is not None
    assert opened.match(E[0], k=1, allowed=[("old", 1)], temperature=0.1) == [KeyframeMatch("o", 1.0, None)]
    index = index_of(tmp_path, old=(["o"], E[:1]), new=TWO_SCENES)
    assert index.match(E[1], k=1, allowed=[("new", 1)], temperature=0.0) == [KeyframeMatch("a", 1.0, "a1.webp")]


@pytest.mark.parametrize("damage", [b"", b"rubbish"])
def test_damaged_keyframes_are_noticed_and_rebuilt(tmp_path: Path, damage: bytes) -> None:
    index_of(tmp_path, one=TWO_SCENES)
    (tmp_path / "keyframes-1.npy").write_bytes(damage)
    with pytest.raises(LibraryDamaged):
        vectors.open_index(tmp_path, VISION)
    assert index_of(tmp_path, one=TWO_SCENES).match(E[1], k=1, allowed=[("one", 1)], temperature=0.0)[0].score == 1.0


def test_changed_keyframes_are_found_by_their_checksum(tmp_path: Path) -> None:
    index_of(tmp_path, one=TWO_SCENES)
    path = tmp_path / "keyframes-1.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(LibraryDamaged, match=r"keyframes-1\.npy is not what was written"):
        vectors.check(tmp_path, VISION)


# --- the store ------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def add_with_keyframes(store: Store, name: str) -> list[str]:
    """A video of two scenes, the first with two keyframes along axes 0 and 1; the ids of its scenes."""
    video = register(store, name)
    folder = stage(store, video, ["first", "second"])
    ids = [scene.scene_id for scene in make_scenes(video.video_id, ["first", "second"])]
    rows = TWO_SCENES._replace(scene_ids=[ids[0], ids[0], ids[1]], keyframes=["0-0.webp", "0-1.webp", "1-0.webp"])
    sidecar.write_vectors(folder, VISION, rows)
    n = store.next_generation(video.video_id)
    store.commit_generation(video.video_id, folder, n=n, spaces=SPACES.values())
    return ids


def test_a_view_finds_scenes_by_keyframes_and_old_ones_beside_them(store: Store) -> None:
    first, second = add_with_keyframes(store, "new")
    old = add(store, "old", ["third"], axis_of=3).video_id + "_0_2000"
    view = store.reader().view()
    found = view.keyframe_search(VISION, axis(1, 4), k=9, user_id="local", temperature=0.0)
    assert found[0] == KeyframeMatch(first, 1.0, "0-1.webp")
    assert {match.scene_id for match in found} == {first, second, old}
    assert view.keyframe_search(VISION, axis(1, 4), k=9, user_id="nobody", temperature=0.0) == []
    assert {s: len(v) for s, v in view.keyframe_vectors(VISION, [first, second, old]).items()} == {
        first: 2,
        second: 1,
        old: 1,
    }
    places, own = view.vectors(VISION, [old, "nothing_0_1", second])
    assert (places.tolist(), own.tolist()) == ([0, 2], [axis(3, 4).tolist(), axis(2, 4).tolist()])
    assert view.vectors(VISION, found.hits.scenes)[0].tolist() == [0, 1, 2], "rows of the table are looked up as such"
    assert np.array_equal(view.vectors(VISION, found.hits.scenes)[1], view.vectors(VISION, list(found.hits.scenes))[1])
    assert store.maintenance.check_indexes() == []


def test_reindexing_keeps_the_keyframes(store: Store) -> None:
    first, _ = add_with_keyframes(store, "new")
    report = store.maintenance.rebuild_indexes()
    assert report["vectors"][VISION.name] == 2
    match = store.reader().view().keyframe_search(VISION, axis(1, 4), k=1, user_id="local", temperature=0.0)
    assert match == [KeyframeMatch(first, 1.0, "0-1.webp")]


def test_adopting_keeps_the_keyframes_under_another_id(store: Store, tmp_path: Path) -> None:
    """The second person's copy gets an id of its own, and with it new names of scenes."""
    first, _ = add_with_keyframes(store, "new")
    video_id = first.removesuffix("_0_2000")
    other = new_store(tmp_path / "other")
    for user_id in ("someone", "somebody"):
        adopted = other.adopt(store.paths.video(video_id), user_id)
        view = other.reader().view()
        match = view.keyframe_search(VISION, axis(1, 4), k=1, user_id=user_id, temperature=0.0)
        assert match == [KeyframeMatch(f"{adopted.video_id}_0_2000", 1.0, "0-1.webp")]
    assert other.maintenance.check_indexes() == []
