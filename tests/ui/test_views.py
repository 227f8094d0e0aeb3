"""Pure pieces of the pages: numbers, marked words, contribution bars, operations."""

from __future__ import annotations

import pytest
from ui.views.text import mark

from heimdex_core import formatting as fmt
from heimdex_core.errors import WeightsMissing
from heimdex_core.types import ChannelScore, ChannelState, Scene, Segment
from ui.components import base
from ui.views.scenes import abstention, lines_around, shares


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.99, "0:59"), (60, "1:00"), (3725.4, "1:02:05")])
def test_clock(seconds: float, shown: str) -> None:
    assert fmt.clock(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00.0"), (17.42, "0:17.4"), (59.97, "1:00.0"), (65.04, "1:05.0")])
def test_precise_clock_rounds_to_tenths(seconds: float, shown: str) -> None:
    assert fmt.precise(seconds) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (46_000, "46 KB"), (1_300_000, "1.3 MB"), (412_000_000, "412 MB"), (2.5e12, "2.5 TB")],
)
def test_size(size_bytes: float, shown: str) -> None:
    assert fmt.size(size_bytes) == shown


def test_limits_that_are_powers_of_two_are_said_so() -> None:
    assert fmt.limit_size(1_073_741_824) == "1 GiB"
    assert fmt.limit_size(20 * 1024 * 1024) == "20 MiB"
    assert fmt.limit_size(1_000_000_000) == "1.0 GB"


def test_words_are_marked_where_they_stand_alone() -> None:
    assert mark("The bird, a Bird, birds", ["bird"]) == [
        ["The ", False], ["bird", True], [", a ", False], ["Bird", True], [", birds", False],
    ]  # fmt: skip


def test_the_longer_of_two_words_is_marked_whole() -> None:
    assert mark("red car", ["red", "red car"]) == [["red car", True]]


def test_korean_is_marked_inside_a_word() -> None:
    assert mark("파란하늘을 봐요", ["하늘"]) == [["파란", False], ["하늘", True], ["을 봐요", False]]


def test_markup_and_patterns_stay_text() -> None:
    text = "<img src=x onerror=alert(1)> (a+b)*"
    assert mark(text, ["(a+b)*"]) == [["<img src=x onerror=alert(1)> ", False], ["(a+b)*", True]]
    assert mark(text, []) == [[text, False]]
    assert mark("", ["x"]) == []


def score(contribution: float) -> ChannelScore:
    return ChannelScore(score=0.5, rank=1, weight=0.5, normalised=0.5, contribution=contribution)


def test_the_bar_shows_each_channels_share() -> None:
    parts = shares({"vision": score(0.3), "lexical": score(0.1), "transcript": score(0.0)})
    assert [(part["name"], part["share"]) for part in parts] == [("vision", 0.75), ("lexical", 0.25)]
    assert shares({"vision": score(0.0)}) == []


def test_further_channels_are_told_by_kind_and_model() -> None:
    parts = shares({"text/bge-m3": score(0.2), "text/mini": score(0.1), "caption": score(0.1)})
    assert [(part["name"], part["share"]) for part in parts] == [
        ("transcript", 0.5),
        ("transcript", 0.25),
        ("caption", 0.25),
    ]
    assert [part["title"] for part in parts] == ["said (bge-m3) 50 %", "said (mini) 25 %", "described 25 %"]


def test_a_failed_channel_tells_what_is_wrong_and_what_to_do() -> None:
    error = WeightsMissing(name="bge-m3", reason="no file").to_dict()
    said = abstention("text/bge-m3", ChannelState(False, reason="failed", error=error))
    assert said.startswith("said (bge-m3) failed and was left out: ")
    assert "The weights of bge-m3 are not on this machine. `python -m heimdex_core models pull bge-m3`" in said
    assert abstention("caption", ChannelState(False, reason="no_matches")) == "described finds nothing near"


def test_lines_are_those_of_the_scene_and_half_a_minute_around() -> None:
    scene = Scene("v_40000_50000", "v", 0, 40.0, 50.0)
    lines = [Segment(start, start + 2.0, f"at {start:g}") for start in (5.0, 9.0, 38.5, 45.0, 50.0, 79.0, 80.0)]
    found = lines_around(lines, scene, [])
    assert [(line["start"], line["inside"]) for line in found] == [
        (9.0, False), (38.5, True), (45.0, True), (50.0, False), (79.0, False),
    ]  # fmt: skip


def test_what_a_browser_sends_is_read_with_care() -> None:
    good = {"mount": "m1", "items": [{"n": 1, "name": "pick", "value": {"id": "s"}}]}
    assert base._parse(good) == ("m1", [(1, "pick", {"id": "s"})])
    for bad in (None, "x", [], {"items": "x"}, {"mount": "m", "items": [1, {"n": "1", "name": "x"}, {"n": 1}]}):
        assert base._parse(bad)[1] == []
