from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from heimdex_core.settings import get_settings
from tests.support.postgres import TestServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    server = TestServer()
    yield server
    server.close()


@pytest.fixture
def database(postgres: TestServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a Postgres that the libraries of this test keep their catalogs in."""
    url = postgres.url()
    monkeypatch.setenv("HEIMDEX_DATABASE_URL", url)
    get_settings.cache_clear()
    return url


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """The test runs with a catalog in each."""
    if request.param == "postgres":
        request.getfixturevalue("database")
    return str(request.param)


@pytest.fixture(autouse=True)
def chosen_catalog(request: pytest.FixtureRequest) -> None:
    """With TEST_CATALOG=postgres every library keeps its catalog there; test_store_over_postgres.py sets it."""
    if os.environ.get("TEST_CATALOG") == "postgres":
        request.getfixturevalue("database")
