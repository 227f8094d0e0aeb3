"""Large segments of a vector index: what they find, and how they are made in the background."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core import files
from heimdex_core.errors import Cancelled, DiskFull, LibraryDamaged
from heimdex_core.library.maintenance import clean_up
from heimdex_core.settings import Settings
from heimdex_core.store import vector_large, vector_merging, vector_methods, vectors
from heimdex_core.store.keyframe_vectors import Floats, VectorRows
from heimdex_core.store.locks import index_lock
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Space, WorkContext
from tests.store.making import TEXT, VISION, add, axis, new_store

DIM, SCENES = 32, 100
SPACE = Space("text/made-up", "text", "made-up", "1", DIM)
KEYS: list[Key] = [(f"{video:02}", 1) for video in range(20)]
ALL = frozenset(KEYS)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which 2,000 scenes are many."""
    monkeypatch.setattr(vector_merging, "EXACT_ROWS", 1000)
    monkeypatch.setattr(vector_large, "DEPTH", 20)
    monkeypatch.setattr(vector_large, "SCANNED_SHARE", 1 / 4)


def unit(array: np.ndarray) -> Floats:
    return np.asarray(array / np.linalg.norm(array, axis=-1, keepdims=True), np.float32)


def clustered(key: Key) -> VectorRows:
    """A hundred scenes near 10 of 40 directions; the first one has two keyframes."""
    rng = np.random.default_rng(int(key[0]))
    directions = unit(np.random.default_rng(99).normal(size=(40, DIM)))
    near = directions[np.arange(SCENES + 1) % 10 + int(key[0]) % 4 * 10]
    array = unit(near + rng.normal(size=(SCENES + 1, DIM)) * 0.03)
    names = [f"{number}.webp" for number in range(SCENES + 1)]
    ids = [f"{key[0]}-{key[1]}-{max(0, number - 1):03}" for number in range(SCENES + 1)]
    return VectorRows(ids, array, names)


def scattered(key: Key) -> VectorRows:
    """A hundred scenes in all directions."""
    array = unit(np.random.default_rng(int(key[0])).normal(size=(SCENES, DIM)))
    return VectorRows([f"{key[0]}-{number:03}" for number in range(SCENES)], array, None)


def write(folder: Path, keys: list[Key] = KEYS, load: Callable[[Key], VectorRows] = clustered) -> VectorIndex:
    for count in range(len(keys) // 2, len(keys) + 1, len(keys) // 4):
        vectors.sync(folder, SPACE, keys[:count], load)
    return opened(folder)


def opened(folder: Path) -> VectorIndex:
    index = vectors.open_index(folder, SPACE)
    assert index is not None
    return index


def merge(folder: Path, work: WorkContext | None = None) -> bool:
    return vector_merging.merge(folder, SPACE, index_lock(folder.parent / "index.lock"), work or WorkContext())


def large_of(folder: Path) -> list[dict[str, Any]]:
    manifest = vectors.read_manifest(folder)
    assert manifest is not None
    return [entry["large"] for entry in manifest["segments"] if entry.get("large")]


def assert_same(index: VectorIndex, expected: VectorIndex, keys: list[Key]) -> None:
    """Both have the same scenes, vectors and keyframes, and find the same."""
    allowed = frozenset(keys)
    assert index.keys == expected.keys == tuple(sorted(keys))
    scenes = [(f"{key[0]}-{key[1]}-{number:03}", key) for key in keys for number in (0, 57)]
    assert index.vectors(scenes)[0] == expected.vectors(scenes)[0] == [scene_id for scene_id, _ in scenes]
    assert np.array_equal(index.vectors(scenes)[1], expected.vectors(scenes)[1])
    looks = expected.keyframe_vectors(scenes)
    assert all(np.array_equal(own, looks[name]) for name, own in index.keyframe_vectors(scenes).items())
    for key in keys[::4]:
        query = clustered(key).vectors[7]
        best = expected.match(query, k=10, allowed=allowed, temperature=0.1)
        found = index.match(query, k=10, allowed=allowed, temperature=0.1)
        assert [hit.scene_id for hit in found] == [hit.scene_id for hit in best]
        assert [hit.keyframe for hit in found] == [hit.keyframe for hit in best]
        assert np.allclose([hit.score for hit in found], [hit.score for hit in best], atol=1e-5)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- what is found --------------------------------------------------------------------------------


def test_clusters_are_searched_by_clusters(tmp_path: Path) -> None:
    before = write(tmp_path / "index")
    assert vector_merging.is_due(tmp_path / "index")
    assert merge(tmp_path / "index")
    assert not vector_merging.is_due(tmp_path / "index")
    assert merge(tmp_path / "index") is False, "there is nothing more to merge"
    index = opened(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert large["method"] == "IVF"
    assert large["nprobe"] < large["lists"]
    assert large["rows_per_result"] == vector_large.FEWEST_ROWS_PER_RESULT
    assert large["recall_at_10"] >= vector_large.REQUIRED_RECALL
    assert len(index.segments) == 1
    assert_same(index, before, KEYS)
    assert set(vectors.check(tmp_path / "index", SPACE)) == ALL


def test_as_many_rows_are_scanned_as_were_found_to_be_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_large, "FEWEST_ROWS_PER_RESULT", 0)
    monkeypatch.setattr(vector_large, "PROBES", (1,))
    real = vector_large.recall

    def recall(method: Any, *asked: Any) -> tuple[float, float]:
        return real(method, *asked) if method._rows_per_result else (0.5, 0.5)

    monkeypatch.setattr(vector_large, "recall", recall)
    write(tmp_path / "index")
    merge(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert large["rows_per_result"] == vector_methods.LIST_ROWS_PER_RESULT, "fewer did not find enough"
    (segment,) = opened(tmp_path / "index").segments
    assert isinstance(segment.method, vector_methods.Inverted)
    assert segment.method._rows_per_result == vector_methods.LIST_ROWS_PER_RESULT
    path = tmp_path / "index" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["segments"][0]["large"]["rows_per_result"]  # as versions before it wrote
    path.write_text(json.dumps(manifest))
    (segment,) = opened(tmp_path / "index").segments
    assert isinstance(segment.method, vector_methods.Inverted)
    assert segment.method._rows_per_result == vector_methods.LIST_ROWS_PER_RESULT


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_a_filter_of_rows_reaches_an_inverted_file(tmp_path: Path, share: float) -> None:
    write(tmp_path / "index")
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    rows = np.random.default_rng(3).random(len(index)) < share
    everything = index._vectors_of(np.arange(len(index)))
    query = clustered(KEYS[3]).vectors[7]
    best = np.flatnonzero(rows)[np.argsort(-(everything[rows] @ query), kind="stable")][:10]
    ids = index.scene_ids.to_pylist()
    found = index.search(query, k=10, allowed=ALL, rows=rows)
    assert {scene_id for scene_id, _ in found} == {ids[row] for row in best}
    everything_there = index.search(query, k=10_000, allowed=ALL, rows=rows)
    assert len(everything_there) == rows.sum(), "also where few clusters have enough rows"


def test_vectors_without_clusters_are_searched_by_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(vector_large, "CANDIDATES", (4,))
    monkeypatch.setattr(vector_methods, "LEAST_CANDIDATES", 100)
    monkeypatch.setattr(vector_methods, "CANDIDATE_SHARE", 0.4)
    before = write(tmp_path / "index", load=scattered)
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert large["method"] == "PQ"
    assert large["recall_at_10"] >= vector_large.REQUIRED_RECALL
    assert "so codes are used" in caplog.text
    query = unit(np.random.default_rng(1).normal(size=DIM))
    half = frozenset(KEYS[::2])
    for allowed in (ALL, half, frozenset(KEYS[:1])):
        best = [scene_id for scene_id, _ in before.search(query, k=10, allowed=allowed)]
        assert len({*best, *(scene_id for scene_id, _ in index.search(query, k=10, allowed=allowed))}) <= 11
    assert set(vectors.check(tmp_path / "index", SPACE)) == ALL
    assert "codes-4.faiss" in names_in(tmp_path / "index")


@pytest.mark.parametrize("extent", [DIM // 2, DIM])
def test_codes_are_made_along_half_of_the_axes_where_these_tell_scenes_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extent: int
) -> None:
    monkeypatch.setattr(vector_large, "CANDIDATES", (4,))
    monkeypatch.setattr(vector_large, "SCANNED_SHARE", 0)
    monkeypatch.setattr(vector_methods, "LEAST_CANDIDATES", 20)
    rotation = np.linalg.qr(np.random.default_rng(8).normal(size=(DIM, DIM)))[0]
    lengths = np.where(np.arange(DIM) < extent, 1.0, 0.01)

    def load(key: Key) -> VectorRows:
        array = unit(np.random.default_rng(int(key[0])).normal(size=(SCENES, DIM)) * lengths @ rotation)
        return VectorRows([f"{key[0]}-{number:03}" for number in range(SCENES)], array, None)

    before = write(tmp_path / "index", load=load)
    merge(tmp_path / "index")
    (large,) = large_of(tmp_path / "index")
    assert (large["method"], large["axes"]) == ("PQ", extent)
    query = load(KEYS[3]).vectors[7]
    best = {scene_id for scene_id, _ in before.search(query, k=10, allowed=ALL)}
    found = opened(tmp_path / "index").search(query, k=10, allowed=ALL)
    assert len(best.difference(scene_id for scene_id, _ in found)) <= 1


def test_codes_are_enough_where_most_of_the_best_rows_are_filtered_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_large, "CANDIDATES", (8,))
    monkeypatch.setattr(vector_large, "SCANNED_SHARE", 0)
    monkeypatch.setattr(vector_methods, "LEAST_CANDIDATES", 20)
    monkeypatch.setattr(vector_methods, "CANDIDATE_SHARE", 0.4)
    before = write(tmp_path / "index", load=scattered)
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    query = scattered(KEYS[3]).vectors[7]
    near = {scene_id for scene_id, _ in before.search(query, k=50, allowed=ALL)}
    rows = np.array([n % 2 == 0 and scene_id not in near for n, scene_id in enumerate(index.scene_ids.to_pylist())])
    monkeypatch.setattr(vector_methods.Exact, "search", None)  # all rows need not be compared
    assert len(index.search(query, k=20, allowed=ALL, rows=rows)) == 20


def test_where_nothing_faster_finds_enough_all_rows_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_large, "CANDIDATES", ())
    before = write(tmp_path / "index", load=scattered)
    merge(tmp_path / "index")
    assert [large["method"] for large in large_of(tmp_path / "index")] == ["exact"]
    query = unit(np.random.default_rng(1).normal(size=DIM))
    assert opened(tmp_path / "index").search(query, k=50, allowed=ALL) == before.search(query, k=50, allowed=ALL)


def test_a_sample_without_clusters_saves_the_inverted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_large, "TRIAL_ROWS", 500)
    made: list[int] = []
    really = vector_large._inverted

    def counting(vectors: vector_large.Vectors, *others: Any) -> Any:
        made.append(vectors.count)
        return really(vectors, *others)

    monkeypatch.setattr(vector_large, "_inverted", counting)
    write(tmp_path / "scattered", load=scattered)
    merge(tmp_path / "scattered")
    write(tmp_path / "clustered")
    merge(tmp_path / "clustered")
    assert made == [500, 500, 2000]


def test_a_reader_keeps_what_it_has_opened(tmp_path: Path) -> None:
    before = write(tmp_path / "index")
    merge(tmp_path / "index")
    index = opened(tmp_path / "index")
    vectors.sync(tmp_path / "index", SPACE, [*KEYS, ("20", 1)], clustered)
    later = vectors.open_index(tmp_path / "index", SPACE, index)
    assert later is not None
    assert later.segments[0] is index.segments[0]
    assert_same(before, index, KEYS)


# --- beside writers -------------------------------------------------------------------------------


def at_step(monkeypatch: pytest.MonkeyPatch, step: str, action: Callable[[], object]) -> None:
    """Do something once, when a merge reaches this step."""
    really = files.crash_point
    done: list[str] = []

    def crash_point(name: str) -> None:
        if name == step and not done:
            done.append(name)
            action()
        really(name)

    monkeypatch.setattr(files, "crash_point", crash_point)


def test_what_is_added_and_removed_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "index"
    write(folder)
    now = [*KEYS[2:], ("20", 1)]
    expected = tmp_path / "expected"
    vectors.sync(expected, SPACE, now, clustered)
    at_step(monkeypatch, "merge-built", lambda: vectors.sync(folder, SPACE, now, clustered))
    assert merge(folder)
    assert_same(opened(folder), opened(expected), now)
    assert len(opened(folder)) == 21 * SCENES, "the rows of what was removed are marked"
    assert len(large_of(folder)) == 1


@pytest.mark.long
def test_writers_leave_the_segments_that_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "index"
    write(folder)
    added: list[Key] = [(f"{video}", 1) for video in range(20, 45)]

    def add_many() -> None:
        for count in range(1, len(added) + 1):
            vectors.sync(folder, SPACE, [*KEYS, *added[:count]], clustered)

    at_step(monkeypatch, "merge-built", add_many)
    assert merge(folder)
    vectors.sync(tmp_path / "expected", SPACE, [*KEYS, *added], clustered)
    assert_same(opened(folder), opened(tmp_path / "expected"), [*KEYS, *added])


def test_a_purge_meanwhile_ends_the_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "index"
    write(folder)
    at_step(monkeypatch, "merge-built", lambda: vectors.sync(folder, SPACE, KEYS[1:], clustered, erase=True))
    assert merge(folder) is False
    assert large_of(folder) == []
    assert not (folder / "merge").exists()
    assert merge(folder)
    assert b"00-1-" not in b"".join(path.read_bytes() for path in folder.glob("rows-*"))
    assert opened(folder).keys == tuple(KEYS[1:])


def test_what_is_purged_leaves_a_large_segment_with_the_next_merge(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(folder)
    merge(folder)
    vectors.sync(folder, SPACE, KEYS[1:], clustered, erase=True)
    assert len(opened(folder)) == 20 * SCENES, "the write itself only marks it"
    assert vectors.sync(folder, SPACE, KEYS[1:], clustered, erase=True) is False
    assert vector_merging.is_due(folder)
    assert merge(folder)
    vectors.sync(tmp_path / "expected", SPACE, KEYS[1:], clustered)
    index = opened(folder)
    assert len(index) == 19 * SCENES
    assert_same(index, opened(tmp_path / "expected"), KEYS[1:])
    assert not vector_merging.is_due(folder)


def test_only_one_process_merges(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(folder)
    with vectors.merging_lock(folder).hold(), ThreadPoolExecutor() as another:
        assert another.submit(merge, folder).result() is False
    assert merge(folder)


def test_a_cancelled_merge_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    before = write(folder)
    names = names_in(folder)
    with pytest.raises(Cancelled):
        merge(folder, WorkContext(is_cancelled=lambda: True))
    assert names_in(folder) == names
    assert_same(opened(folder), before, KEYS)


# --- crashes and damage ---------------------------------------------------------------------------


def test_a_crash_anywhere_leaves_the_old_index_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "library" / "index"
    before = write(folder)
    steps: list[str] = []

    def keep(step: str) -> None:
        shutil.copytree(folder, tmp_path / str(len(steps)) / "index")
        steps.append(step)

    with monkeypatch.context() as patched:
        patched.setattr(files, "crash_point", keep)
        assert merge(folder)
    assert steps == ["index-written", "rows-written", "merge-built", "merge-renamed", "manifest-switched"]
    for step in range(len(steps)):
        left = tmp_path / str(step) / "index"
        (left / "merge.lock").unlink()  # nobody holds it
        assert_same(opened(left), before, KEYS)
        assert vector_merging.is_due(left)
        assert merge(left) == (steps[step] != "manifest-switched")
        assert_same(opened(left), before, KEYS)
        assert not vector_merging.is_due(left)
        vectors.sync(left, SPACE, KEYS[:-1], clustered)
        vectors.sync(left, SPACE, KEYS[:-2], clustered)
        assert names_in(left) == {"manifest.json"} | {
            name for segment in opened(left).segments for name in (f"index-{segment.number}.faiss",
            f"rows-{segment.number}.parquet", f"keyframes-{segment.number}.npy")
        }  # fmt: skip


@pytest.mark.long
def test_a_full_disk_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "index"
    before = write(folder)
    names = names_in(folder)
    renames: list[str] = []
    limit = [0]
    really = os.replace

    def replace(source: Any, target: Any) -> None:
        if len(renames) >= limit[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        renames.append(Path(target).name)
        really(source, target)

    # inputs.json, the three files of the segment, their last places, and the manifest
    for limit[0] in range(8):
        renames.clear()
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", replace)
            with pytest.raises(DiskFull):
                merge(folder)
        assert names_in(folder) == names, renames
        assert_same(opened(folder), before, KEYS)
    assert merge(folder)


@pytest.mark.parametrize("name", ["index-4.faiss", "rows-4.parquet", "keyframes-4.npy"])
@pytest.mark.parametrize("is_cut", [True, False], ids=["truncated", "missing"])
def test_a_damaged_large_segment_is_made_again(tmp_path: Path, name: str, is_cut: bool) -> None:
    folder = tmp_path / "index"
    before = write(folder)
    merge(folder)
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if is_cut:
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(LibraryDamaged):
        vectors.open_index(folder, SPACE)
    vectors.sync(folder, SPACE, KEYS, clustered)
    assert_same(opened(folder), before, KEYS)


# --- which segments -------------------------------------------------------------------------------


def entries(sizes: list[int], *, large: bool, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"number": number, "rows": rows, **({"large": {"method": "IVF"}} if large else {})}
        for number, rows in enumerate(sizes, start=first)
    ]


def test_few_rows_are_not_merged() -> None:
    assert vector_merging.to_merge(entries([600, 400], large=False), DIM) == set()
    assert vector_merging.to_merge(entries([600, 401], large=False), DIM) == {0, 1}


def test_a_small_segment_beside_a_very_large_one_is_not_merged_for_ever() -> None:
    most = vector_merging.MAX_LARGE_BYTES // (2 * 768)
    assert vector_merging.to_merge(entries([10, most + 1], large=False), 768) == {1}


def test_large_segments_are_merged_with_what_is_not_much_smaller() -> None:
    exact = entries([600, 600], large=False)
    # 3 * 1,200 takes the first, 3 * 4,200 the second; 3 * 14,200 not the third
    assert vector_merging.to_merge([*exact, *entries([3000, 10_000, 50_000], large=True, first=2)], DIM) == {0, 1, 2, 3}
    assert vector_merging.to_merge(entries([3000, 10_000], large=True), DIM) == set()


def test_a_large_segment_that_lost_most_of_its_rows_is_merged() -> None:
    half, more = entries([1000, 1000], large=True)
    assert vector_merging.to_merge([{**half, "removed_rows": 500}, {**more, "removed_rows": 501}], DIM) == {0, 1}
    assert vector_merging.to_merge([{**half, "removed_rows": 500}], DIM) == set()


@given(st.lists(st.integers(1, 3_000_000), max_size=30), st.lists(st.integers(1000, 3_000_000), max_size=6))
def test_a_large_segment_has_a_greatest_size(exact: list[int], large: list[int]) -> None:
    found = [*entries(exact, large=False), *entries(large, large=True, first=100)]
    chosen = vector_merging.to_merge(found, 768)
    if sum(exact) > vector_merging.EXACT_ROWS:
        assert sum(exact[number] for number in chosen if number < 100) > vector_merging.EXACT_ROWS
    rows = [entry["rows"] for entry in found if entry["number"] in chosen]
    assert len(rows) <= 1 or sum(rows) * 768 * 2 <= vector_merging.MAX_LARGE_BYTES or max(rows) > 1_000_000


# --- of a library ---------------------------------------------------------------------------------


def test_a_library_merges_its_indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_merging, "EXACT_ROWS", 16)
    store = new_store(tmp_path / "library")
    texts = [f"text {number}" for number in range(8)]
    for video in range(2):
        add(store, f"video {video}", texts, axis_of=video)
    assert not store.maintenance.is_merge_due()
    last = add(store, "the last", texts, axis_of=2)
    assert store.maintenance.is_merge_due()
    reader = store.reader()
    before = [reader.view().vector_search(space, axis(2, space.dim), k=24, user_id="local") for space in (TEXT, VISION)]
    assert store.maintenance.merge_indexes() == 2
    assert not store.maintenance.is_merge_due()
    view = reader.view()
    found = [view.vector_search(space, axis(2, space.dim), k=24, user_id="local") for space in (TEXT, VISION)]
    assert [dict(hits) for hits in found] == [dict(hits) for hits in before]
    assert clean_up(store, Settings(), WorkContext())["merged"] == 0
    store.purge_video(last.video_id)
    assert store.maintenance.is_merge_due(), "its rows are to leave the files"
    assert clean_up(store, Settings(), WorkContext())["merged"] == 2
    assert not store.maintenance.is_merge_due()
    assert store.maintenance.check_indexes() == []
