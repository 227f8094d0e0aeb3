from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ingest import new_store


@pytest.fixture
def store(tmp_path: Path):
    made = new_store(tmp_path / "library")
    yield made
    made.close()
