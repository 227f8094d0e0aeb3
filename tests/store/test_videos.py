"""Unfinished work on videos: which videos it is about, and how it is ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from heimdex_core.errors import WorkerLost
from heimdex_core.files import file_signature
from heimdex_core.store import Store
from heimdex_core.store.transaction import to_us
from heimdex_core.types import Video, VideoState, utc_now
from tests.store.making import add, new_store

ERROR = WorkerLost(times=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return new_store(tmp_path_factory.mktemp("videos") / "library")


@pytest.fixture(scope="module")
def new(store: Store) -> Video:
    """A video that was never indexed."""
    return store.register_video("local", "0" * 64, "new", "new.mp4")[0]


@pytest.fixture(scope="module")
def indexed(store: Store) -> Video:
    return add(store, "indexed", ("words",))


def put(store: Store, video: Video, state: VideoState, *, unchanged_for_s: float = 0) -> Video:
    """The video in any state, also in one that it could not reach from its present state."""
    changed = to_us(utc_now() - timedelta(seconds=unchanged_for_s))
    with store.catalog.transaction() as transaction:
        row = {"state": str(state), "error": None, "updated_us": changed}
        transaction.update("videos", row, {"video_id": video.video_id})
    return store.video(video.user_id, video.video_id)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (VideoState.UPLOADING, VideoState.FAILED),
        (VideoState.VALIDATING, VideoState.FAILED),
        (VideoState.PROCESSING, VideoState.FAILED),
        (VideoState.FAILED, None),
        (VideoState.DELETED, None),
    ],
)
def test_a_new_video_fails_with_its_work(
    store: Store, new: Video, before: VideoState, after: VideoState | None
) -> None:
    check_mark_failed(store, put(store, new, before), after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (VideoState.UPLOADING, VideoState.INDEXED),
        (VideoState.VALIDATING, VideoState.INDEXED),
        (VideoState.PROCESSING, VideoState.INDEXED),
        (VideoState.INDEXED, None),
        (VideoState.FAILED, None),
        (VideoState.DELETED, None),
    ],
)
def test_an_indexed_video_stays_so_when_indexing_it_again_fails(
    store: Store, indexed: Video, before: VideoState, after: VideoState | None
) -> None:
    published = file_signature(store.paths.visible)
    check_mark_failed(store, put(store, indexed, before), after)
    assert file_signature(store.paths.visible) == published  # nobody sees a difference


def check_mark_failed(store: Store, video: Video, after: VideoState | None) -> None:
    """`after` is the expected state; None where there is nothing to end."""
    assert store.mark_video_failed(video.user_id, video.video_id, ERROR) is (after is not None)
    found = store.video(video.user_id, video.video_id)
    if after is None:
        assert found == video
        return
    assert found == replace(video, state=after, error=ERROR.to_dict(), updated_at=found.updated_at)
    assert found.updated_at > video.updated_at
    assert store.mark_video_failed(video.user_id, video.video_id, ERROR) is False


def test_other_users_videos_and_unknown_ones_are_left_alone(store: Store, new: Video) -> None:
    video = put(store, new, VideoState.PROCESSING)
    assert store.mark_video_failed("someone", video.video_id, ERROR) is False
    assert store.mark_video_failed("local", "6f0a2c1e-0000-4000-8000-00000000dead", ERROR) is False
    assert store.video("local", video.video_id) == video


@pytest.mark.parametrize("state", list(VideoState))
def test_unfinished_videos_are_those_being_validated_or_processed(
    store: Store, new: Video, indexed: Video, state: VideoState
) -> None:
    put(store, new, VideoState.FAILED)
    put(store, indexed, state, unchanged_for_s=100)
    is_unfinished = state in (VideoState.VALIDATING, VideoState.PROCESSING)
    assert store.unfinished_videos(60) == ([("local", indexed.video_id)] if is_unfinished else [])
    assert store.unfinished_videos(1000) == []


def test_unfinished_videos_come_in_the_order_of_their_creation(store: Store, new: Video, indexed: Video) -> None:
    first, second = sorted((new, indexed), key=lambda video: video.created_at)
    put(store, second, VideoState.PROCESSING, unchanged_for_s=300)
    put(store, first, VideoState.VALIDATING, unchanged_for_s=100)
    assert store.unfinished_videos(60) == [("local", first.video_id), ("local", second.video_id)]
