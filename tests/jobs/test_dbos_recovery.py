"""What `reconcile.recover` relies on in DBOS; the function that it calls there is private and may change."""

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
