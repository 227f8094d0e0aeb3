"""One moment of a library: what a view answers while the library moves on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from heimdex_core.errors import LibraryDamaged, SpaceMismatch, ViewOutdated
from heimdex_core.store import Store, sidecar, vectors, visible
from heimdex_core.store.reader import Reader
from heimdex_core.store.view import View
from heimdex_core.types import ModelSet, Space, Video
from tests.store.making import SPACES, TEXT, VISION, add, axis, commit, make_scenes, make_transcript, new_store

OTHER_TEXT = Space("text/other", "text", "other", "1", 6)
OTHER_SPACES = {"text": OTHER_TEXT, "vision": VISION}
"""A second set shares the vision space with the first."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def second_set(store: Store) -> ModelSet:
    return store.add_set("other", {"name": "other", "text": "other"}, OTHER_SPACES)


def commit_to(store: Store, made: ModelSet, video: Video, texts: list[str], *, axis_of: int = 0) -> None:
    """A generation of the video in the set, whose vectors begin at an axis of their own."""
    folder = store.new_staging(video.video_id)
    scenes = make_scenes(video.video_id, texts)
    sidecar.write_scenes(folder, scenes)
    sidecar.write_words(folder, make_transcript(scenes), scenes)
    for space in made.spaces.values():
        array = np.stack([axis(axis_of + i, space.dim) for i in range(len(scenes))])
        sidecar.write_vectors(folder, space, [scene.scene_id for scene in scenes], array)
    sidecar.write_provenance(folder, {"made": "up"})
    n = store.next_generation(video.video_id)
    store.commit_generation(video.video_id, folder, n=n, spaces=made.spaces, set_id=made.set_id)


def said(view: View, video: Video) -> list[str]:
    return [scene.transcript for scene in view.scenes("local", video.video_id)]


def test_a_view_is_the_same_until_something_changes(store: Store) -> None:
    video = add(store, "one", ("words",))
    reader = store.reader()
    view = reader.view()
    assert reader.view() is view
    assert (view.set_id, view.spaces, view.is_current) == (1, SPACES, True)
    commit(store, video, ("other words",))
    later = reader.view()
    assert later is not view
    assert later.token != view.token
    assert (view.is_current, later.is_current) == (False, True)
    assert (said(view, video), said(later, video)) == (["words"], ["other words"])


def test_held_indexes_outlive_their_generation(store: Store) -> None:
    video = add(store, "one", ("stale words",), axis_of=3)
    view = store.reader().view()
    view.hold((TEXT,), words=True)
    commit(store, video, ("fresh words", "more"), axis_of=5)
    add(store, "two", ("fresh words",))  # the next writer drops the rows of the first generation
    (scene_id,) = view.scene_ids("local")
    assert view.vector_search(TEXT, axis(3, 8), k=9, user_id="local") == [(scene_id, 1.0)]
    assert [hit for hit, _ in view.lexical_search("stale", k=9, user_id="local").hits] == [scene_id]
    assert view.lexical_search("fresh", k=9, user_id="local").hits == []
    kept = view.vector(TEXT, scene_id)
    assert kept is not None
    assert np.array_equal(kept, axis(3, 8))


def test_what_was_not_held_is_refused_later_not_answered_from_newer_files(store: Store) -> None:
    video = add(store, "one", ("stale words",))
    view = store.reader().view()
    view.hold((TEXT,))
    commit(store, video, ("fresh words",))
    with pytest.raises(ViewOutdated):
        view.vector_search(VISION, axis(0, 4), k=9, user_id="local")
    with pytest.raises(ViewOutdated):
        view.lexical_search("fresh", k=9, user_id="local")
    with pytest.raises(ViewOutdated):
        view.words("local", video.video_id)  # the files of a generation go when another takes its place
    with pytest.raises(ViewOutdated):
        view.hold((VISION,), words=True)
    # the reader itself takes a new view and answers
    assert len(store.reader().lexical_search("fresh", k=9, user_id="local").hits) == 1


def test_sql_of_an_older_view_does_not_mix(store: Store) -> None:
    video = add(store, "one", ("first",))
    view = store.reader().view()
    assert view.scene_ids("local", where="transcript = ?", params=["first"]) == view.scene_ids("local")
    commit(store, video, ("second",))
    later = store.reader().view()
    assert later.scene_ids("local", where="transcript = ?", params=["first"]) == []
    assert later.scene_ids("local", where="transcript = ?", params=["second"]) == later.scene_ids("local")
    with pytest.raises(ViewOutdated):
        view.scene_ids("local", where="transcript = ?", params=["first"])
    assert list(later.sql("select transcript from scenes", user_id="local")["transcript"]) == ["second"]


def test_only_what_is_asked_for_is_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "one", ("words",))
    opened: list[str] = []
    really = vectors.open_index

    def noting(folder: Path, space: Space) -> vectors.VectorIndex | None:
        opened.append(space.name)
        return really(folder, space)

    monkeypatch.setattr(vectors, "open_index", noting)
    view = store.reader().view()
    view.lexical_search("words", k=9, user_id="local")
    assert opened == []
    view.hold((TEXT,))
    view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")
    assert opened == [TEXT.name]


def test_a_missing_index_is_told_where_it_is_used(store: Store) -> None:
    add(store, "one", ("words",))
    shutil.rmtree(store.paths.vector_index(TEXT))
    view = store.reader().view()
    view.hold((TEXT, VISION), words=True)
    assert len(view.vector_search(VISION, axis(0, 4), k=9, user_id="local")) == 1
    with pytest.raises(LibraryDamaged):
        view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")
    store.reindex()
    assert len(store.reader().view().vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 1


def test_an_empty_library_holds_nothing(store: Store) -> None:
    view = store.reader().view()
    view.hold((TEXT, VISION), words=True)
    assert view.vector_search(TEXT, axis(0, 8), k=9, user_id="local") == []


# --- sets of models -------------------------------------------------------------------------------


def test_a_switch_changes_everything_at_once(store: Store) -> None:
    video = add(store, "one", ("one said",), axis_of=1)
    reader = store.reader()
    before = reader.view()
    before.hold((TEXT, VISION), words=True)
    made = second_set(store)
    commit_to(store, made, video, ["two said", "and more"], axis_of=2)
    assert reader.view().set_id == 1
    assert said(reader.view(), video) == ["one said"]
    store.switch_set(made.set_id)
    after = reader.view()
    assert (after.set_id, after.spaces) == (made.set_id, OTHER_SPACES)
    assert said(after, video) == ["two said", "and more"]
    # the shared space holds both generations; each view sees its own
    first, second = after.scene_ids("local")
    assert after.vector_search(VISION, axis(2, 4), k=9, user_id="local") == [(first, 1.0), (second, 0.0)]
    assert before.vector_search(VISION, axis(1, 4), k=9, user_id="local") == [(first, 1.0)]
    assert before.vector_search(TEXT, axis(1, 8), k=9, user_id="local") == [(first, 1.0)]
    assert before.lexical_search("two", k=9, user_id="local").hits == []
    assert [hit for hit, _ in after.lexical_search("two", k=9, user_id="local").hits] == [first]
    with pytest.raises(SpaceMismatch):
        after.vector_search(TEXT, axis(1, 8), k=9, user_id="local")
    with pytest.raises(SpaceMismatch):
        before.vector_search(OTHER_TEXT, axis(1, 6), k=9, user_id="local")
    # the words of the older set stay until it is dropped
    assert [line.text for line in before.words("local", video.video_id)] == ["one said"]


def test_going_back_needs_no_indexing(store: Store) -> None:
    video = add(store, "one", ("one said",))
    made = second_set(store)
    commit_to(store, made, video, ["two said"])
    store.switch_set(made.set_id)
    assert said(store.reader().view(), video) == ["two said"]
    store.switch_set(1)
    view = store.reader().view()
    assert (view.set_id, said(view, video)) == (1, ["one said"])
    assert len(view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 1


def test_a_dropped_set_is_refused_to_who_did_not_hold_it(store: Store) -> None:
    video = add(store, "one", ("one said",))
    view = store.reader().view()
    made = second_set(store)
    commit_to(store, made, video, ["two said"])
    store.switch_set(made.set_id)
    store.drop_sets([1])
    assert said(view, video) == ["one said"]
    for ask in (
        lambda: view.vector_search(TEXT, axis(0, 8), k=9, user_id="local"),
        lambda: view.lexical_search("one", k=9, user_id="local"),
        lambda: view.words("local", video.video_id),
    ):
        with pytest.raises(ViewOutdated):
            ask()


def test_a_number_that_is_given_again_is_not_the_same_generation(store: Store) -> None:
    """Whoever looked at set 2 and slept while it was dropped meets its number in another set."""
    video = add(store, "one", ("first",))
    made = second_set(store)
    commit_to(store, made, video, ["second"])
    store.switch_set(made.set_id)
    sleeper = Store.open(store.paths.root).reader()
    assert said(sleeper.view(), video) == ["second"]
    assert list(sleeper.sql("select transcript from scenes", user_id="local")["transcript"]) == ["second"]
    number = sleeper.view().snapshot.loaded[video.video_id].generation
    store.switch_set(1)
    store.drop_sets([made.set_id])
    again = commit(store, video, ("third",))
    assert again.generation == number
    assert said(sleeper.view(), video) == ["third"]
    assert list(sleeper.sql("select transcript from scenes", user_id="local")["transcript"]) == ["third"]


def test_a_library_that_published_no_set_has_the_spaces_it_was_opened_with(store: Store) -> None:
    add(store, "one", ("words",))
    table = pq.read_table(store.paths.visible)
    kept = {name: value for name, value in table.schema.metadata.items() if name != b"set"}
    visible.write(store.paths.visible, table.replace_schema_metadata(kept))
    view = Reader(store.paths, SPACES, store.catalog).view()
    assert view.snapshot.made_with is None
    assert (view.set_id, view.spaces) == (1, SPACES)
    assert len(view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 1
