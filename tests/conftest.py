"""What all tests share: no setting and no model of the machine they run on reaches them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from heimdex_core.settings import get_settings

if TYPE_CHECKING:
    from tests.support.object_storage import S3TestServer, TestBucket
    from tests.support.postgres import TestServer

FOR_TESTS = ("HEIMDEX_DEBUG", "HEIMDEX_SHOTS")
for name in [name for name in os.environ if name.startswith("HEIMDEX_") and name not in FOR_TESTS]:
    del os.environ[name]
# A search leaves out a channel that is slow; on a busy machine that would be any of them.
os.environ["HEIMDEX_CHANNEL_TIMEOUT_S"] = "60"
# Nor is an example wrong because a busy machine took its time.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def no_models_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`auto` would take larger models where somebody has them; here nobody does, child processes included."""
    empty = tmp_path_factory.mktemp("no-models")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_HUB_CACHE", str(empty))
        patched.setenv("HEIMDEX_MODELS_DIR", str(empty))
        patched.delenv("HF_HOME", raising=False)
        yield empty


@pytest.fixture(autouse=True)
def settings_of_this_test() -> Iterator[None]:
    """The settings are read once per process: a test that changes the environment must not leave them to the next."""
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


class ErrorRecords(logging.Handler):
    """Collects what is logged as an error by the workbench or by what it is built on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_unexpected_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """An ERROR in the log fails the test, unless it is marked expect_errors."""
    records = ErrorRecords()
    logging.getLogger().addHandler(records)
    yield
    logging.getLogger().removeHandler(records)
    assert request.node.get_closest_marker("expect_errors") or records.messages == [], "unexpected errors in the log"


# --- Postgres -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    """A Postgres of this process, started when the first test asks for it."""
    from tests.support.postgres import TestServer  # noqa: PLC0415 - most test runs need no Postgres

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


@pytest.fixture(autouse=True)
def chosen_catalog(request: pytest.FixtureRequest) -> None:
    """With TEST_CATALOG=postgres every library has its catalog there, with TEST_CATALOG=s3 its files in a bucket, too.

    contracts/test_over_engines.py sets it.
    """
    if os.environ.get("TEST_CATALOG") == "s3":
        from tests.support.object_storage import keep_in_bucket  # noqa: PLC0415 - most test runs need no S3

        request.getfixturevalue("database")
        keep_in_bucket(request.getfixturevalue("s3"), request.getfixturevalue("monkeypatch"))
    if os.environ.get("TEST_CATALOG") == "postgres":
        request.getfixturevalue("database")


@pytest.fixture(autouse=True)
def chosen_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """With TEST_SEARCH=lancedb new libraries are searched with it; contracts/test_over_engines.py sets it."""
    if name := os.environ.get("TEST_SEARCH"):
        monkeypatch.setenv("HEIMDEX_SEARCH", name)
        get_settings.cache_clear()


# --- object storage -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3TestServer]:
    """An S3 server of this process, started when the first test asks for it."""
    from tests.support.object_storage import S3TestServer  # noqa: PLC0415 - most test runs need no S3

    server = S3TestServer()
    yield server
    server.close()


@pytest.fixture
def s3(s3_server: S3TestServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestBucket]:
    """A bucket of this test, with AWS_* set for it; tests/support/object_storage.py says how to inject faults."""
    from tests.support.object_storage import TestBucket, environment  # noqa: PLC0415 - as above

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(s3_server).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    bucket = s3_server.new_bucket()
    yield TestBucket(s3_server, bucket)
    s3_server.remove_bucket(bucket)
    s3_server.reset()
