"""The vision stage keeps a vector a keyframe; what it left before it did so holds until a video is indexed again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.stages import vision_embedding
from heimdex_core.ingest.stages.vision_embedding import SceneLooks
from heimdex_core.models.base import Vectors
from heimdex_core.store import Store, sidecar
from heimdex_core.store.keyframe_vectors import by_scene
from heimdex_core.types import Video
from tests.ingest.running import generation_of, ran_of, run_of, scenes_of
from tests.support import media
from tests.support.ingest import USER, MeanColour, SmallModels, new_store, place_video, settings

EXTRA = SmallModels(extra=("vision=mean-colour:2",))
SPACE = MeanColour.space


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red for 2 s, blue for 3 s and white for 1.6 s: three keyframes, three and one."""
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    return media.colour_clips(path, [("red", 2.0), ("blue", 3.0), ("white", 1.6)])


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """A library that version 1 of the vision stage indexed: one vector a scene."""
    root = tmp_path_factory.mktemp("indexed") / "library"
    embed = vision_embedding.embed_changed

    def pooled(*args: object) -> tuple[SceneLooks, Vectors]:
        looks, vectors = embed(*args)  # type: ignore[arg-type]
        scenes = by_scene(looks.named([str(n) for n in range(9)], vectors, "mean"))
        return SceneLooks(tuple(int(name) for name in scenes.scene_ids)), scenes.vectors

    store = new_store(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vision_embedding, "embed_changed", pooled)
        patch.setattr(vision_embedding, "VERSION", 1)
        patch.setitem(vision_embedding.SPEC.__dict__, "version", 1)
        patch.setitem(vision_embedding.SPEC.__dict__, "earlier", None)
        run_of(store, place_video(store, clip)).run()
    store.close()
    return root


@pytest.fixture
def store(indexed: Path, tmp_path: Path) -> Iterator[Store]:
    made = Store.open(shutil.copytree(indexed, tmp_path / "library"))
    yield made
    made.close()


def video_of(store: Store) -> Video:
    return store.videos(USER)[0]


def test_each_keyframe_of_a_new_video_has_its_vector(tmp_path: Path, clip: Path) -> None:
    store = new_store(tmp_path / "library")
    video = run_of(store, place_video(store, clip)).run()
    scenes = scenes_of(store, video)
    rows = sidecar.read_vector_rows(generation_of(store, video), SPACE)
    assert [len(scene.keyframes) for scene in scenes] == [3, 3, 1]
    assert list(zip(rows.scene_ids, rows.keyframes or (), strict=True)) == [
        (scene.scene_id, keyframe.file) for scene in scenes for keyframe in scene.keyframes
    ]
    assert np.linalg.norm(rows.vectors, axis=1) == pytest.approx(1.0, abs=1e-3)
    found = store.reader().view().keyframe_search(SPACE, [0.0, 0.0, 1.0], k=1, user_id=USER, temperature=0.0)
    assert found[0].scene_id == scenes[1].scene_id
    assert found[0].keyframe in [keyframe.file for keyframe in scenes[1].keyframes]
    store.close()


def test_one_vector_a_scene_holds_and_is_searched(store: Store) -> None:
    video = video_of(store)
    assert sidecar.read_vector_rows(generation_of(store, video), SPACE).keyframes is None
    again = run_of(store, video).run()
    assert again.generation == video.generation, "nothing was indexed again"
    found = store.reader().view().keyframe_search(SPACE, [0.0, 0.0, 1.0], k=3, user_id=USER, temperature=0.0)
    assert [match.keyframe for match in found] == [None] * 3
    assert found[0].scene_id == scenes_of(store, video)[1].scene_id


def test_whoever_indexes_a_video_again_gets_a_vector_a_keyframe(store: Store) -> None:
    run = run_of(store, video_of(store))
    run.work.ask_for_renewal()
    again = run.run()
    assert again.generation == 2
    rows = sidecar.read_vector_rows(generation_of(store, again), SPACE)
    assert rows.keyframes is not None
    assert len(rows.keyframes) == 7
    ran = ran_of(sidecar.read_provenance(generation_of(store, again))["stages"])
    assert "vision_embedding" in ran
    assert "transcript" not in ran


def test_vectors_of_unchanged_scenes_are_taken_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """First from one vector a scene, which cannot be used, then from a vector a keyframe."""
    seen: list[int] = []
    encode = MeanColour.encode_images

    def counting(model: MeanColour, images: list[np.ndarray]) -> Vectors:
        seen.append(len(images))
        return encode(model, images)

    monkeypatch.setattr(MeanColour, "encode_images", counting)
    store.scene_edits.split(USER, video_of(store).video_id, 3.5, minimum_s=1.0)
    first = run_of(store, video_of(store)).run()
    assert sum(seen) == sum(len(scene.keyframes) for scene in scenes_of(store, first))
    seen.clear()
    store.scene_edits.split(USER, first.video_id, 1.0, minimum_s=1.0)
    second = run_of(store, video_of(store)).run()
    parts = scenes_of(store, second)[:2]
    assert sum(seen) == sum(len(scene.keyframes) for scene in parts), "only the halves of the first scene"
    rows = sidecar.read_vector_rows(generation_of(store, second), SPACE)
    names = [(scene.scene_id, k.file) for scene in scenes_of(store, second) for k in scene.keyframes]
    assert list(zip(rows.scene_ids, rows.keyframes or (), strict=True)) == names


def test_an_extra_space_has_a_vector_a_keyframe_too(tmp_path: Path, clip: Path) -> None:
    store = Store.create(tmp_path / "library", profile="offline", models=EXTRA.choice.to_dict(), spaces=EXTRA.spaces)
    video = IngestRun(store, EXTRA, settings(), place_video(store, clip)).run()
    for space in (SPACE, EXTRA.spaces["vision/mean-colour-2"]):
        assert len(sidecar.read_vector_rows(generation_of(store, video), space).keyframes or ()) == 7
    assert IngestRun(store, EXTRA, settings(), video).run().generation == video.generation
    store.close()
