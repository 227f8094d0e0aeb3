"""A library of the sample clip, made once per test run and only read after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core import Library

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


def sample_library(factory: pytest.TempPathFactory) -> Path:
    """The library's folder; several test modules of one process share it."""
    path = factory.getbasetemp() / "sample-library"
    if not path.exists():
        with Library.open(path) as library:
            library.add(SAMPLE / "heimdex_sample.mp4", title="A Day in Nine Scenes")
    return path
