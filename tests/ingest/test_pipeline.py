"""A video's way through the stages: what is made and what is skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.progress import read_progress
from heimdex_core.store import Store, sidecar
from heimdex_core.types import VideoState
from tests.ingest.running import (
    PLAIN,
    STAGES,
    generation_of,
    ran_of,
    run_of,
    scenes_of,
    three_colours,
    thumbnail_of,
)
from tests.support import media
from tests.support.ingest import USER, LetterText, MeanColour, SmallModels, place_video, settings

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
    for scene in scenes:
        assert thumbnail_of(store, scene).shape == (180, 320, 3)
    folder = generation_of(store, video)
    ids, vectors = sidecar.read_vectors(folder, MeanColour.space)
    assert ids == [s.scene_id for s in scenes]
    assert np.argmax(vectors[0]) == 0
    assert np.argmax(vectors[1]) == 2
    # the last scene's words are none that the text model can read: no vector, and it is said
    ids, _ = sidecar.read_vectors(folder, LetterText.space)
    assert ids == [s.scene_id for s in scenes[:2]]
    assert "text_not_understood:1" in video.notes


def test_what_made_it_is_kept_the_work_folder_is_gone_and_commit_again_changes_nothing(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    kept = sidecar.read_provenance(generation_of(store, video))
    assert kept["models"]["used"]["vision_embedding"] == "vision/mean-colour@1"
    assert kept["params"]["content_threshold"] == 27.0
    assert set(kept["fingerprints"]) == set(PLAIN)
    assert not store.paths.work(video.video_id).exists()
    assert read_progress(store.progress(store.paths.work(video.video_id) / "progress.json")) is None
    assert run_of(store, video).run_stage("commit").skipped
    again = store.video(USER, video.video_id)
    assert (again.generation, again.state) == (video.generation, VideoState.INDEXED)


def test_the_recogniser_is_asked_where_there_are_no_subtitles(tmp_path: Path, store: Store, monkeypatch):
    from heimdex_core.ingest.stages import audio
    from heimdex_core.types import Interval

    monkeypatch.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))
    video = run_of(store, place_video(store, three_colours(tmp_path, tone_hz=440))).run()
    assert (video.transcript_source, video.transcript_rough) == ("recognised", False)
    scenes = scenes_of(store, video)
    assert scenes[0].transcript == "a bad cab had a bead"
    assert scenes[0].speech_ratio == 0.75
    assert scenes[0].language == "en"


def test_a_language_that_the_recogniser_lacks_is_said(tmp_path: Path, store: Store, monkeypatch):
    from heimdex_core.ingest.stages import audio
    from heimdex_core.types import Interval

    monkeypatch.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))
    path = three_colours(tmp_path, tone_hz=440)
    video = run_of(store, place_video(store, path, language="ko")).run()
    assert video.transcript_source == "none"
    assert "transcript_english_only:ko" in video.notes


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
    # upright it is not 320 wide even at the size of a candidate
    assert thumbnail_of(store, scene).shape == (512, 288, 3)


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


@pytest.mark.long  # quick in test_reuse.py: lines that come with the video
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


@pytest.mark.long  # quick in test_reuse.py: lines that come with the video
def test_a_reindex_with_other_subtitles_makes_a_new_generation(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    store.paths.new_subtitles(video.video_id, ".srt").write_text(media.srt([(0.5, 1.5, "a bad cab")]))
    again = run_of(store, video).run()
    assert (video.generation, again.generation) == (1, 2)
    assert scenes_of(store, again)[0].transcript == "a bad cab"
