"""A video's way through the stages: what is made, what is skipped, what is said when it fails."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import Cancelled, DiskFull, NoVideoStream, StageFailed
from heimdex_core.ingest import recipe
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.progress import OPTIONAL, STAGES
from heimdex_core.ingest.recipe import Kitchen, Made
from heimdex_core.ingest.work import read_progress
from heimdex_core.media.images import read_image
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Scene, StageProgress, Video, VideoState, WorkContext
from tests.support import media
from tests.support.ingest import USER, LetterText, MeanColour, SmallModels, new_store, place_video, settings

PLAIN = tuple(stage for stage in STAGES if stage not in OPTIONAL)
"""What a video goes through with models that neither describe pictures nor have further spaces."""


@pytest.fixture
def store(tmp_path: Path):
    made = new_store(tmp_path / "library")
    yield made
    made.close()


def run_of(store: Store, video: Video, **options: object) -> IngestRun:
    return IngestRun(store, SmallModels(), settings(), video, **options)


def scenes_of(store: Store, video: Video) -> list[Scene]:
    reader = store.reader()
    reader.refresh()
    return reader.scenes(USER, video.video_id)


def three_colours(tmp_path: Path, **options: object) -> Path:
    return media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("blue", 3.0), ("white", 1.6)], **options)


def ran_of(entries: list[dict]) -> list[str]:
    """The stages that were not skipped, in their order."""
    return [entry["stage"] for entry in entries if not entry["skipped"]]


# --- what comes out -------------------------------------------------------------------------------


def test_a_video_becomes_scenes_with_pictures_words_and_vectors(tmp_path: Path, store: Store):
    lines = tmp_path / "a.srt"
    lines.write_text(media.srt([(0.5, 1.5, "a bad cab"), (2.5, 4.5, "dead beef"), (5.2, 6.0, "xyz")]))
    video = run_of(store, place_video(store, three_colours(tmp_path, tone_hz=440), subtitles=lines)).run()
    assert video.state == VideoState.INDEXED
    assert (video.scene_count, video.transcript_source, video.transcript_rough) == (3, "subtitles", False)
    scenes = scenes_of(store, video)
    assert [(s.start_s, round(s.end_s, 2)) for s in scenes] == [(0.0, 2.0), (2.0, 5.0), (5.0, 6.6)]
    assert [s.transcript for s in scenes] == ["a bad cab", "dead beef", "xyz"]
    assert [s.tags for s in scenes] == [("red",), ("blue",), ("red",)]
    assert [len(s.keyframes) for s in scenes] == [3, 3, 1]
    assert scenes[0].dominant_colours[0].startswith("#f")
    reader = store.reader()
    for scene in scenes:
        assert read_image(reader.frame_path(scene, scene.thumbnail)).shape == (180, 320, 3)
    folder = store.paths.generation(video.video_id, video.generation)
    ids, vectors = sidecar.read_vectors(folder, MeanColour.space)
    assert ids == [s.scene_id for s in scenes]
    assert np.argmax(vectors[0]) == 0
    assert np.argmax(vectors[1]) == 2
    # the last scene's words are none that the text model can read: no vector, and it is said
    ids, _ = sidecar.read_vectors(folder, LetterText.space)
    assert ids == [s.scene_id for s in scenes[:2]]
    assert "text_not_understood:1" in video.notes


def test_what_made_it_is_kept_and_the_work_folder_is_gone(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    kept = sidecar.read_provenance(store.paths.generation(video.video_id, video.generation))
    assert kept["models"]["used"]["vision_embedding"] == "vision/mean-colour@1"
    assert kept["params"]["content_threshold"] == 27.0
    assert set(kept["fingerprints"]) == set(PLAIN)
    assert not store.paths.work(video.video_id).exists()
    assert read_progress(store.paths, video.video_id) is None


def test_the_recogniser_is_asked_where_there_are_no_subtitles(tmp_path: Path, store: Store, monkeypatch):
    from heimdex_core.ingest import audio
    from heimdex_core.types import Interval

    monkeypatch.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))
    video = run_of(store, place_video(store, three_colours(tmp_path, tone_hz=440))).run()
    assert (video.transcript_source, video.transcript_rough) == ("recognised", True)
    scenes = scenes_of(store, video)
    assert scenes[0].transcript == "a bad cab had a bead"
    assert scenes[0].speech_ratio == 0.75
    assert scenes[0].language == "en"
    assert "transcript_rough" in video.notes


def test_a_language_that_the_recogniser_lacks_is_said(tmp_path: Path, store: Store, monkeypatch):
    from heimdex_core.ingest import audio
    from heimdex_core.types import Interval

    monkeypatch.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))
    path = three_colours(tmp_path, tone_hz=440)
    video = run_of(store, place_video(store, path, language="ko")).run()
    assert video.transcript_source == "none"
    assert "transcript_language:ko" in video.notes


def test_embedded_subtitles_are_used(tmp_path: Path, store: Store):
    path = media.with_subtitles(tmp_path / "b.mkv", [(0.5, 1.5, "a bad cab")])
    video = run_of(store, place_video(store, path)).run()
    assert video.transcript_source == "embedded"
    assert scenes_of(store, video)[0].transcript == "a bad cab"


def test_unreadable_subtitles_are_said_and_do_not_stop_the_video(tmp_path: Path, store: Store):
    lines = tmp_path / "a.srt"
    lines.write_text("no times at all")
    video = run_of(store, place_video(store, three_colours(tmp_path), subtitles=lines)).run()
    assert video.state == VideoState.INDEXED
    assert any(note.startswith("subtitles_") for note in video.notes)


def test_no_audio(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, media.no_audio(tmp_path / "a.mp4"))).run()
    assert video.state == VideoState.INDEXED
    assert video.transcript_source == "none"
    assert "no_audio" in video.notes


def test_one_frame(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, media.one_frame(tmp_path / "a.mp4"))).run()
    (scene,) = scenes_of(store, video)
    assert scene.start_s == 0.0
    assert scene.end_s > 0.0
    assert len(scene.keyframes) == 1


def test_odd_sizes(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, media.odd_size(tmp_path / "a.mp4"))).run()
    (scene,) = scenes_of(store, video)
    assert scene.thumbnail is not None


def test_thumbnails_are_upright(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, media.rotated(tmp_path / "a.mp4", 90, size=(640, 360)))).run()
    (scene, *_) = scenes_of(store, video)
    image = read_image(store.reader().frame_path(scene, scene.thumbnail))
    assert image.shape == (512, 288, 3)  # upright it is not 320 wide even at the size of a candidate


def test_damaged_frames_are_said(tmp_path: Path, store: Store):
    path = media.damaged_frame(tmp_path / "a.mp4", at_s=1.0)
    video = run_of(store, place_video(store, path)).run()
    assert video.state == VideoState.INDEXED
    assert any(note.startswith("damaged_frames:") for note in video.notes)
    # browsers stop at the first damaged picture, so they get a copy without it
    assert video.has_preview


def test_a_preview_where_browsers_need_one(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, media.mpeg4_avi(tmp_path / "a.avi"))).run()
    assert video.has_preview
    assert store.paths.preview(video.video_id).stat().st_size > 0


def test_vision_is_encoded_in_batches(tmp_path: Path, store: Store):
    models = SmallModels()
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 3.0), ("blue", 3.0)] * 6, size=(64, 48))
    IngestRun(store, models, settings(), place_video(store, path)).run()
    assert models.vision().batches == [32, 4]  # 12 scenes of 3 keyframes


# --- what is skipped ------------------------------------------------------------------------------


def test_a_second_run_of_a_stage_is_skipped_by_a_new_process_too(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    assert [run_of(store, video).run_stage(s).skipped for s in ("probe", "picture", "picture")] == [False, False, True]


def test_another_parameter_runs_only_what_depends_on_it(tmp_path: Path, store: Store):
    from heimdex_core.ingest.params import IngestParams

    video = place_video(store, three_colours(tmp_path))
    first = run_of(store, video)
    for stage in STAGES[:-1]:
        first.run_stage(stage)
    changed = IngestParams.from_settings(settings(), keyframes_per_scene=2)
    again = run_of(store, video, params=changed)
    ran = [stage for stage in PLAIN[:-1] if not again.run_stage(stage).skipped]
    assert ran == ["keyframes", "vision_embedding", "tags"]


def test_new_subtitles_leave_the_picture_alone(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    first = run_of(store, video)
    for stage in STAGES[:-1]:
        first.run_stage(stage)
    store.paths.new_subtitles(video.video_id, ".srt").write_text(media.srt([(0.5, 1.5, "a bad cab")]))
    again = run_of(store, video)
    ran = [stage for stage in STAGES[:-1] if not again.run_stage(stage).skipped]
    assert {"subtitles", "transcript", "scenes"} <= set(ran)
    assert not {"probe", "audio", "picture", "preview"} & set(ran)


def test_a_file_that_went_missing_is_made_again_where_it_is_needed(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    run = run_of(store, video)
    run.run_stage("keyframes")
    next((run.work.path / "candidates").glob("*.jpg")).unlink()
    again = run_of(store, video)
    assert again.run_stage("keyframes").skipped
    next((run.work.path / "frames").glob("*.webp")).unlink()
    assert not again.run_stage("vision_embedding").skipped
    assert ran_of(again.work.log_entries())[-3:] == ["picture", "keyframes", "vision_embedding"]


def test_a_stage_alone_makes_what_it_needs(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    run_of(store, video).run_stage("keyframes")
    assert {e["stage"] for e in run_of(store, video).work.log_entries()} >= {"probe", "audio", "picture", "scenes"}


def test_commit_again_changes_nothing(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    done = run_of(store, video).run()
    assert run_of(store, done).run_stage("commit").skipped
    again = store.video(USER, video.video_id)
    assert (again.generation, again.state) == (done.generation, VideoState.INDEXED)


def test_a_reindex_with_other_subtitles_makes_a_new_generation(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    store.paths.new_subtitles(video.video_id, ".srt").write_text(media.srt([(0.5, 1.5, "a bad cab")]))
    again = run_of(store, video).run()
    assert again.generation == video.generation + 1
    assert scenes_of(store, again)[0].transcript == "a bad cab"


# --- how it fails ---------------------------------------------------------------------------------


def break_stage(monkeypatch, name: str, times: int, error: Exception) -> list[int]:
    """Make a stage fail `times` times before it works; the returned list grows by one with every attempt."""
    step = recipe.STEPS[name]
    attempts: list[int] = []

    def make(kitchen: Kitchen, context: WorkContext, provenance: recipe.Provenance) -> Made:
        attempts.append(1)
        if len(attempts) <= times:
            raise error
        return step.make(kitchen, context, provenance)

    monkeypatch.setitem(recipe.STEPS, name, dataclasses.replace(step, make=make))
    return attempts


def test_what_is_no_video_fails_at_once_with_its_own_error(tmp_path: Path, store: Store):
    video = place_video(store, media.audio_only(tmp_path / "a.mp4"))
    with pytest.raises(NoVideoStream):
        run_of(store, video).run()
    failed = store.video(USER, video.video_id)
    assert failed.state == VideoState.FAILED
    assert failed.error["code"] == "NO_VIDEO_STREAM"
    assert failed.error["hint"]
    assert not store.paths.work(video.video_id).exists()


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    with pytest.raises(DiskFull):
        IngestRun(store, SmallModels(), settings(min_free_bytes=10**18), video).run()
    failed = store.video(USER, video.video_id)
    assert (failed.state, failed.error["code"]) == (VideoState.FAILED, "DISK_FULL")
    assert not store.paths.work(video.video_id).exists()
    assert run_of(store, failed).run().state == VideoState.INDEXED


def test_a_disk_that_fills_up_while_a_stage_writes(tmp_path: Path, store: Store, monkeypatch):
    from heimdex_core.ingest import picture

    def no_room(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    video = place_video(store, three_colours(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(picture.Path, "write_bytes", no_room)
        with pytest.raises(DiskFull, match=r"\.jpg"):
            run_of(store, video).run()
    assert store.video(USER, video.video_id).error["code"] == "DISK_FULL"
    assert not store.paths.work(video.video_id).exists()


def test_a_passing_fault_is_tried_again(tmp_path: Path, store: Store, monkeypatch, caplog):
    attempts = break_stage(monkeypatch, "scenes", 2, RuntimeError("out of luck"))
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    assert (len(attempts), video.state) == (3, VideoState.INDEXED)


def test_a_lasting_fault_fails_in_words_and_a_retry_goes_on_from_there(tmp_path: Path, store: Store, monkeypatch):
    attempts = break_stage(monkeypatch, "text_embedding", 3, RuntimeError("out of luck"))
    video = place_video(store, three_colours(tmp_path))
    with pytest.raises(StageFailed, match="text_embedding failed: RuntimeError: out of luck"):
        run_of(store, video).run()
    assert len(attempts) == 3
    failed = store.video(USER, video.video_id)
    assert (failed.state, failed.error["code"]) == (VideoState.FAILED, "STAGE_FAILED")
    outcomes: dict[str, bool] = {}
    retried = run_of(store, failed, on_stage=lambda o: outcomes.setdefault(o.stage, o.skipped)).run()
    assert retried.state == VideoState.INDEXED
    assert retried.error is None
    assert [s for s in PLAIN if not outcomes[s]] == ["text_embedding", "commit"]


def test_one_branch_failing_stops_the_other_and_is_the_reason(tmp_path: Path, store: Store, monkeypatch):
    stopped = threading.Event()

    def wait_for_the_end(kitchen: Kitchen, context: WorkContext, provenance: recipe.Provenance) -> Made:
        for _ in range(2000):
            try:
                context.check()
            except Cancelled:
                stopped.set()
                raise
            threading.Event().wait(0.01)
        raise AssertionError("nobody stopped the picture branch")

    step = recipe.STEPS["picture"]
    monkeypatch.setitem(recipe.STEPS, "picture", dataclasses.replace(step, make=wait_for_the_end))
    break_stage(monkeypatch, "transcript", 99, RuntimeError("no ears"))
    with pytest.raises(StageFailed, match="no ears"):
        run_of(store, place_video(store, three_colours(tmp_path))).run()
    assert stopped.is_set()


def test_cancelled_can_be_taken_up_again(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    done: list[str] = []
    with pytest.raises(Cancelled):
        run_of(store, video, is_cancelled=lambda: "keyframes" in done, on_stage=lambda o: done.append(o.stage)).run()
    failed = store.video(USER, video.video_id)
    assert (failed.state, failed.error["code"]) == (VideoState.FAILED, "CANCELLED")
    assert run_of(store, failed).run().state == VideoState.INDEXED


def test_a_video_deleted_meanwhile_stays_deleted(tmp_path: Path, store: Store, monkeypatch):
    video = place_video(store, three_colours(tmp_path))
    break_stage(monkeypatch, "text_embedding", 99, Cancelled())
    run = run_of(
        store, video, on_stage=lambda o: store.delete_video(USER, video.video_id) if o.stage == "preview" else None
    )
    with pytest.raises(Cancelled):
        run.run()
    assert store.video(USER, video.video_id).state == VideoState.DELETED


def test_progress_is_told_and_never_falls(tmp_path: Path, store: Store):
    shown: list[StageProgress] = []
    video = place_video(store, three_colours(tmp_path, tone_hz=440))
    run_of(store, video, on_progress=shown.append).run()
    assert {p.stage_count for p in shown} == {12}
    overall = [p.overall for p in shown]
    # two branches tell theirs from their own threads, so neighbours may change places
    assert overall[-1] == max(overall) == pytest.approx(1.0)
    assert overall[0] < 0.1


# --- killed ---------------------------------------------------------------------------------------

_CHILD = """
import dataclasses, sys, threading
from pathlib import Path
from heimdex_core.ingest import recipe
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.store import Store
from tests.support.ingest import USER, SmallModels, settings

root, video_id, stage = sys.argv[1:]
step = recipe.STEPS[stage]

def make(kitchen, context, provenance):
    made = step.make(kitchen, context, provenance)
    # its files are there, its result is not: the worst moment
    print("inside", flush=True)
    threading.Event().wait(60)
    return made

recipe.STEPS[stage] = dataclasses.replace(step, make=make)
store = Store.open(Path(root))
IngestRun(store, SmallModels(), settings(), store.video(USER, video_id)).run()
"""


def kill_inside(store: Store, video: Video, stage: str) -> None:
    """Start the run in a process of its own and SIGKILL it in the middle of `stage`."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(store.paths.root), video.video_id, stage],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "inside\n", f"{stage} was not reached"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()


def test_killed_in_every_stage_it_goes_on_and_repeats_nothing(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path, tone_hz=440))
    for stage in PLAIN:
        kill_inside(store, video, stage)
    done = run_of(store, store.video(USER, video.video_id)).run()
    assert done.state == VideoState.INDEXED
    assert done.scene_count == 3
    kept = sidecar.read_provenance(store.paths.generation(video.video_id, done.generation))
    ran = [e["stage"] for e in kept["stages"] if not e["skipped"]]
    assert sorted(ran) == sorted(PLAIN[:-1])  # each once; commit itself is what wrote this list
    assert not store.paths.work(video.video_id).exists()
    assert [p.name for p in store.paths.generations(video.video_id).iterdir()] == [str(done.generation)]
