"""The tray: operations that merge, those that give way, undo and redo by several authors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core.errors import InvalidReel, InvalidValue, TrayConflict, UnknownName
from heimdex_core.library.tray import TrayEdits
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.store.published import read_published_state
from heimdex_core.store.tray_json import decode_changes
from heimdex_core.types import (
    InsertClips,
    MoveClip,
    PlacedClip,
    Reel,
    ReelClip,
    RemoveClips,
    Tray,
    TrimClip,
    utc_now,
)
from tests.library.trays import VIDEO, clip, scene
from tests.store.making import new_store


def numbers(tray: Tray) -> list[int]:
    """The scenes in the tray, by number."""
    return [int(one.scene_start_s / 10) for one in tray.clips]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return new_store(tmp_path_factory.mktemp("tray") / "library")


@pytest.fixture
def edits(store: Store) -> Iterator[TrayEdits]:
    """Edits of a tray with the scenes 1, 2 and 3, which is emptied afterwards."""
    made = edits_of(store)
    made.replace([clip(1), clip(2), clip(3)], "Mine")
    yield made
    made.replace([], "")


def edits_of(store: Store, **settings: Any) -> TrayEdits:
    context: Any = SimpleNamespace(store=store, settings=Settings(**settings), user_id="local")
    return TrayEdits(context)


# --- two pages ------------------------------------------------------------------------------------


def test_changes_of_two_pages_on_the_same_version_are_merged(store: Store, edits: TrayEdits) -> None:
    seen = store.reels.tray("local").revision
    edits.remove([scene(2)], made_on=seen, author="a")
    tray = edits.add(clip(4), made_on=seen, author="b")
    assert numbers(tray) == [1, 3, 4]
    assert numbers(edits.move(scene(3), after=None, before=scene(1), made_on=seen, author="a")) == [3, 1, 4]
    assert numbers(edits.clear([scene(1), scene(2), scene(3)], made_on=seen, author="a")) == [4]
    assert store.reels.tray("local").revision == seen + 4


def test_what_is_so_already_changes_nothing(store: Store, edits: TrayEdits) -> None:
    seen = store.reels.tray("local")
    edits.add(clip(1, 2.0))
    edits.remove([scene(9)])
    edits.move(scene(3), after=scene(2))
    edits.trim(scene(1), 10.0, 20.0)
    edits.rename(" Mine ")
    assert store.reels.tray("local") == seen


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ("remove", "trim", "tray_clip_removed"),
        ("remove", "move", "tray_clip_removed"),
        ("trim", "trim", "tray_clip_trimmed"),
        ("rename", "rename", "tray_title_changed"),
        ("set_strategy", "set_strategy", "tray_clip_framed"),
    ],
)
def test_two_changes_that_cannot_both_hold(
    store: Store, edits: TrayEdits, first: str, second: str, problem: str
) -> None:
    def change(name: str, author: str, made_on: int) -> Tray:
        second_trim = {"a": 24.0, "b": 26.0}[author]
        args: dict[str, list[Any]] = {
            "remove": [[scene(2)]],
            "trim": [scene(2), 21.0, second_trim],
            "move": [scene(2)],
            "rename": [author],
            "set_strategy": [scene(2), {"a": "letterbox", "b": "blur_pad"}[author]],
        }
        made: Tray = getattr(edits, name)(*args[name], author=author, made_on=made_on)
        return made

    seen = store.reels.tray("local").revision
    now = change(first, "a", seen)
    with pytest.raises(TrayConflict) as caught:
        change(second, "b", seen)
    assert caught.value.details["problem"] == problem
    assert store.reels.tray("local") == now
    if problem != "tray_clip_removed":
        # made on what the other page has made of it, it is a change like any other
        assert change(second, "b", now.revision).revision == now.revision + 1


def test_ones_own_changes_are_never_in_the_way(store: Store, edits: TrayEdits) -> None:
    """A page sends the next change before it knows the version that the last one led to."""
    seen = store.reels.tray("local").revision
    for end in (9.0, 8.0, 7.0):
        tray = edits.trim(scene(1), 10.0, 10.0 + end, made_on=seen, author="a")
    assert tray.clips[0] == clip(1, 0.0, 7.0)


def test_values_that_are_no_trim_are_refused(edits: TrayEdits) -> None:
    for start, end in ((15.0, 12.0), (-5.0, 0.0)):
        with pytest.raises(InvalidValue):
            edits.trim(scene(1), start, end)


def test_the_tray_has_a_limit_also_for_undo(store: Store, edits: TrayEdits) -> None:
    small = edits_of(store, max_reel_scenes=3)
    with pytest.raises(InvalidReel):
        small.add(clip(4), author="a")
    small.remove([scene(1)], author="a", since=0)
    small.add(clip(5), author="b")
    with pytest.raises(InvalidReel):
        small.undo(author="a", since=0)
    assert numbers(store.reels.tray("local")) == [2, 3, 5]


def test_no_pick_of_two_threads_is_lost(store: Store, edits: TrayEdits) -> None:
    def pick(numbers: range, author: str) -> None:
        for n in numbers:
            edits.add(clip(n), author=author)

    threads = [threading.Thread(target=pick, args=(range(first, first + 5), str(first))) for first in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers(store.reels.tray("local"))) == [1, 2, 3, *range(10, 15), *range(20, 25)]


# --- clips beyond their scene, and scenes several times --------------------------------------------


def test_a_clip_grows_beyond_its_scene_to_both_ends_of_the_video(edits: TrayEdits) -> None:
    tray = edits.trim(scene(1), -3.0, 45.0)
    grown = tray.clips[0]
    assert (grown.start_s, grown.end_s) == (0.0, 45.0)
    assert grown.clip_id == scene(1), "it is still the clip of the scene that it came from"
    assert edits.undo().clips[0] == clip(1)


def test_a_duplicate_is_a_clip_of_its_own(edits: TrayEdits) -> None:
    edits.trim(scene(2), 21.0, 25.0)
    edits.duplicate(scene(2))
    tray = edits.duplicate(scene(2))
    assert [one.clip_id for one in tray.clips] == [scene(1), scene(2), f"{scene(2)}#2", f"{scene(2)}#1", scene(3)]
    edits.trim(f"{scene(2)}#1", 25.0, 29.0)
    tray = edits.move(f"{scene(2)}#1", after=None, before=scene(1))
    assert [(one.start_s, one.end_s) for one in tray.clips[:4]] == [(25, 29), (10, 20), (21, 25), (21, 25)]
    assert numbers(edits.remove([scene(2)])) == [2, 1, 2, 3]
    assert numbers(edits.add(scene_clip := clip(2))) == [2, 1, 2, 3], "its scene is in the tray"
    assert numbers(edits.remove_scene(scene_clip.scene_id)) == [1, 3]
    assert numbers(edits.undo()) == [2, 1, 2, 3]


def test_the_number_of_a_removed_copy_is_not_given_to_another_clip(store: Store, edits: TrayEdits) -> None:
    """Or undoing the removal would find the number taken, and bring nothing back."""
    since = store.reels.tray("local").revision
    edits.duplicate(scene(1), author="a")
    edits.remove([f"{scene(1)}#1"], author="a")
    edits.duplicate(scene(1), author="b")
    tray = edits.undo(author="a", since=since)
    assert sorted(one.copy for one in tray.clips if one.scene_id == scene(1)) == [0, 1, 2]


def test_a_duplicate_of_a_removed_clip_or_in_a_full_tray_is_refused(store: Store, edits: TrayEdits) -> None:
    with pytest.raises(TrayConflict):
        edits.duplicate(scene(7))
    with pytest.raises(InvalidReel):
        edits_of(store, max_reel_scenes=3).duplicate(scene(1))


def test_a_history_from_before_there_were_copies_still_reads() -> None:
    old_clip = {"video_id": "v", "start_s": 0.0, "end_s": 1.0, "scene_start_s": 0.0, "scene_end_s": 1.0}
    reversal = [
        {"do": "trim", "scene_id": "x", "start_s": 1.0, "end_s": 2.0},
        {"do": "move", "scene_id": "x", "after": None, "before": "y"},
        {"do": "remove", "scene_ids": ["x", "y"]},
        {"do": "insert", "clips": [{"clip": old_clip, "after": "x", "before": None}]},
    ]
    row = {"revision": 3, "author": "a", "touched": ["trim:x"], "reversal": reversal}
    (change,) = decode_changes(json.dumps([row]))
    placed = PlacedClip(ReelClip("v", 0.0, 1.0, 0.0, 1.0), "x")
    assert change.reversal == (
        TrimClip("x", 1.0, 2.0),
        MoveClip("x", None, "y"),
        RemoveClips(("x", "y")),
        InsertClips((placed,)),
    )


# --- a strategy of its own ------------------------------------------------------------------------


def strategies(tray: Tray) -> list[str | None]:
    return [one.strategy for one in tray.clips]


def test_the_strategy_of_a_clip_is_set_undone_and_copied(store: Store, edits: TrayEdits) -> None:
    edits.set_strategy(scene(2), "letterbox")
    edits.trim(scene(2), 21.0, 25.0)
    assert strategies(edits.duplicate(scene(2))) == [None, "letterbox", "letterbox", None]
    assert strategies(edits.set_strategy(scene(2), None)) == [None, None, "letterbox", None]
    assert strategies(edits.undo()) == [None, "letterbox", "letterbox", None]
    edits.remove([scene(2)])
    assert strategies(edits.undo()) == [None, "letterbox", "letterbox", None], "a removed clip comes back as it was"
    for _ in range(3):
        tray = edits.undo()
    assert (strategies(tray), tray.clips) == ([None, None, None], (clip(1), clip(2), clip(3)))
    assert strategies(edits.redo()) == [None, "letterbox", None]
    assert Store.open(store.paths.root).reels.tray("local").clips[1].strategy == "letterbox"


def test_a_strategy_that_is_not_known_is_refused(edits: TrayEdits) -> None:
    unknown = replace(clip(1), strategy="zoom")
    for refused in (
        lambda: edits.set_strategy(scene(1), "zoom"),
        lambda: edits.add(replace(unknown, scene_end_s=30.0)),
        lambda: edits.replace([unknown], ""),
    ):
        with pytest.raises(UnknownName):
            refused()
    with pytest.raises(TrayConflict):
        edits.set_strategy(scene(9), "letterbox")


def test_replacing_the_tray_changes_trims_and_strategies(edits: TrayEdits) -> None:
    wanted = (
        replace(clip(1), strategy="blur_pad"),
        replace(clip(2, 1.0, 2.0), strategy="letterbox"),
        clip(3, 0.0, 5.0),
    )
    assert edits.replace(list(wanted), "Mine").clips == wanted
    assert edits.undo().clips == (clip(1), clip(2), clip(3))


def test_a_reel_from_before_clips_had_strategies_opens_unchanged(store: Store, edits: TrayEdits) -> None:
    """What an older version stored has no such field."""
    fields = ("video_id", "start_s", "end_s", "scene_start_s", "scene_end_s", "copy")
    stored = json.dumps([{name: getattr(clip(n), name) for name in fields} for n in (1, 2, 3)])
    with store.catalog.transaction() as transaction:
        transaction.run("update reels set clips = ?", [stored])
    assert store.reels.tray("local").clips == (clip(1), clip(2), clip(3))


# --- undo and redo --------------------------------------------------------------------------------


def test_undo_takes_back_what_this_page_did_and_nothing_else(store: Store, edits: TrayEdits) -> None:
    since = store.reels.tray("local").revision
    edits.add(clip(4), author="a", since=since)
    edits.add(clip(5), author="b", since=since)
    assert numbers(edits.undo(author="a", since=since)) == [1, 2, 3, 5]
    assert numbers(edits.redo(author="a", since=since)) == [1, 2, 3, 4, 5]


def test_a_page_opened_later_can_undo_what_was_done_before(store: Store, edits: TrayEdits) -> None:
    """Thus a reload loses no undo. Other pages stay as they are."""
    edits.clear(author="a", since=0)
    opened_at = store.reels.tray("local").revision
    edits.add(clip(7), author="b", since=0)
    tray = edits.undo(author="reloaded", since=opened_at)
    assert sorted(numbers(tray)) == [1, 2, 3, 7]
    assert tray.title == "Mine"
    assert tray.last_change("reloaded", opened_at, undone=True) is not None
    assert tray.last_change("b", opened_at, undone=True) is None


def test_clear_is_undone_with_order_trims_and_title(store: Store, edits: TrayEdits) -> None:
    before = edits.trim(scene(2), 21.0, 25.0)
    assert edits.clear().clips == ()
    after = edits.undo()
    assert (after.clips, after.title) == (before.clips, "Mine")
    assert edits.redo().clips == ()


def test_something_new_ends_what_could_be_made_again(store: Store, edits: TrayEdits) -> None:
    edits.remove([scene(1)])
    edits.undo()
    tray = edits.add(clip(6))
    assert tray.last_change("", undone=True) is None
    assert edits.redo() == tray


def test_an_undo_that_would_take_back_a_trim_of_another_page_is_passed_over(store: Store, edits: TrayEdits) -> None:
    since = store.reels.tray("local").revision
    edits.remove([scene(3)], author="a", since=since)
    edits.trim(scene(1), 11.0, 15.0, author="a", since=since)
    edits.trim(scene(1), 12.0, 14.0, author="b", since=since)
    tray = edits.undo(author="a", since=since)  # of the removal, which came before
    assert [numbers(tray), tray.clips[0]] == [[1, 2, 3], clip(1, 2.0, 4.0)]


def test_a_held_arrow_key_is_one_step_of_undo(store: Store, edits: TrayEdits) -> None:
    for tenths in range(1, 6):
        edits.trim(scene(1), 10.0, 20.0 - tenths / 10)
    assert edits.undo().clips[0] == clip(1)


def test_the_history_is_kept_in_the_library(store: Store, edits: TrayEdits) -> None:
    edits.remove([scene(1)])
    again = Store.open(store.paths.root)
    assert again.reels.tray("local") == store.reels.tray("local")
    assert numbers(edits_of(again).undo()) == [1, 2, 3]


def test_replacing_the_tray_is_one_change(edits: TrayEdits) -> None:
    tray = edits.replace([clip(3), clip(1, 2.0, 3.0), clip(8)], "Other")
    assert (tray.clips, tray.title) == ((clip(3), clip(1, 2.0, 3.0), clip(8)), "Other")
    undone = edits.undo()
    assert (undone.clips, undone.title) == ((clip(1), clip(2), clip(3)), "Mine")


def test_clips_of_a_video_are_counted(edits: TrayEdits) -> None:
    assert edits.clip_count(VIDEO) == 3
    assert edits.clip_count("6f0a2c1e-0000-4000-8000-000000000002") == 0


def test_what_is_sent_again_is_not_done_again(store: Store, edits: TrayEdits) -> None:
    """A page whose connection broke does not know whether the server has got its last operations."""
    edits.add(clip(4), author="a", key="a-1")
    edits.remove([scene(1)], author="a", key="a-2")
    edits.undo(author="a", since=0, key="a-3")
    done = edits.undo(author="a", since=0, key="a-4")
    assert numbers(done) == [1, 2, 3]
    edits.add(clip(4), author="a again", key="a-1")
    edits.remove([scene(1)], author="a again", key="a-2")
    edits.undo(author="a again", since=done.revision, key="a-3")
    assert edits.undo(author="a again", since=done.revision, key="a-4") == done
    assert numbers(edits.undo(author="a again", since=done.revision, key="a-5")) != [1, 2, 3]


# --- what is published ----------------------------------------------------------------------------


def test_the_revision_is_published_for_open_pages(store: Store, edits: TrayEdits) -> None:
    before = read_published_state(store.paths, "local")
    assert read_published_state(store.paths, "local") == before
    tray = edits.add(clip(4))
    after = read_published_state(store.paths, "local")
    assert (after.tray_revision, replace(after, tray_revision=before.tray_revision)) == (tray.revision, before)


def test_the_revisions_of_named_reels_are_published(store: Store, edits: TrayEdits) -> None:
    before = read_published_state(store.paths, "local")
    reel = Reel("r", "local", "Autumn", (clip(1),), utc_now())
    store.reels.save(reel)
    made = read_published_state(store.paths, "local")
    assert (made.tray_revision, made.reel_revisions) == (before.tray_revision, {"r": 0})
    store.reels.change("local", "r", lambda found: replace(found, title="Winter", revision=found.revision + 1))
    assert read_published_state(store.paths, "local").reel_revisions == {"r": 1}
    store.paths.tray("local").write_text(json.dumps({"revision": before.tray_revision}))  # as after a crash
    Store.open(store.paths.root)
    assert read_published_state(store.paths, "local").reel_revisions == {"r": 1}
    store.reels.delete("local", "r")
    assert read_published_state(store.paths, "local") == before


def test_a_revision_that_a_crash_left_behind_is_published_when_the_library_is_opened(
    store: Store, edits: TrayEdits
) -> None:
    path: Path = store.paths.tray("local")
    path.write_text(json.dumps({"revision": 0}))
    Store.open(store.paths.root)
    assert read_published_state(store.paths, "local").tray_revision == store.reels.tray("local").revision


def test_a_tray_of_an_older_version_has_no_history_and_can_be_changed(store: Store, edits: TrayEdits) -> None:
    with store.catalog.transaction() as transaction:
        transaction.run("update reels set revision = null, changes = null")
    tray = store.reels.tray("local")
    assert (tray.revision, tray.changes, numbers(tray)) == (0, (), [1, 2, 3])
    assert edits.add(clip(4)).revision == 1
