"""The tests of the store once more, over a catalog in Postgres."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = (
    "test_adopt",
    "test_batches",
    "test_exports",
    "test_layout",
    "test_model_sets",
    "test_reader",
    "test_reels",
    "test_sql",
    "test_store",
    "test_videos",
    "test_view",
    "test_visible",
)
"""Not those about catalog.duckdb, its lock and copies of the folder at the moment of a crash, nor those without a
catalog."""


@pytest.mark.long
def test_the_store_over_postgres() -> None:
    here = Path(__file__).parent
    files = [str(here / f"{name}.py") for name in MODULES]
    assert all(map(os.path.exists, files))
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not long", "-p", "no:cacheprovider", *files]
    environment = {**os.environ, "TEST_CATALOG": "postgres"}
    done = subprocess.run(
        command, cwd=here.parents[1], env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
