"""Videos that users share with each other: what the other sees, may change, and no longer sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from heimdex_core.errors import (
    CollectionNotFound,
    HeimdexError,
    InvalidFilter,
    InvalidValue,
    NotAllowed,
    SceneNotFound,
    ShareNotFound,
    UserNotFound,
    VideoNotFound,
)
from heimdex_core.library import Library
from heimdex_core.models.text.minilm import MiniLM
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.filter_text import filter_pairs, parse_filters
from heimdex_core.types import Filters, Share, Video
from tests.store import making

LEXICAL = {"transcript": 0.0, "vision": 0.0, "lexical": 1.0}


class Two:
    """A library of Mina, who has two videos, and Jun, who has one."""

    def __init__(self, folder: Path) -> None:
        self.lib = Library.open(folder, profile="offline")
        ids = [
            self.lib.accounts.sign_in("https://login", n, f"{n}@example.com", True, n).user_id for n in ("mina", "jun")
        ]
        self.mina, self.jun = (self.lib.as_user(user_id) for user_id in ids)
        self.sea = self.add(self.mina, "holiday", ["the sea", "a boat"])
        self.hill = self.add(self.mina, "hike", ["the sea from a hill"])
        self.own = self.add(self.jun, "harbour", ["the sea at night"])

    def add(self, lib: Library, title: str, texts: list[str]) -> Video:
        store, spaces = self.lib._store, self.lib.spaces()
        video = making.register(store, title, user_id=lib.user_id)
        staged = making.stage(store, video, texts, spaces=spaces)
        return store.commit_generation(video.video_id, staged, n=1, spaces=spaces.values())

    def found(self, lib: Library, text: str = "sea", **filters: Any) -> set[str]:
        """The titles of the videos that a search finds."""
        result = lib.search(text, weights=LEXICAL, filters=Filters(**filters), collapse=False)
        return {hit.video_title for hit in result.hits}


@pytest.fixture(params=["duckdb", *(pytest.param(name, marks=pytest.mark.long) for name in ("postgres", "lancedb"))])
def two(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    if request.param == "postgres":
        request.getfixturevalue("database")
    if request.param == "lancedb":
        monkeypatch.setenv("HEIMDEX_SEARCH", "lancedb")
    made = Two(tmp_path / "library")
    yield made
    made.lib.close()


def test_what_is_shared_is_seen_everywhere_until_it_is_shared_no_longer(two: Two) -> None:
    jun, sea = two.jun, two.sea.video_id
    assert two.found(jun) == {"harbour"}
    share = two.mina.sharing.share("video", sea, "JUN@example.com ", "read")
    assert share == Share("video", sea, jun.user_id, "read")
    assert two.found(jun) == {"harbour", "holiday"}
    assert [video.title for video in jun.videos()] == ["harbour", "holiday"]
    assert [video.title for video in jun.searchable_videos()] == ["harbour", "holiday"]
    assert jun.video(sea).title == "holiday"
    scene = jun.scenes(sea)[0]
    assert jun.scene(scene.scene_id) == scene
    assert jun.frame_path(scene) is not None
    assert jun.words(sea)
    assert jun.progress(sea) is None
    assert jun.playable_path(jun.video(sea)) == two.mina.playable_path(two.sea)
    assert set(jun.sql("select title from videos")["title"]) == {"harbour", "holiday"}
    assert set(jun.sql("select distinct video_id from scenes")["video_id"]) == {two.own.video_id, sea}
    assert jun.sharing.shared_with_me() == two.mina.sharing.shares() == two.mina.sharing.shares("video", sea) == [share]
    assert jun.sharing.access_to(sea) == "read"
    assert jun.sharing.user_names() == {two.mina.user_id: "mina"}
    assert two.mina.sharing.user_names() == {jun.user_id: "jun"}

    two.mina.sharing.unshare("video", sea, jun.user_id)
    assert two.found(jun) == {"harbour"}
    assert [video.title for video in jun.videos()] == ["harbour"]
    for error, call in REFUSED:
        with pytest.raises(error):
            call(jun, two, scene)
    assert set(jun.sql("select title from videos")["title"]) == {"harbour"}
    assert set(jun.sql("select distinct video_id from scenes")["video_id"]) == {two.own.video_id}


REFUSED: list[tuple[type[HeimdexError], Callable[[Library, Two, Any], Any]]] = [
    (VideoNotFound, lambda lib, two, scene: lib.video(two.sea.video_id)),
    (VideoNotFound, lambda lib, two, scene: lib.scenes(two.sea.video_id)),
    (VideoNotFound, lambda lib, two, scene: lib.words(two.sea.video_id)),
    (VideoNotFound, lambda lib, two, scene: lib.progress(two.sea.video_id)),
    (VideoNotFound, lambda lib, two, scene: lib.playable_path(two.sea)),
    (VideoNotFound, lambda lib, two, scene: lib.require_source(two.sea)),
    (VideoNotFound, lambda lib, two, scene: lib.rename(two.sea.video_id, "mine")),
    (SceneNotFound, lambda lib, two, scene: lib.scene(scene.scene_id)),
    (SceneNotFound, lambda lib, two, scene: lib.frame_path(scene)),
]


def test_what_a_search_has_loaded_serves_the_other_users(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(SharedEncoder, "prepare", noted(SharedEncoder.prepare, loaded))
    many: list[object] = []
    single: list[object] = []
    monkeypatch.setattr(MiniLM, "encode_queries", noted(MiniLM.encode_queries, many))
    two.mina.search("the sea at night")
    assert len(many) == 1  # the background queries, which take most of a first search
    monkeypatch.setattr(MiniLM, "encode_query", noted(MiniLM.encode_query, single))
    two.jun.search("the sea at night")
    assert len(single) == 1  # what Mina has looked for takes as long as anything else
    two.lib.as_user(two.jun.user_id).search("a boat")
    assert (len(many), len(single)) == (1, 2)
    assert len({id(one) for one in loaded}) == 2  # of the text and of the pictures


def noted(call: Callable[..., Any], calls: list[object]) -> Callable[..., Any]:
    """`call`, with its first argument added to `calls`."""

    def noting(first: object, *others: object) -> Any:
        calls.append(first)
        return call(first, *others)

    return noting


def test_another_process_sees_at_once_what_is_no_longer_shared(two: Two) -> None:
    two.mina.sharing.share("video", two.sea.video_id, two.jun.user_id)
    with Library.open(two.lib.path, user_id=two.jun.user_id) as other:
        assert two.found(other) == {"harbour", "holiday"}
        two.mina.sharing.unshare("video", two.sea.video_id, two.jun.user_id)
        assert two.found(other) == {"harbour"}


CHANGES: list[Callable[[Library, str], Any]] = [
    lambda lib, video_id: lib.rename(video_id, "renamed"),
    lambda lib, video_id: lib.bulk.cancel([video_id]),
    lambda lib, video_id: lib.scene_edits.split(video_id, 1.0, queue=True),
    lambda lib, video_id: lib.corrections.transcript(video_id, 0.0, 1.0, "x", queue=True),
    lambda lib, video_id: lib.reindex_video(video_id, queue=True),
    lambda lib, video_id: lib.retry(video_id, queue=True),
    lambda lib, video_id: lib.relink(video_id),
]
OWNERS: list[Callable[[Library, str], Any]] = [
    lambda lib, video_id: lib.delete(video_id),
    lambda lib, video_id: lib.restore(video_id),
    lambda lib, video_id: lib.sharing.share("video", video_id, "mina@example.com"),
    lambda lib, video_id: lib.sharing.shares("video", video_id),
    lambda lib, video_id: lib.sharing.put(lib.sharing.make_collection("c").collection_id, [video_id]),
]


class Queue:
    """Notes whose videos are handed over."""

    def __init__(self) -> None:
        self.owners: list[str | None] = []

    def enqueue_ingest(self, video_id: str, *, owner_id: str | None = None, is_awaited: bool = True) -> str:
        self.owners.append(owner_id)
        return f"job-{len(self.owners)}"

    def cancel(self, *job_ids: str) -> None:
        pass


def test_read_access_refuses_changes_and_write_access_those_of_the_owner(two: Two) -> None:
    video_id, queue = two.sea.video_id, Queue()
    two.jun.queue = queue  # type: ignore[assignment]
    two.mina.sharing.share("video", video_id, two.jun.user_id, "read")
    for change in (*CHANGES, *OWNERS):
        with pytest.raises(NotAllowed):
            change(two.jun, video_id)
    two.mina.sharing.share("video", video_id, two.jun.user_id, "write")
    assert len(two.mina.sharing.shares()) == 1
    for change in OWNERS:
        with pytest.raises(NotAllowed):
            change(two.jun, video_id)
    assert two.jun.rename(video_id, "renamed").title == "renamed"
    assert two.found(two.mina, "renamed") == {"renamed"}
    two.jun.reindex_video(video_id, queue=True)
    assert queue.owners == [two.mina.user_id]
    two.jun.cancel(video_id)
    error = two.mina.video(video_id).error
    assert error is not None
    assert error["code"] == "CANCELLED"


def test_collections(two: Two) -> None:
    mina, jun = two.mina.sharing, two.jun.sharing
    trip = mina.make_collection("  Our  trip ")
    assert (trip.title, trip.owner_id, trip.video_ids) == ("Our trip", two.mina.user_id, ())
    ids = (two.sea.video_id, two.hill.video_id)
    trip = mina.put(trip.collection_id, [*ids, ids[0]])
    assert trip.video_ids == ids
    assert mina.collections() == [trip]
    assert jun.collections() == []
    mina.share("collection", trip.collection_id, "jun@example.com", "write")
    assert jun.collections() == [trip]
    assert two.found(two.jun) == {"harbour", "holiday", "hike"}
    two.jun.rename(two.hill.video_id, "walk")
    for refused in (
        lambda: jun.rename_collection(trip.collection_id, "mine"),
        lambda: jun.put(trip.collection_id, [two.own.video_id]),
        lambda: jun.delete_collection(trip.collection_id),
        lambda: jun.share("collection", trip.collection_id, "mina@example.com"),
    ):
        with pytest.raises(NotAllowed):
            refused()
    with pytest.raises(VideoNotFound):  # only what is one's own
        mina.put(trip.collection_id, [two.own.video_id])
    assert mina.take_out(trip.collection_id, [two.sea.video_id]).video_ids == (two.hill.video_id,)
    assert two.found(two.jun) == {"harbour", "walk"}
    mina.delete_collection(trip.collection_id)
    assert two.found(two.jun) == {"harbour"}
    assert mina.shares() == []
    for gone in (mina, jun):
        with pytest.raises(CollectionNotFound):
            gone.delete_collection(trip.collection_id)


def test_a_video_that_is_deleted_is_shared_again_when_it_is_restored(two: Two) -> None:
    two.mina.sharing.share("video", two.sea.video_id, two.jun.user_id)
    two.mina.delete(two.sea.video_id)
    assert two.found(two.jun) == {"harbour"}
    assert [video.title for video in two.jun.videos(include_deleted=True)] == ["harbour"]
    assert two.jun.sharing.shared_with_me() == []
    for ask in (lambda: two.jun.video(two.sea.video_id), lambda: two.jun.playable_path(two.sea)):
        with pytest.raises(VideoNotFound):
            ask()
    two.mina.restore(two.sea.video_id)
    assert two.found(two.jun) == {"harbour", "holiday"}


def test_what_one_does_with_shared_scenes_stays_ones_own(two: Two) -> None:
    two.mina.sharing.share("video", two.sea.video_id, two.jun.user_id)
    scene = two.jun.scenes(two.sea.video_id)[0]
    two.jun.tray_edits.add(scene.scene_id)
    two.jun.judge("sea", scene.scene_id, 3)
    assert len(two.jun.tray().clips) == 1
    assert two.mina.tray().clips == ()
    assert len(two.jun.evaluation.judgements()) == 1
    assert two.mina.evaluation.judgements() == []
    assert two.mina.sql("select * from judgements").empty
    assert two.mina.sql("select * from searches").empty


def test_a_short_of_a_shared_scene_is_of_who_makes_it(two: Two) -> None:
    two.mina.sharing.share("video", two.sea.video_id, two.jun.user_id)
    two.jun.queue = SimpleNamespace(enqueue_reel=lambda export_id: str(uuid4()))
    made = two.jun.short(two.jun.scenes(two.sea.video_id)[0].scene_id, queue=True)
    assert [export.export_id for export in two.jun.exports.list()] == [made.export_id]
    assert two.mina.exports.list() == []
    assert (two.jun.shorts.allowance().used, two.mina.shorts.allowance().used) == (1, 0)


def test_a_video_that_is_shared_can_be_given_back(two: Two) -> None:
    jun, sea = two.jun, two.sea.video_id
    two.mina.sharing.share("video", sea, jun.user_id)
    with pytest.raises(NotAllowed):
        jun.sharing.unshare("video", sea, jun.user_id)
    jun.sharing.give_back("video", sea)
    assert two.found(jun) == {"harbour"}
    assert two.mina.sharing.shares() == []
    assert two.found(two.mina) == {"holiday", "hike"}
    for refused in (jun, two.mina):  # of whom it was, and the owner
        with pytest.raises(ShareNotFound):
            refused.sharing.give_back("video", sea)


def test_a_collection_is_given_back_as_a_whole(two: Two) -> None:
    jun, sea = two.jun, two.sea.video_id
    trip = two.mina.sharing.make_collection("Trip")
    two.mina.sharing.put(trip.collection_id, [sea, two.hill.video_id])
    two.mina.sharing.share("collection", trip.collection_id, jun.user_id, "write")
    with pytest.raises(ShareNotFound):  # it is not shared by itself
        jun.sharing.give_back("video", sea)
    two.mina.sharing.share("video", sea, jun.user_id)
    by_itself = Share("video", sea, jun.user_id, "read")
    in_trip = Share("collection", trip.collection_id, jun.user_id, "write")
    assert jun.sharing.shared_with_me(sea) == [in_trip, by_itself]
    assert jun.sharing.shared_with_me(two.hill.video_id) == [in_trip]
    assert jun.sharing.shared_with_me(two.own.video_id) == []
    jun.sharing.give_back("collection", trip.collection_id)
    assert two.found(jun) == {"harbour", "holiday"}, "what is also shared by itself stays"
    assert jun.sharing.access_to(sea) == "read"
    assert two.mina.sharing.collections()[0].video_ids == (sea, two.hill.video_id)


def test_filters_and_facets(two: Two) -> None:
    assert set(two.jun.search("sea", weights=LEXICAL, facets=True, collapse=False).facets) == {
        "video_ids",
        "languages",
        "has_speech",
        "tags",
    }
    trip = two.mina.sharing.make_collection("Trip")
    two.mina.sharing.put(trip.collection_id, [two.sea.video_id])
    two.mina.sharing.share("collection", trip.collection_id, two.jun.user_id)
    two.mina.sharing.share("video", two.hill.video_id, two.jun.user_id)
    assert two.found(two.jun, owner="mine") == {"harbour"}
    assert two.found(two.jun, owner="shared") == {"holiday", "hike"}
    assert two.found(two.jun, collections=("TRIP",)) == {"holiday"}
    assert two.found(two.jun, collections=(trip.collection_id,)) == {"holiday"}
    assert two.found(two.jun, collections=("nothing",)) == set()
    assert two.found(two.mina, owner="shared") == set()
    facets = two.jun.search("sea", weights=LEXICAL, facets=True, collapse=False).facets
    assert facets["owner"] == {"shared": 2, "mine": 1}
    assert facets["collections"] == {"Trip": 1}
    filters = parse_filters(["owner=Shared", "collection=Trip", "collection=b"])
    assert filters == Filters(owner="shared", collections=("Trip", "b"))
    assert parse_filters(filter_pairs(filters)) == filters
    for bad in ("owner=all", "owner="):
        with pytest.raises(InvalidFilter):
            parse_filters([bad])
    with pytest.raises(InvalidFilter):
        Filters(owner="all")  # type: ignore[arg-type]


BAD: list[tuple[type[HeimdexError], Callable[[Two], Any]]] = [
    (InvalidValue, lambda two: two.mina.sharing.share("reel", two.sea.video_id, "jun@example.com")),
    (InvalidValue, lambda two: two.mina.sharing.share("video", two.sea.video_id, "jun@example.com", "owner")),
    (InvalidValue, lambda two: two.mina.sharing.share("video", two.sea.video_id, "mina@example.com")),
    (UserNotFound, lambda two: two.mina.sharing.share("video", two.sea.video_id, "nobody@example.com")),
    (VideoNotFound, lambda two: two.jun.sharing.share("video", two.sea.video_id, "mina@example.com")),
    (VideoNotFound, lambda two: two.jun.sharing.unshare("video", two.sea.video_id, "mina@example.com")),
    (VideoNotFound, lambda two: two.jun.sharing.shares("video", two.sea.video_id)),
    (CollectionNotFound, lambda two: two.jun.sharing.share("collection", "x", "mina@example.com")),
    (InvalidValue, lambda two: two.mina.sharing.make_collection(" ")),
]


def test_what_cannot_be_shared(two: Two) -> None:
    for error, call in BAD:
        with pytest.raises(error):
            call(two)
    assert two.mina.sharing.shares() == []
    assert two.mina.sharing.collections() == []


def test_a_crash_before_shares_are_published_is_mended_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    two = Two(tmp_path / "library")
    two.mina.sharing.share("video", two.sea.video_id, two.jun.user_id)
    with monkeypatch.context() as patched:
        patched.setattr("heimdex_core.store.shares.write", killed)
        with pytest.raises(KeyboardInterrupt):
            two.mina.sharing.unshare("video", two.sea.video_id, two.jun.user_id)
    assert two.found(two.jun) == {"harbour", "holiday"}, "until then readers see the old state, whole"
    with pytest.raises(VideoNotFound):  # what changes something asks the catalog
        two.jun.video(two.sea.video_id)
    with Library.open(tmp_path / "library") as again:
        assert two.found(again.as_user(two.jun.user_id)) == {"harbour"}
    assert two.found(two.jun) == {"harbour"}, "and so do other processes"
