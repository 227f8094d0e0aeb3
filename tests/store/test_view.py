"""One moment of a library: what a view answers, also while the library moves on."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core.errors import (
    InvalidValue,
    LibraryDamaged,
    SceneNotFound,
    SpaceMismatch,
    VideoNotFound,
    ViewOutdated,
)
from heimdex_core.store import Store, sidecar, vectors
from heimdex_core.store.lexical import LexicalIndex
from heimdex_core.store.snapshot import Snapshot
from heimdex_core.store.vector_index import VectorIndex
from heimdex_core.store.view import View
from heimdex_core.types import Space, Video, make_scene_id
from tests.store.making import (
    OTHER_SPACES,
    OTHER_TEXT,
    PICTURE,
    SPACES,
    TEXT,
    VISION,
    add,
    axis,
    commit,
    commit_in,
    make_transcript,
    new_store,
    other_set,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def said(view: View, video: Video) -> list[str]:
    return [scene.transcript for scene in view.scenes("local", video.video_id)]


# --- what it answers ------------------------------------------------------------------------------


def test_an_empty_library_answers(store: Store) -> None:
    view = store.reader().view()
    view.hold((TEXT, VISION), words=True)
    assert view.visible_videos("local") == []
    assert view.scenes("local") == []
    assert view.vector_search(TEXT, axis(0, 8), k=5, user_id="local") == []
    assert view.lexical_search("fresh words", k=5, user_id="local").terms == ("fresh", "word")
    assert not view.has_transcripts("local")
    assert view.vector(TEXT, make_scene_id("v", 0, 1)) is None


def test_a_page_of_scenes_converts_no_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "before", ("x", "y"))
    video = add(store, "one", ("a", "b", "c", "d"))  # at 0, 2, 4 and 6 s
    view = store.reader().view()
    ids = [make_scene_id(video.video_id, 2 * n, 2 * n + 2) for n in range(4)]
    converted: list[int] = []

    def counting(table: Any) -> Any:
        converted.append(len(table))
        return scenes_of(table)

    scenes_of = sidecar.scenes_of
    monkeypatch.setattr(sidecar, "scenes_of", counting)

    def behind(scene_id: str | None, limit: int = 2) -> str:
        return "".join(one.transcript for one in view.scenes_behind("local", video.video_id, scene_id, limit))

    assert [behind(one) for one in (None, *ids)] == ["ab", "bc", "cd", "d", ""]
    assert behind(None, 99) == "abcd"
    # scenes that have gone: where they began
    assert [behind(make_scene_id(video.video_id, start, start + 1)) for start in (0, 3, 4, 5, 9)] == [
        "ab", "cd", "cd", "d", "",
    ]  # fmt: skip
    assert behind(ids[0], -1) == ""
    assert max(converted) == 4
    assert converted.count(4) == 1
    assert view.scenes_behind("someone", video.video_id, None, 2) == []
    with pytest.raises(SceneNotFound):
        behind("none")


def test_users_see_their_own_videos_only(store: Store) -> None:
    mine = add(store, "mine", ("secret words",))
    theirs = add(store, "theirs", ("secret words",), user_id="someone")
    view = store.reader().view()
    assert [s.video_id for s in view.scenes("local")] == [mine.video_id]
    assert view.scene_ids("local") == [f"{mine.video_id}_0_2000"]
    assert {s.split("_")[0] for s, _ in view.lexical_search("secret", k=9, user_id="local").hits} == {mine.video_id}
    hits = view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")
    assert [s.split("_")[0] for s, _ in hits] == [mine.video_id]
    assert not view.has_transcripts("nobody")
    ids = [mine.video_id, theirs.video_id, "absent"]
    assert view.video_titles("local", ids) == {mine.video_id: mine.title}
    with pytest.raises(VideoNotFound):
        view.words("someone", mine.video_id)
    with pytest.raises(SceneNotFound):
        view.scene("someone", f"{mine.video_id}_0_2000")
    assert view.scenes("someone", mine.video_id) == []


def test_search_within_videos_and_scenes(store: Store) -> None:
    one, two = add(store, "one", ("words", "more words")), add(store, "two", ("words",))
    view = store.reader().view()
    assert len(view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 3
    within = view.vector_search(TEXT, axis(0, 8), k=9, user_id="local", video_ids=[two.video_id])
    assert within == [(f"{two.video_id}_0_2000", 1.0)]
    second = f"{one.video_id}_2000_4000"
    chosen = view.vector_search(VISION, axis(1, 4), k=9, user_id="local", scene_ids=[second])
    assert chosen == [(second, 1.0)]
    assert len(view.lexical_search("words", k=9, user_id="local", video_ids=[one.video_id]).hits) == 2
    assert view.vector_search(TEXT, axis(0, 8), k=9, user_id="local", video_ids=[]) == []
    assert view.scene_ids("local", [one.video_id], where="transcript like ?", params=["more%"]) == [second]


def test_a_scene_is_found_by_overlap_after_a_new_cut(store: Store) -> None:
    video = add(store, "one", ("a", "b"))
    old = store.reader().view().scene("local", f"{video.video_id}_2000_4000")
    assert old.transcript == "b"
    commit(store, video, ("x", "y"), length_s=2.4)  # [0, 2.4) and [2.4, 4.8)
    view = store.reader().view()
    # [2, 4) shares 1.6 of 2.8 s with [2.4, 4.8): 0.57.
    assert view.scene("local", old.scene_id).transcript == "y"
    assert view.scenes_by_id([old.scene_id]) == {}
    for missing in ("_4000_6000", "_5000_6000", "_3000_2000"):
        with pytest.raises(SceneNotFound):
            view.scene("local", video.video_id + missing)
    with pytest.raises(SceneNotFound):
        view.scene("local", "rubbish")


def test_scenes_by_id_words_and_frames(store: Store) -> None:
    video = add(store, "one", ("two words", ""))
    view = store.reader().view()
    scene_id = f"{video.video_id}_0_2000"
    found = view.scenes_by_id([scene_id, "rubbish", f"{video.video_id}_1_2"])
    assert list(found) == [scene_id]
    assert tuple(view.words("local", video.video_id)) == make_transcript(list(found.values())).segments
    assert view.frame_path(found[scene_id], "0.webp").read_bytes() == PICTURE
    with pytest.raises(InvalidValue):
        view.frame_path(found[scene_id], "../../video.json")
    assert view.has_transcripts("local")
    vector = view.vector(TEXT, scene_id)
    assert vector is not None
    assert np.array_equal(vector, axis(0, 8))


def test_silent_videos_have_no_transcript(store: Store) -> None:
    video = add(store, "silent", ("", "  "))
    spoken = add(store, "spoken", ("words",))
    view = store.reader().view()
    assert not view.has_transcripts("local", [video.video_id])
    assert view.has_transcripts("local", [video.video_id, spoken.video_id])


def test_another_space_is_refused(store: Store) -> None:
    add(store, "one", ("words",))
    for other in (replace(TEXT, revision="2"), replace(TEXT, name="text/unknown")):
        with pytest.raises(SpaceMismatch):
            store.reader().view().vector_search(other, axis(0, 8), k=1, user_id="local")


def test_missing_indexes_are_reported_and_written_by_the_next_commit(store: Store) -> None:
    add(store, "one", ("words",))
    shutil.rmtree(store.paths.indexes)
    view = store.reader().view()
    with pytest.raises(LibraryDamaged):
        view.vector_search(TEXT, axis(0, 8), k=1, user_id="local")
    with pytest.raises(LibraryDamaged):
        view.lexical_search("words", k=1, user_id="local")
    add(store, "two", ("words",))
    view = store.reader().view()
    assert len(view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 2
    assert len(view.lexical_search("words", k=9, user_id="local").hits) == 2


# --- while the library moves on -------------------------------------------------------------------


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


def test_indexes_that_are_held_outlive_their_generation(store: Store) -> None:
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


def test_what_is_not_held_is_refused_and_never_answered_from_newer_files(store: Store) -> None:
    video = add(store, "one", ("stale words",))
    view = store.reader().view()
    view.hold((TEXT,))
    commit(store, video, ("fresh words",))
    with pytest.raises(ViewOutdated):
        view.vector_search(VISION, axis(0, 4), k=9, user_id="local")
    with pytest.raises(ViewOutdated):
        view.lexical_search("fresh", k=9, user_id="local")
    with pytest.raises(ViewOutdated):
        view.words("local", video.video_id)  # the old generation is removed when a new one replaces it
    with pytest.raises(ViewOutdated):
        view.hold((VISION,), words=True)
    # a new view answers
    assert len(store.reader().view().lexical_search("fresh", k=9, user_id="local").hits) == 1


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

    def recording(folder: Path, space: Space, held: VectorIndex | None = None) -> VectorIndex | None:
        opened.append(space.name)
        return really(folder, space, held)

    monkeypatch.setattr(vectors, "open_index", recording)
    view = store.reader().view()
    view.lexical_search("words", k=9, user_id="local")
    assert opened == []
    view.hold((TEXT,))
    view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")
    assert opened == [TEXT.name]


def test_a_missing_index_is_reported_where_it_is_used(store: Store) -> None:
    add(store, "one", ("words",))
    shutil.rmtree(store.paths.vector_index(TEXT))
    view = store.reader().view()
    view.hold((TEXT, VISION), words=True)
    assert len(view.vector_search(VISION, axis(0, 4), k=9, user_id="local")) == 1
    with pytest.raises(LibraryDamaged):
        view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")
    store.maintenance.rebuild_indexes()
    assert len(store.reader().view().vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 1


# --- model sets  -------------------------------------------------------------------------------


def test_a_switch_changes_everything_at_once(store: Store) -> None:
    video = add(store, "one", ("one said",), axis_of=1)
    reader = store.reader()
    before = reader.view()
    before.hold((TEXT, VISION), words=True)
    made = other_set(store)
    commit_in(store, video, made, ["two said", "and more"], axis_of=2)
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
    # the transcript of the older set stays until the set is dropped
    assert [line.text for line in before.words("local", video.video_id)] == ["one said"]


def test_going_back_needs_no_indexing(store: Store) -> None:
    video = add(store, "one", ("one said",))
    made = other_set(store)
    commit_in(store, video, made, ["two said"])
    store.switch_set(made.set_id)
    assert said(store.reader().view(), video) == ["two said"]
    store.switch_set(1)
    view = store.reader().view()
    assert (view.set_id, said(view, video)) == (1, ["one said"])
    assert len(view.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 1


def test_a_view_of_a_dropped_set_is_refused_what_it_does_not_hold(store: Store) -> None:
    video = add(store, "one", ("one said",))
    view = store.reader().view()
    made = other_set(store)
    commit_in(store, video, made, ["two said"])
    store.switch_set(made.set_id)
    store.sets.drop([1])
    assert said(view, video) == ["one said"]
    for ask in (
        lambda: view.vector_search(TEXT, axis(0, 8), k=9, user_id="local"),
        lambda: view.lexical_search("one", k=9, user_id="local"),
        lambda: view.words("local", video.video_id),
    ):
        with pytest.raises(ViewOutdated):
            ask()


def test_a_generation_number_that_is_used_again_is_another_generation(store: Store) -> None:
    """A reader that saw set 2 and did nothing while it was dropped meets its generation number in another set."""
    video = add(store, "one", ("first",))
    made = other_set(store)
    commit_in(store, video, made, ["second"])
    store.switch_set(made.set_id)
    idle = Store.open(store.paths.root).reader()
    assert said(idle.view(), video) == ["second"]
    assert list(idle.view().sql("select transcript from scenes", user_id="local")["transcript"]) == ["second"]
    number = idle.view().snapshot.loaded[video.video_id].generation
    store.switch_set(1)
    store.sets.drop([made.set_id])
    again = commit(store, video, ("third",))
    assert again.generation == number
    assert said(idle.view(), video) == ["third"]
    assert list(idle.view().sql("select transcript from scenes", user_id="local")["transcript"]) == ["third"]


def test_which_share_of_the_words_a_scene_has_is_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path / "library")
    add(store, "one", ("quiet garden", "quiet street", "loud street"))
    view = store.reader().view()
    both, one, neither = view.scene_ids("local")
    asked: list[list[str]] = []
    real = LexicalIndex.coverage

    def coverage(self: LexicalIndex, words: Any, *, scene_ids: list[str], **more: Any) -> dict[str, float]:
        asked.append(scene_ids)
        return real(self, words, scene_ids=scene_ids, **more)

    monkeypatch.setattr(LexicalIndex, "coverage", coverage)
    words = [(("quiet",),), (("garden",),)]
    assert view.word_coverage(words, scene_ids=[both, neither], user_id="local") == {both: 1.0}
    assert view.word_coverage(words, scene_ids=[neither, one, both], user_id="local") == {one: 0.5, both: 1.0}
    assert asked == [[both, neither], [one]]


def test_threads_that_ask_at_the_same_time_are_given_the_same_generations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indexes keep what they found for a set of generations by that object: an equal one takes long to compare."""
    store = new_store(tmp_path / "library")
    add(store, "one", ("quiet garden",))
    view = store.reader().view()
    both_are_asking = threading.Barrier(2, timeout=20)
    real = Snapshot.of_user

    def of_user(self: Snapshot, *about: Any) -> Any:
        both_are_asking.wait()
        return real(self, *about)

    monkeypatch.setattr(Snapshot, "of_user", of_user)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: view._keys("local", None), range(2))
    assert first is second
