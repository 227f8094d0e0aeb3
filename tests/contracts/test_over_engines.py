"""The tests of the store and of the jobs once more, over a library in Postgres, over one in object storage, and
over one that is searched on tables of LanceDB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STORE = (
    "store/test_activity.py",
    "store/test_adopt.py",
    "store/test_batches.py",
    "store/test_exports.py",
    "store/test_model_sets.py",
    "store/test_processes.py",
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


STORED = (
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
    "jobs/test_cancel.py",
    "jobs/test_workflows.py",
)
LOCAL_DAMAGE = (
    "test_rebuilding_indexes_restores_what_it_can_and_reports_the_rest",
    "test_missing_indexes_are_reported_and_written_by_the_next_commit",
    "test_a_missing_index_is_reported_where_it_is_used",
)
"""Tests that damage files of the folder, which are fetched again if the library is in object storage."""


SEARCHED = (
    "store/test_adopt.py",
    "store/test_mirror.py",
    "store/test_model_sets.py",
    "store/test_reader.py",
    "store/test_store.py",
    "store/test_view.py",
)
OF_FAISS_AND_TANTIVY = (
    "test_only_what_is_asked_for_is_opened",
    "test_a_missing_index_is_reported_where_it_is_used",
    "test_which_share_of_the_words_a_scene_has_is_looked_up_once",
    "test_dropping_a_set_removes_what_only_it_has",
    "test_drop_killed_anywhere",
    "test_purge_leaves_nothing",
    "test_rebuilding_indexes_with_another_type",
)
"""Tests that look into the files of the indexes; store/test_lance.py has the same for the tables."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("catalog", "modules"),
    [("postgres", STORE), ("postgres", JOBS), ("s3", STORED), ("lancedb", SEARCHED)],
    ids=["store", "jobs", "object-storage", "lancedb"],
)
def test_over(catalog: str, modules: tuple[str, ...]) -> None:
    here = Path(__file__).parents[1]
    files = [here / name for name in modules]
    assert all(file.exists() for file in files)
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not long", "-p", "no:cacheprovider", *map(str, files)]
    if catalog == "s3":
        command += ["-k", " and ".join(f"not {name}" for name in LOCAL_DAMAGE)]
    environment = {**os.environ, "TEST_CATALOG": catalog}
    if catalog == "lancedb":
        command += ["-k", " and ".join(f"not {name}" for name in OF_FAISS_AND_TANTIVY)]
        environment = {**os.environ, "TEST_SEARCH": catalog}
    done = subprocess.run(
        command, cwd=here.parent, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
