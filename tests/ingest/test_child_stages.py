"""Stages that read foreign bytes do so in a child process; a video whose child dies has failed, and that is all."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import av
import pytest

from heimdex_core.errors import Cancelled, DecoderCrashed, DecoderOutOfMemory
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.media.child_server_process import server_process
from heimdex_core.store import Store
from heimdex_core.types import StageProgress, VideoState
from tests.ingest import crashing_stage
from tests.ingest.running import error_of, generation_of, note_skipped, replace_stage, run_of, three_colours
from tests.support import media
from tests.support.ingest import USER, SmallModels, place_video, settings


@pytest.fixture
def nothing_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process neither opens media nor starts a program."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("foreign bytes are read in this process")

    server_process.start()
    monkeypatch.setattr(av, "open", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)


def test_foreign_bytes_are_read_in_children(odd_video: Path, store: Store, request: pytest.FixtureRequest) -> None:
    placed = place_video(store, odd_video)
    request.getfixturevalue("nothing_is_read_here")
    video = run_of(store, placed).run()
    assert video.state == VideoState.INDEXED
    assert video.transcript_source == "embedded"
    assert store.paths.preview(video.video_id).is_file()
    assert list((generation_of(store, video) / "frames").glob("*.webp"))


@pytest.fixture
def odd_video(tmp_path: Path) -> Path:
    """Every stage has something to read: sound, subtitles in the file, and a picture that browsers do not play."""
    plain = media.mpeg4_avi(tmp_path / "plain.avi")
    lines = tmp_path / "lines.srt"
    lines.write_text(media.srt([(0.2, 0.9, "a bad cab")]), encoding="utf-8")
    path = tmp_path / "odd.mkv"
    media.ffmpeg("-i", plain, "-i", lines, "-map", "0", "-map", "1", "-c", "copy", "-c:s", "srt", path)
    return path


@pytest.mark.parametrize("stage", ["probe", "picture"])
def test_a_video_that_kills_its_child_has_failed_after_two_tries(
    stage: str, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = place_video(store, three_colours(tmp_path))
    source = store.paths.source(video.video_id)
    with monkeypatch.context() as patched:
        replace_stage(patched, stage, crashing_stage.run)
        with pytest.raises(DecoderCrashed):
            run_of(store, video).run()
    # not three attempts of two tries
    assert crashing_stage.count_tries(source) == 2
    failed = store.video(USER, video.video_id)
    assert failed.state == VideoState.FAILED
    assert error_of(failed)["code"] == "DECODER_CRASHED"
    assert error_of(failed)["details"] == {"filename": "a.mp4", "reason": "SIGABRT", "stage": stage}
    # nobody takes it up again by itself
    assert store.unfinished_videos(0.0) == []


@pytest.mark.long  # quick in test_pipeline_failures.py: a lasting fault
def test_somebody_who_retries_it_goes_on_from_there(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = place_video(store, three_colours(tmp_path))
    with monkeypatch.context() as patched:
        replace_stage(patched, "picture", crashing_stage.run)
        with pytest.raises(DecoderCrashed):
            run_of(store, video).run()
    skipped: dict[str, bool] = {}
    assert run_of(store, store.video(USER, video.video_id), on_stage=note_skipped(skipped)).run().state == "indexed"
    assert (skipped["probe"], skipped["picture"]) == (True, False)
    assert not store.paths.work(video.video_id).exists()


@pytest.mark.long  # quick in test_model_sets.py: a stage that fails
def test_an_indexed_video_that_kills_its_child_stays_as_it_was(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    store.set_params(video.video_id, params={"content_threshold": 20.0}, language=None)
    replace_stage(monkeypatch, "picture", crashing_stage.run)
    store.set_state(video.video_id, VideoState.PROCESSING)
    with pytest.raises(DecoderCrashed):
        run_of(store, store.video(USER, video.video_id)).run()
    kept = store.video(USER, video.video_id)
    assert (kept.generation, kept.scene_count) == (video.generation, 3)
    assert error_of(kept)["code"] == "DECODER_CRASHED"


def test_the_settings_limit_the_memory(tmp_path: Path, store: Store) -> None:
    video = place_video(store, three_colours(tmp_path))
    with pytest.raises(DecoderOutOfMemory):
        IngestRun(store, SmallModels(), settings(media_memory_bytes=1_000_000), video).run()


def test_a_run_is_stopped_at_once_in_the_middle_of_a_child(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    asked_at: list[float] = []

    def see(progress: StageProgress) -> None:
        if progress.stage == "picture" and progress.done > 0 and not stop.is_set():
            asked_at.append(time.monotonic())
            stop.set()

    video = place_video(store, three_colours(tmp_path))
    replace_stage(monkeypatch, "picture", crashing_stage.wait)
    with pytest.raises(Cancelled):
        run_of(store, video, is_cancelled=stop.is_set, on_progress=see).run()
    assert time.monotonic() - asked_at[0] < 2.0
