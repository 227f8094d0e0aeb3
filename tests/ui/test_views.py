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
from heimdex_core.store.analysis import parse_query
from heimdex_core.types import (
    ChannelScore,
    ChannelState,
    Conditions,
    Filters,
    Hit,
    Query,
    Scene,
    SearchResult,
    SeenPerson,
    Segment,
    Video,
    VideoState,
    utc_now,
)
from tests.store.making import SPACES, commit, register
from ui.components import base
from ui.i18n import describe_error, translate
from ui.views.filters import notes
from ui.views.scenes import Judged, abstention_text, card, explanation, lines_around, player_labels, shares, status


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a page no language is chosen, and there is no server that has links."""
    monkeypatch.setattr("ui.state.language", lambda: "en")
    monkeypatch.setattr("ui.media.frame_url", lambda library, scene: "")
    monkeypatch.setattr("ui.media.sprite", lambda library, scene: {"url": "", "count": 12})


def test_the_terms_of_a_search_mark_the_cards(tmp_path: Path) -> None:
    """From the index to the page: forms of the query's words are marked, in transcript and title."""
    root = tmp_path / "library"
    store = Store.create(root, profile="offline", models=profile_choice("offline").to_dict(), spaces=SPACES)
    commit(store, register(store, "하늘 boats"), ["two boats <b>leave</b>", "the sky"])
    store.close()
    with Library.open(root, create=False) as lib:
        result = lib.search("boat 하늘", weights={"lexical": 1.0})
        drawn = [card(lib, hit.scene, hit.video_title, picked=False, terms=result.terms, hit=hit) for hit in result]
    assert drawn[0]["text"] == [("two ", False), ("boats", True), (" <b>leave</b>", False)]
    assert drawn[0]["title"] == [("하늘", True), (" ", False), ("boats", True)]
    # the best of any list has the score 1, so the card shows the rank; the scores are in its tooltip
    assert drawn[0]["rank"] == "#1"
    fused, lexical = drawn[0]["score"].splitlines()
    assert (fused, lexical[:10], lexical[-4:]) == ("score 1.000", "keywords: ", "(#1)")
    assert drawn[1]["text"] == [("the sky", False)]


def test_a_scene_without_speech() -> None:
    library: Any = None
    drawn = card(library, Scene("v_0_2500", "v", 0, 0.0, 2.5), "Film", picked=True)
    assert (drawn["text"], drawn["silent"], drawn["rank"]) == ([[translate("en", "scene.no_speech"), False]], True, "")
    assert drawn["time"] == "0:00.0 · 2.5 s"


def test_a_card_shows_what_matches_wherever_it_is() -> None:
    """Tags, a description, a text in the picture; and the transcript from shortly before the match."""
    words = "one two three four five six seven eight nine ten eleven twelve and the green hills behind the house"
    scene = Scene(
        "v_0_2500", "v", 0, 0.0, 2.5, transcript=words, tags=("sky", "forest", "dark green"), caption="a forest"
    )
    library: Any = None
    terms = parse_query("green forests").terms
    drawn = card(library, scene, "A film about trees and a forest", picked=False, terms=terms)
    assert drawn["text"] == [
        ("…", False),
        ("twelve and the ", False),
        ("green", True),
        (" hills behind the house", False),
    ]
    assert drawn["also"] == [
        {"label": "Tags", "text": [("forest", True), (", dark ", False), ("green", True)]},
        {"label": "Description", "text": [("a ", False), ("forest", True)]},
    ]
    assert (drawn["title"][0][0][0], drawn["title"][-1]) == ("…", ("forest", True))
    # without a match, nothing but the beginning of what is said
    plain = card(library, scene, "A film", picked=False, terms=parse_query("boat").terms)
    assert (plain["text"], plain["also"]) == ([(words, False)], [])


def test_the_panel_shows_the_tags_of_a_scene() -> None:
    """Also of one that is not a hit, and without a search."""
    scene = Scene("v_0_2500", "v", 0, 0.0, 2.5, tags=("green", "forest"))
    result = SearchResult(Query("green"), "minmax", {}, (), 0, {}, {}, False, terms=("green",))
    about = explanation(scene, None, result)
    assert about is not None
    assert about["fields"] == [{"label": "Tags", "text": [("green", True), (", forest", False)]}]
    plain = explanation(scene, None, None)
    assert plain is not None
    assert plain["fields"] == [{"label": "Tags", "text": [("green, forest", False)]}]
    assert explanation(replace(scene, tags=()), None, None) is None


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
    assert [part["title"] for part in parts] == ["said (bge-m3) 50%", "said (mini) 25%", "described 25%"]


def test_a_failed_channel_shows_the_error_and_its_hint() -> None:
    error = WeightsMissing(name="bge-m3", reason="no file").to_dict()
    text = abstention_text("text/bge-m3", ChannelState(False, reason="failed", error=error))
    message, hint = describe_error(error, "en")
    assert text == f"{translate('en', 'abstain.failed', channel='said (bge-m3)')}: {message} {hint}"
    assert "models pull bge-m3" in hint
    other = abstention_text("caption", ChannelState(False, reason="no_matches"))
    assert other == "No similar description"
    unknown = abstention_text("caption", ChannelState(False, reason="of_a_newer_core"))
    assert unknown == translate("en", "abstain.other", channel="described")


@pytest.mark.parametrize(
    ("language", "found", "took", "reason"),
    [
        (
            "en",
            [("2 scenes", True), (" in 1 video", False)],
            "The search took 12 ms.",
            "described (a<b): no matching scene",
        ),
        (
            "ko",
            [("영상 1개에서 찾은 ", False), ("장면 2개", True)],
            "검색에 12ms 걸렸어요.",
            "장면 설명 (a<b): 일치하는 장면이 없어요",
        ),
    ],
)
def test_the_status_counts_the_videos_with_hits_in_the_order_of_the_language(
    monkeypatch: pytest.MonkeyPatch, language: str, found: list[tuple[str, bool]], took: str, reason: str
) -> None:
    monkeypatch.setattr("ui.state.language", lambda: language)
    channels = {
        "vision": ChannelState(True),
        "caption/a<b": ChannelState(False, reason="no_matches"),
        "lexical": ChannelState(False, reason="weight_zero"),
    }
    result = SearchResult(Query("x"), "minmax", {}, (), 2, channels, {"total": 12.4}, False, total_videos=1)
    assert status(result) == {
        "found": found,
        "far": False,
        "took": took,
        "notes": f"{reason} · {translate(language, 'search.weight_shared')}",
    }


def test_where_nothing_is_close_the_status_says_so_instead_of_a_count() -> None:
    result = SearchResult(Query("a whale"), "minmax", {}, (), 2, {}, {}, False, nothing_close=True)
    assert status(result)["found"] == [("Nothing here is close to “a whale”. These are the nearest scenes.", False)]


def hit(scene: Scene, **more: Any) -> Hit:
    return Hit(scene, "Film", 0.5, 3, {"vision": ChannelScore(0.25, 2, 0.5, 0.5, 0.25)}, **more)


@pytest.mark.parametrize(
    ("language", "person", "fits", "order", "note"),
    [
        (
            "en",
            ("Anna", "0:03.0 · 0.87", "Anna is seen at 0:03.0, similarity 0.87"),
            "Fits the filters: People: Anna · Text on screen: exit · my videos · Video: Film · not Language: Korean"
            " · not “rough sea”",
            "from the video added first on, each from its beginning",
            "All scenes that fit the filters, from the video added first on, each from its beginning",
        ),
        (
            "ko",
            ("Anna", "0:03.0 · 0.87", "Anna: 0:03.0에 나와요, 유사도 0.87"),
            "맞는 필터: 인물: Anna · 화면에 보이는 글자: exit · 내 영상 · 영상: Film · 언어: 한국어 제외"
            " · ‘rough sea’ 제외",
            "먼저 추가한 영상부터, 영상마다 처음부터",
            "필터에 맞는 장면을 모두 보여 드려요: 먼저 추가한 영상부터, 영상마다 처음부터",
        ),
    ],
)
def test_a_listed_scene_says_which_filters_it_fits_and_whom_it_shows(
    monkeypatch: pytest.MonkeyPatch, language: str, person: tuple[str, ...], fits: str, order: str, note: str
) -> None:
    monkeypatch.setattr("ui.state.language", lambda: language)
    conditions = Conditions(
        (Filters(people=("Anna",)), Filters(on_screen="exit", owner="mine"), Filters(video_ids=("v",))),
        (Filters(languages=("ko",)),),
        ("rough sea",),
    )
    channels = {"vision": ChannelState(False, reason="not_asked"), "lexical": ChannelState(False, reason="not_asked")}
    result = SearchResult(
        Query("person:Anna", sort="time"),
        *("minmax", {}, (), 1, channels, {"total": 1.0}, False),
        notes=("listing",),
        conditions=conditions,
        is_listing=True,
    )
    seen = SeenPerson("p", "Anna", 3.0, 0.866)
    scene = Scene("v_2000_4000", "v", 1, 2.0, 4.0)
    shown = explanation(scene, hit(scene, people=(seen, replace(seen, is_by_hand=True))), result)
    assert shown is not None
    assert [(row["label"], row["value"], row["title"]) for row in shown["rows"]][0] == person
    assert [(row["name"], row["fill"], row["quiet"]) for row in shown["rows"]] == [
        ("people", 0.866, False),
        ("people", 1.0, False),
    ]
    named = explanation(scene, hit(scene, people=(replace(seen, name="Alexandra of Somewhere"),)), result)
    assert named is not None
    assert (shown["rows"][0]["long"], named["rows"][0]["long"]) == (False, True)
    assert shown["rows"][1]["value"] == f"0:03.0 · {translate(language, 'people.by_hand')}"
    assert [f"{field['label']}: {field['text'][0][0]}" for field in shown["fields"]] == [
        fits,
        f"{translate(language, 'filter.order')}: {order}",
    ]
    assert notes(result) == [note]
    assert notes(replace(result, total=0)) == [], "the page says that nothing was found"
    assert status(result)["notes"] == "", "no channel was asked, which is nothing to report"


def test_a_card_says_how_close_its_scene_is_and_how_many_look_the_same() -> None:
    library: Any = None
    scene = Scene("v_0_2500", "v", 0, 0.0, 2.5)
    weak = card(library, scene, "Film", picked=False, hit=hit(scene, strength="weak", is_close=False))
    assert (weak["dim"], weak["strength"], weak["alike"]) == (True, {"name": "weak", "label": "weak"}, None)
    assert weak["score"] == "score 0.500\nseen: 0.250 (#2)"
    many = card(library, scene, "Film", picked=False, hit=hit(scene, duplicates=("v_1_2",) * 23), unfolded=True)
    assert (many["dim"], many["strength"]) == (False, None)
    assert (many["alike"]["label"], many["alike"]["on"]) == ("+23 alike", True)
    followed = card(library, scene, "Film", picked=False, hit=hit(scene, then="v_83500_90000"))
    assert followed["also"] == [{"label": "then at", "text": [["1:23.5", False]]}]


def test_only_what_a_text_found_has_grades() -> None:
    library: Any = None
    scene = Scene("v_0_2500", "v", 0, 0.0, 2.5)
    assert card(library, scene, "Film", picked=False)["tools"] is None
    by_example = card(library, scene, "Film", picked=False, judged=Judged(None, "liked", by_text=False))
    assert (by_example["tools"], by_example["rated"]) == ({"grades": False}, "liked")
    assert card(library, scene, "Film", picked=False, judged=Judged(0, None))["grade"] == 0


def at(*starts_s: float) -> list[Segment]:
    """Lines of two seconds."""
    return [Segment(start_s, start_s + 2.0, f"at {start_s:g}") for start_s in starts_s]


def test_lines_go_on_to_the_end_of_the_video() -> None:
    scene = Scene("v_40000_50000", "v", 0, 40.0, 50.0)
    found = lines_around(at(5.0, 38.5, 45.0, 50.0, 79.0, 580.0), scene, ["45"])
    assert [(line["start"], line["inside"]) for line in found] == [
        (5.0, False), (38.5, True), (45.0, True), (50.0, False), (79.0, False), (580.0, False),
    ]  # fmt: skip
    assert found[2]["text"] == [("at ", False), ("45", True)]


def test_of_a_very_long_transcript_the_lines_around_the_scene_are_shown() -> None:
    """One line every two seconds of an hour, but at most 400 are sent: from a hundred lines before the scene on."""
    scene = Scene("v_2000000_2010000", "v", 0, 2000.0, 2010.0)
    found = lines_around(at(*(2.0 * n for n in range(1800))), scene, [])
    assert (len(found), found[0]["start"]) == (400, 1800.0)
    assert [line["start"] for line in found if line["inside"]] == [2000.0, 2002.0, 2004.0, 2006.0, 2008.0]
    # near the end, as many as fit; all of a scene, however many they are
    last = lines_around(at(*(2.0 * n for n in range(1800))), Scene("v", "v", 0, 3590.0, 3600.0), [])
    assert (len(last), last[-1]["start"]) == (400, 3598.0)
    whole = lines_around(at(*(2.0 * n for n in range(1800))), Scene("v", "v", 0, 0.0, 3600.0), [])
    assert len(whole) == 1800
    assert lines_around([], scene, []) == []


def test_malformed_messages_of_a_browser_are_ignored() -> None:
    good = {"mount": "m1", "items": [{"n": 1, "name": "pick", "value": {"id": "s"}}]}
    assert base._parse(good) == ("m1", [(1, "pick", {"id": "s"})])
    malformed: list[Any] = [None, "x", [], {"items": "x"}]
    malformed.append({"mount": "m", "items": [1, {"n": "1", "name": "x"}, {"n": 1}]})
    for message in malformed:
        assert base._parse(message)[1] == []
