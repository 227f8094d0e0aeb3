"""Figures of all users, grouped in the catalog."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.errors import Cancelled, DecoderCrashed, HeimdexError, WorkerLost
from heimdex_core.files import tree_bytes
from heimdex_core.store import Store
from heimdex_core.store.activity import put_stage_times
from heimdex_core.types import Export, ExportState, VideoState, utc_now
from tests.store.making import INFO, add, new_store, register, stage


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def failed(store: Store, name: str, error: HeimdexError, stage_name: str | None = None) -> str:
    video = register(store, name)
    store.begin_work(video.video_id)
    if stage_name is not None:
        error.details["stage"] = stage_name
    assert store.mark_video_failed(video.user_id, video.video_id, error)
    return video.video_id


def test_an_empty_library(store: Store) -> None:
    records = store.activity
    assert records.states() == (dict.fromkeys(VideoState, 0), 0.0)
    assert (records.failures(), records.processing(), records.disk()) == (({}, []), [], [])


def test_videos_by_state_of_all_users(store: Store) -> None:
    add(store, "harbour", ["the sea"])
    add(store, "pier", ["wood"], user_id="bob")
    register(store, "mole")
    counts, duration_s = store.activity.states()
    assert {state: count for state, count in counts.items() if count} == {"indexed": 2, "processing": 1}
    assert duration_s == 20.0


def test_failures_by_stage_newest_first_and_without_those_that_were_cancelled(store: Store) -> None:
    one = failed(store, "a", DecoderCrashed(filename="a.mp4", reason="x"), "scenes")
    two = failed(store, "b", DecoderCrashed(filename="b.mp4", reason="y"), "scenes")
    other = failed(store, "c", WorkerLost(times=3))
    failed(store, "d", Cancelled(), "scenes")
    counts, videos = store.activity.failures()
    assert counts == {"scenes": 2, "": 1}
    assert [video.video_id for video in videos] == [other, two, one]
    assert (videos[1].stage, videos[1].error["code"], videos[0].stage) == ("scenes", "DECODER_CRASHED", "")
    assert [video.video_id for video in store.activity.failures(limit=1)[1]] == [other]


def test_processing_times(store: Store) -> None:
    """Ten videos of 10 s: totals of 1 to 10 s, and one without a length that counts for the percentiles only."""
    video = register(store, "harbour")
    videos = [replace(video, video_id=str(uuid.uuid4())) for _ in range(11)]
    with store.catalog.transaction() as transaction:
        for seconds, video in enumerate(videos[:10], start=1):
            put_stage_times(transaction, video, {"total": 99.0})
            put_stage_times(transaction, video, {"total": float(seconds), "scenes": seconds / 2})
        put_stage_times(transaction, replace(videos[10], info=None), {"total": 11.0})
    total, scenes = store.activity.processing()
    assert (total.stage, total.videos, total.p50_s, total.p90_s) == ("total", 11, 6.0, 10.0)
    assert total.p99_s == pytest.approx(10.9)
    assert total.real_time_factor == pytest.approx(55 / 100)
    assert (scenes.stage, scenes.videos, scenes.real_time_factor) == ("scenes", 10, pytest.approx(0.275))


def test_a_commit_keeps_the_times_and_a_purge_removes_them(store: Store) -> None:
    video = register(store, "harbour")
    store.begin_work(video.video_id)
    store.end_validation(video.video_id, INFO)
    store.commit_generation(video.video_id, stage(store, video, ["the sea"]), n=1, stage_times={"total": 5.0})
    (total,) = store.activity.processing()
    assert (total.p99_s, total.real_time_factor) == (5.0, 0.5)
    store.delete_video(video.user_id, video.video_id)
    store.purge_video(video.video_id)
    assert store.activity.processing() == []


def test_disk_by_user_the_largest_first(store: Store) -> None:
    mine = add(store, "harbour", ["the sea", "boats"])
    add(store, "pier", ["wood"], user_id="bob")
    derived = tree_bytes(store.paths.generation(mine.video_id, 1))
    for path, size_bytes in (("exports/local/x.mp4", 5_000_000_000), (None, 7)):  # the second one has expired
        export = Export(str(uuid.uuid4()), "local", "reel", "t", ExportState.COMPLETED, (), utc_now(), {})
        store.exports.create(export)
        store.exports.update(export.export_id, path=path, size_bytes=size_bytes)
    (first, second) = store.activity.disk()
    assert (first.user_id, first.videos, first.source_bytes, first.export_bytes) == (
        mine.user_id,
        1,
        100,
        5_000_000_000,
    )
    assert (first.derived_bytes, first.unmeasured_videos) == (derived, 0)
    assert first.total_bytes == 100 + derived + 5_000_000_000
    assert (second.user_id, second.source_bytes) == ("bob", 100)
    with store.catalog.transaction() as transaction:  # as an earlier version left it
        transaction.run("update video_generations set size_bytes = null")
    assert [one.unmeasured_videos for one in store.activity.disk()] == [1, 1]
