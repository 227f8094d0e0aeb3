"""The tests of the store and of the jobs once more, over a library in Postgres."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STORE = (
    "store/test_adopt.py",
    "store/test_batches.py",
    "store/test_exports.py",
    "store/test_model_sets.py",
    "store/test_reader.py",
    "store/test_reels.py",
    "store/test_sql.py",
    "store/test_store.py",
    "store/test_videos.py",
    "store/test_view.py",
    "store/test_visible.py",
)
"""Not those about catalog.duckdb, its lock and copies of the folder at the moment of a crash, nor those without a
catalog."""

JOBS = (
    "contracts/test_work_queue.py",
    "jobs/test_cancel.py",
    "jobs/test_dbos_recovery.py",
    "jobs/test_queues.py",
    "jobs/test_recovery.py",
    "jobs/test_sleep.py",
    "jobs/test_workflows.py",
)


@pytest.mark.long
@pytest.mark.parametrize("modules", [STORE, JOBS], ids=["store", "jobs"])
def test_over_postgres(modules: tuple[str, ...]) -> None:
    here = Path(__file__).parents[1]
    files = [here / name for name in modules]
    assert all(file.exists() for file in files)
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not long", "-p", "no:cacheprovider", *map(str, files)]
    environment = {**os.environ, "TEST_CATALOG": "postgres"}
    done = subprocess.run(
        command, cwd=here.parent, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
