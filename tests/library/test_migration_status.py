"""Where a move to other models stands, as others read it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heimdex_core.library import migration
from heimdex_core.library.migration import (
    MigrationStatus,
    migration_lock,
    read_migration_status,
    replace_migration_job,
)
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.shared_tables import SharedTables
from heimdex_core.types import utc_now
from tests.support.postgres import TestServer


@pytest.fixture
def paths(tmp_path: Path) -> LibraryPaths:
    made = LibraryPaths(tmp_path)
    made.work_root.mkdir()
    return made


def written(paths: LibraryPaths, *, pid: int, silent_s: float) -> str:
    """The state that is read of a running move that was last noted by `pid` so long ago."""
    then = (utc_now() - timedelta(seconds=silent_s)).isoformat()
    migration._write(paths, MigrationStatus(2, "custom", "running", pid=pid, started_at=then, updated_at=then))
    found = read_migration_status(paths)
    assert found is not None
    return found.state


@pytest.fixture(scope="module")
def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_silent_move_of_a_process_that_is_gone_was_interrupted(paths: LibraryPaths, ended_pid: int) -> None:
    assert written(paths, pid=ended_pid, silent_s=3600) == "interrupted"


def test_a_process_that_lives_may_be_silent(paths: LibraryPaths) -> None:
    """It loads models, for one."""
    assert written(paths, pid=os.getpid(), silent_s=3600) == "running"


def test_a_move_that_was_noted_a_moment_ago_runs(paths: LibraryPaths, ended_pid: int) -> None:
    assert written(paths, pid=ended_pid, silent_s=0) == "running"


def test_a_move_whose_lock_is_held_runs(paths: LibraryPaths, ended_pid: int) -> None:
    with migration_lock(paths).hold():
        assert written(paths, pid=ended_pid, silent_s=3600) == "running"


def test_over_postgres_every_machine_sees_it(tmp_path: Path, postgres: TestServer, ended_pid: int) -> None:
    """Another machine has another folder, knows nothing of the process, and sees that the job goes on."""
    shared = SharedTables(postgres.url(), uuid.uuid4().hex[:12], "")
    here, elsewhere = LibraryPaths(tmp_path / "here"), LibraryPaths(tmp_path / "elsewhere")
    then = (utc_now() - timedelta(hours=1)).isoformat()
    running = MigrationStatus(2, "custom", "running", job_id="job", pid=ended_pid, started_at=then, updated_at=then)
    migration._write(here, running, shared)
    assert read_migration_status(elsewhere, shared) == running
    assert replace_migration_job(elsewhere, "job", "next", shared)
    found = read_migration_status(here, shared)
    assert found is not None
    assert (found.state, found.job_id) == ("waiting", "next")
    migration._write(here, replace(running, job_id=None), shared)
    found = read_migration_status(elsewhere, shared)
    assert found is not None
    assert found.state == "interrupted"
    assert not here.root.exists()
