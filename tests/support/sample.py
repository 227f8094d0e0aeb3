"""A library of the sample clip, made once per test run and only read after that."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from heimdex_core import Library

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


def sample_library(factory: pytest.TempPathFactory) -> Path:
    """The library's folder; all test modules and all processes of pytest-xdist share it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # each process has a folder of its own in the folder of the run
    path = base / "sample-library"
    done = base / "sample-library.done"
    with (base / "sample-library.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            with Library.open(path) as library:
                library.add(SAMPLE / "heimdex_sample.mp4", title="A Day in Nine Scenes")
            done.touch()
    return path
