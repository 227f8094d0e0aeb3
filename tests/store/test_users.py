"""Preferences: kept in the catalog, published to a file, read from the file without a lock."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import InvalidValue
from heimdex_core.store import Store, users
from heimdex_core.store.locks import catalog_lock
from tests.store.making import SPACES, new_store

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def in_catalog(store: Store, user_id: str = "local") -> dict[str, Any]:
    with store.catalog.transaction() as transaction:
        return users.preferences(transaction, user_id)


def test_preferences_by_user_and_key(store: Store) -> None:
    store.set_preference("local", "weights", {"vision": 0.5})
    store.set_preference("local", "language", "ko")
    store.set_preference("local", "language", "영어")
    assert store.preferences("local") == {"language": "영어", "weights": {"vision": 0.5}}
    assert store.preferences("someone") == {}
    store.set_preference("local", "language", None)
    assert store.preferences("local") == {"weights": {"vision": 0.5}}
    assert json.loads((store.paths.root / "preferences" / "local.json").read_text()) == {"weights": {"vision": 0.5}}
    assert in_catalog(store) == {"weights": {"vision": 0.5}}


@pytest.mark.parametrize("value", [float("nan"), {"weight": float("inf")}, object(), {1, 2}, "\ud800"])
def test_what_is_not_json_is_refused_and_changes_nothing(store: Store, value: object) -> None:
    store.set_preference("local", "language", "ko")
    with pytest.raises(InvalidValue, match="language"):
        store.set_preference("local", "language", value)
    assert store.preferences("local") == in_catalog(store) == {"language": "ko"}
    assert Store.open(store.paths.root).preferences("local") == {"language": "ko"}


def test_values_of_older_versions_that_are_not_json_do_not_stop_opening(store: Store) -> None:
    with store.catalog.transaction() as transaction:
        transaction.insert("preferences", {"user_id": "local", "key": "weight", "value": "NaN"})
    assert Store.open(store.paths.root).preferences("local") == {"weight": None}


def test_a_user_id_cannot_name_another_file(store: Store) -> None:
    with pytest.raises(InvalidValue):
        store.set_preference("../library", "language", "ko")
    with pytest.raises(InvalidValue):
        store.preferences("../library")


# --- without a lock -------------------------------------------------------------------------------


@contextmanager
def other_process(store: Store) -> Iterator[subprocess.Popen[str]]:
    """tests/store/lock_holder.py, once it holds the catalog's lock; it commits when its input is closed."""
    command = [sys.executable, "-m", "tests.store.lock_holder", str(store.paths.root)]
    child = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        out, _ = child.communicate(timeout=120)
        assert (child.returncode, out) == (0, "committed\n")
    finally:
        child.kill()
        child.wait(60)


def test_reading_does_not_wait_for_a_writer_in_another_process(store: Store) -> None:
    store.set_preference("local", "language", "en")
    reading = Store.open(store.paths.root)
    answers: list[object] = []

    def read() -> None:
        active = reading.sets.active()
        answers.extend([reading.preferences("local"), active.set_id, active.choice, reading.sets.get(1) is active])

    thread = threading.Thread(target=read, daemon=True)
    with other_process(store) as writer:
        thread.start()
        thread.join(120)
        has_ended = not thread.is_alive()  # while the other process still has its transaction open
        assert writer.poll() is None
        assert catalog_lock(store.paths.catalog_lock).is_held()
        assert has_ended
    # the open transaction's change was not seen
    assert answers == [{"language": "en"}, 1, {"name": "offline"}, True]
    assert reading.preferences("local") == {"language": "ko"}


def test_reading_does_not_open_the_catalog(store: Store) -> None:
    store.set_preference("local", "language", "en")
    reading = Store.open(store.paths.root)
    with store.catalog.transaction():  # another transaction of this thread would raise NestedTransaction
        assert reading.preferences("local") == {"language": "en"}
        assert reading.sets.active().spaces == SPACES


# --- after a crash --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("weights", {"vision": 0.5}, {"language": "ko", "weights": {"vision": 0.5}}),
        ("language", "en", {"language": "en"}),
        ("language", None, {}),
    ],
    ids=["a new key", "another value", "the last one removed"],
)
def test_a_crash_before_publishing_is_repaired_on_opening(
    store: Store, monkeypatch: pytest.MonkeyPatch, key: str, value: object, expected: dict[str, Any]
) -> None:
    store.set_preference("local", "language", "ko")

    def crash(*args: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(users, "write_preferences", crash)
        with pytest.raises(RuntimeError, match="killed"):
            store.set_preference("local", key, value)
    assert in_catalog(store) == expected
    assert store.preferences("local") == {"language": "ko"}
    assert Store.open(store.paths.root).preferences("local") == expected
    assert store.preferences("local") == expected


def test_published_files_that_are_missing_or_damaged_are_written_again(store: Store) -> None:
    store.set_preference("local", "language", "ko")
    store.set_preference("someone", "language", "en")
    store.paths.preferences("local").unlink()
    store.paths.preferences("someone").write_bytes(b"\xff{")
    (store.paths.preferences_root / "not a user.json").write_text("{}")
    assert (store.preferences("local"), store.preferences("someone")) == ({}, {})
    again = Store.open(store.paths.root)
    assert (again.preferences("local"), again.preferences("someone")) == ({"language": "ko"}, {"language": "en"})


def test_only_files_that_differ_are_written_on_opening(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for user in ("local", "someone"):
        store.set_preference(user, "language", "ko")
    written: list[str] = []
    monkeypatch.setattr(users, "write_preferences", lambda paths, user_id, values: written.append(user_id))
    store.paths.preferences("someone").unlink()
    Store.open(store.paths.root)
    assert written == ["someone"]
