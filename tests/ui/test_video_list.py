"""The list of the library page: search, order, filters, the queue and its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import Cancelled, LibraryBusy
from heimdex_core.settings import Settings
from heimdex_core.types import StageProgress, Video, VideoState, utc_now
from tests.store.making import INFO
from ui.views import video_list
from ui.views.video_list import ListChoice, Queue, deleted_row, listed
from ui.views.videos import not_ready_note, possible, progress_texts

NOW = utc_now()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a page no language is chosen."""
    monkeypatch.setattr("ui.state.language", lambda: "en")


def video(title: str, state: VideoState = VideoState.INDEXED, *, age_s: float = 0.0, **more: Any) -> Video:
    made = NOW - timedelta(seconds=age_s)
    return Video(title, "local", "0" * 64, title, f"{title}.mp4", state, made, made, **more)


def at(overall: float, eta_s: float | None, *, age_s: float = 0.0, length_s: float = 120.0) -> StageProgress:
    updated = (utc_now() - timedelta(seconds=age_s)).isoformat()
    return StageProgress("speech", 3, 9, length_s / 4, length_s, eta_s, updated, overall=overall)


class FakeLibrary:
    """Videos that are worked on, by id, and the sizes of all files."""

    def __init__(self, folder: Path, progress: dict[str, StageProgress], **sizes: int) -> None:
        self.settings = Settings(ingest_concurrency=1)
        self._progress = progress
        self._folder = folder
        for name, size in sizes.items():
            (folder / name).write_bytes(b"x" * size)

    def progress(self, video_id: str) -> StageProgress | None:
        return self._progress.get(video_id)

    def playable_path(self, video: Video, *, fetch: bool = True) -> Path:
        return self._folder / video.video_id


VIDEOS = [
    video("바다 여행", age_s=30, info=INFO, description="부산"),
    video("Alps", age_s=20, info=replace(INFO, duration_s=60.0)),
    video("drone", VideoState.FAILED, age_s=10, error=Cancelled().to_dict()),
    video("boat", VideoState.VALIDATING),
]


@pytest.mark.parametrize(
    ("choice", "titles"),
    [
        ({}, ["boat", "drone", "Alps", "바다 여행"]),
        ({"sort": "oldest"}, ["바다 여행", "Alps", "drone", "boat"]),
        ({"sort": "title"}, ["Alps", "boat", "drone", "바다 여행"]),
        ({"sort": "longest"}, ["Alps", "바다 여행", "drone", "boat"]),
        ({"show": "ready"}, ["Alps", "바다 여행"]),
        ({"show": "working"}, ["boat"]),
        ({"show": "failed"}, ["drone"]),
        ({"query": "ALPS"}, ["Alps"]),
        ({"query": "부산 여행"}, ["바다 여행"]),
        ({"query": "mp4"}, ["boat", "drone", "Alps", "바다 여행"]),
        ({"query": "여행"}, ["바다 여행"]),
        ({"query": "Alps", "show": "failed"}, []),
        ({"sort": "<script>", "show": "nothing"}, ["boat", "drone", "Alps", "바다 여행"]),
    ],
)
def test_what_is_listed(choice: dict[str, str], titles: list[str]) -> None:
    found = [one.title for one in listed(VIDEOS, ListChoice.of(choice))]
    assert sorted(found) == sorted(titles)
    if choice.get("sort") != "longest":  # two have no duration
        assert found == titles


def test_every_video_is_counted_once_by_its_state() -> None:
    assert video_list.counts(VIDEOS, "nobody")["shared"] == 4
    assert video_list.counts(VIDEOS, "local")["mine"] == 4
    assert listed(VIDEOS, ListChoice.of({"show": "shared"}), "local") == []
    assert len(listed(VIDEOS, ListChoice.of({"show": "shared"}))) == 4  # of a library of one user
    assert video_list.counts(VIDEOS) == {"all": 4, "ready": 2, "working": 1, "failed": 1}


def test_the_queue_has_positions_and_a_time_by_size(tmp_path: Path) -> None:
    begun = video("begun", VideoState.PROCESSING, age_s=50)
    first, second = (video(name, VideoState.VALIDATING, age_s=age) for name, age in (("first", 40), ("second", 30)))
    library: Any = FakeLibrary(tmp_path, {"begun": at(0.5, 60.0)}, begun=100, first=100, second=300)
    queue = Queue.read(library, [second, begun, first, video("ready")])
    assert (list(queue.progress), queue.positions) == (["begun"], {"first": 1, "second": 2})
    # 60 s for the second half of 100 bytes: 1.2 s a byte, and 400 bytes wait
    assert queue.left_s == pytest.approx(60 + 400 * 1.2)
    assert queue.summary() == "1 video is being indexed · 2 waiting · about 9 min left in total"


@pytest.mark.parametrize(
    "progress", [at(0.05, 60.0), at(0.5, None), at(0.5, 60.0, age_s=120.0), at(0.5, 60.0, length_s=8.0)]
)
def test_there_is_no_time_where_it_could_not_be_believed(tmp_path: Path, progress: StageProgress) -> None:
    begun, waiting = video("begun", VideoState.PROCESSING), video("first", VideoState.VALIDATING)
    library: Any = FakeLibrary(tmp_path, {"begun": progress}, begun=100, first=100)
    queue = Queue.read(library, [begun, waiting])
    assert queue.left_s is None
    assert queue.summary() == "1 video is being indexed · 1 waiting"
    assert "left" not in progress_texts(progress)["text"]


def test_without_work_the_queue_says_nothing(tmp_path: Path) -> None:
    library: Any = FakeLibrary(tmp_path, {})
    assert Queue.read(library, [video("ready")]).summary() == ""


def test_a_video_that_waits_says_nothing_else() -> None:
    texts = progress_texts(None, 3)
    assert texts == {"pill": "", "strong": "Waiting, number 3 in the queue", "text": "", "fraction": 0.0}


def test_what_can_be_done_depends_on_the_state() -> None:
    assert possible(video("a", VideoState.PROCESSING, generation=1)) == ["cancel"]
    assert possible(video("a", VideoState.FAILED)) == ["retry", "delete"]
    assert possible(video("a", generation=1)) == ["reindex", "delete"]
    assert possible(video("a", generation=1, error=Cancelled().to_dict())) == ["retry", "reindex", "delete"]


def test_a_deleted_video_says_until_when_it_can_be_restored() -> None:
    library: Any = type("L", (), {"settings": Settings(abandoned_after_s=7200)})()
    row = deleted_row(library, replace(video("a", VideoState.DELETED), updated_at=utc_now()))
    assert row["text"] == "Deleted for good in 2 h"
    late = deleted_row(library, video("a", VideoState.DELETED, age_s=8000))
    assert late["text"] == "Will soon be deleted for good"


def test_the_search_page_says_that_videos_are_not_indexed_yet() -> None:
    def counting(count: int) -> Any:
        return type("L", (), {"count_unfinished": lambda self, timeout_s: count})()

    assert not_ready_note(counting(0)) == ""
    assert not_ready_note(counting(1)).startswith("1 video is still being indexed")
    assert not_ready_note(counting(3)).startswith("3 videos are still being indexed")

    class Busy:
        def count_unfinished(self, *, timeout_s: float) -> int:
            raise LibraryBusy(what="x", pid=1, program="x", seconds=1)

    busy: Any = Busy()
    assert not_ready_note(busy) == ""
