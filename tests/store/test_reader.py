"""A reader keeps the present view of a library, and takes a new one when something has changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from heimdex_core.errors import ViewOutdated
from heimdex_core.store import Store, snapshot
from heimdex_core.store.view import View
from tests.store.making import TEXT, add, axis, commit, new_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def test_refresh_reports_whether_anything_changed(store: Store) -> None:
    reader = store.reader()
    assert reader.refresh()
    assert not reader.refresh()
    token = reader.view().token
    add(store, "one", ("words",))
    assert reader.refresh()
    assert not reader.refresh()
    assert reader.view().token != token


def test_reading_does_not_wait_for_a_transaction(store: Store) -> None:
    add(store, "one", ("words",))
    reader = store.reader()
    with store.catalog.transaction():  # asking for the catalog now would raise NestedTransaction
        assert reader.refresh()
        assert len(reader.view().scenes("local")) == 1
        assert len(reader.view().lexical_search("words", k=5, user_id="local").hits) == 1
        assert len(reader.view().vector_search(TEXT, axis(0, 8), k=5, user_id="local")) == 1


def test_only_changed_videos_are_read_again(store: Store) -> None:
    one, two = add(store, "one", ("a",)), add(store, "two", ("b",))
    reader = store.reader()
    before = reader.view().snapshot.loaded[one.video_id].columns
    commit(store, two, ("c",))
    assert reader.view().snapshot.loaded[one.video_id].columns is before
    assert reader.view().scenes("local", two.video_id)[0].transcript == "c"


def test_a_reader_of_another_process_follows(store: Store) -> None:
    """Here another Store: it shares nothing with the first but the files."""
    video = add(store, "one", ("stale words",))
    other = Store.open(store.paths.root).reader()
    assert len(other.view().scenes("local")) == 1
    commit(store, video, ("fresh words",))
    add(store, "two", ("fresh words",))  # drops the rows of generation 1
    assert len(other.view().vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 2
    assert len(other.view().lexical_search("fresh", k=9, user_id="local").hits) == 2


def test_a_closed_reader_can_be_used_again(store: Store) -> None:
    add(store, "one", ("words",))
    reader = store.reader()
    assert list(reader.view().sql("select transcript from scenes", user_id="local")["transcript"]) == ["words"]
    store.close()
    assert store.reader() is reader
    assert list(reader.view().sql("select transcript from scenes", user_id="local")["transcript"]) == ["words"]
    assert len(reader.view().lexical_search("words", k=5, user_id="local").hits) == 1


# --- ask ------------------------------------------------------------------------------------------


def test_a_question_to_an_outdated_view_is_asked_of_a_newer_one(store: Store) -> None:
    video = add(store, "one", ("stale words",))
    asked: list[View] = []

    def question(view: View) -> list[str]:
        asked.append(view)
        if len(asked) == 1:
            commit(store, video, ("fresh words",))
        return [line.text for line in view.words("local", video.video_id)]

    assert store.reader().ask(question) == ["fresh words"]
    assert len(asked) == 2
    assert asked[0] is not asked[1]


def test_a_question_that_no_view_can_answer_raises_in_the_end(store: Store) -> None:
    asked = 0

    def question(view: View) -> None:
        nonlocal asked
        asked += 1
        raise ViewOutdated(what="anything")

    with pytest.raises(ViewOutdated):
        store.reader().ask(question)
    assert asked == snapshot.ATTEMPTS + 1


def all_greater(values: Sequence[int], than: Sequence[int]) -> bool:
    return all(value > other for value, other in zip(values, than, strict=True))


def test_threads_read_while_one_writes(store: Store) -> None:
    video = add(store, "one", ("words",))
    reader = store.reader()
    stop = threading.Event()
    has_read = threading.Condition()
    reads = [0, 0]
    problems: list[object] = []

    def counts(view: View) -> tuple[int, int, int]:
        scenes = view.scenes("local", video.video_id)
        words = view.lexical_search("words", k=9, user_id="local", video_ids=[video.video_id]).hits
        near = view.vector_search(TEXT, axis(0, 8), k=9, user_id="local", video_ids=[video.video_id])
        return len(scenes), len(words), len(near)

    def read(number: int) -> None:
        while not stop.is_set():
            try:
                found: object = reader.ask(counts)
            except Exception as error:
                found = error
            if found != (1, 1, 1):
                problems.append(found)
            with has_read:
                reads[number] += 1
                has_read.notify_all()

    threads = [threading.Thread(target=read, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            before = list(reads)
            commit(store, video, (f"words {number}",))
            with has_read:
                assert has_read.wait_for(partial(all_greater, reads, before), timeout=120)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert problems == []
