"""What `reconcile.recover` and `workflows.workflow` rely on in DBOS; what they use there may change."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest


def process(folder: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.jobs.recovering", str(folder), *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_in_second_step(folder: Path, executor: str, workflow_id: str) -> None:
    held = process(folder, executor, "hold", workflow_id)
    assert held.stdout is not None
    assert held.stdout.readline() == "holding\n"
    held.kill()
    held.wait()


def statuses(folder: Path) -> dict[str, tuple[str, str]]:
    """(status, executor) by workflow id."""
    with sqlite3.connect(folder / "jobs.sqlite") as connection:
        rows = connection.execute("select workflow_uuid, status, executor_id from workflow_status").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


@pytest.mark.long
def test_it_resumes_the_workflows_of_the_named_executor_after_their_last_step(tmp_path: Path) -> None:
    kill_in_second_step(tmp_path, "gone", "job-of-gone")
    kill_in_second_step(tmp_path, "away", "job-of-away")
    assert statuses(tmp_path) == {"job-of-gone": ("PENDING", "gone"), "job-of-away": ("PENDING", "away")}

    recovering = process(tmp_path, "here", "recover", "gone", "job-of-gone")
    output, _ = recovering.communicate(timeout=120)

    assert (output.strip(), recovering.returncode) == ("1", 0)
    assert statuses(tmp_path) == {"job-of-gone": ("SUCCESS", "here"), "job-of-away": ("PENDING", "away")}
    steps = (tmp_path / "steps").read_text().splitlines()
    assert steps == ["job-of-gone first", "job-of-away first", "job-of-gone second"]


ENDED_UNDER_A_JOB = """
import sys, threading, time
from dbos import DBOS, SetWorkflowID
from heimdex_core.jobs.config import quiet
from heimdex_core.jobs.workflows import workflow

begun, may_go_on, tries = threading.Event(), threading.Event(), []

@workflow("child")
def child():
    return {"of": "child"}

@workflow("parent")
def parent():
    tries.append(1)
    begun.set()
    may_go_on.wait()
    return DBOS.start_workflow(child).get_result()

def launch():
    made = DBOS(config={"name": "heimdex", "system_database_url": sys.argv[1], "enable_otlp": False})
    quiet()
    DBOS.launch()
    return made

first = launch()
with SetWorkflowID("job"):
    DBOS.start_workflow(parent)
begun.wait()
executor = first._executor_field

def go_on_between():
    # the threads are gone for new work, and the database is still there
    while first._executor_field is not None:
        time.sleep(0.01)
    may_go_on.set()
    executor.shutdown(wait=True)

between = threading.Thread(target=go_on_between)
between.start()
first._background_threads.append(between)
DBOS.destroy()
launch()
print(DBOS.retrieve_workflow("job").get_result(), len(tries))
DBOS.destroy()
"""


def test_a_job_under_which_the_worker_ends_dbos_is_taken_up_again(tmp_path: Path) -> None:
    """As when a job begins in the moment in which the worker goes to sleep."""
    command = [sys.executable, "-c", ENDED_UNDER_A_JOB, f"sqlite:///{tmp_path}/jobs.sqlite"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["{'of': 'child'} 2"], done.stderr
    assert "Traceback" not in done.stderr
