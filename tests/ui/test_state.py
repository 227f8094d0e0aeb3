"""What a page keeps between two runs: what is slow to find out, and the error of the last operation."""

from __future__ import annotations

import pytest
import streamlit as st

from heimdex_core.library import PublishedState
from ui import state


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})


def publish(*, videos: int, tray: int = 0) -> None:
    state.set_seen_state(PublishedState(tray, {}, {}, (videos, 0, 0)))


def test_an_error_is_shown_in_one_place_until_the_next_one() -> None:
    """Parts of a page draw themselves again every second: the error must not be gone by then."""
    state.flash({"code": "A"})
    assert [state.flashed("page"), state.flashed("tray"), state.flashed("page")] == [{"code": "A"}, None, {"code": "A"}]
    state.flash({"code": "B"})
    assert [state.flashed("tray"), state.flashed("page")] == [{"code": "B"}, None]
    state.flash(None)
    assert state.flashed("tray") is None


def test_a_text_is_kept_until_the_videos_or_the_language_change() -> None:
    texts = iter("abcd")

    def shown(for_s: float = 3600.0) -> str:
        return state.kept("note", for_s, lambda: next(texts))

    state.set_language("en")
    publish(videos=1)
    assert shown() == "a"
    publish(videos=1, tray=2)
    assert shown() == "a"
    publish(videos=2)
    assert shown() == "b"
    state.set_language("ko")
    assert shown() == "c"
    assert shown(-1.0) == "d"
