"""How large segments of a vector index are made in the background."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heimdex_core import files
from heimdex_core.errors import Cancelled, DiskFull, LibraryDamaged
from heimdex_core.library.maintenance import clean_up
from heimdex_core.settings import Settings
from heimdex_core.store import vector_merging, vectors
from heimdex_core.store.vector_segment import Key
from heimdex_core.types import WorkContext
from tests.store.making import TEXT, VISION, add, axis, new_store
from tests.store.merging import (
    DIM,
    KEYS,
    SCENES,
    SPACE,
    assert_same,
    clustered,
    large_of,
    make_small,
    merge,
    names_in,
    opened,
    write,
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


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
