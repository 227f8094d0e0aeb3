"""The tray after any operations in any order: what two authors do, undo and make again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from heimdex_core.errors import TrayConflict
from heimdex_core.library.tray_history import Edit, difference, make_change, step
from heimdex_core.store.tray_json import decode_changes, encode_changes
from heimdex_core.types import (
    InsertClips,
    MoveClip,
    PlacedClip,
    ReelClip,
    RemoveClips,
    SetTitle,
    Tray,
    TrayOperation,
    TrimClip,
    utc_now,
)
from tests.library.trays import clip, scene


def tray_of(*clips: ReelClip) -> Tray:
    return Tray("tray", "local", "", clips, utc_now())


def operations(scenes: range) -> st.SearchStrategy[TrayOperation]:
    number = st.sampled_from(scenes)
    seconds = st.integers(0, 9)
    return st.one_of(
        number.map(lambda n: InsertClips((PlacedClip(clip(n)),))),
        st.lists(number, min_size=1, max_size=3).map(lambda ns: RemoveClips(tuple(scene(n) for n in ns))),
        st.tuples(number, st.one_of(st.none(), number)).map(
            lambda pair: MoveClip(scene(pair[0]), None if pair[1] is None else scene(pair[1]))
        ),
        st.tuples(number, seconds, st.integers(1, 5)).map(
            lambda trim: TrimClip(scene(trim[0]), 10.0 * trim[0] + trim[1], 10.0 * trim[0] + trim[1] + trim[2])
        ),
    )


def done(tray: Tray, operation: TrayOperation, author: str, at: int) -> Tray:
    """The tray after an operation; what is refused changes nothing. `at` keeps trims apart."""
    try:
        return make_change(tray, Edit((operation,), author, 0, tray.revision, now_us=at * 10_000_000))
    except TrayConflict:
        assert isinstance(operation, TrimClip | MoveClip), "nothing else is ever refused"
        return tray


def by_scene(tray: Tray) -> dict[str, ReelClip]:
    return {one.scene_id: one for one in tray.clips}


START = tray_of(clip(0), clip(1), clip(10), clip(11))
TWO = st.tuples(
    st.lists(operations(range(4)), max_size=8),
    st.lists(operations(range(10, 14)), max_size=8),
    st.lists(st.booleans(), min_size=16, max_size=16),
)


def interleaved(mine: list[Any], others: list[Any], turns: list[bool]) -> Iterator[tuple[str, Any]]:
    """("a", operation of mine) and ("b", operation of the others), each in its own order."""
    left = {"a": list(mine), "b": list(others)}
    for turn in [*turns, *[True] * len(mine), *[False] * len(others)]:
        name = "a" if turn else "b"
        if left[name]:
            yield name, left[name].pop(0)


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(TWO)
def test_two_pages_end_in_the_same_tray_however_their_changes_mix(case: Any) -> None:
    mine, others, turns = case
    mixed = START
    for at, (author, operation) in enumerate(interleaved(mine, others, turns)):
        mixed = done(mixed, operation, author, at)
    one_by_one = START
    for at, (author, operation) in enumerate(interleaved(mine, others, [True] * 16)):
        one_by_one = done(one_by_one, operation, author, at)
    assert by_scene(mixed) == by_scene(one_by_one)
    assert len(mixed.clips) == len(by_scene(mixed))


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(TWO)
def test_undoing_all_of_one_page_leaves_all_of_the_other(case: Any) -> None:
    mine, others, turns = case
    mixed = START
    for at, (author, operation) in enumerate(interleaved(mine, others, turns)):
        mixed = done(mixed, operation, author, at)
    everything = by_scene(mixed)
    theirs = START
    for at, operation in enumerate(others):
        theirs = done(theirs, operation, "b", at)
    while mixed.last_change("a", 0) is not None:
        mixed = step(mixed, "a", 0, undone=False)
    assert by_scene(mixed) == by_scene(theirs)
    while mixed.last_change("a", 0, undone=True) is not None:
        mixed = step(mixed, "a", 0, undone=True)
    assert by_scene(mixed) == everything


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(operations(range(4)), max_size=10), st.lists(operations(range(4)), max_size=10), st.data())
def test_of_two_pages_with_the_same_scenes_no_pick_is_lost(mine: list[Any], others: list[Any], data: Any) -> None:
    """A scene is in the tray exactly if it was added after it was last removed, whoever did either."""
    turns = data.draw(st.lists(st.booleans(), min_size=20, max_size=20))
    tray, expected = tray_of(), set[str]()
    for at, (author, operation) in enumerate(interleaved(mine, others, turns)):
        tray = done(tray, operation, author, at)
        if isinstance(operation, InsertClips):
            expected |= {placed.clip.scene_id for placed in operation.clips}
        elif isinstance(operation, RemoveClips):
            expected -= set(operation.clip_ids)
        assert set(by_scene(tray)) == expected


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(operations(range(5)), max_size=12))
def test_undo_and_redo_lead_back_and_forth_exactly(made: list[TrayOperation]) -> None:
    states = [START]
    for at, operation in enumerate(made):
        after = done(states[-1], operation, "a", at)
        if after is not states[-1]:
            states.append(after)
    tray = states[-1]
    for before in reversed(states[:-1]):
        tray = step(tray, "a", 0, undone=False)
        assert tray.clips == before.clips
    assert step(tray, "a", 0, undone=False) == tray
    for after in states[1:]:
        tray = step(tray, "a", 0, undone=True)
        assert tray.clips == after.clips
    assert decode_changes(encode_changes(tray.changes)) == tray.changes


some_clips = st.lists(st.integers(0, 6), unique=True).flatmap(
    lambda ns: st.tuples(*(st.integers(0, 8).map(partial(clip, n)) for n in ns))
)


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(some_clips, some_clips)
def test_a_difference_leads_to_what_is_wanted(before: tuple[ReelClip, ...], wanted: tuple[ReelClip, ...]) -> None:
    tray = replace(tray_of(*before), title="x")
    after = make_change(tray, Edit(difference("x", before, "y", wanted)))
    assert (after.title, after.clips) == ("y", wanted)
    undone = step(after, "", None, undone=False)
    assert (undone.title, undone.clips) == ("x", before)


def test_old_changes_are_forgotten() -> None:
    tray = tray_of()
    for n in range(150):
        tray = done(tray, SetTitle(str(n)), "a", n)
    assert len(tray.changes) == 100
    assert tray.revision == 150
