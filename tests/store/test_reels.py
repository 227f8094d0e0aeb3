"""Reels and the tray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.errors import ReelNotFound
from heimdex_core.store import Store
from heimdex_core.types import Reel, ReelClip, utc_now
from tests.store.making import name_tray, new_store

CLIP = ReelClip("6f0a2c1e-0000-4000-8000-000000000001", 0.5, 1.5, 0.0, 2.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "library")


def test_every_user_has_a_tray_of_their_own(store: Store) -> None:
    assert store.reels.tray("local").clips == ()
    store.reels.change_tray("local", lambda tray: replace(tray, title="mine", clips=(CLIP,)))
    name_tray(store, "someone", "theirs")
    assert store.reels.tray("local").clips == (CLIP,)
    assert store.reels.tray("someone").title == "theirs"
    assert store.reels.of_user("local") == []


def test_reels_belong_to_one_user(store: Store) -> None:
    reel = store.reels.save(Reel("r1", "local", "First", (CLIP,), utc_now()))
    assert store.reels.save(replace(reel, title="Second")).title == "Second"
    assert [r.title for r in store.reels.of_user("local")] == ["Second"]
    with pytest.raises(ReelNotFound):
        store.reels.get("someone", "r1")
    with pytest.raises(ReelNotFound):
        store.reels.save(replace(reel, user_id="someone"))
    with pytest.raises(ReelNotFound):
        store.reels.save(replace(reel, reel_id="tray"))
    store.reels.delete("local", "r1")
    with pytest.raises(ReelNotFound):
        store.reels.delete("local", "r1")
