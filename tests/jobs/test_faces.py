"""After a video was indexed its faces are found, by the worker and by this process; where people are on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.errors import HeimdexError, UnknownName
from heimdex_core.jobs.client import JobState
from heimdex_core.jobs.crash_guard import CrashGuard, StageAttempt
from heimdex_core.jobs.crash_marks import FileCrashMarks
from heimdex_core.jobs.status import StatusFile
from heimdex_core.jobs.tasks import Tasks
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.jobs.bench import Bench
from tests.library.test_migration import TEXT
from tests.support.clips import colour_clips
from tests.support.drawn_faces import ANNA, BEN, LEFT, RIGHT, add_video, picture, put_small_models


@pytest.fixture
def lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    put_small_models(tmp_path / "models", monkeypatch)
    settings = Settings(models_dir=tmp_path / "models")
    return Library.open(tmp_path / "library", profile="offline", settings=settings)


def test_the_step_of_the_worker(lib: Library, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = add_video(lib, "first", [picture((ANNA, *LEFT), (BEN, *RIGHT)), picture()])
    guard = CrashGuard(FileCrashMarks(tmp_path / "running"), StatusFile(tmp_path / "status.json", "one"))
    tasks, attempt = Tasks(lib, guard), StageAttempt("job", video.video_id, "faces")
    assert tasks.find_faces(attempt, "local") == {"faces": 2}
    assert lib.people.state().scanned == 1
    assert tasks.find_faces(attempt, "local") == {"faces": 0}, "it was looked through already"
    (tmp_path / "library" / "videos" / video.video_id / "gen" / "1" / "frames" / "0-0.webp").write_bytes(b"damaged")
    lib.people.remove_faces([face.face_id for group in lib.people.unnamed() for face in group.faces])
    lib._store.people.faces.path(video.video_id).unlink()
    assert tasks.find_faces(attempt, "local") == {"faces": 0}
    assert "no faces were looked for" in caplog.text, "the video stays indexed"
    lib.people.turn_off()
    assert tasks.find_faces(attempt, "local") == {"faces": None}


class Queue:
    """Takes searches for faces, and is asked for nothing else."""

    def __init__(self) -> None:
        self.scans: list[str] = []
        self.cancelled: list[str] = []

    def as_user(self, library: Library) -> Queue:
        return self

    def enqueue_faces(self, scan_id: str) -> str:
        self.scans.append(scan_id)
        return f"job-{len(self.scans)}"

    def cancel(self, *job_ids: str) -> None:
        self.cancelled += job_ids

    def close(self) -> None:
        return


@pytest.fixture
def queue(lib: Library) -> Queue:
    made = Queue()
    lib.queue = made  # type: ignore[assignment]
    return made


def tasks_of(lib: Library, folder: Path) -> Tasks:
    return Tasks(lib, CrashGuard(FileCrashMarks(folder / "running"), StatusFile(folder / "status.json", "one")))


def test_a_scan_by_the_worker(lib: Library, queue: Queue, tmp_path: Path) -> None:
    first = add_video(lib, "first", [picture((ANNA, *LEFT), (BEN, *RIGHT))])
    second = add_video(lib, "second", [picture((ANNA, *LEFT))])
    third = add_video(lib, "third", [picture((BEN, *LEFT))])
    lib.people.find_faces([first.video_id])
    scan = lib.people.find_faces(queue=True)
    assert (scan.state, scan.job_id, scan.done, queue.scans) == ("waiting", "job-1", 0, [scan.scan_id])
    assert lib.people.find_faces(queue=True) == scan, "one at a time"
    assert [job.kind for job in lib.work.unfinished_jobs()] == ["faces"]
    frame = tmp_path / "library" / "videos" / second.video_id / "gen" / "1" / "frames" / "0-0.webp"
    frame.write_bytes(b"damaged")
    tasks, attempt = tasks_of(lib, tmp_path), StageAttempt("job-1", scan.scan_id, "pending")
    pending = tasks.pending_scans(attempt, "local")["pending"]
    assert sorted(pending) == sorted([second.video_id, third.video_id])
    for video_id in pending:
        assert tasks.look_at(replace(attempt, stage="look"), "local", video_id) == {}
    assert lib.people.get_scan(scan.scan_id).state == "running"
    tasks.finish_scan("job-1", "local", scan.scan_id, None)
    done = lib.people.get_scan(scan.scan_id)
    assert (done.state, done.total, done.done, done.videos, done.faces, done.skipped) == ("done", 3, 3, 1, 1, 1)
    assert done.problems.keys() == {second.video_id}
    assert lib.people.state().scanned == 2
    assert lib.work.unfinished_jobs() == []
    assert lib.people.find_faces(queue=True).scan_id != scan.scan_id


def test_a_scan_is_cancelled(lib: Library, queue: Queue, tmp_path: Path) -> None:
    video = add_video(lib, "first", [picture((ANNA, *LEFT))])
    scan = lib.people.find_faces(queue=True)
    tasks, attempt = tasks_of(lib, tmp_path), StageAttempt("job-1", scan.scan_id, "pending")
    assert tasks.pending_scans(attempt, "local") == {"pending": [video.video_id]}
    cancelled = lib.people.cancel_scan(scan.scan_id)
    assert (cancelled.state, cancelled.is_over, queue.cancelled) == ("cancelled", True, ["job-1"])
    assert tasks.look_at(replace(attempt, stage="look"), "local", video.video_id)["error"]["code"] == "CANCELLED"
    tasks.finish_scan("job-1", "local", scan.scan_id, None)
    assert lib.people.get_scan(scan.scan_id).state == "cancelled"
    assert lib.people.state().scanned == 0
    with pytest.raises(UnknownName):
        lib.people.cancel_scan("another")


def test_a_scan_ends_when_people_are_turned_off(lib: Library, queue: Queue, tmp_path: Path) -> None:
    add_video(lib, "first", [picture((ANNA, *LEFT))])
    scan = lib.people.find_faces(queue=True)
    lib.people.turn_off()
    attempt = StageAttempt("job-1", scan.scan_id, "pending")
    error = tasks_of(lib, tmp_path).pending_scans(attempt, "local")["error"]
    assert error["code"] == "PEOPLE_OFF"
    assert lib.work.mark_failed("faces", "local", scan.scan_id, "job-1", HeimdexError.from_dict(error))
    ended = lib.people.last_scan()
    assert ended is not None
    assert (ended.state, ended.error and ended.error["code"]) == ("failed", "PEOPLE_OFF")


def test_after_a_move_the_videos_of_all_users_are_looked_through(lib: Library, queue: Queue, tmp_path: Path) -> None:
    lib.people.as_operator().turn_on()
    mina = lib.as_user(lib.accounts.sign_in("https://login", "mina", "mina@example.com", True, "Mina").user_id)
    for library in (lib, mina):
        add_video(library, "first", [picture((ANNA, *LEFT))])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("heimdex_core.jobs.tasks.JobQueue", lambda library: queue)
        assert tasks_of(lib, tmp_path).queue_scans(StageAttempt("job", "migration", "faces")) == {}
    found = [library.people.last_scan() for library in (lib, mina)]
    assert sorted(scan.scan_id for scan in found if scan is not None) == sorted(queue.scans)
    assert len(queue.scans) == 2


def test_a_job_without_models_ends_with_the_reason(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "library", models_dir=str(tmp_path / "models"))
    try:
        add_video(bench.library, "first", [picture((ANNA, *LEFT))])
        scan = bench.library.people.find_faces(queue=True)
        bench.start()
        assert bench.ended(str(scan.job_id)).state == JobState.FAILED
        ended = bench.library.people.get_scan(scan.scan_id)
        assert (ended.state, ended.error and ended.error["code"]) == ("failed", "FACE_MODELS_MISSING")
    finally:
        bench.close()


@pytest.mark.long
def test_videos_are_looked_through_by_themselves(lib: Library, tmp_path: Path) -> None:
    """When they are added, when they are indexed again, and after a move to other models."""
    video = lib.add(colour_clips(tmp_path / "red.mp4", [("red", 2.0), ("gray", 2.0)]))
    state = lib.people.state()
    assert (state.scanned, state.faces > 0) == (1, True)
    lib.reindex_video(video.video_id)
    assert lib.people.state() == state
    lib.model_sets.move_to(text=TEXT)
    assert lib.people.state() == state
