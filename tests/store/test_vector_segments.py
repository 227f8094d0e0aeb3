"""A vector index in segments: what a write costs, what it keeps, what it merges, and what readers hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core.errors import LibraryDamaged
from heimdex_core.store import vectors
from heimdex_core.store.keyframe_vectors import VectorRows
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import Space

SPACE = Space("text/made-up", "text", "made-up", "1", 64)


def rows_of(key: Key) -> VectorRows:
    """Two scenes of a generation, one of which has two keyframes; each of its vectors is an axis of its own."""
    first = int(key[0]) % 20 * 3
    name = f"{key[0]}-{key[1]}"
    return VectorRows(
        [f"{name}a", f"{name}a", f"{name}b"],
        np.eye(64, dtype=np.float32)[first : first + 3],
        ["0.webp", "1.webp", "2.webp"],
    )


def write(folder: Path, keys: list[Key], **options: bool | list[Key]) -> VectorIndex:
    vectors.sync(folder, SPACE, keys, rows_of, **options)  # type: ignore[arg-type]
    index = vectors.open_index(folder, SPACE)
    assert index is not None
    assert index.keys == tuple(sorted(keys))
    return index


def assert_complete(index: VectorIndex, keys: list[Key]) -> None:
    """Every scene is found by its own vectors, with its own keyframe, and nothing else is."""
    for key in keys:
        first, name = int(key[0]) % 20 * 3, f"{key[0]}-{key[1]}"
        axes = np.eye(64, dtype=np.float32)
        best = index.match(axes[first + 1], k=1, allowed=[key], temperature=0.0)
        assert best == [(f"{name}a", 1.0, "1.webp")]
        assert index.search(axes[first + 2], k=9, allowed=[key])[0] == (f"{name}b", 1.0)
        assert len(index.search(axes[0], k=9, allowed=[key])) == 2
        assert np.allclose(index.keyframe_vectors([(f"{name}a", key)])[f"{name}a"], axes[first : first + 2])
    everything = index.search(np.eye(64)[0], k=10_000, allowed=keys)
    assert len(everything) == len({scene_id for scene_id, _ in everything}) == 2 * len(keys)


def keys_of(*videos: int) -> list[Key]:
    return [(f"{video:02}", 1) for video in videos]


def test_a_write_adds_files_and_leaves_the_others_alone(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "manifest.json"}
    index = write(tmp_path, keys_of(1, 2))
    assert [len(segment) for segment in index.segments] == [2, 2]
    assert_complete(index, keys_of(1, 2))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_what_is_removed_is_marked_and_what_is_redone_is_found_once(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1, 2, 3))
    index = write(tmp_path, keys_of(1, 3))
    assert len(index) == 6, "the rows are still there"
    assert_complete(index, keys_of(1, 3))
    assert index.vector("02-1a", ("02", 1)) is None
    assert index.search(np.eye(64)[6], k=9, allowed=keys_of(2)) == []
    index = write(tmp_path, keys_of(1, 3), redo=keys_of(3))
    assert_complete(index, keys_of(1, 3))
    assert vectors.read_manifest(tmp_path)["count"] == 4  # type: ignore[index]


def test_a_segment_most_of_which_was_removed_is_written_again(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1, 2, 3))
    index = write(tmp_path, keys_of(2))
    assert len(index) == 2
    assert_complete(index, keys_of(2))


def test_what_is_erased_leaves_the_files(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1, 2, 3))
    index = write(tmp_path, keys_of(1, 3), erase=True)
    assert_complete(index, keys_of(1, 3))
    assert len(index) == 4
    write(tmp_path, keys_of(1, 3, 4))
    write(tmp_path, keys_of(1, 3))
    assert not (tmp_path / "index-1.faiss").exists()


def test_many_small_segments_become_few(tmp_path: Path) -> None:
    keys: list[Key] = []
    for video in range(40):
        keys += keys_of(video)
        index = write(tmp_path, keys)
        assert len(index.segments) <= vectors.MAX_SMALL_SEGMENTS
    assert_complete(index, keys)
    assert set(vectors.check(tmp_path, SPACE)) == set(keys)


@given(st.lists(st.integers(1, 60_000), max_size=60), st.booleans())
def test_merging_bounds_what_is_written(sizes: list[int], is_adding: bool) -> None:
    merged = vectors.to_merge(list(enumerate(sizes)), is_adding=is_adding)
    small = [rows for rows in sizes if rows <= vectors.SMALL_ROWS]
    assert sum(sizes[number] for number in merged) <= 2 * vectors.SMALL_ROWS
    if len(small) + is_adding <= vectors.MAX_SMALL_SEGMENTS:
        assert merged == set()
    else:
        assert len(merged) + is_adding >= 2, "there are fewer segments afterwards"


def test_a_reader_opens_only_what_is_new(tmp_path: Path) -> None:
    held = write(tmp_path, keys_of(1))
    write(tmp_path, keys_of(1, 2))
    index = vectors.open_index(tmp_path, SPACE, held)
    assert index is not None
    assert index.segments[0] is held.segments[0]
    assert_complete(index, keys_of(1, 2))
    assert_complete(held, keys_of(1))


def test_a_number_that_was_used_again_is_not_taken_for_the_same_segment(tmp_path: Path) -> None:
    held = write(tmp_path, keys_of(1))
    for path in tmp_path.iterdir():
        path.unlink()
    write(tmp_path, keys_of(2))
    index = vectors.open_index(tmp_path, SPACE, held)
    assert index is not None
    assert_complete(index, keys_of(2))


def test_an_index_of_the_version_before_is_one_segment(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1, 2))
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    (segment,) = manifest.pop("segments")
    kept = ("sha256", "keyframe_count", "keyframes_sha256")
    generations = {"01": [1], "02": [1]}
    old = {**manifest, **{name: segment[name] for name in kept}, "format": 1, "generations": generations}
    path.write_text(json.dumps(old))
    before = vectors.open_index(tmp_path, SPACE)
    assert before is not None
    assert_complete(before, keys_of(1, 2))
    assert set(vectors.check(tmp_path, SPACE)) == set(keys_of(1, 2))
    index = write(tmp_path, keys_of(2, 3))
    assert len(index.segments) == 2
    assert_complete(index, keys_of(2, 3))


@pytest.mark.parametrize("missing", ["index-2.faiss", "rows-2.parquet", "keyframes-2.npy"])
def test_a_missing_segment_is_noticed_and_made_again(tmp_path: Path, missing: str) -> None:
    write(tmp_path, keys_of(1))
    write(tmp_path, keys_of(1, 2))
    (tmp_path / missing).unlink()
    with pytest.raises(LibraryDamaged):
        vectors.open_index(tmp_path, SPACE)
    assert_complete(write(tmp_path, keys_of(1, 2)), keys_of(1, 2))


def test_a_segment_whose_rows_turn_out_damaged_when_it_is_merged_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, keys_of(1))
    write(tmp_path, keys_of(1, 2))
    path = tmp_path / "rows-1.parquet"
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)  # of the rows, not of what is said about them
    path.write_bytes(content)
    monkeypatch.setattr(vectors, "MAX_SMALL_SEGMENTS", 2)
    index = write(tmp_path, keys_of(1, 2, 3))
    assert len(index.segments) == 1
    assert_complete(index, keys_of(1, 2, 3))


def test_a_manifest_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1))
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 4}))
    with pytest.raises(LibraryDamaged, match="format 4"):
        vectors.open_index(tmp_path, SPACE)


def test_statistics_do_not_count_what_was_removed(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1, 2, 3))
    index = write(tmp_path, keys_of(1, 3))
    sample = index.sample(100)
    assert len(sample) == 4
    assert np.allclose(sample @ np.eye(64)[8], 0), "no vector of the video that was removed"


def test_a_truncated_file_is_not_mapped(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1))
    path = tmp_path / "index-1.faiss"
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(LibraryDamaged, match=r"index-1\.faiss is not what was written"):
        vectors.open_index(tmp_path, SPACE)
    assert_complete(write(tmp_path, keys_of(1)), keys_of(1))


# --- which rows -----------------------------------------------------------------------------------


def test_rows_of_scenes_without_a_vector_in_another_index(tmp_path: Path) -> None:
    # one scene is in two generations of a video, which are in the same segment of one index and in two of the other
    first, second = ("01", 1), ("01", 2)
    one = {first: (["a", "b"], np.eye(64)[:2]), second: (["a", "c"], np.eye(64)[2:4])}
    two = {first: (["b"], np.eye(64)[:1]), second: (["c", "a"], np.eye(64)[2:4])}
    vectors.sync(tmp_path / "one", SPACE, one, one.get)  # type: ignore[arg-type]
    vectors.sync(tmp_path / "two", SPACE, [first], two.get)  # type: ignore[arg-type]
    vectors.sync(tmp_path / "two", SPACE, two, two.get)  # type: ignore[arg-type]
    left, right = vectors.open_index(tmp_path / "one", SPACE), vectors.open_index(tmp_path / "two", SPACE)
    assert left is not None
    assert right is not None
    assert left.scene_ids.to_pylist() == ["a", "b", "a", "c"]
    assert left.rows_outside(right).tolist() == [True, False, False, False]
    assert right.rows_outside(left).tolist() == [False, False, False]
    vectors.sync(tmp_path / "two", SPACE, [second], two.get)  # type: ignore[arg-type]
    right = vectors.open_index(tmp_path / "two", SPACE)
    assert right is not None
    assert left.rows_outside(right).tolist() == [True, True, False, False]


def test_scenes_are_found_in_their_generation_only(tmp_path: Path) -> None:
    both = {("01", 1): (["a", "b"], np.eye(64)[:2]), ("01", 2): (["a"], np.eye(64)[2:3])}
    vectors.sync(tmp_path, SPACE, both, both.get)  # type: ignore[arg-type]
    index = vectors.open_index(tmp_path, SPACE)
    assert index is not None
    asked = [("b", ("01", 2)), ("a", ("01", 2)), ("b", ("01", 1)), ("a", ("02", 1)), ("a", ("01", 1))]
    found, own = index.vectors(asked)
    assert found == ["a", "b", "a"]
    assert own.argmax(axis=1).tolist() == [2, 1, 0]


def test_masks_of_allowed_generations_are_kept(tmp_path: Path) -> None:
    index = write(tmp_path, keys_of(1, 2, 3))
    index = write(tmp_path, keys_of(1, 3))
    some, everything = frozenset(keys_of(3)), frozenset(keys_of(1, 2, 3))
    assert index.row_mask(everything).tolist() == [True, True, False, False, True, True]
    assert index.row_mask(some).tolist() == [False] * 4 + [True] * 2
    assert index.row_mask(some) is index.row_mask(frozenset(keys_of(3)))
    assert index.row_mask(some, ["03-1b", "01-1a"]).tolist() == [False] * 5 + [True]


def test_rows_that_do_not_say_how_many_each_generation_has_are_counted(tmp_path: Path) -> None:
    write(tmp_path, keys_of(1, 2))
    rows = tmp_path / "rows-1.parquet"
    table = pq.read_table(rows)
    about = {name: value for name, value in table.schema.metadata.items() if name != b"heimdex.counts"}
    pq.write_table(table.replace_schema_metadata(about), rows)  # as the version before wrote them
    assert_complete(write(tmp_path, keys_of(1, 2)), keys_of(1, 2))
    assert_complete(write(tmp_path, keys_of(1, 2, 3)), keys_of(1, 2, 3))


def test_rows_are_matched_with_the_scenes_of_their_generation(tmp_path: Path) -> None:
    index = write(tmp_path, keys_of(1, 2))
    first, second = (("01-1a", "01-1b"), ("02-1c", "02-1b", "02-1d"))
    segment = index.segments[index.homes["01", 1]]
    assert segment.places_of(("01", 1), pa.chunked_array([first])) is None, "row i is of scene i"
    places = segment.places_of(("02", 1), pa.chunked_array([second]))
    assert places is not None
    assert places.tolist() == [-1, 1], "a scene may have no vector, and a row no scene"
