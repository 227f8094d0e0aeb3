"""Deaths are counted per stage, and only crashes; in files, or in a table, where each worker is on another machine."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from heimdex_core.errors import WorkerLost
from heimdex_core.jobs import crash_guard
from heimdex_core.jobs.crash_guard import MAX_CRASHES, Claims, CrashGuard, StageAttempt, WorkerStopping
from heimdex_core.jobs.crash_marks import FileCrashMarks, TableCrashMarks
from heimdex_core.jobs.status import StatusFile, StatusReport, WorkerStatus, read_status
from heimdex_core.store.shared_tables import SharedTables
from heimdex_core.types import utc_now
from tests.support.postgres import TestServer

PICTURE = StageAttempt("job-1", "video-1", "picture")
PREVIEW = StageAttempt("job-1", "video-1", "preview")
HELD: list[object] = []


class Workers:
    """The workers of a library, one after the other."""

    def __init__(self, folder: Path, shared: SharedTables | None = None) -> None:
        self._folder = folder
        self._shared = shared

    def marks(self) -> FileCrashMarks | TableCrashMarks:
        """As a worker has them that is started now, with a table on a machine where no other was before."""
        if self._shared is None:
            return FileCrashMarks(self._folder / "running")
        return TableCrashMarks(self._shared, f"lib@machine.{uuid.uuid4()}")

    def new(self, claims: Claims | None = None) -> CrashGuard:
        """What a started worker has; the one before, if any, is forgotten as if it had been killed."""
        return CrashGuard(self.marks(), StatusFile(self._folder / "status.json", "lib@here"), claims)

    def die_in(self, attempt: StageAttempt) -> None:
        """A worker begins `attempt` and is never heard of again."""
        in_a_dying_worker(lambda: begin(self.new(), attempt))

    def is_marked(self, attempt: StageAttempt) -> bool:
        return self.marks().has(attempt.job_id)


@pytest.fixture(params=["files", "table"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Workers:
    if request.param == "files":
        return Workers(tmp_path)
    server: TestServer = request.getfixturevalue("postgres")
    return Workers(tmp_path, SharedTables(server.url(), uuid.uuid4().hex[:12], str(tmp_path)))


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


def test_an_attempt_that_ends_leaves_no_mark(workers: Workers) -> None:
    guard = workers.new()
    with guard.working(PICTURE):
        assert workers.is_marked(PICTURE)
    assert not workers.is_marked(PICTURE)


def test_an_attempt_that_fails_leaves_no_mark_either(workers: Workers) -> None:
    guard = workers.new()
    with pytest.raises(RuntimeError), guard.working(PICTURE):
        raise RuntimeError("a fault, not a crash")
    assert not workers.is_marked(PICTURE)


def test_the_third_crash_in_one_stage_is_the_last(workers: Workers) -> None:
    for _ in range(MAX_CRASHES - 1):
        workers.die_in(PICTURE)
    with workers.new().working(PICTURE):
        pass
    for _ in range(MAX_CRASHES):
        workers.die_in(PICTURE)
    with pytest.raises(WorkerLost) as caught, workers.new().working(PICTURE):
        pytest.fail("the fourth worker must not touch it")
    assert caught.value.details["times"] == 3


def test_crashes_in_different_stages_do_not_add_up(workers: Workers) -> None:
    for attempt in (PICTURE, PREVIEW):
        for _ in range(MAX_CRASHES - 1):
            workers.die_in(attempt)
    guard = workers.new()
    with guard.working(PICTURE):
        pass
    with guard.working(PREVIEW):
        pass


def test_another_job_of_the_same_video_starts_from_zero(workers: Workers) -> None:
    for _ in range(MAX_CRASHES):
        workers.die_in(PICTURE)
    with workers.new().working(StageAttempt("job-2", "video-1", "picture")):
        pass


def test_an_orderly_stop_in_the_middle_is_no_crash(workers: Workers) -> None:
    for _ in range(10):
        guard = workers.new()
        with contextlib.suppress(WorkerStopping), guard.working(PICTURE):
            guard.stop()
            raise WorkerStopping
    with workers.new().working(PICTURE):
        pass


def test_a_stage_left_behind_at_the_end_of_the_grace_is_no_crash(workers: Workers) -> None:
    def leave_in_the_middle() -> None:
        guard = workers.new()
        begin(guard, PICTURE)
        guard.stop()
        guard.wait_idle(0.01)
        guard.forgive()

    for _ in range(10):
        in_a_dying_worker(leave_in_the_middle)
    assert workers.is_marked(PICTURE)
    with workers.new().working(PICTURE):
        pass


def test_a_mark_cut_short_by_the_power_counts(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    for _ in range(MAX_CRASHES - 1):
        workers.die_in(PICTURE)
    (mark,) = (tmp_path / "running").iterdir()
    mark.write_text(mark.read_text()[:5])
    # how often before is lost, that it happened is not: the cut mark is one crash, so two more are the last
    for _ in range(MAX_CRASHES - 1):
        workers.die_in(PICTURE)
    with pytest.raises(WorkerLost) as caught, workers.new().working(PICTURE):
        pytest.fail("the third worker after it must not touch it")
    assert caught.value.details["times"] == MAX_CRASHES


def test_what_is_known_of_a_job_can_be_forgotten(workers: Workers) -> None:
    workers.die_in(PICTURE)
    workers.die_in(PREVIEW)
    other = StageAttempt("job-10", "video-2", "picture")
    workers.die_in(other)
    workers.new().forget("job-1")
    assert (workers.is_marked(PICTURE), workers.is_marked(other)) == (False, True)


def test_nothing_begins_once_the_worker_stops(workers: Workers) -> None:
    guard = workers.new()
    guard.stop()
    with pytest.raises(WorkerStopping), guard.working(PICTURE):
        pytest.fail("it must not begin")


def test_two_branches_of_a_job_work_beside_each_other_but_two_jobs_of_a_video_do_not(workers: Workers) -> None:
    guard = workers.new()
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


def test_after_a_crash_the_branches_of_that_job_take_turns(workers: Workers) -> None:
    audio = StageAttempt("job-1", "video-1", "audio")

    def both() -> None:
        guard = workers.new()
        begin(guard, PICTURE)
        begin(guard, audio)

    in_a_dying_worker(both)
    guard = workers.new()
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


def test_the_innocent_branch_is_not_blamed_for_what_the_other_does(workers: Workers) -> None:
    """The worker dies in audio twice and in transcript twice; the picture was under way at the first only."""
    audio, transcript = StageAttempt("job-1", "video-1", "audio"), StageAttempt("job-1", "video-1", "transcript")

    def first() -> None:
        guard = workers.new()
        begin(guard, PICTURE)
        begin(guard, audio)

    in_a_dying_worker(first)
    workers.die_in(audio)
    for _ in range(2):
        workers.die_in(transcript)
    with workers.new().working(PICTURE):
        pass


def test_the_status_tells_what_is_worked_on(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json", "lib@here")
    guard = CrashGuard(FileCrashMarks(tmp_path / "running"), status)
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
    guard = Workers(tmp_path).new(others)
    with guard.working(PICTURE), guard.working(PREVIEW):
        assert others.left < 0
    assert others.given_up == [PICTURE.subject]


def test_a_stop_ends_that_wait(tmp_path: Path) -> None:
    guards: list[CrashGuard] = []
    others = OtherWorkers(10, guards)
    guards.append(Workers(tmp_path).new(others))
    with pytest.raises(WorkerStopping), guards[0].working(PICTURE):
        pytest.fail("another worker is at it")
    assert guards[0].wait_idle(0)


@pytest.fixture
def shared(postgres: TestServer) -> SharedTables:
    return SharedTables(postgres.url(), uuid.uuid4().hex[:12], "library")


def test_a_worker_whose_stage_another_one_has_changes_nothing_about_it(shared: SharedTables) -> None:
    cut_off, other, third = (TableCrashMarks(shared, name) for name in ("lib@a.1", "lib@b.2", "lib@c.3"))
    assert cut_off.begin("job-1", "picture") == 0
    assert other.begin("job-1", "picture") == 1
    cut_off.leave("job-1", "picture", wait_s=0)
    cut_off.end("job-1", "picture", wait_s=0)
    assert third.begin("job-1", "picture") == 2


def test_a_mark_that_a_living_worker_could_not_remove_is_no_crash(
    shared: SharedTables, postgres: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_guard, "_MARKS_WAIT_S", 0.0)
    marks = TableCrashMarks(shared, "lib@a.1")
    guard = CrashGuard(marks, StatusReport("lib@a.1", lambda _: None))
    with guard.working(PICTURE):
        postgres.stop()
    postgres.start()
    assert marks.has("job-1")
    assert marks.begin("job-1", "picture") == 0
    assert TableCrashMarks(shared, "lib@b.2").begin("job-1", "picture") == 1


def test_only_old_marks_are_forgotten(workers: Workers) -> None:
    workers.die_in(PICTURE)
    workers.marks().forget_before(time.time() - 3600)
    assert workers.is_marked(PICTURE)
    workers.marks().forget_before(time.time() + 3600)
    assert not workers.is_marked(PICTURE)
