"""How a run fails, what is said, and that it goes on from there, after a kill as well."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from heimdex_core.errors import Cancelled, DiskFull, NoVideoStream, StageFailed
from heimdex_core.ingest.context import StageContext, StageOutput
from heimdex_core.ingest.execution import StageOutcome
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.store import Store, sidecar
from heimdex_core.types import StageProgress, Video, VideoState, WorkContext
from tests.ingest.running import (
    PLAIN,
    break_stage,
    error_of,
    generation_of,
    note_skipped,
    replace_stage,
    run_of,
    three_colours,
)
from tests.support import media
from tests.support.ingest import USER, SmallModels, place_video, settings

# --- how it fails ---------------------------------------------------------------------------------


def test_what_is_no_video_fails_at_once_with_its_own_error(tmp_path: Path, store: Store):
    video = place_video(store, media.audio_only(tmp_path / "a.mp4"))
    with pytest.raises(NoVideoStream):
        run_of(store, video).run()
    failed = store.video(USER, video.video_id)
    assert failed.state == VideoState.FAILED
    assert error_of(failed)["code"] == "NO_VIDEO_STREAM"
    assert error_of(failed)["hint"]
    assert not store.paths.work(video.video_id).exists()


def test_a_full_disk_is_reported_and_keeps_finished_stages(tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path))
    with pytest.raises(DiskFull):
        IngestRun(store, SmallModels(), settings(min_free_bytes=10**18), video).run()
    failed = store.video(USER, video.video_id)
    assert (failed.state, error_of(failed)["code"]) == (VideoState.FAILED, "DISK_FULL")
    assert run_of(store, failed).run().state == VideoState.INDEXED


@pytest.mark.usefixtures("no_child_process")
def test_a_disk_that_fills_up_while_a_stage_writes(tmp_path: Path, store: Store, monkeypatch):
    from heimdex_core.ingest.stages import picture

    def no_room(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    video = place_video(store, three_colours(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(picture.Path, "write_bytes", no_room)
        with pytest.raises(DiskFull, match=r"\.jpg"):
            run_of(store, video).run()
    failed = store.video(USER, video.video_id)
    assert error_of(failed)["code"] == "DISK_FULL"
    outcomes: dict[str, bool] = {}
    run_of(store, failed, on_stage=note_skipped(outcomes)).run()
    assert [name for name in ("probe", "audio", "subtitles", "picture") if outcomes[name]] == [
        "probe",
        "audio",
        "subtitles",
    ]


def test_a_passing_fault_is_tried_again(tmp_path: Path, store: Store, monkeypatch, caplog):
    attempts = break_stage(monkeypatch, "scenes", 2, RuntimeError("out of luck"))
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    assert (len(attempts), video.state) == (3, VideoState.INDEXED)


@pytest.mark.expect_errors
def test_a_lasting_fault_fails_in_words_and_a_retry_goes_on_from_there(tmp_path: Path, store: Store, monkeypatch):
    attempts = break_stage(monkeypatch, "text_embedding", 3, RuntimeError("out of luck"))
    video = place_video(store, three_colours(tmp_path))
    with pytest.raises(StageFailed, match="text_embedding failed: RuntimeError: out of luck"):
        run_of(store, video).run()
    assert len(attempts) == 3
    failed = store.video(USER, video.video_id)
    assert (failed.state, error_of(failed)["code"]) == (VideoState.FAILED, "STAGE_FAILED")
    outcomes: dict[str, bool] = {}
    retried = run_of(store, failed, on_stage=note_skipped(outcomes)).run()
    assert retried.state == VideoState.INDEXED
    assert retried.error is None
    assert [s for s in PLAIN if not outcomes[s]] == ["text_embedding", "commit"]


@pytest.mark.expect_errors
def test_one_branch_failing_stops_the_other_and_is_the_reason(tmp_path: Path, store: Store, monkeypatch):
    stopped = threading.Event()

    def wait_for_the_end(context: StageContext, work: WorkContext) -> StageOutput:
        for _ in range(2000):
            try:
                work.check()
            except Cancelled:
                stopped.set()
                raise
            threading.Event().wait(0.01)
        raise AssertionError("nobody stopped the picture branch")

    replace_stage(monkeypatch, "picture", wait_for_the_end)
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
    assert (failed.state, error_of(failed)["code"]) == (VideoState.FAILED, "CANCELLED")
    with pytest.raises(Cancelled):
        run_of(store, failed).run()  # only a new attempt changes the state first
    retried = store.set_state(video.video_id, VideoState.VALIDATING)
    assert run_of(store, retried).run().state == VideoState.INDEXED


def test_a_video_deleted_meanwhile_stays_deleted(tmp_path: Path, store: Store, monkeypatch):
    video = place_video(store, three_colours(tmp_path))
    break_stage(monkeypatch, "text_embedding", 99, Cancelled())

    def delete_after_preview(outcome: StageOutcome) -> None:
        if outcome.stage == "preview":
            store.delete_video(USER, video.video_id)

    with pytest.raises(Cancelled):
        run_of(store, video, on_stage=delete_after_preview).run()
    assert store.video(USER, video.video_id).state == VideoState.DELETED


def test_progress_is_reported_and_never_falls(tmp_path: Path, store: Store):
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
import sys, threading
from pathlib import Path
from heimdex_core.ingest import stages
from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.store import Store
from tests.support.ingest import USER, SmallModels, settings

root, video_id, stage = sys.argv[1:]
spec = stages.find(stage)
before = spec.run

def run(context, work):
    output = before(context, work)
    # its files are there, its result is not: the worst moment
    print("inside", flush=True)
    threading.Event().wait(60)
    return output

spec.__dict__["run"] = run
store = Store.open(Path(root))
IngestRun(store, SmallModels(), settings(), store.video(USER, video_id)).run()
"""


def kill_inside(store: Store, video: Video, stage: str) -> None:
    """Start the run in a process of its own and SIGKILL it in the middle of `stage`."""
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(store.paths.root), video.video_id, stage],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "inside\n", f"{stage} was not reached"
        finally:
            child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize(
    "deadly",
    [
        pytest.param(("picture", "commit"), id="two"),
        pytest.param(PLAIN, id="every one", marks=pytest.mark.long),
    ],
)
def test_killed_in_stages_it_goes_on_and_repeats_nothing(deadly: tuple[str, ...], tmp_path: Path, store: Store):
    video = place_video(store, three_colours(tmp_path, tone_hz=440))
    for stage in deadly:
        kill_inside(store, video, stage)
    done = run_of(store, store.video(USER, video.video_id)).run()
    assert done.state == VideoState.INDEXED
    assert done.scene_count == 3
    kept = sidecar.read_provenance(generation_of(store, done))
    ran = [e["stage"] for e in kept["stages"] if not e["skipped"]]
    assert sorted(ran) == sorted(PLAIN[:-1])  # each once; commit itself is what wrote this list
    assert not store.paths.work(video.video_id).exists()
    assert [p.name for p in store.paths.generations(video.video_id).iterdir()] == [str(done.generation)]
