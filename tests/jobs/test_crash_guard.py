"""Deaths are counted per stage, and only crashes."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from heimdex_core.errors import WorkerLost
from heimdex_core.jobs import crash_guard
from heimdex_core.jobs.crash_guard import MAX_CRASHES, CrashGuard, StageAttempt, WorkerStopping
from heimdex_core.jobs.status import StatusFile, StatusReport, WorkerStatus, read_status
from heimdex_core.types import utc_now

PICTURE = StageAttempt("job-1", "video-1", "picture")
PREVIEW = StageAttempt("job-1", "video-1", "preview")
HELD: list[object] = []


def new_worker(folder: Path) -> CrashGuard:
    """What a started worker has; the one before, if any, is forgotten as if it had been killed."""
    return CrashGuard(folder / "running", StatusFile(folder / "status.json", "lib@here"))


def in_a_dying_worker(work: Callable[[], None]) -> None:
    """Do `work` in another process that then ends without any clean-up, as kill -9 would have it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def begin(guard: CrashGuard, attempt: StageAttempt) -> None:
    """Begin `attempt` and keep hold of it: letting go of the context would be an orderly end."""
    context = guard.working(attempt)
    context.__enter__()
    HELD.append(context)


def die_in(folder: Path, attempt: StageAttempt) -> None:
    """A worker begins `attempt` and is never heard of again."""
    in_a_dying_worker(lambda: begin(new_worker(folder), attempt))


def test_an_attempt_that_ends_leaves_no_mark(tmp_path: Path) -> None:
    guard = new_worker(tmp_path)
    with guard.working(PICTURE):
        assert (tmp_path / "running" / PICTURE.mark).exists()
    assert list((tmp_path / "running").iterdir()) == []


def test_an_attempt_that_fails_leaves_no_mark_either(tmp_path: Path) -> None:
    guard = new_worker(tmp_path)
    with pytest.raises(RuntimeError), guard.working(PICTURE):
        raise RuntimeError("a fault, not a crash")
    assert list((tmp_path / "running").iterdir()) == []


def test_the_third_crash_in_one_stage_is_the_last(tmp_path: Path) -> None:
    for _ in range(MAX_CRASHES - 1):
        die_in(tmp_path, PICTURE)
    with new_worker(tmp_path).working(PICTURE):
        pass
    for _ in range(MAX_CRASHES):
        die_in(tmp_path, PICTURE)
    with pytest.raises(WorkerLost) as caught, new_worker(tmp_path).working(PICTURE):
        pytest.fail("the fourth worker must not touch it")
    assert caught.value.details["times"] == 3


def test_crashes_in_different_stages_do_not_add_up(tmp_path: Path) -> None:
    for attempt in (PICTURE, PREVIEW):
        for _ in range(MAX_CRASHES - 1):
            die_in(tmp_path, attempt)
    guard = new_worker(tmp_path)
    with guard.working(PICTURE):
        pass
    with guard.working(PREVIEW):
        pass


def test_another_job_of_the_same_video_starts_from_zero(tmp_path: Path) -> None:
    for _ in range(MAX_CRASHES):
        die_in(tmp_path, PICTURE)
    with new_worker(tmp_path).working(StageAttempt("job-2", "video-1", "picture")):
        pass


def test_an_orderly_stop_in_the_middle_is_no_crash(tmp_path: Path) -> None:
    for _ in range(10):
        guard = new_worker(tmp_path)
        with contextlib.suppress(WorkerStopping), guard.working(PICTURE):
            guard.stop()
            raise WorkerStopping
    with new_worker(tmp_path).working(PICTURE):
        pass


def test_a_stage_left_behind_at_the_end_of_the_grace_is_no_crash(tmp_path: Path) -> None:
    def leave_in_the_middle() -> None:
        guard = new_worker(tmp_path)
        begin(guard, PICTURE)
        guard.stop()
        guard.wait_idle(0.01)
        guard.forgive()

    for _ in range(10):
        in_a_dying_worker(leave_in_the_middle)
    assert (tmp_path / "running" / PICTURE.mark).exists()
    with new_worker(tmp_path).working(PICTURE):
        pass


def test_a_mark_cut_short_by_the_power_counts(tmp_path: Path) -> None:
    for _ in range(MAX_CRASHES - 1):
        die_in(tmp_path, PICTURE)
    mark = tmp_path / "running" / PICTURE.mark
    mark.write_text(mark.read_text()[:5])
    # how often before is lost, that it happened is not: the cut mark is one crash, so two more are the last
    for _ in range(MAX_CRASHES - 1):
        die_in(tmp_path, PICTURE)
    with pytest.raises(WorkerLost) as caught, new_worker(tmp_path).working(PICTURE):
        pytest.fail("the third worker after it must not touch it")
    assert caught.value.details["times"] == MAX_CRASHES


def test_what_is_known_of_a_job_can_be_forgotten(tmp_path: Path) -> None:
    die_in(tmp_path, PICTURE)
    die_in(tmp_path, PREVIEW)
    other = StageAttempt("job-10", "video-2", "picture")
    die_in(tmp_path, other)
    new_worker(tmp_path).forget("job-1")
    assert [path.name for path in (tmp_path / "running").iterdir()] == [other.mark]


def test_nothing_begins_once_the_worker_stops(tmp_path: Path) -> None:
    guard = new_worker(tmp_path)
    guard.stop()
    with pytest.raises(WorkerStopping), guard.working(PICTURE):
        pytest.fail("it must not begin")


def test_two_branches_of_a_job_work_beside_each_other_but_two_jobs_of_a_video_do_not(tmp_path: Path) -> None:
    guard = new_worker(tmp_path)
    order: list[str] = []
    begun = threading.Event()

    def second_job() -> None:
        begun.set()
        with guard.working(StageAttempt("job-2", "video-1", "audio")):
            order.append("job-2")

    with guard.working(PICTURE), guard.working(StageAttempt("job-1", "video-1", "audio")):
        thread = threading.Thread(target=second_job)
        thread.start()
        assert begun.wait(5)
        thread.join(0.2)
        assert thread.is_alive()
        with guard.working(StageAttempt("job-3", "video-2", "audio")):
            order.append("job-3")
        order.append("job-1")
    thread.join(5)
    assert order == ["job-3", "job-1", "job-2"]


def test_after_a_crash_the_branches_of_that_job_take_turns(tmp_path: Path) -> None:
    audio = StageAttempt("job-1", "video-1", "audio")

    def both() -> None:
        guard = new_worker(tmp_path)
        begin(guard, PICTURE)
        begin(guard, audio)

    in_a_dying_worker(both)
    guard = new_worker(tmp_path)
    begun = threading.Event()
    order: list[str] = []

    def other_branch() -> None:
        begun.set()
        with guard.working(audio):
            order.append("audio")

    with guard.working(PICTURE):
        thread = threading.Thread(target=other_branch)
        thread.start()
        assert begun.wait(5)
        with guard.working(StageAttempt("job-2", "video-2", "audio")):
            order.append("another job")
        thread.join(0.2)
        order.append("picture")
    thread.join(5)
    assert order == ["another job", "picture", "audio"]


def test_the_innocent_branch_is_not_blamed_for_what_the_other_does(tmp_path: Path) -> None:
    """The worker dies in audio twice and in transcript twice; the picture was under way at the first only."""
    audio, transcript = StageAttempt("job-1", "video-1", "audio"), StageAttempt("job-1", "video-1", "transcript")

    def first() -> None:
        guard = new_worker(tmp_path)
        begin(guard, PICTURE)
        begin(guard, audio)

    in_a_dying_worker(first)
    die_in(tmp_path, audio)
    for _ in range(2):
        die_in(tmp_path, transcript)
    with new_worker(tmp_path).working(PICTURE):
        pass


def test_the_status_tells_what_is_worked_on(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json", "lib@here")
    guard = CrashGuard(tmp_path / "running", status)
    status.set_state("idle")
    with guard.working(PICTURE):
        told = read_status(tmp_path / "status.json")
        assert told is not None
        assert told.state == "working"
        assert [(job["subject"], job["stage"]) for job in told.jobs] == [("video-1", "picture")]
    told = read_status(tmp_path / "status.json")
    assert told is not None
    assert (told.state, told.jobs) == ("idle", ())


def test_a_status_written_long_ago_is_not_fresh() -> None:
    now = utc_now()

    def written(seconds_ago: float) -> WorkerStatus:
        moment = (now - timedelta(seconds=seconds_ago)).isoformat()
        return WorkerStatus(pid=1, executor_id="lib@here", state="idle", started_at=moment, updated_at=moment)

    assert written(5).is_fresh
    assert not written(61).is_fresh


def test_a_status_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert read_status(path) is None
    path.write_text('{"pid": 1')
    assert read_status(path) is None
    path.write_text('{"pid": 1, "a field of another version": 2}')
    assert read_status(path) is None


class OtherWorkers:
    """Another worker has the subject for so many tries."""

    def __init__(self, tries: int, stopped_meanwhile: Sequence[CrashGuard] = ()) -> None:
        self.left = tries
        self.given_up: list[str] = []
        self._guards = stopped_meanwhile

    def take(self, subject: str) -> bool:
        self.left -= 1
        for guard in self._guards:
            guard.stop()
        return self.left < 0

    def give_up(self, subject: str) -> None:
        self.given_up.append(subject)


def test_what_another_worker_is_at_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_guard, "_CLAIM_AGAIN_S", 0.0)
    others = OtherWorkers(2)
    status = StatusReport("lib@here", lambda _: None)
    guard = CrashGuard(tmp_path / "running", status, others)
    with guard.working(PICTURE), guard.working(PREVIEW):
        assert others.left < 0
    assert others.given_up == [PICTURE.subject]


def test_a_stop_ends_that_wait(tmp_path: Path) -> None:
    guards: list[CrashGuard] = []
    others = OtherWorkers(10, guards)
    guards.append(CrashGuard(tmp_path / "running", StatusReport("lib@here", lambda _: None), others))
    with pytest.raises(WorkerStopping), guards[0].working(PICTURE):
        pytest.fail("another worker is at it")
    assert guards[0].wait_idle(0)
