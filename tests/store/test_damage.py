"""What is missing or damaged in a library is found, each with its code and the step that repairs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.store import Store, damage
from heimdex_core.types import Video, VideoState
from tests.store.making import INFO, SPACES, add, content_of, new_store

CONTENT = content_of("one")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Video]:
    """A library with one sound video of two scenes, which has a preview."""
    store = new_store(tmp_path_factory.mktemp("library"))
    video = add(store, "one", ("first words", "second words"))
    with store.catalog.transaction() as transaction:
        transaction.update("videos", {"has_preview": True}, {"video_id": video.video_id})
    store.paths.preview(video.video_id).write_bytes(b"preview")
    store.set_state(video.video_id, VideoState.INDEXED, info=replace(INFO, size_bytes=len(CONTENT)))
    return store, store.video("local", video.video_id)


@pytest.fixture
def folder(made: tuple[Store, Video]) -> Iterator[Path]:
    """The video's folder, as it was again afterwards."""
    store, video = made
    folder = store.paths.video(video.video_id)
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    kept.rename(folder)


def found(made: tuple[Store, Video]) -> list[damage.Damage]:
    store, video = made
    active = store.sets.active()
    return damage.of_video(store.paths, video, [(active, video.generation or 0)])


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(bytes(content))


DAMAGE: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "the folder": (shutil.rmtree, "VIDEO_FOLDER_MISSING", "missing"),
    "the source": (lambda f: (f / "source.mp4").unlink(), "SOURCE_DAMAGED", "is missing"),
    "half the source": (lambda f: os.truncate(f / "source.mp4", 5), "SOURCE_DAMAGED", "5 bytes instead of 100"),
    "video.json": (lambda f: (f / "video.json").unlink(), "VIDEO_JSON_DAMAGED", "it is missing"),
    "half of video.json": (lambda f: os.truncate(f / "video.json", 50), "VIDEO_JSON_DAMAGED", "video.json"),
    "the preview": (lambda f: (f / "preview.mp4").unlink(), "PREVIEW_MISSING", "preview"),
    "all of the preview": (lambda f: os.truncate(f / "preview.mp4", 0), "PREVIEW_MISSING", "preview"),
    "gen/": (lambda f: shutil.rmtree(f / "gen"), "GENERATION_DAMAGED", "its folder is missing"),
    "vectors/": (lambda f: shutil.rmtree(f / "gen/1/vectors"), "GENERATION_DAMAGED", "vectors/text/made-up.parquet"),
    "one space": (
        lambda f: (f / "gen/1/vectors/vision/made-up.parquet").unlink(),
        "GENERATION_DAMAGED",
        "vectors/vision/made-up.parquet is missing",
    ),
    "words.parquet": (lambda f: (f / "gen/1/words.parquet").unlink(), "GENERATION_DAMAGED", "words.parquet is missing"),
    "scenes.parquet": (
        lambda f: (f / "gen/1/scenes.parquet").unlink(), "GENERATION_DAMAGED", "scenes.parquet is missing",
    ),
    "half of scenes.parquet": (
        lambda f: os.truncate(f / "gen/1/scenes.parquet", 900), "GENERATION_DAMAGED", "scenes.parquet cannot be read",
    ),
    "half of words.parquet": (
        lambda f: os.truncate(f / "gen/1/words.parquet", 900), "GENERATION_DAMAGED", "words.parquet cannot be read",
    ),
    "half of the vectors": (
        lambda f: os.truncate(f / "gen/1/vectors/text/made-up.parquet", 300), "GENERATION_DAMAGED", "cannot be read",
    ),
    # 4 bytes of magic, then the header of the first page; byte 60 is in its values
    "a bit of the vectors": (
        lambda f: flip(f / "gen/1/vectors/text/made-up.parquet", 60), "GENERATION_DAMAGED", "cannot be read",
    ),
    "frames/": (lambda f: shutil.rmtree(f / "gen/1/frames"), "GENERATION_DAMAGED", "frames/ is missing"),
    "a picture": (lambda f: (f / "gen/1/frames/0.webp").unlink(), "GENERATION_DAMAGED", "frames/0.webp is missing"),
    "half a picture": (
        lambda f: (f / "gen/1/frames/0.webp").write_bytes(b"RIFF\xff\x00\x00\x00WEBP"),
        "GENERATION_DAMAGED",
        "frames/0.webp is incomplete",
    ),
}  # fmt: skip


def test_nothing_is_wrong_with_a_sound_library(made: tuple[Store, Video]) -> None:
    store, _ = made
    assert store.maintenance.damage() == []
    assert store.maintenance.check_indexes() == []


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_missing_or_damaged_is_found(made: tuple[Store, Video], folder: Path, name: str) -> None:
    change, code, said = DAMAGE[name]
    change(folder)
    (one,) = found(made)
    assert (one.code, one.video_id) == (code, made[1].video_id)
    assert said in one.message
    assert "python -m heimdex_core" in one.hint


def test_reindexing_reports_damage_and_goes_on(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    good, bad = add(store, "good", ("good words",)), add(store, "bad", ("bad words",), axis_of=1)
    shutil.rmtree(store.paths.generation(bad.video_id, 1) / "vectors")
    (store.paths.generation(bad.video_id, 1) / "words.parquet").unlink()
    report = store.maintenance.rebuild_indexes()
    assert (report["videos"], report["scenes"]) == (2, 2)
    assert report["vectors"] == {space.name: 1 for space in SPACES.values()}
    told = [problem for problem in report["problems"] if bad.video_id in problem and "Generation" in problem]
    assert len(told) == 1
    assert all(name in told[0] for name in ("words.parquet is missing", "vectors/text/made-up.parquet is missing"))
    assert not [problem for problem in report["problems"] if good.video_id in problem and "Generation" in problem]
    assert not store.maintenance.is_intact(bad)
    assert store.maintenance.is_intact(good)


def test_a_folder_without_a_record_is_named(made: tuple[Store, Video]) -> None:
    store, _ = made
    stranger = store.paths.videos / "6f0a2c1e-0000-4000-8000-000000000001"
    stranger.mkdir()
    try:
        (one,) = store.maintenance.damage()
        assert (one.code, one.video_id) == ("VIDEO_NOT_IN_CATALOG", stranger.name)
        assert "repair" in one.hint
    finally:
        stranger.rmdir()


# --- indexes --------------------------------------------------------------------------------------


def files_of_indexes(store: Store) -> list[Path]:
    return sorted(path for path in store.paths.indexes.rglob("*") if path.is_file() and not path.name.startswith("."))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = new_store(tmp_path_factory.mktemp("indexed"))
    add(store, "one", ("first words", "second words"))
    return store


@pytest.mark.parametrize(
    "how", ["a flipped bit", *(pytest.param(name, marks=pytest.mark.long) for name in ("deleted", "cut off"))]
)
def test_damage_in_any_file_of_an_index_is_found(indexed: Store, how: str) -> None:
    """Every file of every index, one after the other."""
    current = files_of_indexes(indexed)
    assert {path.suffix for path in current} >= {".faiss", ".parquet", ".json", ".term", ".store", ".pos"}
    unseen = []
    for path in current:
        content = path.read_bytes()
        if how == "deleted":
            path.unlink()
        else:
            cut_or_flipped = content[: len(content) // 2]
            if how == "a flipped bit":
                cut_or_flipped += bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
            path.write_bytes(cut_or_flipped)
        if indexed.maintenance.check_indexes() == []:
            unseen.append(path.name)
        path.write_bytes(content)
    assert unseen == []
    assert indexed.maintenance.check_indexes() == []
