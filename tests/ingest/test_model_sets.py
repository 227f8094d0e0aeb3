"""Runs for sets of models: one that is not active, and one that stops being active in the middle."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import StageFailed
from heimdex_core.ingest.execution import StageOutcome
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Video, VideoState
from tests.ingest.running import break_stage, note_skipped
from tests.support import media
from tests.support.ingest import USER, SmallModels, add_set, new_store, place_video, settings


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose only video is indexed with the first models: red, then blue."""
    folder = tmp_path_factory.mktemp("indexed")
    path = media.colour_clips(folder / "a.mp4", [("red", 2.0), ("blue", 2.0)])
    made = new_store(folder / "library")
    IngestRun(made, SmallModels(), settings(), place_video(made, path)).run()
    made.close()
    return folder / "library"


@pytest.fixture
def store(library: Path, tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(shutil.copytree(library, tmp_path / "library"))
    yield opened
    opened.close()


@pytest.fixture
def video(store: Store) -> Video:
    return store.videos(USER)[0]


def test_a_set_that_is_not_active_leaves_the_video_as_it_is(store: Store, video: Video, monkeypatch):
    before = store.video(USER, video.video_id)
    models = SmallModels(vision="2")
    other = add_set(store, models)
    seen: list[tuple[VideoState, bool]] = []

    def look(outcome: StageOutcome) -> None:
        work = store.paths.work(video.video_id, other.set_id)
        seen.append((store.video(USER, video.video_id).state, work.exists()))

    returned = IngestRun(store, models, settings(), video, model_set=other, on_stage=look).run()
    assert {state for state, _ in seen} == {VideoState.INDEXED}
    assert [there for _, there in seen] == [True] * (len(seen) - 1) + [False]
    assert not store.paths.work(video.video_id).exists()
    assert returned == store.video(USER, video.video_id) == before
    assert store.sets.generation_of(video.video_id, other.set_id) == 2
    reader = store.reader().view()
    assert [scene.tags for scene in reader.scenes(USER, video.video_id)] == [("red",), ("blue",)]
    assert store.sets.pending(other.set_id).missing == ()
    # again it is there already
    again = IngestRun(store, models, settings(), video, model_set=other)
    assert again.run_stage("commit").skipped


@pytest.mark.expect_errors
def test_a_failure_there_is_none_of_the_video(store: Store, video: Video, monkeypatch):
    models = SmallModels(vision="2")
    other = add_set(store, models)
    with monkeypatch.context() as patched:
        break_stage(patched, "tags", 99, RuntimeError("out of luck"))
        with pytest.raises(StageFailed):
            IngestRun(store, models, settings(), video, model_set=other).run()
    after = store.video(USER, video.video_id)
    assert (after.state, after.error, after.generation) == (VideoState.INDEXED, None, 1)
    outcomes: dict[str, bool] = {}
    IngestRun(store, models, settings(), video, model_set=other, on_stage=note_skipped(outcomes)).run()
    assert [stage for stage, skipped in outcomes.items() if not skipped] == ["tags", "commit"]


@pytest.mark.long
def test_the_active_set_changes_in_the_middle_and_the_run_goes_on_with_the_new_models(
    tmp_path: Path, store: Store, video: Video
):
    models = SmallModels(vision="2")
    other = add_set(store, models)
    IngestRun(store, models, settings(), video, model_set=other).run()
    path = media.colour_clips(tmp_path / "b.mp4", [("green", 2.0), ("red", 2.5)])
    ran: list[str] = []

    def note(outcome: StageOutcome) -> None:
        if not outcome.skipped:
            ran.append(outcome.stage)
        if outcome.stage == "tags" and store.sets.active().set_id == 1:
            store.switch_set(other.set_id)

    run = IngestRun(
        store, SmallModels(), settings(), place_video(store, path), models_of=lambda one: models, on_stage=note
    )
    done = run.run()
    assert (done.state, done.error) == (VideoState.INDEXED, None)
    assert (store.sets.generation_of(done.video_id, 1), store.sets.generation_of(done.video_id, 2)) == (
        None,
        done.generation,
    )
    assert sorted(stage for stage in set(ran) if ran.count(stage) == 2) == ["tags", "vision_embedding"]
    folder = store.paths.generation(done.video_id, done.generation or 0)
    assert len(sidecar.read_vectors(folder, models.spaces["vision"])[0]) == 2


def test_models_of_another_set_than_the_active_one_are_not_used(store: Store, video: Video):
    models = SmallModels(speech="2")
    other = add_set(store, models)
    IngestRun(store, models, settings(), video, model_set=other).run()
    store.switch_set(other.set_id)
    # whoever holds on to the first models: same spaces, another recogniser
    run = IngestRun(store, SmallModels(), settings(), video, models_of=lambda one: models)
    assert run.models is models


@pytest.mark.long  # quick in test_reuse.py: other keyframes
def test_choices_of_the_video_itself_count(store: Store, video: Video):
    video = store.set_params(video.video_id, params={"keyframes_per_scene": 1})
    done = IngestRun(store, SmallModels(), settings(), video).run()
    scenes = sidecar.read_scenes(store.paths.generation(done.video_id, done.generation or 0))
    assert [len(scene.keyframes) for scene in scenes] == [1, 1]


# --- a failure of making it anew ------------------------------------------------------------------


@pytest.mark.expect_errors
def test_a_video_that_is_indexed_stays_so_when_indexing_it_again_fails(store: Store, video: Video, monkeypatch):
    store.paths.new_subtitles(video.video_id, ".srt").write_text(media.srt([(0.5, 1.5, "a bad cab")]))
    with monkeypatch.context() as patched:
        break_stage(patched, "text_embedding", 99, RuntimeError("out of luck"))
        with pytest.raises(StageFailed):
            IngestRun(store, SmallModels(), settings(), video).run()
    after = store.video(USER, video.video_id)
    assert (after.state, after.generation) == (VideoState.INDEXED, 1)
    assert after.error is not None
    assert after.error["code"] == "STAGE_FAILED"
    reader = store.reader().view()
    assert len(reader.scenes(USER, video.video_id)) == 2
    again = IngestRun(store, SmallModels(), settings(), after).run()
    assert (again.state, again.error, again.generation) == (VideoState.INDEXED, None, 2)
