"""Scenes split and merged by hand, through the stages: what is run again, and what another run makes of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import EditsDamaged
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.media.images import read_image
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Scene, Video, VideoState
from tests.ingest.running import anew, generation_of, scenes_of, thumbnail_of
from tests.support.ingest import USER, SmallModels, settings

AFTER_AN_EDIT = {"scenes", "keyframes", "vision_embedding", "tags", "text_embedding"}


@pytest.fixture
def store(indexed: Path, tmp_path: Path) -> Iterator[Store]:
    made = Store.open(shutil.copytree(indexed, tmp_path / "library"))
    yield made
    made.close()


@pytest.fixture
def video(store: Store) -> Video:
    return store.videos(USER)[0]


def times(store: Store, video: Video) -> list[tuple[float, float]]:
    return [(round(scene.start_s, 3), round(scene.end_s, 3)) for scene in scenes_of(store, video)]


def vectors_of(store: Store, video: Video, kind: str) -> dict[str, np.ndarray]:
    space = store.sets.active().spaces[kind]
    return dict(zip(*sidecar.read_vectors(generation_of(store, video), space), strict=True))


def colours(store: Store, scenes: list[Scene]) -> list[str]:
    names = {"100": "red", "001": "blue", "111": "white"}
    means = [thumbnail_of(store, scene).mean(axis=(0, 1)) for scene in scenes]
    return [names["".join(str(int(part > 128)) for part in mean)] for mean in means]


def test_only_what_depends_on_the_scenes_is_made_again(store: Store, video: Video) -> None:
    assert times(store, video) == [(0.0, 2.0), (2.0, 5.0), (5.0, 6.6)]
    store.scene_edits.split(USER, video.video_id, 3.5, minimum_s=1.0)
    seen_meanwhile = times(store, video)
    again, ran = anew(store, video)
    assert seen_meanwhile == [(0.0, 2.0), (2.0, 5.0), (5.0, 6.6)]
    assert (again.state, again.generation) == (VideoState.INDEXED, 2)
    assert ran == AFTER_AN_EDIT, "the picture was not decoded again, and nothing was recognised"
    assert times(store, video) == [(0.0, 2.0), (2.0, 3.5), (3.5, 5.0), (5.0, 6.6)]
    scenes = scenes_of(store, video)
    assert colours(store, scenes) == ["red", "blue", "blue", "white"]
    assert [scene.transcript for scene in scenes] == ["a bad cab", "dead beef", "dead beef", "face facade"]
    assert all(scene.start_s <= frame.time_s < scene.end_s for scene in scenes for frame in scene.keyframes)
    assert [edit.state for edit in store.scene_edits.of_video(USER, video.video_id)] == ["applied"]
    assert store.scene_edits.outdated() == []
    assert anew(store, video)[1] == set(), "nothing has changed since"


@pytest.mark.long
def test_a_merged_scene_has_the_words_and_pictures_of_both(store: Store, video: Video) -> None:
    store.scene_edits.merge(USER, video.video_id, 5.0)
    again, ran = anew(store, video)
    assert ran == AFTER_AN_EDIT
    assert times(store, again) == [(0.0, 2.0), (2.0, 6.6)]
    _, merged = scenes_of(store, again)
    assert merged.transcript == "dead beef face facade"
    assert {frame.time_s < 5.0 for frame in merged.keyframes} == {True, False}


@pytest.mark.long
def test_it_is_what_decoding_everything_gives(store: Store, video: Video, indexed: Path, tmp_path: Path) -> None:
    """The pictures and vectors that are used again, and those fetched one by one, are those of a whole run."""
    store.scene_edits.split(USER, video.video_id, 3.5, minimum_s=1.0)
    quick, _ = anew(store, video)
    other = Store.open(shutil.copytree(indexed, tmp_path / "other"))
    shutil.rmtree(generation_of(other, video) / "stages")
    other.scene_edits.split(USER, video.video_id, 3.5, minimum_s=1.0)
    whole, ran = anew(other, video)
    assert "picture" in ran
    assert [(s.scene_id, s.keyframes, s.tags, s.motion) for s in scenes_of(store, quick)] == [
        (s.scene_id, s.keyframes, s.tags, s.motion) for s in scenes_of(other, whole)
    ]
    for frame in (frame for scene in scenes_of(store, quick) for frame in scene.keyframes):
        one, same = (read_image(generation_of(at, quick) / "frames" / frame.file) for at in (store, other))
        assert np.abs(one.astype(int) - same).max() <= 2, frame
    for kind in ("text", "vision"):
        found, expected = vectors_of(store, quick, kind), vectors_of(other, whole, kind)
        assert list(found) == list(expected)
        assert all(np.allclose(found[scene_id], expected[scene_id], atol=2e-3) for scene_id in found)
    other.close()


@pytest.mark.long
def test_models_look_only_at_what_is_new(store: Store, video: Video) -> None:
    store.scene_edits.split(USER, video.video_id, 3.5, minimum_s=1.0)
    models = SmallModels()
    IngestRun(store, models, settings(), store.video(USER, video.video_id)).run()
    new = scenes_of(store, video)[1:3]
    assert sum(models.vision().batches) == sum(len(scene.keyframes) for scene in new)
    # each of the two pieces has the line of the scene that was split: the vector of that line is known
    assert models.text().batches == []


def test_an_undone_edit_leaves_the_scenes_of_before(store: Store, video: Video) -> None:
    before = [(s.scene_id, s.keyframes) for s in scenes_of(store, video)]
    store.scene_edits.merge(USER, video.video_id, 2.0)
    anew(store, video)
    store.scene_edits.undo(USER, video.video_id, None)
    again, _ = anew(store, video)
    assert [(s.scene_id, s.keyframes) for s in scenes_of(store, again)] == before
    assert again.notes == video.notes


@pytest.mark.long
def test_a_picture_that_is_gone_is_made_again(store: Store, video: Video) -> None:
    store.scene_edits.split(USER, video.video_id, 3.5, minimum_s=1.0)
    red = scenes_of(store, video)[0]
    (generation_of(store, video) / "frames" / red.keyframes[0].file).unlink()
    again, ran = anew(store, video)
    assert "picture" in ran
    assert colours(store, scenes_of(store, again)) == ["red", "blue", "blue", "white"]


# --- other parameters -----------------------------------------------------------------------------


def test_edits_hold_with_other_parameters(store: Store, video: Video) -> None:
    store.scene_edits.split(USER, video.video_id, 3.5, minimum_s=1.0)
    anew(store, video)
    store.scene_edits.merge(USER, video.video_id, 5.0)
    anew(store, video)
    store.set_state(video.video_id, VideoState.PROCESSING)
    again, ran = anew(store, video, IngestParams.from_settings(settings(), content_threshold=20.0))
    assert "picture" in ran
    assert times(store, again) == [(0.0, 2.0), (2.0, 3.5), (3.5, 6.6)]
    assert [one.state for one in store.scene_edits.of_video(USER, video.video_id)] == ["applied", "applied"]


@pytest.mark.long
def test_what_no_longer_fits_is_noted_and_kept(store: Store, video: Video) -> None:
    """With scenes of at least 2.5 s, the cut at 5 s is no boundary: there is nothing to be merged."""
    store.scene_edits.merge(USER, video.video_id, 5.0)
    anew(store, video)
    store.set_state(video.video_id, VideoState.PROCESSING)
    longer = IngestParams.from_settings(settings(), min_scene_s=2.5)
    again, _ = anew(store, video, longer)
    assert times(store, again) == [(0.0, 6.6)]
    assert "edits_not_applied:1" in again.notes
    (edit,) = store.scene_edits.of_video(USER, video.video_id)
    assert edit.state == "not_applied"
    store.set_state(video.video_id, VideoState.PROCESSING)
    back, _ = anew(store, video)
    assert times(store, back) == [(0.0, 2.0), (2.0, 6.6)]
    assert not [note for note in back.notes if note.startswith("edits")]


@pytest.mark.long
def test_edits_of_a_newer_version_are_noted(store: Store, video: Video) -> None:
    path = store.paths.video(video.video_id) / "edits.json"
    path.write_text('{"version": 2, "operations": [{"op": "correct_line", "text": "x"}]}')
    store.set_state(video.video_id, VideoState.PROCESSING)
    again, _ = anew(store, video)
    assert "edits_unknown:1" in again.notes
    assert times(store, again) == times(store, video)


def test_without_its_edits_a_video_is_not_indexed(store: Store, video: Video) -> None:
    store.scene_edits.merge(USER, video.video_id, 5.0)
    (store.paths.video(video.video_id) / "edits.json").write_text("{")
    with pytest.raises(EditsDamaged):
        anew(store, video)
    kept = store.video(USER, video.video_id)
    assert (kept.state, kept.generation) == (VideoState.INDEXED, 1)
    assert kept.error is not None
    assert kept.error["code"] == "EDITS_DAMAGED"
    assert len(times(store, video)) == 3, "it is found as before"
