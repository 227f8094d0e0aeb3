"""What belongs to one person is not found by another, also where only an id or an object is given."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import ExportNotFound, HeimdexError, SceneNotFound, VideoNotFound
from heimdex_core.files import write_json
from heimdex_core.library import Library
from heimdex_core.types import Export, ExportState, Scene, StageProgress, Video, utc_now
from tests.store import making


class Owned:
    """A library in which Mina has an indexed video that is worked on again, and an export that is being rendered."""

    def __init__(self, folder: Path) -> None:
        self.mina = Library.open(folder, user_id="mina", profile="offline")
        self.jun = self.mina.as_user("jun")
        store, spaces = self.mina._store, self.mina.spaces()
        video = making.register(store, "holiday", user_id="mina")
        staged = making.stage(store, video, ["the sea"], spaces=spaces)
        self.video: Video = store.commit_generation(video.video_id, staged, n=1, spaces=spaces.values())
        self.scene: Scene = self.mina.scenes(video.video_id)[0]
        progress = StageProgress("speech", 2, 9, 1.0, 4.0, None, utc_now().isoformat())
        write_json(store.paths.work(video.video_id) / "progress.json", {"shown": progress, "stages": {}})
        self.export: Export = store.exports.create(
            Export(str(uuid.uuid4()), "mina", "reel", "", ExportState.PROCESSING, (), utc_now(), job_id="of a worker")
        )
        write_json(store.paths.work_root / f"export-{self.export.export_id}" / "progress.json", progress)
        path = store.paths.export("mina", self.export.export_id)
        path.parent.mkdir()
        path.write_bytes(b"x")
        self.export = store.exports.update(self.export.export_id, path=store.paths.relative(path))


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owned]:
    made = Owned(tmp_path_factory.mktemp("library"))
    yield made
    made.mina.close()


QUESTIONS: list[tuple[type[HeimdexError], Callable[[Library, Owned], Any]]] = [
    (VideoNotFound, lambda lib, it: lib.video(it.video.video_id)),
    (VideoNotFound, lambda lib, it: lib.progress(it.video.video_id)),
    (VideoNotFound, lambda lib, it: lib.rename(it.video.video_id, "mine")),
    (VideoNotFound, lambda lib, it: lib.playable_path(it.video)),
    (VideoNotFound, lambda lib, it: lib.scenes(it.video.video_id)),
    (VideoNotFound, lambda lib, it: lib.words(it.video.video_id)),
    (SceneNotFound, lambda lib, it: lib.scene(it.scene.scene_id)),
    (SceneNotFound, lambda lib, it: [lib.scene_details.screen_text(it.scene.scene_id)]),
    (SceneNotFound, lambda lib, it: lib.frame_path(it.scene)),
    (SceneNotFound, lambda lib, it: lib.frame_path(it.scene, "0.webp")),
    (ExportNotFound, lambda lib, it: lib.exports.get(it.export.export_id)),
    (ExportNotFound, lambda lib, it: lib.exports.progress(it.export.export_id)),
    (ExportNotFound, lambda lib, it: lib.exports.file(it.export)),
]


@pytest.mark.parametrize(("error", "ask"), QUESTIONS, ids=range(len(QUESTIONS)))
def test_only_the_owner_gets_an_answer(
    owned: Owned, error: type[HeimdexError], ask: Callable[[Library, Owned], Any]
) -> None:
    assert ask(owned.mina, owned)
    with pytest.raises(error):
        ask(owned.jun, owned)


def test_progress_without_a_video_json_asks_the_catalog(owned: Owned) -> None:
    paths = owned.mina._store.paths
    about = paths.video_json(owned.video.video_id)
    kept = about.read_bytes()
    about.unlink()
    try:
        assert owned.mina.progress(owned.video.video_id)
        with pytest.raises(VideoNotFound):
            owned.jun.progress(owned.video.video_id)
    finally:
        about.write_bytes(kept)


@pytest.mark.parametrize("bad", ["", "../x", "0" * 36, "\0"])
def test_progress_of_no_video(owned: Owned, bad: str) -> None:
    with pytest.raises(VideoNotFound):
        owned.mina.progress(bad)
