"""What is kept of searches, view by view."""

from __future__ import annotations

import pytest

from heimdex_core.search import per_view
from heimdex_core.search.per_view import PerView


def test_values_of_a_view_make_room_for_each_other() -> None:
    kept: PerView[int] = PerView(2)
    assert kept.get("first", "a") is None
    for key, value in (("a", 1), ("b", 2)):
        kept.keep("first", key, value)
    assert kept.get("first", "a") == 1
    kept.keep("first", "c", 3)
    assert [kept.get("first", key) for key in "abc"] == [1, None, 3], "the one that was asked for last stays"
    kept.keep("second", "a", 4)
    assert (kept.get("first", "a"), kept.get("second", "a"), kept.get("second", "c")) == (1, 4, None)
    kept.keep("second", "a", 5)
    assert kept.get("second", "a") == 5


def test_everything_of_a_view_goes_when_others_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(per_view, "KEPT_VIEWS", 2)
    kept: PerView[int] = PerView(9)
    for token in ("first", "second"):
        for key in "ab":
            kept.keep(token, key, 1)
    assert kept.get("first", "a") == 1
    kept.keep("third", "a", 1)
    assert [kept.get(token, "a") for token in ("first", "second", "third")] == [1, None, 1]
    assert kept.get("second", "b") is None
