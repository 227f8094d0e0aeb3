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
from tests.store.making import INFO, SPACES, TEXT, add, axis, content_of, new_store, register


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video's folder in another library."""
    elsewhere = new_store(tmp_path_factory.mktemp("elsewhere"))
    video = add(elsewhere, "moved", ("words that move",), axis_of=3)
    return elsewhere.paths.video(video.video_id)


@pytest.fixture
def folder(tmp_path: Path, original: Path) -> Path:
    """A copy of that folder; a test may change it."""
    copy = tmp_path / "copy"
    shutil.copytree(original, copy)
    return copy


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A library that stays empty: what it is given is refused."""
    return new_store(tmp_path_factory.mktemp("empty"))


def edit(folder: Path, **changes: object) -> None:
    about = json.loads((folder / "video.json").read_text())
    (folder / "video.json").write_text(json.dumps({**about, **changes}))


def test_a_complete_folder_is_adopted(tmp_path: Path, folder: Path) -> None:
    store = new_store(tmp_path / "library")
    video = store.adopt(folder, "someone")
    assert (video.state, video.title, video.user_id, video.info) == (VideoState.INDEXED, "moved", "someone", INFO)
    assert video.transcript_source == "subtitles"
    assert video.job_id is None
    view = store.reader().view()
    assert len(view.lexical_search("move", k=5, user_id="someone").hits) == 1
    assert view.vector_search(TEXT, axis(3, 8), k=1, user_id="someone")[0][1] == 1.0
    assert store.paths.source(video.video_id).read_bytes() == content_of("moved")
    assert view.frame_path(view.scenes("someone")[0], "0.webp").is_file()
    assert store.adopt(folder, "someone") == video
    assert store.maintenance.check_indexes() == []


def test_the_users_own_video_of_the_same_bytes_is_kept(tmp_path: Path, folder: Path) -> None:
    store = new_store(tmp_path / "library")
    own = register(store, "moved")
    assert store.adopt(folder, "local") == own


def test_an_id_in_use_is_replaced_everywhere(tmp_path: Path, folder: Path) -> None:
    store = new_store(tmp_path / "library")
    first, second = store.adopt(folder, "local"), store.adopt(folder, "someone")
    assert first.video_id != second.video_id
    view = store.reader().view()
    scene = view.scenes("someone")[0]
    assert scene.scene_id == f"{second.video_id}_0_2000"
    assert view.vector_search(TEXT, axis(3, 8), k=1, user_id="someone") == [(scene.scene_id, 1.0)]
    assert [s.text for s in view.words("someone", second.video_id)] == ["words that move"]
    assert store.next_generation(second.video_id) == 2


def test_a_generation_of_another_number_than_in_video_json_is_found(tmp_path: Path, folder: Path) -> None:
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
def test_incomplete_folders_are_refused_and_leave_nothing(empty_store: Store, folder: Path, name: str) -> None:
    BREAKAGES[name](folder)
    with pytest.raises(InvalidFolder):
        empty_store.adopt(folder, "local")
    assert empty_store.videos("local") == []
    assert list(empty_store.paths.videos.iterdir()) == []


def test_vectors_of_other_models_are_refused(tmp_path: Path, folder: Path, empty_store: Store) -> None:
    spaces = {**SPACES, "text": replace(TEXT, name="text/another", model="another")}
    store = Store.create(tmp_path / "library", profile="studio", models={}, spaces=spaces)
    with pytest.raises(SpaceMismatch):
        store.adopt(folder, "local")
    generation = folder / "gen" / "1"
    sidecar.write_vectors(generation, replace(TEXT, revision="9"), [], [])
    with pytest.raises(SpaceMismatch):
        empty_store.adopt(folder, "local")
