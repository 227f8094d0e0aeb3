"""What is in a line of the log, and what is in none."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core import logs
from heimdex_core.settings import Settings

SECRETS = [
    ("refused hdx_3f2a_c2VjcmV0LXNlY3JldA was", "refused *** was"),
    ("Authorization: Bearer eyJhbGciOi.J9.x-y", "Authorization: Bearer ***"),
    ("postgresql://ann:s3cr:t@db/lib is away", "postgresql://ann:***@db/lib is away"),
    ("GET /files/eyJwIjoidmlkZW9z.aSIg-x HTTP/1.1", "GET /files/*** HTTP/1.1"),
    ("GET /faces/eyJmIjoi.aSIg-x HTTP/1.1", "GET /faces/*** HTTP/1.1"),
    ("/api/v1/uploads/7/content?link=eyJ1IjoiN.aSIg", "/api/v1/uploads/7/content?link=***"),
    ("/search?q=red%20car&limit=3", "/search?q=***&limit=3"),
    ("/callback?state=abc&code=xyz", "/callback?state=***&code=***"),
    ("the video 12:30 at https://host/page is fine", "the video 12:30 at https://host/page is fine"),
]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The loggers as they were before, afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, [(name, logging.getLogger(name).level) for name in logs.OURS]
    yield
    root.handlers[:], root.level = before[0], before[1]
    for name, level in before[2]:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert logs.redact(text) == shown


@pytest.mark.expect_errors
@pytest.mark.usefixtures("lines")
def test_json_lines_with_ids_fields_and_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("serve", Settings(log_format="json"))
    log = logging.getLogger("heimdex_core.test")
    with logs.ids(request_id="r1"), logs.ids(job_id="j1"):
        log.info("begun\nby %s", "hdx_1_secret", extra={"fields": {"status": 200}})
    try:
        raise ValueError("postgresql://ann:secret@db/lib")
    except ValueError:
        log.exception("한국어")
    logging.getLogger("others").info("no warning")
    first, second = written(capsys)
    assert first.pop("pid") == second.pop("pid")
    assert str(first.pop("time")).endswith("+00:00")
    assert first == {
        "level": "INFO",
        "logger": "heimdex_core.test",
        "message": "begun\nby ***",
        "process": "serve",
        "request_id": "r1",
        "job_id": "j1",
        "status": 200,
    }
    assert (second["message"], second["level"], "request_id" in second) == ("한국어", "ERROR", False)
    assert "ann:***@db" in str(second["exception"])
    assert "secret" not in str(second["exception"])


@pytest.mark.usefixtures("lines")
def test_loggers_with_handlers_of_their_own_write_the_same_lines(capsys: pytest.CaptureFixture[str]) -> None:
    other = logging.getLogger("test_logs.with_handler")
    other.propagate = False
    other.addHandler(logging.StreamHandler(sys.stderr))
    logs.configure("app", Settings(log_format="json"))
    other.warning("/files/token")
    assert [line["message"] for line in written(capsys)] == ["/files/***"]


@pytest.mark.usefixtures("lines")
def test_text_is_as_python_does_it_unless_a_process_asks_for_more(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    logs.configure("app", Settings(log_format="text"))
    assert logging.getLogger().handlers == before
    logs.configure("worker", Settings(log_format="text"), text=True)
    logging.getLogger("heimdex_core.test").info("Bearer abc")
    assert capsys.readouterr().err.endswith(" INFO heimdex_core.test: Bearer ***\n")


@pytest.mark.expect_errors
@pytest.mark.usefixtures("lines")
def test_what_is_logged_as_text_makes_no_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker", Settings(log_format="text"), text=True)
    log = logging.getLogger("heimdex_core.test")
    log.info("%s is left out", "clip\n2026-11-27 INFO all is well\x1b[2K\u2028\u00e9.mp4")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r": clip\n2026-11-27 INFO all is well\x1b[2K\u2028é.mp4 is left out")
    try:
        raise ValueError("x")
    except ValueError:
        log.exception("failed")
    assert capsys.readouterr().err.splitlines()[1] == "Traceback (most recent call last):"


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    """The command line, with its log in JSON."""
    url = "postgresql://ann:pass-word-1@127.0.0.1:1/library"
    environment = {"HEIMDEX_DATABASE_URL": url, "HEIMDEX_LOG_FORMAT": "json", "HEIMDEX_LOCK_TIMEOUT_S": "0.2"}
    command = [sys.executable, "-m", "heimdex_core", "add", "a.mp4", "--library", str(tmp_path / "library")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "database" in done.stderr
    assert "pass-word-1" not in done.stderr + done.stdout
