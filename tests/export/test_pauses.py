"""Filler words and silences from word times, and clips without them."""

from __future__ import annotations

import pytest

from heimdex_core.export.pauses import find_pauses, without
from heimdex_core.types import Pause, ReelClip, Word

VIDEO = "0a6c2c3e-6f5b-4f6e-9a55-2f4f0d3a1b11"
Found = list[tuple[str, float, float]]


def words(*timed: tuple[str, float, float]) -> list[Word]:
    return [Word(*one) for one in timed]


def found(spoken: list[Word], language: str | None = "en", start_s: float = 0.0, end_s: float = 10.0) -> Found:
    pauses = find_pauses(spoken, start_s, end_s, language, video_id=VIDEO)
    return [(one.text or one.kind, round(one.start_s, 3), round(one.end_s, 3)) for one in pauses]


def test_a_long_silence_leaves_a_little_beside_each_word() -> None:
    spoken = words(("We", 0.1, 0.4), ("left", 2.4, 2.9), ("early.", 3.7, 9.9))
    assert found(spoken) == [("silence", 0.55, 2.25)], "0.8 s are not longer than 0.8 s"


def test_silence_before_the_first_word_and_behind_the_last_goes_up_to_the_word() -> None:
    assert found(words(("Hello.", 2.0, 3.0))) == [("silence", 0.0, 1.85), ("silence", 3.15, 10.0)]


def test_where_nobody_speaks_there_is_no_pause() -> None:
    assert found([]) == []
    assert found(words(("Um,", 4.0, 5.0))) == [], "nothing would be left"


def test_a_filler_goes_with_what_is_too_much_of_the_silence_beside_it() -> None:
    spoken = words(("I", 0.0, 0.2), ("um,", 0.6, 1.0), ("think", 1.5, 9.5))
    assert found(spoken) == [("um,", 0.35, 1.35)], "0.15 s stay on each side"
    beside = words(("I", 0.0, 0.2), ("um,", 2.0, 2.4), ("think", 2.5, 9.5))
    assert found(beside) == [("silence", 0.35, 1.85), ("um,", 1.85, 2.4)]


def test_two_fillers_in_a_row_do_not_overlap() -> None:
    spoken = words(("So", 0.0, 0.3), ("um", 0.4, 0.6), ("uh", 0.9, 1.1), ("yes.", 1.2, 9.5))
    assert found(spoken) == [("um", 0.4, 0.9), ("uh", 0.9, 1.1)]


def test_the_lists_belong_to_their_language() -> None:
    spoken = words(("er", 0.0, 0.3), ("kommt", 0.3, 9.8))
    assert found(spoken, "de") == []
    assert found(spoken, "en") == found(spoken, None) == [("er", 0.0, 0.3)]


def test_a_korean_word_that_may_be_a_determiner_has_to_stand_alone() -> None:
    tied = words(("어제", 0.0, 0.4), ("그", 0.8, 0.9), ("사람이", 1.0, 1.5), ("왔어요.", 1.6, 9.5))
    assert found(tied, "ko") == [], "그 사람 is “that person”"
    alone = words(("어제", 0.0, 0.4), ("그…", 0.8, 0.9), ("사람이", 1.2, 1.5), ("왔어요.", 1.6, 9.5))
    assert found(alone, "ko") == [("그…", 0.55, 1.05)]
    assert found(words(("어,", 0.0, 0.4), ("네.", 0.5, 9.5)), "ko") == [("어,", 0.0, 0.4)]


def test_a_clip_becomes_what_lies_between_its_pauses() -> None:
    clip = ReelClip(VIDEO, 2.0, 8.0, 2.0, 6.0)
    pauses = [
        Pause(VIDEO, 1.0, 3.0, "silence"),
        Pause(VIDEO, 4.0, 5.0, "filler", "um"),
        Pause("other", 6.0, 7.0, "silence"),
    ]
    pieces = without(clip, pauses)
    assert [(one.start_s, one.end_s) for one in pieces] == [(3.0, 4.0), (5.0, 8.0)]
    assert {one.scene_id for one in pieces} == {clip.scene_id}


def test_nothing_to_cut_and_nothing_left_give_the_whole_clip() -> None:
    clip = ReelClip(VIDEO, 2.0, 8.0, 2.0, 6.0)
    assert without(clip, []) == (clip,)
    assert without(clip, [Pause(VIDEO, 0.0, 9.0, "silence")]) == (clip,)


def test_a_sliver_between_two_pauses_goes_with_them() -> None:
    clip = ReelClip(VIDEO, 0.0, 4.0, 0.0, 4.0)
    pieces = without(clip, [Pause(VIDEO, 1.0, 2.0, "silence"), Pause(VIDEO, 2.05, 3.0, "filler", "um")])
    assert [(one.start_s, one.end_s) for one in pieces] == [(0.0, 1.0), (3.0, 4.0)]


@pytest.mark.parametrize(("start_s", "end_s", "name"), [(0.55, 2.25, "550_2250"), (0.0004, 1.0, "0_1000")])
def test_the_id_of_a_pause_says_where_it_is(start_s: float, end_s: float, name: str) -> None:
    assert Pause(VIDEO, start_s, end_s, "silence").pause_id == f"{VIDEO}_{name}"
