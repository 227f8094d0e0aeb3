"""Killed between any two steps, a library holds the old or the new, and doing it again completes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from heimdex_core.store import Store
from heimdex_core.types import VideoState
from tests.store.crash_driver import NEW_TEXTS, drive, telling
from tests.store.making import SPACES, TEXT, VISION, add, axis, new_store, stage

OLD_TEXTS = ("stale apples", "stale pears")


def found(store: Store, video_id: str) -> tuple[tuple[str, ...], str, int]:
    """(texts, the word found, the axis of its first scene's vector), all of one video."""
    view = store.reader().view()
    texts = tuple(scene.transcript for scene in view.scenes("local", video_id))
    words = [
        word
        for word in ("stale", "fresh")
        if len(view.lexical_search(word, k=9, user_id="local", video_ids=[video_id]).hits) == 2
    ]
    assert len(words) == 1, words
    axes = []
    for space in (TEXT, VISION):
        for number in (0, 2):
            best = view.vector_search(space, axis(number, space.dim), k=9, user_id="local", video_ids=[video_id])
            assert len(best) == 2
            if best[0][1] == 1.0:
                axes.append(number)
    assert len(axes) == 2
    assert axes[0] == axes[1]
    return texts, words[0], axes[0]


def test_commit_killed_anywhere(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "first", OLD_TEXTS, axis_of=0)
    other = add(store, "second", ("a quiet garden",), axis_of=1)
    stage(store, video, NEW_TEXTS, axis_of=2)
    names = drive("commit", store.paths.root, tmp_path / "out")
    assert {"staged-synced", "generation-renamed", "indexes-synced", "catalog-committed", "published"} <= set(names)
    states = []
    for step, name in enumerate(names):
        again = Store.open(tmp_path / "out" / str(step))
        seen = found(again, video.video_id)
        assert seen in ((OLD_TEXTS, "stale", 0), (NEW_TEXTS, "fresh", 2)), name
        states.append(seen[1])
        hits = again.reader().view().lexical_search("garden", k=5, user_id="local").hits
        assert [scene_id.split("_")[0] for scene_id, _ in hits] == [other.video_id], name
        folder = again.paths.generations(video.video_id)
        staged = next((p for p in folder.glob(".tmp-*") if (p / "scenes.parquet").exists()), folder / ".tmp-none")
        done = again.commit_generation(
            video.video_id, staged, n=2, spaces=SPACES.values(), transcript_source="subtitles"
        )
        assert (done.state, done.generation, done.scene_count) == (VideoState.INDEXED, 2, 2), name
        assert found(again, video.video_id) == (NEW_TEXTS, "fresh", 2), name
        assert again.maintenance.check_indexes() == [], name
        assert [p.name for p in folder.iterdir() if p.name.isdecimal()] == ["2"], name
    # Both outcomes occur, and once the new one shows it stays.
    assert states == sorted(states, key=lambda word: word == "fresh")
    assert set(states) == {"stale", "fresh"}


@pytest.mark.long
def test_purge_killed_anywhere(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "first", OLD_TEXTS)
    other = add(store, "second", ("a quiet garden",), axis_of=1)
    store.delete_video("local", video.video_id)
    names = drive("purge", store.paths.root, tmp_path / "out")
    assert {"purge-hidden", "purge-unindexed", "purge-removed"} <= set(names)
    for step, name in telling(names):
        again = Store.open(tmp_path / "out" / str(step))
        again.purge_video(video.video_id)
        assert [v.video_id for v in again.videos("local", include_deleted=True)] == [other.video_id], name
        assert not again.paths.video(video.video_id).exists(), name
        assert again.maintenance.check_indexes() == [], name
        assert len(again.reader().view().lexical_search("garden", k=5, user_id="local").hits) == 1, name


@pytest.mark.long
def test_adopt_killed_anywhere(tmp_path: Path) -> None:
    elsewhere = new_store(tmp_path / "elsewhere")
    video = add(elsewhere, "moved", OLD_TEXTS)
    library = new_store(tmp_path / "library")
    folder = elsewhere.paths.video(video.video_id)
    names = drive("adopt", library.paths.root, tmp_path / "out", str(folder))
    assert {"adopt-copied", "adopt-renamed", "adopt-registered"} <= set(names)
    for step, name in telling(names):
        again = Store.open(tmp_path / "out" / str(step))
        adopted = again.adopt(folder, "local")
        assert (adopted.state, adopted.generation) == (VideoState.INDEXED, 1), name
        assert found(again, video.video_id) == (OLD_TEXTS, "stale", 0), name
        assert len(again.videos("local")) == 1, name
        assert again.maintenance.check_indexes() == [], name


def test_delete_killed_anywhere(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "first", OLD_TEXTS)
    names = drive("delete", store.paths.root, tmp_path / "out")
    assert "catalog-committed" in names
    for step, name in enumerate(names):
        again = Store.open(tmp_path / "out" / str(step))
        state = again.video("local", video.video_id).state
        is_visible = bool(again.reader().view().visible_videos("local"))
        # The list of videos and the search agree as soon as the library has been opened.
        assert is_visible == (state == VideoState.INDEXED), name


@pytest.mark.parametrize("name", ["visible.parquet", "index"])
def test_derived_files_can_be_deleted(tmp_path: Path, name: str) -> None:
    store = new_store(tmp_path / "library")
    video = add(store, "first", OLD_TEXTS)
    path = store.paths.root / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    again = Store.open(store.paths.root)
    again.maintenance.rebuild_indexes()
    assert found(again, video.video_id) == (OLD_TEXTS, "stale", 0)
