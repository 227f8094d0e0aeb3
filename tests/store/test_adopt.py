from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.errors import InvalidFolder, SpaceMismatch
from heimdex_core.store import Store, sidecar
from heimdex_core.types import VideoState
from tests.store.making import INFO, SPACES, TEXT, add, axis, new_store, register


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A video's folder, copied out of the library that it was made in."""
    elsewhere = new_store(tmp_path / "elsewhere")
    video = add(elsewhere, "moved", ("words that move",), axis_of=3)
    copy = tmp_path / "copy"
    shutil.copytree(elsewhere.paths.video(video.video_id), copy)
    return copy


def edit(folder: Path, **changes: object) -> None:
    about = json.loads((folder / "video.json").read_text())
    (folder / "video.json").write_text(json.dumps({**about, **changes}))


def test_a_complete_folder_is_taken_over(tmp_path: Path, folder: Path) -> None:
    store = new_store(tmp_path / "library")
    video = store.adopt(folder, "someone")
    assert (video.state, video.title, video.user_id, video.info) == (VideoState.INDEXED, "moved", "someone", INFO)
    assert video.transcript_source == "subtitles"
    assert video.job_id is None
    reader = store.reader()
    assert len(reader.lexical_search("move", k=5, user_id="someone").hits) == 1
    assert reader.vector_search(TEXT, axis(3, 8), k=1, user_id="someone")[0][1] == 1.0
    assert store.paths.source(video.video_id).read_bytes() == b"the bytes of moved"
    assert reader.frame_path(reader.scenes("someone")[0], "0.webp").is_file()
    assert store.adopt(folder, "someone") == video
    assert store.check_indexes() == []


def test_the_owners_own_video_of_these_bytes_wins(tmp_path: Path, folder: Path) -> None:
    store = new_store(tmp_path / "library")
    own = register(store, "moved")
    assert store.adopt(folder, "local") == own


def test_a_taken_id_is_changed_everywhere(tmp_path: Path, folder: Path) -> None:
    store = new_store(tmp_path / "library")
    first, second = store.adopt(folder, "local"), store.adopt(folder, "someone")
    assert first.video_id != second.video_id
    reader = store.reader()
    scene = reader.scenes("someone")[0]
    assert scene.scene_id == f"{second.video_id}_0_2000"
    assert reader.vector_search(TEXT, axis(3, 8), k=1, user_id="someone") == [(scene.scene_id, 1.0)]
    assert [s.text for s in reader.words("someone", second.video_id)] == ["words that move"]
    assert store.next_generation(second.video_id) == 2


def test_a_stale_generation_number_is_no_harm(tmp_path: Path, folder: Path) -> None:
    (folder / "gen" / "1").rename(folder / "gen" / "4")
    video = new_store(tmp_path / "library").adopt(folder, "local")
    assert video.generation == 4


BREAKAGES: dict[str, Callable[[Path], object]] = {
    "no video.json": lambda f: (f / "video.json").unlink(),
    "rubbish": lambda f: (f / "video.json").write_text("{"),
    "not an object": lambda f: (f / "video.json").write_text("[]"),
    "newer format": lambda f: edit(f, format=2),
    "path as id": lambda f: edit(f, video_id="../../x"),
    "another id": lambda f: edit(f, video_id="6f0a2c1e-0000-4000-8000-000000000001"),
    "broken info": lambda f: edit(f, info={"x": 1}),
    "another source": lambda f: (f / "source.mp4").write_bytes(b"other"),
    "no source": lambda f: (f / "source.mp4").unlink(),
    "two sources": lambda f: (f / "source.avi").touch(),
    "no generation": lambda f: shutil.rmtree(f / "gen"),
    "broken scenes": lambda f: (f / "gen" / "1" / "scenes.parquet").write_bytes(b"rubbish"),
    "a link": lambda f: (f / "gen" / "1" / "frames" / "1.webp").symlink_to("/etc/passwd"),
    "no folder": shutil.rmtree,
}


@pytest.mark.parametrize("name", sorted(BREAKAGES))
def test_incomplete_folders_are_refused_and_leave_nothing(tmp_path: Path, folder: Path, name: str) -> None:
    store = new_store(tmp_path / "library")
    BREAKAGES[name](folder)
    with pytest.raises(InvalidFolder):
        store.adopt(folder, "local")
    assert store.videos("local") == []
    assert list(store.paths.videos.iterdir()) == []


def test_other_models_are_refused(tmp_path: Path, folder: Path) -> None:
    spaces = {**SPACES, "text": replace(TEXT, name="text/another", model="another")}
    store = Store.create(tmp_path / "library", profile="studio", models={}, spaces=spaces)
    with pytest.raises(SpaceMismatch):
        store.adopt(folder, "local")
    generation = folder / "gen" / "1"
    sidecar.write_vectors(generation, replace(TEXT, revision="9"), [], [])
    with pytest.raises(SpaceMismatch):
        new_store(tmp_path / "second").adopt(folder, "local")
