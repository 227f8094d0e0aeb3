"""Generations that are committed together: each as if it were alone, at the price of one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import DiskFull, HeimdexError, InvalidFolder, InvalidValue, SpaceMismatch, VideoNotFound
from heimdex_core.store import Store, commit, vectors, visible
from heimdex_core.store import adopt as adopting
from heimdex_core.store.commit import Outcome, StagedGeneration
from heimdex_core.store.vector_writing import Rows
from heimdex_core.types import Video, VideoState
from tests.store.crash_driver import drive, telling
from tests.store.making import SPACES, TEXT, add, axis, new_store, register, stage


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def staged(store: Store, name: str, word: str, *, axis_of: int = 0) -> StagedGeneration:
    """A new video whose only scene has this word."""
    video = register(store, name)
    folder = stage(store, video, (word,), axis_of=axis_of)
    changes = {"transcript_source": "subtitles"}
    return StagedGeneration(video.video_id, folder, 1, changes, spaces=tuple(SPACES.values()))


def words_found(store: Store, *words: str) -> dict[str, list[str]]:
    """The videos that each word finds."""
    view = store.reader().view()
    return {
        word: [scene_id.split("_")[0] for scene_id, _ in view.lexical_search(word, k=9, user_id="local").hits]
        for word in words
    }


def kinds(outcomes: list[Outcome]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


def count_calls(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    calls: list[Any] = []
    real = getattr(module, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, counted)
    return calls


def test_a_batch_costs_one_write_of_everything(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [staged(store, "one", "apples"), staged(store, "two", "pears", axis_of=1), staged(store, "three", "plums")]
    segments = count_calls(monkeypatch, vectors, "write_segment")
    published = count_calls(monkeypatch, visible, "write")
    outcomes = store.commit_generations(batch)
    assert (len(segments), len(published)) == (2, 1)  # a segment for each of the two spaces
    assert [(o.state, o.generation, o.scene_count) for o in outcomes if isinstance(o, Video)] == [
        (VideoState.INDEXED, 1, 1)
    ] * 3
    ids = [given.video_id for given in batch]
    assert words_found(store, "apples", "pears", "plums") == {"apples": ids[:1], "pears": ids[1:2], "plums": ids[2:]}
    best = store.reader().view().vector_search(TEXT, axis(1, TEXT.dim), k=1, user_id="local")
    assert best[0][0].split("_")[0] == ids[1]
    assert store.maintenance.check_indexes() == []
    again = store.commit_generations(batch)
    assert [(o.state, o.generation, o.scene_count) for o in again if isinstance(o, Video)] == [
        (VideoState.INDEXED, 1, 1)
    ] * 3
    assert len(segments) == 2


def test_one_that_is_refused_leaves_the_others(store: Store) -> None:
    good = staged(store, "good", "apples")
    wrong_space = replace(staged(store, "space", "pears"), spaces=(replace(TEXT, revision="9"),))
    empty = staged(store, "empty", "plums")
    (empty.staged / "scenes.parquet").unlink()
    twice = replace(good, n=2, staged=stage(store, store.video("local", good.video_id), ("figs",)))
    unknown = replace(good, video_id="0" * 8 + "-0000-4000-8000-" + "0" * 12, staged=good.staged)
    elsewhere = replace(staged(store, "elsewhere", "limes"), staged=store.paths.root)
    last = staged(store, "last", "dates")
    outcomes = store.commit_generations([wrong_space, good, empty, twice, unknown, elsewhere, last])
    assert kinds(outcomes) == [SpaceMismatch, Video, InvalidFolder, InvalidValue, InvalidValue, InvalidValue, Video]
    assert words_found(store, "apples", "pears", "plums", "figs", "dates") == {
        "apples": [good.video_id],
        "pears": [],
        "plums": [],
        "figs": [],
        "dates": [last.video_id],
    }
    assert store.video("local", wrong_space.video_id).state == VideoState.PROCESSING
    assert store.maintenance.check_indexes() == []


def test_one_that_does_not_fit_on_the_disk_leaves_the_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [staged(store, "one", "apples"), staged(store, "large", "pears"), staged(store, "two", "plums")]
    large = batch[1].video_id
    real = vectors.write_segment

    def write(folder: Path, space: Any, number: int, kind: str, generations: list[Rows], **options: Any) -> Any:
        if any(rows.key[0] == large for rows in generations):
            raise DiskFull(what="an index", needed_bytes=1, free_bytes=0)
        return real(folder, space, number, kind, generations, **options)

    monkeypatch.setattr(vectors, "write_segment", write)
    outcomes = store.commit_generations(batch)
    assert kinds(outcomes) == [Video, DiskFull, Video]
    assert words_found(store, "apples", "pears", "plums") == {
        "apples": [batch[0].video_id],
        "pears": [],
        "plums": [batch[2].video_id],
    }
    assert store.video("local", large).state == VideoState.PROCESSING
    assert list(store.paths.generations(large).iterdir()) == []
    assert store.maintenance.check_indexes() == []


def test_a_video_that_is_removed_meanwhile_leaves_the_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [staged(store, "gone", "apples"), staged(store, "stays", "pears")]
    real = commit.indexing.sync

    def sync(*args: Any, **options: Any) -> Any:
        done = real(*args, **options)
        with store.catalog.transaction() as transaction:
            commit.videos.remove(transaction, batch[0].video_id)
        return done

    monkeypatch.setattr(commit.indexing, "sync", sync)
    assert kinds(store.commit_generations(batch)) == [VideoNotFound, Video]
    assert words_found(store, "apples", "pears") == {"apples": [], "pears": [batch[1].video_id]}


@pytest.mark.long
def test_a_batch_killed_anywhere(tmp_path: Path) -> None:
    store = new_store(tmp_path / "library")
    ids = [add(store, name, ("stale words",)).video_id for name in ("one", "two")]
    for video_id in ids:
        stage(store, store.video("local", video_id), ("fresh words",))
    names = drive("batch", store.paths.root, tmp_path / "out")
    assert names.count("generation-renamed") == 2
    assert names.count("catalog-committed") == 1
    seen: list[list[str]] = []
    for step, name in telling(names):
        again = Store.open(tmp_path / "out" / str(step))
        found = words_found(again, "stale", "fresh")
        assert sorted(found["stale"] + found["fresh"]) == sorted(ids), name
        seen.append(found["fresh"])
        batch = []
        for video_id in ids:
            folder = again.paths.generations(video_id)
            left = next((p for p in folder.glob(".tmp-*") if (p / "scenes.parquet").exists()), folder / ".tmp-none")
            batch.append(StagedGeneration(video_id, left, 2))
        assert kinds(again.commit_generations(batch)) == [Video, Video], name
        assert words_found(again, "stale", "fresh")["stale"] == [], name
        assert again.maintenance.check_indexes() == [], name
        assert [p.name for one in ids for p in again.paths.generations(one).iterdir()] == ["2", "2"], name
    assert [len(fresh) for fresh in seen] == sorted(len(fresh) for fresh in seen)
    assert {len(fresh) for fresh in seen} == {0, 2}  # one transaction shows both


# --- adopting -------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """The folders of three videos of another library."""
    elsewhere = new_store(tmp_path / "elsewhere")
    return [elsewhere.paths.video(add(elsewhere, word, (word,)).video_id) for word in ("apples", "pears", "plums")]


def test_folders_are_adopted_in_batches(store: Store, folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folders[1] / "gen")
    copy = folders[0].with_name("copy")
    shutil.copytree(folders[0], copy)
    about = json.loads((copy / "video.json").read_text())
    (copy / "source.mp4").write_bytes(b"other bytes")
    other = "2f8a1b2b4a0fe7c8b3bd0dd4a2f51b0cba1cbe5de5ac4be2a7be4ff4a8d5f1cd"
    (copy / "video.json").write_text(json.dumps({**about, "sha256": other}))
    published = count_calls(monkeypatch, visible, "write")
    outcomes = store.adopt_all([folders[0], folders[1], folders[0], folders[2], copy], "local")
    assert kinds(outcomes) == [Video, InvalidFolder, Video, Video, InvalidFolder]
    assert outcomes[0] == outcomes[2]  # the same folder twice is one video
    assert len(published) == 1
    assert words_found(store, "apples", "plums") == {"apples": [folders[0].name], "plums": [folders[2].name]}
    assert store.maintenance.check_indexes() == []
    monkeypatch.setattr(adopting, "BATCH_SCENES", 1)
    another = new_store(store.paths.root.with_name("another"))
    del published[:]
    assert kinds(another.adopt_all([folders[0], folders[2]], "local")) == [Video, Video]
    assert len(published) == 2


def test_a_full_disk_leaves_nothing_of_an_adopted_video(
    store: Store, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise DiskFull(what="an index", needed_bytes=1, free_bytes=0)

    with monkeypatch.context() as patched:
        patched.setattr(commit.indexing, "sync", full)
        assert kinds(store.adopt_all(folders[:2], "local")) == [DiskFull, DiskFull]
    assert store.videos("local") == []
    assert list(store.paths.videos.iterdir()) == []
    assert not any(isinstance(one, HeimdexError) for one in store.adopt_all(folders[:2], "local"))
