from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.settings import get_settings
from tests.cluster.machines import Machines
from tests.jobs.bench import Bench
from tests.support.object_storage import TestBucket
from tests.support.postgres import TestServer


@pytest.fixture
def machines(postgres: TestServer, tmp_path: Path) -> Iterator[Machines]:
    """A library in a database of its own and a folder that all processes share; no process is started yet."""
    root = tmp_path / "library"
    made = Machines(Bench.make(root, database_url=postgres.new_database()), str(root), tmp_path)
    yield made
    made.close()


@pytest.fixture
def machines_without_disk(
    postgres: TestServer, s3: TestBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machines]:
    """The same with a bucket and a working folder for each process instead of the folder."""
    monkeypatch.setenv("HEIMDEX_CACHE", str(tmp_path / "test"))
    get_settings.cache_clear()
    made = Machines(Bench.make(s3.url, database_url=postgres.new_database()), s3.url, tmp_path)
    yield made
    made.close()
