"""The dialog to share: what it shows of what others share, and how that is given back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.library import Library
from heimdex_core.types import Video
from tests.store import making
from ui import resources, sharing, state
from ui.state import Address, OpenedSharing


class Page:
    """What the page of Jun keeps, with whom Mina shares a video, by itself and in a collection."""

    def __init__(self, folder: Path) -> None:
        self.lib = Library.open(folder, profile="offline")
        ids = [
            self.lib.accounts.sign_in("https://login", n, f"{n}@example.com", True, n).user_id for n in ("mina", "jun")
        ]
        self.mina, self.jun = (self.lib.as_user(user_id) for user_id in ids)
        store, spaces = self.lib._store, self.lib.spaces()
        video = making.register(store, "holiday", user_id=self.mina.user_id)
        staged = making.stage(store, video, ["the sea"], spaces=spaces)
        self.video: Video = store.commit_generation(video.video_id, staged, n=1, spaces=spaces.values())
        trip = self.mina.sharing.make_collection("Trip")
        self.trip = self.mina.sharing.put(trip.collection_id, [self.video.video_id])
        self.opened: OpenedSharing | None = None
        self.shown = "library"
        self.requested: list[str] = []

    def open(self, opened: OpenedSharing | None) -> None:
        self.opened = opened

    def dialog(self) -> dict[str, Any] | None:
        return sharing._opened(self.jun, self.jun.sharing.collections(), self.jun.videos())

    def give_back(self, kind: str, target_id: str) -> None:
        sharing._reported(sharing._give_back)({"kind": kind, "id": target_id})


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    made = Page(tmp_path / "library")
    monkeypatch.setattr(resources, "library", lambda: made.jun)
    monkeypatch.setattr(state, "language", lambda: "en")
    monkeypatch.setattr(state, "opened_sharing", lambda: made.opened)
    monkeypatch.setattr(state, "open_sharing", made.open)
    monkeypatch.setattr(state, "address", lambda: Address(made.shown, {}))
    monkeypatch.setattr(state, "request_page", made.requested.append)
    yield made
    made.lib.close()


def test_the_dialog_says_how_one_sees_a_video_and_stays_as_long_as_one_does(page: Page) -> None:
    video_id = page.video.video_id
    page.mina.sharing.share("collection", page.trip.collection_id, page.jun.user_id, "write")
    page.mina.sharing.share("video", video_id, page.jun.user_id)
    page.open(OpenedSharing("video", (video_id,)))
    found = page.dialog()
    assert found is not None
    assert (found["title"], found["owned"], found["from"]) == ("holiday", False, "from mina")
    assert found["ways"] == [
        dict(kind="collection", id=page.trip.collection_id, text="Collection “Trip” · 1 video", access="write"),
        dict(kind="video", id=video_id, text="This video", access="read"),
    ]
    assert (found["shares"], found["collections"]) == (None, None)
    page.give_back("video", video_id)
    found = page.dialog()
    assert found is not None
    assert [way["kind"] for way in found["ways"]] == ["collection"]
    page.give_back("collection", page.trip.collection_id)
    assert page.opened is None
    assert page.jun.videos() == []
    assert page.requested == []


def test_the_page_of_a_video_is_left_with_it(page: Page) -> None:
    page.mina.sharing.share("video", page.video.video_id, page.jun.user_id)
    page.open(OpenedSharing("video", (page.video.video_id,)))
    page.shown = "video"
    page.give_back("video", page.video.video_id)
    assert (page.opened, page.requested) == (None, ["library"])


def test_a_collection_is_given_back_and_what_is_gone_closes_the_dialog(page: Page) -> None:
    page.mina.sharing.share("collection", page.trip.collection_id, page.jun.user_id)
    page.open(OpenedSharing("collection", (page.trip.collection_id,)))
    found = page.dialog()
    assert found is not None
    assert [way["text"] for way in found["ways"]] == ["Collection “Trip” · 1 video"]
    page.mina.sharing.unshare("collection", page.trip.collection_id, page.jun.user_id)
    page.give_back("collection", page.trip.collection_id)
    assert page.opened is not None
    assert page.opened.error is not None
    assert page.opened.error["code"] == "SHARE_NOT_FOUND"
    assert page.dialog() is None
    assert page.opened is None, "else it would open by itself when it is shared again"
