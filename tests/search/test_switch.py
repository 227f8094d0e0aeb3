"""Searches while a library switches from one model set to another and back: no result ever mixes the two."""

from __future__ import annotations

import gc
import shutil
import threading
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import UnknownModelSet, UnknownName
from heimdex_core.models.base import QueryVector
from heimdex_core.search import runner
from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings
from heimdex_core.store import Store, sidecar
from heimdex_core.store.commit import CommitTarget
from heimdex_core.types import Filters, Query, SearchResult, Space, Video
from tests.store.making import SPACES, add, axis, make_scenes, make_transcript, new_store

NEW = {
    "text": Space("text/new", "text", "new", "1", 6),
    "vision": Space("vision/new", "vision", "new", "1", 3),
    "caption": Space("caption/new", "text", "new", "1", 6),
}
OLD_ID, NEW_ID = 1, 2
WORDS = Query("words", weights={"transcript": 0.4, "vision": 0.4, "lexical": 0.2})


class AxisEncoder:
    """Encodes every query as the first axis, so that the first scene is the nearest."""

    def __init__(self, space: Space) -> None:
        self.space = space

    def encode_query(self, text: str) -> QueryVector:
        return QueryVector(axis(0, self.space.dim))


class AxisModels:
    """The models of a set; they load when `may_load` is set."""

    def __init__(self, spaces: Mapping[str, Space]) -> None:
        self._encoders = {space.name: AxisEncoder(space) for role, space in spaces.items() if role != "caption"}
        self.loading = threading.Event()
        self.may_load = threading.Event()
        self.may_load.set()

    def encoder(self, space_name: str) -> AxisEncoder:
        self.loading.set()
        if not self.may_load.wait(60):
            raise TimeoutError("the model was never allowed to load")
        return self._encoders[space_name]


def commit_new(store: Store, video: Video) -> None:
    """A generation of the new set: three scenes of 1.5 s, whose transcripts begin with "new"."""
    folder = store.new_staging(video.video_id)
    scenes = make_scenes(video.video_id, (f"new {video.title} words", "new rest", "new end"), length_s=1.5)
    sidecar.write_scenes(folder, scenes)
    sidecar.write_words(folder, make_transcript(scenes), scenes)
    for space in NEW.values():
        vectors = np.stack([axis(i, space.dim) for i in range(len(scenes))])
        sidecar.write_vectors(folder, space, [scene.scene_id for scene in scenes], vectors)
    sidecar.write_provenance(folder, {"by": "a test"})
    n = store.next_generation(video.video_id)
    store.commit_generation(video.video_id, folder, n=n, spaces=NEW.values(), target=CommitTarget(NEW_ID))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos with a generation in each of two sets; the transcripts of the old set begin with "old"."""
    root = tmp_path_factory.mktemp("switch") / "library"
    store = new_store(root)
    videos = [add(store, name, (f"old {name} words", "old rest")) for name in ("one", "two")]
    assert store.sets.add("new", {"name": "new", "text": "new"}, NEW).set_id == NEW_ID
    for video in videos:
        commit_new(store, video)
    store.close()
    return root


class TwoSets:
    """The library of one test, and searchers over it."""

    def __init__(self, root: Path) -> None:
        self.store = Store.open(root)
        self.models = {OLD_ID: AxisModels(SPACES), NEW_ID: AxisModels(NEW)}

    def models_of(self, set_id: int) -> AxisModels:
        known = [model_set.set_id for model_set in self.store.sets.all()]
        if set_id not in known:
            raise UnknownModelSet(set_id, known)
        return self.models[set_id]

    def searcher(self, **settings: float) -> Searcher:
        own = Store.open(self.store.paths.root)  # as in another process
        chosen = Settings(_env_file=None, channel_timeout_s=60).model_copy(update=settings)
        return Searcher(own.reader(), ChannelSets(self.models_of).of, chosen)


@pytest.fixture
def library(template: Path, tmp_path: Path) -> Iterator[TwoSets]:
    opened = TwoSets(shutil.copytree(template, tmp_path / "library"))
    yield opened
    opened.store.close()


def set_of(result: SearchResult) -> str:
    """The set that all parts of a result come from: "old" or "new"; "mixed ..." where they come from both."""
    spaces, name, length_s = (SPACES, "old", 2.0) if result.set_id == OLD_ID else (NEW, "new", 1.5)
    expected = {"transcript": spaces["text"].name, "vision": spaces["vision"].name, "lexical": None}
    if "caption" in spaces:
        expected["caption"] = spaces["caption"].name
    is_whole = (
        {channel: state.space for channel, state in result.channels.items()} == expected
        and all(state.active for state in result.channels.values())
        and {hit.scene.transcript.split()[0] for hit in result} == {name}
        and {round(hit.scene.duration_s, 3) for hit in result} == {length_s}
        and all(set(hit.channels) == set(expected) for hit in result)
        # the first scene of each video is the nearest in every channel
        and [hit.channels["vision"].score for hit in result if hit.scene.index == 0] == [1.0, 1.0]
    )
    return name if is_whole else f"mixed: {result}"


def test_a_switch_and_an_undo(library: TwoSets) -> None:
    searcher = library.searcher()
    assert set_of(searcher.search(WORDS, user_id="local")) == "old"
    assert searcher.search(WORDS, user_id="local").cached
    library.store.switch_set(NEW_ID)
    after = searcher.search(WORDS, user_id="local")
    assert (set_of(after), after.cached) == ("new", False)
    library.store.switch_set(OLD_ID)
    assert set_of(searcher.search(WORDS, user_id="local")) == "old"


def test_nothing_holds_the_scenes_of_views_that_are_not_searched_any_more(library: TwoSets) -> None:
    searcher, reader = library.searcher(), library.store.reader()
    searcher._reader = reader
    tables = []
    for turn in range(6):
        library.store.switch_set((NEW_ID, OLD_ID)[turn % 2])
        assert searcher.search(replace(WORDS, filters=Filters(min_s=0.5)), user_id="local").hits
        tables.append(weakref.ref(reader.view().scene_table("local")))
    gc.collect()
    assert [table() is not None for table in tables] == [False] * 3 + [True] * 3


def test_threads_search_while_the_set_is_switched_back_and_forth(library: TwoSets) -> None:
    searcher = library.searcher(search_cache_size=6)
    stop = threading.Event()
    changed = threading.Condition()
    seen: list[str] = []
    failures: list[BaseException] = []

    def search(number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            try:  # every second query is a new one, so that not all results come from the cache
                query = Query(f"words {number} {turn}" if turn % 2 else "words", weights=WORDS.weights)
                found = set_of(searcher.search(query, user_id="local"))
            except BaseException as error:
                with changed:
                    failures.append(error)
                    changed.notify()
                raise
            with changed:
                seen.append(found)
                changed.notify()

    def has_found(enough: int) -> bool:
        return len(seen) >= enough or bool(failures)

    threads = [threading.Thread(target=search, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(4):
            enough = len(seen) + 3
            library.store.switch_set(NEW_ID if turn % 2 == 0 else OLD_ID)
            with changed:
                assert changed.wait_for(partial(has_found, enough), 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert set(seen) == {"old", "new"}


def test_a_switch_while_a_model_loads_leaves_the_search_whole(library: TwoSets) -> None:
    searcher = library.searcher()
    old = library.models[OLD_ID]
    old.may_load.clear()
    found: list[SearchResult] = []
    thread = threading.Thread(target=lambda: found.append(searcher.search(WORDS, user_id="local")))
    thread.start()
    assert old.loading.wait(60)
    library.store.switch_set(NEW_ID)
    old.may_load.set()
    thread.join(60)
    # the search began before the switch, so all of its result is from before the switch
    assert [set_of(result) for result in found] == ["old"]
    assert set_of(searcher.search(WORDS, user_id="local")) == "new"


def test_a_search_starts_again_when_its_set_is_dropped_while_a_model_loads(
    library: TwoSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, dropped = library.store, threading.Event()
    models_of = library.models_of

    def drop_while_loading(set_id: int) -> AxisModels:
        if set_id == OLD_ID and not dropped.is_set():
            dropped.set()
            store.switch_set(NEW_ID)
            store.sets.drop([OLD_ID])
        return models_of(set_id)

    monkeypatch.setattr(library, "models_of", drop_while_loading)
    assert set_of(library.searcher().search(WORDS, user_id="local")) == "new"
    assert dropped.is_set()


def test_the_encoders_of_the_new_set_load_outside_the_time_limit(
    library: TwoSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher = library.searcher()
    searcher.search(WORDS, user_id="local")
    new = library.models[NEW_ID]
    new.may_load.clear()
    library.store.switch_set(NEW_ID)

    def allow_loading(futures: list[Future], timeout: float) -> None:
        if timeout == runner.LOAD_LIMIT_S:
            new.may_load.set()  # if models loaded within the time limit, they would never load here
        wait(futures, timeout=timeout)

    monkeypatch.setattr(runner, "wait", allow_loading)
    result = searcher.search(WORDS, user_id="local")
    assert set_of(result) == "new"
    assert result.timing_ms["load"] > 0


def test_spaces_are_those_of_the_active_set(library: TwoSets) -> None:
    searcher = library.searcher()
    with pytest.raises(UnknownName):
        searcher.search(Query("words", spaces=("text/new",)), user_id="local")
    library.store.switch_set(NEW_ID)
    with pytest.raises(UnknownName) as caught:
        searcher.search(Query("words", spaces=("new",)), user_id="local")
    assert caught.value.details["known"] == "text/new, vision/new"
    found = searcher.search(Query("words", spaces=("text/new",)), user_id="local")
    assert list(found.channels) == ["text/new", "vision", "caption", "lexical"]
