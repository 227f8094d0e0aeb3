"""Workers over Postgres: who lives, who takes over, and that one which has lost its lock changes nothing any more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.cli.main import main
from heimdex_core.errors import WorkerReplaced
from heimdex_core.ingest import stages
from heimdex_core.ingest.progress import ProgressBook
from heimdex_core.jobs.client import JobState
from heimdex_core.jobs.places import worker_place
from heimdex_core.jobs.statuses import statuses_of
from heimdex_core.jobs.table_place import TablePlace, forget_old_rows, live_numbers, number_of
from heimdex_core.jobs.worker_slot import machine_name
from heimdex_core.library import Library
from heimdex_core.store import Store, sidecar
from heimdex_core.store.shared_tables import SharedTables
from heimdex_core.types import VideoState
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support import media
from tests.support.postgres import run

KILLING = "tests.jobs.killing_worker"


@pytest.fixture
def bench(tmp_path: Path, database: str) -> Iterator[Bench]:
    made = Bench.make(tmp_path / "library")
    yield made
    made.close()


@pytest.fixture
def shared(bench: Bench) -> SharedTables:
    assert bench.library.work.shared is not None
    return bench.library.work.shared


def end_session_of(url: str, pid: int, *, only_locks: bool = False) -> None:
    """Have the server end the connections of a process, or the one that has its lock."""
    sql = "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
    of_process = f" where application_name like 'heimdex {pid} %'"
    with_lock = " and pid in (select pid from pg_locks where locktype = 'advisory' and objsubid = 2)"
    run(url, sql + of_process + (with_lock if only_locks else ""))


def test_each_worker_has_a_number_of_its_own_which_is_free_when_it_ends(bench: Bench, shared: SharedTables) -> None:
    with worker_place(bench.library.work) as one, worker_place(bench.library.work) as other:
        assert isinstance(one, TablePlace)
        assert isinstance(other, TablePlace)
        assert live_numbers(shared) == {one.number, other.number}
        assert number_of(one.executor_id) == one.number
        with one.gone([other.executor_id, one.executor_id, "key@machine-of-an-earlier-version"]) as gone:
            assert gone == ["key@machine-of-an-earlier-version"]
        assert (one.leads(), other.leads(), one.leads()) == (True, False, True)
    assert live_numbers(shared) == set()
    with worker_place(bench.library.work) as third:
        assert isinstance(third, TablePlace)
        assert third.number > other.number
        assert third.leads()
        with third.gone([other.executor_id]) as gone:
            assert gone == [other.executor_id]


def test_a_worker_whose_connection_ended_may_change_something_until_another_takes_over(
    bench: Bench, database: str, shared: SharedTables
) -> None:
    video = bench.video()
    with worker_place(bench.library.work) as lost:
        assert not lost.is_lost()
        end_session_of(database, os.getpid(), only_locks=True)
        assert lost.is_lost()
        bench.library._store.set_job(video.video_id, "before")
        other = subprocess.run(
            [sys.executable, "-c", TAKING_OVER, str(bench.library.path), lost.executor_id],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.stdout.strip() == str([lost.executor_id]), other.stderr
        with pytest.raises(WorkerReplaced) as caught:
            bench.library._store.set_job(video.video_id, "after")
        assert lost.executor_id in caught.value.message
    assert bench.library.video(video.video_id).job_id == "before"


TAKING_OVER = """
import sys
from heimdex_core.library import Library
from heimdex_core.jobs.places import worker_place
with Library.open(sys.argv[1]) as library, worker_place(library.work) as place, place.gone([sys.argv[2]]) as gone:
    print(gone)
"""


def test_a_notification_or_a_lost_connection_wakes(bench: Bench, database: str, shared: SharedTables) -> None:
    never = threading.Event()
    with worker_place(bench.library.work) as place:
        place.note()
        assert not place.wait(never, 0)
        shared.notify()
        assert place.wait(never, 60)
        place.note()
        assert not place.wait(never, 0)
        end_session_of(database, os.getpid(), only_locks=True)
        assert place.wait(never, 60)
        assert place.is_lost()


def test_no_two_workers_are_at_the_same_video(bench: Bench, database: str) -> None:
    with worker_place(bench.library.work) as one, worker_place(bench.library.work) as other:
        assert one.claims is not None
        assert other.claims is not None
        assert one.claims.take("video")
        assert one.claims.take("video")
        assert (other.claims.take("video"), other.claims.take("another")) == (False, True)
        one.claims.give_up("another")
        one.claims.give_up("video")
        assert other.claims.take("video")
        assert not one.claims.take("video")
        end_session_of(database, os.getpid(), only_locks=True)
        assert not one.claims.take("third")


def test_a_worker_that_died_on_one_machine_is_counted_on_another(bench: Bench) -> None:
    """Nothing about it is in the folder."""
    with worker_place(bench.library.work) as killed:
        assert killed.crash_marks.begin("job", "picture") == 0
    with worker_place(bench.library.work) as elsewhere:
        assert elsewhere.crash_marks.begin("job", "picture") == 1
        assert not (bench.library.work.worker_folder / "running").exists()


def test_all_workers_are_seen_by_doctor_and_by_their_status(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    with worker_place(bench.library.work) as one, worker_place(bench.library.work) as ended:
        one.status.set_queues(["ingest", "render"])
        one.status.set_state("idle")
        one.status.begin("job", "video", "picture")
        ended.status.set_state("stopped")
        (shown,) = bench.library.doctor()["workers"]
        assert shown == {
            "machine": machine_name(),
            "pid": os.getpid(),
            "state": "working",
            "queues": ["ingest", "render"],
        }
        statuses = {status.executor_id: status for status in statuses_of(bench.library.work).all()}
        assert statuses[one.executor_id].jobs[0]["subject"] == "video"
        assert statuses[ended.executor_id].state == "stopped"
        main(["--library", str(bench.library.path), "doctor"])
        assert f"worker: {machine_name()}  {os.getpid()}  working  ingest, render" in capsys.readouterr().out


def test_a_cancelled_stage_stops_on_another_machine_and_others_see_its_progress(bench: Bench) -> None:
    """Neither is in the folder, so it is the same whether the machines share one."""
    video = bench.video()
    here = bench.library._store
    ProgressBook(here.progress(here.paths.work(video.video_id) / "progress.json"), stages.SPECS).start("probe", "s")
    elsewhere = Library(
        replace(bench.library._context, store=Store(here.paths.root, here.manifest, bench.library.settings))
    )
    shown = elsewhere.progress(video.video_id)
    assert shown is not None
    assert shown.stage == "probe"
    assert not here.paths.work(video.video_id).exists()

    asked = here.cancel_marks.asked(video.video_id)
    assert not asked()
    elsewhere.cancel(video.video_id)
    until(asked, "the stage to be asked")
    assert list(here.paths.work_root.glob("*.cancel")) == []


def test_what_became_of_a_watched_folder_is_seen_on_another_machine(bench: Bench, tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    (folder / "prose.mp4").write_text("no video")
    added = bench.library.watched.add(folder)
    assert bench.library.watched.list()[0].status is None
    bench.library.watched.watch(added).look()
    (report,) = bench.library.watched.list()
    assert report.status is not None
    assert (report.status.state, report.status.files, report.status.waiting) == ("watching", 1, 1)
    assert not (bench.library.work.worker_folder.parent / ".watching").exists()
    bench.library.watched.stop(folder)
    assert bench.library.work.shared is not None
    assert bench.library.work.shared.rows("select name from shared.progress") == []


@pytest.mark.long
def test_a_job_goes_on_where_its_work_folder_is_not(bench: Bench, tmp_path: Path) -> None:
    """On the next machine, with a work folder of its own, whose stages make what they need."""
    file = media.colour_clips(tmp_path / "clip.avi", [("red", 1.5), ("blue", 1.5)], size=(160, 90), tone_hz=440)
    bench.order("kill-at-commit")
    video = bench.library.add(file, queue=True)
    assert video.job_id is not None
    first = bench.start(KILLING)
    until(lambda: first.poll() is not None, "the worker to be killed")
    bench.worker = None
    shutil.rmtree(bench.library._store.paths.work(video.video_id))
    bench.start(KILLING)
    job = bench.ended(video.job_id)
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    done = bench.library.video(video.video_id)
    assert (done.state, done.scene_count) == (VideoState.INDEXED, 2)


def test_old_workers_are_forgotten_and_live_ones_are_not(bench: Bench, shared: SharedTables) -> None:
    with worker_place(bench.library.work) as ended:
        ended.status.set_state("idle")
    with worker_place(bench.library.work) as live:
        live.status.set_state("idle")
        shared.rows("update shared.workers set started_at = now() - interval '31 days'")
        forget_old_rows(shared, 30)
        assert shared.rows("select executor_id from shared.workers") == [(live.executor_id,)]
        assert len(shared.rows("select 1 from shared.worker_status")) == 1


@pytest.mark.long
def test_a_stopped_worker_that_goes_on_after_its_work_was_taken_over_commits_nothing(
    bench: Bench, tmp_path: Path, database: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Stopped with a complete generation in its hands; meanwhile another worker commits one of the same number."""
    file = media.colour_clips(tmp_path / "clip.avi", [("red", 1.5), ("blue", 1.5)], size=(160, 90), tone_hz=440)
    ordered = bench.order("stop-before-commit")
    video = bench.library.add(file, queue=True)
    assert video.job_id is not None
    # No clean-up, which may have this machine's lock of the index when the process is stopped.
    zombie = bench.start(KILLING, "--queues", "ingest")
    second = None
    try:
        until(lambda: not ordered.exists(), "the worker to stop before its commit")
        end_session_of(database, zombie.pid)
        second = bench.start(KILLING)
        job = bench.ended(video.job_id)
        assert (job.state, job.error) == (JobState.SUCCEEDED, None)
        done = bench.library.video(video.video_id)
        assert (done.state, done.scene_count, done.generation) == (VideoState.INDEXED, 2, 1)
        before = files_of(bench, video.video_id)

        zombie.send_signal(signal.SIGCONT)
        said: list[str] = []

        def says(text: str) -> bool:
            said.append(capfd.readouterr().err)
            return text in "".join(said)

        until(lambda: says("has lost its place"), "the worker to take a new place")
        assert "commit of " in "".join(said)
        assert "is left to others: This worker (" in "".join(said)
        assert bench.library.video(video.video_id) == done
        assert files_of(bench, video.video_id) == before
        assert bench.queue.status(video.job_id).state == JobState.SUCCEEDED
        assert zombie.poll() is None
    finally:
        for process in (zombie, second):
            if process is not None:
                process.kill()
                process.wait()
        bench.worker = None
    provenance = sidecar.read_provenance(bench.library._store.paths.generation(video.video_id, 1))
    assert sum(entry["stage"] == "scenes" for entry in provenance["stages"]) == 1


def files_of(bench: Bench, video_id: str) -> dict[str, int]:
    """The files of a video's generations with the moment in which they were written."""
    folder = bench.library._store.paths.generations(video_id)
    numbered = [one for one in folder.iterdir() if one.name.isdecimal()]
    return {str(path): path.stat().st_mtime_ns for one in numbered for path in one.rglob("*") if path.is_file()}
