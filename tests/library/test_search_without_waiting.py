"""A search answers while another process has the catalog locked, with given weights and with the saved ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.support.frozen import SUBTITLED, frozen_library

ANSWER_LIMIT_S = 60
"""For a very busy machine; a search that waits for the lock would never end."""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    root = frozen_library(tmp_path / "library")
    with Library.open(root, settings=Settings(profile="offline"), purpose="query") as opened:
        opened.set_preference("language", "en")
        yield opened


@pytest.fixture
def holder(library: Library) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of a transaction that changes the preferred language."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.lock_holder", str(library.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_it_answers_during_the_transaction(library: Library, holder: subprocess.Popen[str]) -> None:
    with ThreadPoolExecutor(1) as pool:
        try:
            given = pool.submit(library.search, "red", weights={"vision": 1.0}).result(ANSWER_LIMIT_S)
            saved = pool.submit(library.search, "red").result(ANSWER_LIMIT_S)
            language = pool.submit(library.preferences).result(ANSWER_LIMIT_S)["language"]
            assert holder.poll() is None, "the transaction is still open"
        finally:
            holder.kill()  # or the pool would wait for a search that waits
    assert [result.hits[0].scene_id for result in (given, saved)] == [f"{SUBTITLED}_0_1000"] * 2
    assert saved.query.weights == {"transcript": 0.2, "vision": 0.6, "lexical": 0.2}
    assert language == "en"


def test_what_the_transaction_changes_is_seen_after_it(library: Library, holder: subprocess.Popen[str]) -> None:
    assert library.preferences()["language"] == "en"
    output, _ = holder.communicate("\n", timeout=ANSWER_LIMIT_S)
    assert output == "committed\n"
    assert library.preferences()["language"] == "ko"
