from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import InvalidValue, LibraryDamaged, SceneNotFound, SpaceMismatch, VideoNotFound
from heimdex_core.store import Store
from heimdex_core.types import make_scene_id
from tests.store.making import TEXT, VISION, add, axis, commit, make_transcript, new_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def test_an_empty_library_answers(store: Store) -> None:
    reader = store.reader()
    assert reader.visible_videos("local") == []
    assert reader.scenes("local") == []
    assert reader.vector_search(TEXT, axis(0, 8), k=5, user_id="local") == []
    assert reader.lexical_search("fresh words", k=5, user_id="local").terms == ("fresh", "word")
    assert not reader.has_transcripts("local")
    assert reader.vector(TEXT, make_scene_id("v", 0, 1)) is None


def test_refresh_tells_whether_anything_changed(store: Store) -> None:
    reader = store.reader()
    assert reader.refresh()
    assert not reader.refresh()
    token = reader.token
    add(store, "one", ("words",))
    assert reader.refresh()
    assert not reader.refresh()
    assert reader.token != token
    with store.catalog.transaction():  # a writer at work does not matter
        assert not reader.refresh()
        assert len(reader.scenes("local")) == 1


def test_only_changed_videos_are_read_again(store: Store) -> None:
    one, two = add(store, "one", ("a",)), add(store, "two", ("b",))
    reader = store.reader()
    before = reader.view().snapshot.loaded[one.video_id]
    commit(store, two, ("c",))
    reader.refresh()
    assert reader.view().snapshot.loaded[one.video_id] is before
    assert reader.scenes("local", two.video_id)[0].transcript == "c"


def test_people_see_their_own(store: Store) -> None:
    mine = add(store, "mine", ("secret words",))
    add(store, "theirs", ("secret words",), user_id="someone")
    reader = store.reader()
    assert [s.video_id for s in reader.scenes("local")] == [mine.video_id]
    assert reader.scene_ids("local") == [f"{mine.video_id}_0_2000"]
    assert {s.split("_")[0] for s, _ in reader.lexical_search("secret", k=9, user_id="local").hits} == {mine.video_id}
    hits = reader.vector_search(TEXT, axis(0, 8), k=9, user_id="local")
    assert [s.split("_")[0] for s, _ in hits] == [mine.video_id]
    assert not reader.has_transcripts("nobody")
    with pytest.raises(VideoNotFound):
        reader.words("someone", mine.video_id)
    with pytest.raises(SceneNotFound):
        reader.scene("someone", f"{mine.video_id}_0_2000")
    assert reader.scenes("someone", mine.video_id) == []


def test_search_within_videos_and_scenes(store: Store) -> None:
    one, two = add(store, "one", ("words", "more words")), add(store, "two", ("words",))
    reader = store.reader()
    assert len(reader.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 3
    within = reader.vector_search(TEXT, axis(0, 8), k=9, user_id="local", video_ids=[two.video_id])
    assert within == [(f"{two.video_id}_0_2000", 1.0)]
    second = f"{one.video_id}_2000_4000"
    chosen = reader.vector_search(VISION, axis(1, 4), k=9, user_id="local", scene_ids=[second])
    assert chosen == [(second, 1.0)]
    assert len(reader.lexical_search("words", k=9, user_id="local", video_ids=[one.video_id]).hits) == 2
    assert reader.vector_search(TEXT, axis(0, 8), k=9, user_id="local", video_ids=[]) == []
    assert reader.scene_ids("local", [one.video_id], where="transcript like ?", params=["more%"]) == [second]


def test_scene_by_overlap_after_a_new_cut(store: Store) -> None:
    video = add(store, "one", ("a", "b"))
    reader = store.reader()
    old = reader.scene("local", f"{video.video_id}_2000_4000")
    assert old.transcript == "b"
    commit(store, video, ("x", "y"), length_s=2.4)  # [0, 2.4) and [2.4, 4.8)
    reader.refresh()
    # [2, 4) shares 1.6 of 2.8 s with [2.4, 4.8): 0.57.
    assert reader.scene("local", old.scene_id).transcript == "y"
    assert reader.scenes_by_id([old.scene_id]) == {}
    for gone in ("_4000_6000", "_5000_6000", "_3000_2000"):
        with pytest.raises(SceneNotFound):
            reader.scene("local", video.video_id + gone)
    with pytest.raises(SceneNotFound):
        reader.scene("local", "rubbish")


def test_scenes_by_id_words_and_pictures(store: Store) -> None:
    video = add(store, "one", ("two words", ""))
    reader = store.reader()
    scene_id = f"{video.video_id}_0_2000"
    found = reader.scenes_by_id([scene_id, "rubbish", f"{video.video_id}_1_2"])
    assert list(found) == [scene_id]
    assert tuple(reader.words("local", video.video_id)) == make_transcript(list(found.values())).segments
    assert reader.frame_path(found[scene_id], "0.webp").read_bytes() == b"picture"
    with pytest.raises(InvalidValue):
        reader.frame_path(found[scene_id], "../../video.json")
    assert reader.has_transcripts("local")
    assert np.array_equal(reader.vector(TEXT, scene_id), axis(0, 8))


def test_silent_videos_have_no_transcript(store: Store) -> None:
    video = add(store, "silent", ("", "  "))
    spoken = add(store, "spoken", ("words",))
    reader = store.reader()
    assert not reader.has_transcripts("local", [video.video_id])
    assert reader.has_transcripts("local", [video.video_id, spoken.video_id])


def test_another_space_is_refused(store: Store) -> None:
    add(store, "one", ("words",))
    for other in (replace(TEXT, revision="2"), replace(TEXT, name="text/unknown")):
        with pytest.raises(SpaceMismatch):
            store.reader().vector_search(other, axis(0, 8), k=1, user_id="local")


def test_a_missing_index_is_told_and_comes_back(store: Store) -> None:
    add(store, "one", ("words",))
    shutil.rmtree(store.paths.indexes)
    reader = store.reader()
    with pytest.raises(LibraryDamaged):
        reader.vector_search(TEXT, axis(0, 8), k=1, user_id="local")
    with pytest.raises(LibraryDamaged):
        reader.lexical_search("words", k=1, user_id="local")
    add(store, "two", ("words",))  # the next writer makes it whole
    reader.refresh()
    assert len(reader.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 2
    assert len(reader.lexical_search("words", k=9, user_id="local").hits) == 2


def test_a_stale_reader_still_answers(store: Store) -> None:
    """A reader that has not refreshed meets indexes from which its generations have gone already."""
    video = add(store, "one", ("stale words",))
    other = Store.open(store.paths.root).reader()
    assert len(other.scenes("local")) == 1
    commit(store, video, ("fresh words",))
    add(store, "two", ("fresh words",))  # drops the rows of generation 1
    assert len(other.vector_search(TEXT, axis(0, 8), k=9, user_id="local")) == 2
    assert len(other.lexical_search("fresh", k=9, user_id="local").hits) == 2


def test_threads_read_while_one_writes(store: Store) -> None:
    video = add(store, "one", ("words",))
    reader = store.reader()
    stop = threading.Event()
    problems: list[object] = []

    def read() -> None:
        while not stop.is_set():
            reader.refresh()
            scenes = reader.scenes("local", video.video_id)
            words = reader.lexical_search("words", k=9, user_id="local", video_ids=[video.video_id]).hits
            near = reader.vector_search(TEXT, axis(0, 8), k=9, user_id="local", video_ids=[video.video_id])
            if not (len(scenes) == len(words) == len(near) == 1):
                problems.append((len(scenes), len(words), len(near)))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(6):
            commit(store, video, (f"words {number}",))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert problems == []
