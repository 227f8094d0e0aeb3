"""A process is stopped (SIGSTOP) while it has the catalog: nothing waits for it without end, and searches go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import LibraryBusy
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.support.frozen import SUBTITLED, frozen_library
from tests.support.stopped import stopped_holder

TIMEOUT_S = 0.2


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = frozen_library(tmp_path_factory.mktemp("stopped") / "library")
    settings = Settings(profile="offline", lock_timeout_s=TIMEOUT_S)
    with Library.open(root, settings=settings, purpose="query") as opened:
        yield opened


@pytest.fixture(scope="module")
def stopped(library: Library) -> Iterator[int]:
    """The pid of the stopped process."""
    with stopped_holder(library.path) as pid:
        yield pid


CALLS: dict[str, Callable[[Library], object]] = {
    "open": lambda lib: Library.open(lib.path, settings=lib.settings),
    "videos": lambda lib: lib.videos(),
    "scenes": lambda lib: lib.scenes(SUBTITLED),
    "sql": lambda lib: lib.sql("select 1"),
    "delete": lambda lib: lib.delete(SUBTITLED),
    "cancel": lambda lib: lib.cancel(SUBTITLED),
    "tray": lambda lib: lib.tray(),
    "save_tray": lambda lib: lib.save_tray([]),
    "set_preference": lambda lib: lib.set_preference("language", "en"),
    "reindex": lambda lib: lib.reindex(),
    "exports": lambda lib: lib.exports.list(),
    "clean_up": lambda lib: lib.clean_up(),
    "as_user": lambda lib: lib.as_user("other").videos(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_needs_the_catalog_names_the_process(library: Library, stopped: int, call: str) -> None:
    began = time.monotonic()
    with pytest.raises(LibraryBusy) as caught:
        CALLS[call](library)
    assert time.monotonic() - began < 10
    assert caught.value.details["pid"] == stopped
    assert str(caught.value.details["program"]).endswith("-m tests.store.lock_holder, stopped")


def test_a_search_answers(library: Library, stopped: int) -> None:
    assert library.search("red", weights={"vision": 1.0}).hits
    assert library.searchable_videos()
    assert library.preferences()["weights"]


def test_afterwards_all_is_as_before(tmp_path: Path) -> None:
    root = frozen_library(tmp_path / "library")
    with Library.open(root, settings=Settings(profile="offline", lock_timeout_s=TIMEOUT_S), purpose="query") as opened:
        with stopped_holder(root), pytest.raises(LibraryBusy):
            opened.videos()
        assert opened.videos()
        assert opened.preferences()["language"] == "ko", "what the stopped process was about to do"
