"""Searches while a library goes from one set of models to another and back: never a mix of the two."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from heimdex_core.search.results import SearchResult

from heimdex_core.errors import UnknownName
from heimdex_core.models.base import QueryVector
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings
from heimdex_core.store import Store, sidecar
from heimdex_core.types import ModelSet, Query, Space, Video
from tests.store.making import SPACES, add, axis, make_scenes, make_transcript, new_store

NEW_TEXT = Space("text/new", "text", "new", "1", 6)
NEW_VISION = Space("vision/new", "vision", "new", "1", 3)
NEW_CAPTION = Space("caption/new", "text", "new", "1", 6)
NEW = {"text": NEW_TEXT, "vision": NEW_VISION, "caption": NEW_CAPTION}


class AxisEncoder:
    """Reads every query as the first axis, so that the first scene is the nearest."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.asked = 0

    def encode_query(self, text: str) -> QueryVector:
        self.asked += 1
        return QueryVector(axis(0, self.space.dim))


class AxisModels:
    def __init__(self, spaces: Mapping[str, Space]) -> None:
        self._encoders = {space.name: AxisEncoder(space) for role, space in spaces.items() if role != "caption"}
        self.loading = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def encoder(self, space_name: str) -> AxisEncoder:
        self.loading.set()
        if not self.go_on.wait(60):
            raise TimeoutError("nobody let the model load")
        return self._encoders[space_name]


class Moving:
    """A library of two videos with generations in two sets: set 1 says 'old ...', set 2 'new ...'."""

    def __init__(self, root: Path) -> None:
        self.store = new_store(root)
        self.videos = [add(self.store, name, (f"old {name} words", "old rest")) for name in ("one", "two")]
        self.made: ModelSet = self.store.add_set("new", {"name": "new", "text": "new"}, NEW)
        for video in self.videos:
            self.commit_new(video)
        self.models = {1: AxisModels(SPACES), self.made.set_id: AxisModels(NEW)}

    def commit_new(self, video: Video) -> None:
        folder = self.store.new_staging(video.video_id)
        scenes = make_scenes(video.video_id, (f"new {video.title} words", "new rest", "new end"), length_s=1.5)
        sidecar.write_scenes(folder, scenes)
        sidecar.write_words(folder, make_transcript(scenes), scenes)
        for space in NEW.values():
            array = np.stack([axis(i, space.dim) for i in range(len(scenes))])
            sidecar.write_vectors(folder, space, [scene.scene_id for scene in scenes], array)
        sidecar.write_provenance(folder, {"made": "up"})
        n = self.store.next_generation(video.video_id)
        self.store.commit_generation(video.video_id, folder, n=n, spaces=NEW, set_id=self.made.set_id)

    def models_of(self, set_id: int) -> AxisModels:
        known = [one.set_id for one in self.store.model_sets()]
        if set_id not in known:
            raise UnknownName(kind="set of models", name=str(set_id), known=str(known))
        return self.models[set_id]

    def searcher(self, **settings: float) -> Searcher:
        own = Store.open(self.store.paths.root)  # as in another process
        chosen = Settings(_env_file=None, channel_timeout_s=60).model_copy(update=settings)
        return Searcher(own.reader(), self.models_of, chosen)  # type: ignore[arg-type]

    def whose(self, result: SearchResult) -> str:
        """The set of which everything in a result is: "old" or "new"; "mixed" where it is not one."""
        spaces, name = (SPACES, "old") if result.set_id == 1 else (NEW, "new")
        wanted = {"transcript": spaces["text"].name, "vision": spaces["vision"].name, "lexical": None}
        if "caption" in spaces:
            wanted["caption"] = spaces["caption"].name
        found = {channel: state.space for channel, state in result.channels.items()}
        said = {hit.scene.transcript.split()[0] for hit in result}
        lengths = {round(hit.scene.duration_s, 3) for hit in result}
        parts_whole = all(set(hit.channels) == set(wanted) for hit in result)
        active = all(state.active for state in result.channels.values())
        whole = (found, said, lengths, parts_whole, active) == (
            wanted, {name}, {2.0 if name == "old" else 1.5}, True, True)  # fmt: skip
        # every video has its best scene first, in every channel
        best = [hit for hit in result if hit.scene.index == 0]
        whole = whole and len(best) == 2 and all(hit.channels["vision"].score == 1.0 for hit in best)
        return name if whole else f"mixed: {result.set_id} {found} {said} {lengths} {result.channels}"


@pytest.fixture
def moving(tmp_path: Path) -> Moving:
    return Moving(tmp_path / "library")


WORDS = Query("words", weights={"transcript": 0.4, "vision": 0.4, "lexical": 0.2})


def test_a_switch_and_an_undo(moving: Moving) -> None:
    searcher = moving.searcher()
    assert moving.whose(searcher.search(WORDS, user_id="local")) == "old"
    assert searcher.search(WORDS, user_id="local").cached
    moving.store.switch_set(moving.made.set_id)
    after = searcher.search(WORDS, user_id="local")
    assert (moving.whose(after), after.cached) == ("new", False)
    moving.store.switch_set(1)
    assert moving.whose(searcher.search(WORDS, user_id="local")) == "old"


def test_threads_search_while_the_set_is_switched_back_and_forth(moving: Moving) -> None:
    searcher = moving.searcher(search_cache_size=6)
    stop = threading.Event()
    seen: list[str] = []
    broken: list[BaseException] = []

    def look(number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            try:  # a text of its own now and then, so that not all comes from what is kept
                query = Query(f"words {number} {turn}" if turn % 2 else "words", weights=WORDS.weights)
                seen.append(moving.whose(searcher.search(query, user_id="local")))
            except BaseException as error:
                broken.append(error)
                raise

    threads = [threading.Thread(target=look, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(8):
            enough = len(seen) + 3
            moving.store.switch_set(moving.made.set_id if turn % 2 == 0 else 1)
            while len(seen) < enough and not broken:
                stop.wait(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert broken == []
    assert set(seen) == {"old", "new"}


def test_a_switch_while_a_model_loads_leaves_the_search_whole(moving: Moving) -> None:
    searcher = moving.searcher()
    old = moving.models[1]
    old.go_on.clear()
    found: list[SearchResult] = []
    thread = threading.Thread(target=lambda: found.append(searcher.search(WORDS, user_id="local")))
    thread.start()
    assert old.loading.wait(60)
    moving.store.switch_set(moving.made.set_id)
    old.go_on.set()
    thread.join(60)
    # begun before the switch, answered from before it, though the library is elsewhere by now
    assert [moving.whose(result) for result in found] == ["old"]
    assert moving.whose(searcher.search(WORDS, user_id="local")) == "new"


def test_a_set_that_is_dropped_while_its_model_loads_is_searched_no_more(moving: Moving) -> None:
    """Its models cannot be had any more: the search begins again with those in use."""
    searcher = moving.searcher()
    store, asked = moving.store, threading.Event()

    def models_of(set_id: int) -> AxisModels:
        if set_id == 1 and not asked.is_set():
            asked.set()
            store.switch_set(moving.made.set_id)
            store.drop_sets([1])
        return moving.models_of(set_id)

    searcher._models_of = models_of  # type: ignore[assignment]
    assert moving.whose(searcher.search(WORDS, user_id="local")) == "new"
    assert asked.is_set()


def test_the_new_sets_encoders_load_outside_the_time_limit(moving: Moving) -> None:
    searcher = moving.searcher(channel_timeout_s=1.0)
    searcher.search(WORDS, user_id="local")
    new = moving.models[moving.made.set_id]
    new.go_on.clear()
    moving.store.switch_set(moving.made.set_id)
    release = threading.Timer(1.5, new.go_on.set)
    release.start()
    result = searcher.search(WORDS, user_id="local")
    assert moving.whose(result) == "new"
    assert result.timing_ms["load"] >= 1000


def test_spaces_are_those_of_the_set_in_use(moving: Moving) -> None:
    searcher = moving.searcher()
    query = Query("words", spaces=("new",), weights=WORDS.weights)
    with pytest.raises(UnknownName):
        searcher.search(Query("words", spaces=("text/new",)), user_id="local")
    moving.store.switch_set(moving.made.set_id)
    with pytest.raises(UnknownName) as caught:
        searcher.search(query, user_id="local")  # of two spaces
    assert caught.value.details["known"] == "text/new, vision/new"
    found = searcher.search(Query("words", spaces=("text/new",)), user_id="local")
    assert list(found.channels) == ["text/new", "vision", "caption", "lexical"]
