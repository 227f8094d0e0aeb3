"""jobs.sqlite is deleted, cut, overwritten or replaced: no work is lost, and queueing goes on without a restart."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import HeimdexError, JobsFileUnusable, LibraryBusy
from heimdex_core.jobs.client import JobState
from heimdex_core.jobs.config import JobsDatabase
from heimdex_core.jobs.reconcile import queue_lost_jobs
from heimdex_core.library.migration import read_migration_status, write_waiting
from heimdex_core.store import jobs_file
from heimdex_core.store.jobs_file import damaged_files, find_damage, put_aside_if_damaged
from heimdex_core.types import VideoState
from tests.jobs.bench import Bench
from tests.jobs.test_workflows import TestExport as Exports

GARBAGE = bytes(range(256)) * 64


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


def delete(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    path.write_bytes(GARBAGE)


def overwrite_middle(path: Path) -> None:
    """All pages but the first one, so that the header and the schema's root look sound."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    (path / "something").mkdir(parents=True)


def replace_by_other(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("create table other (x)")


DAMAGES = {
    damage.__name__: damage
    for damage in (delete, empty, cut, overwrite, overwrite_middle, replace_by_folder, replace_by_other)
}
IS_PUT_ASIDE = {"cut", "overwrite", "overwrite_middle", "replace_by_folder"}


def lost_jobs(bench: Bench) -> int:
    client = JobsDatabase.of(bench.library.work).client()
    try:
        return queue_lost_jobs(client, bench.library.work)
    finally:
        client.destroy()


@pytest.mark.parametrize("damage", DAMAGES)
def test_queueing_goes_on_and_what_was_queued_is_found_again(bench: Bench, damage: str) -> None:
    first, second = bench.video(), bench.video()
    lost = bench.enqueue(first)
    DAMAGES[damage](bench.library.path / "jobs.sqlite")

    job_id = bench.enqueue(second)

    bench.queue.check(timeout_s=1.0)
    assert [job.job_id for job in bench.queue.active()] == [job_id]
    assert bool(damaged_files(bench.library.path)) == (damage in IS_PUT_ASIDE)
    assert lost_jobs(bench) == 1
    again = bench.library.video(first.video_id).job_id
    assert again not in (None, lost)
    assert {job.job_id for job in bench.queue.active()} == {job_id, again}
    assert lost_jobs(bench) == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_asking_whether_it_is_ready_mends_it(bench: Bench, damage: str) -> None:
    bench.enqueue(bench.video())
    DAMAGES[damage](bench.library.path / "jobs.sqlite")
    bench.queue.check(timeout_s=1.0)
    assert bench.queue.active() == []


def test_exports_and_moves_are_found_again_and_what_was_cancelled_is_not(bench: Bench) -> None:
    export = Exports().export(bench)
    bench.library._store.exports.update(export.export_id, job_id=bench.queue.enqueue_reel(export.export_id))
    target = bench.library.model_sets.active()
    move = write_waiting(
        bench.library._store.paths,
        target,
        bench.queue.enqueue_migration(target.set_id),
        bench.library.work.shared,
    )
    cancelled = bench.video()
    bench.enqueue(cancelled)
    delete(bench.library.path / "jobs.sqlite")
    bench.library.cancel(cancelled.video_id)  # though the queue does not know it
    assert (bench.state(cancelled), bench.error_code(cancelled)) == (VideoState.FAILED, "CANCELLED")
    assert lost_jobs(bench) == 2
    status = read_migration_status(bench.library._store.paths, bench.library.work.shared)
    assert status is not None
    assert status.job_id not in (None, move.job_id)
    queued = {job.job_id: (job.kind, job.args) for job in bench.queue.active()}
    assert queued == {
        bench.library.exports.get(export.export_id).job_id: ("export", ("local", export.export_id)),
        status.job_id: ("migration", (target.set_id,)),
    }
    assert bench.state(cancelled) == VideoState.FAILED


@pytest.mark.long
@pytest.mark.parametrize("damage", ["delete", "overwrite"])
def test_a_worker_goes_on_with_a_new_file(bench: Bench, damage: str, capfd: pytest.CaptureFixture[str]) -> None:
    held = bench.order("hold-picture")
    first, second, third = bench.video(), bench.video(), bench.video()
    worker = bench.start()
    bench.enqueue(first)
    bench.enqueue(second)
    bench.wait_for_stage(first.video_id, "picture")
    DAMAGES[damage](bench.library.path / "jobs.sqlite")
    job_id = bench.enqueue(third)
    held.unlink()
    for video in (first, second, third):
        bench.wait_for_state(video, VideoState.INDEXED)
    assert bench.ended(job_id).state == JobState.SUCCEEDED
    assert worker.poll() is None, "it is the same process"
    said = capfd.readouterr().err
    assert "Traceback" not in said, said


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_worker_that_starts_on_it_finds_the_work_again(bench: Bench, damage: str) -> None:
    video = bench.video()
    bench.enqueue(video)
    bench.queue.close()
    DAMAGES[damage](bench.library.path / "jobs.sqlite")
    bench.start()
    bench.wait_for_state(video, VideoState.INDEXED)
    assert bool(damaged_files(bench.library.path)) == (damage in IS_PUT_ASIDE)


def test_doctor_tells_of_the_file_and_of_the_one_put_aside(bench: Bench) -> None:
    def codes() -> set[str]:
        return {problem["code"] for problem in bench.library.doctor()["problems"]}

    bench.enqueue(bench.video())
    assert not {code for code in codes() if code.startswith("JOBS")}
    overwrite_middle(bench.library.path / "jobs.sqlite")
    assert "JOBS_FILE_DAMAGED" in codes()
    bench.queue.check(timeout_s=1.0)
    bench.enqueue(bench.video())
    assert {code for code in codes() if code.startswith("JOBS")} == {"JOBS_FILE_REPLACED"}


class TestPuttingAside:
    def test_nothing_is_deleted(self, tmp_path: Path) -> None:
        path = tmp_path / "jobs.sqlite"
        for n in range(3):  # within one second, too
            path.write_bytes(GARBAGE + bytes([n]))
            assert put_aside_if_damaged(path, timeout_s=1.0) is not None
        assert not path.exists()
        kept = damaged_files(tmp_path)
        assert {one.read_bytes()[-1] for one in kept} == {0, 1, 2}

    def test_killed_in_between_it_is_done_the_next_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "jobs.sqlite"
        path.write_bytes(GARBAGE)

        class Killed(BaseException):
            pass

        def die(step: str) -> None:
            raise Killed(step)

        monkeypatch.setattr(jobs_file, "crash_point", die)
        with pytest.raises(Killed, match="jobs-journal-moved"):
            put_aside_if_damaged(path, timeout_s=1.0)
        assert path.read_bytes() == GARBAGE
        monkeypatch.undo()
        aside = put_aside_if_damaged(path, timeout_s=1.0)
        assert aside is not None
        assert aside.read_bytes() == GARBAGE

    def test_a_sound_file_stays(self, bench: Bench) -> None:
        bench.enqueue(bench.video())
        path = bench.library.path / "jobs.sqlite"
        before = path.read_bytes()
        assert put_aside_if_damaged(path, timeout_s=1.0, thorough=True) is None
        assert path.read_bytes() == before
        assert put_aside_if_damaged(path.with_name("missing.sqlite"), timeout_s=1.0) is None

    def test_a_folder_that_cannot_be_moved_is_named(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """As where a container has mounted it."""
        path = bench.library.path / "jobs.sqlite"
        path.mkdir()

        def refuse(source: object, target: object) -> None:
            raise (FileNotFoundError if str(source) != str(path) else OSError)(16, "Device or resource busy")

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(JobsFileUnusable) as caught:
            bench.queue.active()
        assert str(path) in caught.value.message
        assert "it is a folder; it cannot be moved aside either: Device or resource busy" in caught.value.message
        assert "move it away" in caught.value.hint

    def test_a_file_that_may_not_be_written_is_named(self) -> None:
        code = """
import os, sys
from pathlib import Path
from heimdex_core.errors import JobsFileUnusable
from heimdex_core.store.jobs_file import put_aside_if_damaged
if os.geteuid() == 0:  # who may write anything
    os.setuid(65534)
try:
    put_aside_if_damaged(Path(sys.argv[1]), timeout_s=1.0)
except JobsFileUnusable as error:
    print(error.message)
"""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "jobs.sqlite")
            with sqlite3.connect(path) as connection:
                connection.execute("create table t (x)")
            path.chmod(0o444)
            Path(folder).chmod(0o555)
            done = subprocess.run(
                [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=True
            )
            Path(folder).chmod(0o755)
        assert done.stdout.startswith(f"The job database {path} cannot be used: it may not be")


LOCKED = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin exclusive")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_stopped_process_that_has_it_locked_is_named(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "library", lock_timeout_s=0.3)
    job_id = bench.enqueue(bench.video())
    path = bench.library.path / "jobs.sqlite"
    child = subprocess.Popen([sys.executable, "-c", LOCKED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    child.send_signal(signal.SIGSTOP)
    calls: list[Callable[[], object]] = [
        lambda: bench.enqueue(bench.video()),  # with the connection that is there
        lambda: bench.queue.status(job_id),
        lambda: bench.queue.check(timeout_s=0.3),
        lambda: JobsDatabase.of(bench.library.work).client(0.3),  # with a new one
        lambda: find_damage(path, timeout_s=0.3),
    ]
    for call in calls:
        with pytest.raises(HeimdexError) as caught:
            call()
        assert isinstance(caught.value, LibraryBusy)
        assert caught.value.details["pid"] == child.pid
    child.kill()
    child.wait()
    assert bench.queue.status(job_id).state == JobState.QUEUED
    assert damaged_files(bench.library.path) == []
    bench.close()


def test_a_file_that_cannot_be_opened_is_told_without_a_traceback(tmp_path: Path) -> None:
    script = """
import sys
from dbos import DBOS
from heimdex_core.jobs.config import quiet

DBOS(config={"name": "heimdex", "system_database_url": sys.argv[1], "enable_otlp": False})
quiet()
try:
    DBOS.launch()
except Exception as error:
    print(type(error).__name__)
"""
    command = [sys.executable, "-c", script, f"sqlite:///{tmp_path}/no/such/folder/x.db"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == ["OperationalError"], "the worker says this one in a line"
    assert "Traceback" not in done.stderr
