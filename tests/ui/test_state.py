"""What a page keeps between two runs because it is slow to find out."""

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
