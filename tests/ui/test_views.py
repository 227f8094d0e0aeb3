"""What the pages show of scenes, channels and lines, without a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heimdex_core import Library
from heimdex_core.errors import WeightsMissing
from heimdex_core.models.profiles import profile_choice
from heimdex_core.store import Store
from heimdex_core.types import (
    ChannelScore,
    ChannelState,
    Query,
    Scene,
    SearchResult,
    Segment,
    Video,
    VideoState,
    utc_now,
)
from tests.store.making import SPACES, commit, register
from ui.components import base
from ui.i18n import describe_error, translate
from ui.views.scenes import abstention_text, card, lines_around, player_labels, shares, status_line


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a page no language is chosen."""
    monkeypatch.setattr("ui.state.language", lambda: "en")


def test_the_terms_of_a_search_mark_the_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the index to the page: forms of the query's words are marked, in transcript and title."""
    monkeypatch.setattr("ui.media.frame_url", lambda library, scene: "")
    root = tmp_path / "library"
    store = Store.create(root, profile="offline", models=profile_choice("offline").to_dict(), spaces=SPACES)
    commit(store, register(store, "하늘 boats"), ["two boats <b>leave</b>", "the sky"])
    store.close()
    with Library.open(root, create=False) as lib:
        result = lib.search("boat 하늘", weights={"lexical": 1.0})
        drawn = [
            card(lib, hit.scene, hit.video_title, picked=False, terms=result.terms, hit=hit, fusion=result.fusion)
            for hit in result
        ]
    assert drawn[0]["text"] == [("two ", False), ("boats", True), (" <b>leave</b>", False)]
    assert drawn[0]["title"] == [("하늘", True), (" ", False), ("boats", True)]
    assert drawn[0]["score"] == "100 %"
    assert drawn[1]["text"] == [("the sky", False)]


def test_a_scene_without_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.media.frame_url", lambda library, scene: "")
    library: Any = None
    drawn = card(library, Scene("v_0_2500", "v", 0, 0.0, 2.5), "Film", picked=True)
    assert (drawn["text"], drawn["silent"], drawn["score"]) == ([[translate("en", "scene.no_speech"), False]], True, "")
    assert drawn["time"] == "0:00.0 · 2.5 s"


def test_the_player_says_why_a_video_without_a_preview_does_not_play() -> None:
    video = Video("v", "local", "0" * 64, "Film", "film.avi", VideoState.INDEXED, utc_now(), utc_now())
    without = replace(video, notes=("preview_failed",))
    assert player_labels(video)["unplayable"] == translate("en", "player.unplayable")
    assert player_labels(without)["unplayable"] == translate("en", "player.no_preview")


def score(contribution: float) -> ChannelScore:
    return ChannelScore(score=0.5, rank=1, weight=0.5, normalised=0.5, contribution=contribution)


def test_the_bar_shows_each_channels_share() -> None:
    parts = shares({"vision": score(0.3), "lexical": score(0.1), "transcript": score(0.0)})
    assert [(part["name"], part["share"]) for part in parts] == [("vision", 0.75), ("lexical", 0.25)]
    assert shares({"vision": score(0.0)}) == []


def test_channels_of_additional_spaces_are_named_by_kind_and_model() -> None:
    parts = shares({"text/bge-m3": score(0.2), "text/mini": score(0.1), "caption": score(0.1)})
    assert [(part["name"], part["share"]) for part in parts] == [
        ("transcript", 0.5),
        ("transcript", 0.25),
        ("caption", 0.25),
    ]
    assert [part["title"] for part in parts] == ["said (bge-m3) 50 %", "said (mini) 25 %", "described 25 %"]


def test_a_failed_channel_shows_the_error_and_its_hint() -> None:
    error = WeightsMissing(name="bge-m3", reason="no file").to_dict()
    text = abstention_text("text/bge-m3", ChannelState(False, reason="failed", error=error))
    message, hint = describe_error(error, "en")
    assert text == f"{translate('en', 'abstain.failed', channel='said (bge-m3)')}: {message} {hint}"
    assert "models pull bge-m3" in hint
    other = abstention_text("caption", ChannelState(False, reason="no_matches"))
    assert other == translate("en", "abstain.no_matches", channel="described")
    unknown = abstention_text("caption", ChannelState(False, reason="of_a_newer_core"))
    assert unknown == translate("en", "abstain.other", channel="described")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "<b>2 scenes</b> in 1 video · 12 ms · described (a&lt;b) finds no matching scene"),
        ("ko", "영상 1개에서 찾은 <b>장면 2개</b> · 12ms · 설명 (a&lt;b): 일치하는 장면이 없어요"),
    ],
)
def test_the_status_line_is_escaped_and_in_the_order_of_the_language(
    monkeypatch: pytest.MonkeyPatch, language: str, text: str
) -> None:
    monkeypatch.setattr("ui.state.language", lambda: language)
    channels = {
        "vision": ChannelState(True),
        "caption/a<b": ChannelState(False, reason="no_matches"),
        "lexical": ChannelState(False, reason="weight_zero"),
    }
    result = SearchResult(Query("x"), "minmax", {}, (), 2, channels, {"total": 12.4}, False)
    assert status_line(result, 1) == f"{text} · {translate(language, 'search.weight_shared')}"


def test_lines_are_those_of_the_scene_and_half_a_minute_around() -> None:
    scene = Scene("v_40000_50000", "v", 0, 40.0, 50.0)
    lines = [Segment(start, start + 2.0, f"at {start:g}") for start in (5.0, 9.0, 38.5, 45.0, 50.0, 79.0, 80.0)]
    found = lines_around(lines, scene, ["45"])
    assert [(line["start"], line["inside"]) for line in found] == [
        (9.0, False), (38.5, True), (45.0, True), (50.0, False), (79.0, False),
    ]  # fmt: skip
    assert found[2]["text"] == [("at ", False), ("45", True)]


def test_malformed_messages_of_a_browser_are_ignored() -> None:
    good = {"mount": "m1", "items": [{"n": 1, "name": "pick", "value": {"id": "s"}}]}
    assert base._parse(good) == ("m1", [(1, "pick", {"id": "s"})])
    malformed: list[Any] = [None, "x", [], {"items": "x"}]
    malformed.append({"mount": "m", "items": [1, {"n": "1", "name": "x"}, {"n": 1}]})
    for message in malformed:
        assert base._parse(message)[1] == []
