from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.media import child_server
from tests.support.ingest import new_store


@pytest.fixture
def no_child_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads foreign bytes runs in this process, where tests can replace parts of it."""
    monkeypatch.setattr(child_server, "_in_child", True)


@pytest.fixture
def store(tmp_path: Path):
    made = new_store(tmp_path / "library")
    yield made
    made.close()
