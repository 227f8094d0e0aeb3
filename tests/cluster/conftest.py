from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.machines import Machines
from tests.jobs.bench import Bench
from tests.support.postgres import TestServer


@pytest.fixture
def machines(postgres: TestServer, tmp_path: Path) -> Iterator[Machines]:
    """A library in a database of its own and a folder that all processes share; no process is started yet."""
    made = Machines(Bench.make(tmp_path / "library", database_url=postgres.new_database()))
    yield made
    made.close()
