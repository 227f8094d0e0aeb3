"""The panel of filters, the chips, the page of a scene and the list of searches, without a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core.errors import SceneNotFound
from heimdex_core.store.edits import Journal
from heimdex_core.types import (
    Filters,
    FrameText,
    Keyframe,
    Query,
    Scene,
    SearchResult,
    Segment,
    TextLine,
    Video,
    VideoState,
    Word,
    utc_now,
)
from ui.state import SearchState
from ui.views import filters, searches
from ui.views import scene as scene_views

SCENE = Scene("v_10000_20000", "v", 1, 10.0, 20.0, tags=("sea",))
VIDEO = Video("v", "local", "0" * 64, "Film", "film.mp4", VideoState.INDEXED, utc_now(), utc_now(), generation=1)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.state.language", lambda: "en")
    monkeypatch.setattr("ui.media.frame_url", lambda library, scene, keyframe=None: "")
    monkeypatch.setattr("ui.media.video_of", lambda library, video_id: SimpleNamespace(title="Film"))


def no_scene(scene_id: str) -> Scene:
    raise SceneNotFound(scene_id=scene_id)


def library(scene: Scene | None = SCENE) -> Any:
    return SimpleNamespace(scene=(lambda scene_id: scene) if scene else no_scene)


def result(**more: Any) -> SearchResult:
    return SearchResult(Query("x"), "minmax", {}, (), 0, {}, {}, False, **more)


def test_choices_stand_by_their_counts_and_chosen_ones_stay() -> None:
    facets = {
        "tags": {"sea": 4, "boat": 9, "sky": 4},
        "has_speech": {"true": 3, "false": 6},
        "languages": {},
    }
    data = filters.panel(SearchState(filters=Filters(tags=("fog",), has_speech=True)), facets)
    groups = {group["name"]: group for group in data["groups"]}
    assert list(groups) == ["has_speech", "tags"], "nothing to choose among languages"
    assert [(one["value"], one["count"]) for one in groups["tags"]["choices"]] == [
        ("boat", "9"), ("sea", "4"), ("sky", "4"), ("fog", "0"),
    ]  # fmt: skip
    assert (groups["tags"]["on"], groups["has_speech"]["on"]) == (["fog"], ["true"])
    assert [one["label"] for one in groups["has_speech"]["choices"]] == ["without speech", "with speech"]
    assert data["count"] == "2"


def test_whose_videos_and_which_collections_are_choices_where_something_is_shared() -> None:
    facets = {"owner": {"shared": 2, "mine": 1}, "collections": {"Trip": 2}}
    data = filters.panel(SearchState(filters=Filters(owner="shared")), facets)
    groups = {group["name"]: group for group in data["groups"]}
    assert (groups["owner"]["single"], groups["owner"]["on"]) == (True, ["shared"])
    assert [one["label"] for one in groups["owner"]["choices"]] == ["shared with me", "my videos"]
    assert [one["label"] for one in groups["collections"]["choices"]] == ["Trip"]
    assert filters.panel(SearchState(), {"owner": {"mine": 3}})["groups"] == []


def test_every_filter_has_a_chip_that_takes_it_away() -> None:
    search = SearchState(
        query="x",
        liked=("v_10000_20000",),
        disliked=("v_10000_20000",),
        image="0" * 32,
        filters=Filters(
            min_s=2.0, tags=("sea", "sky"), languages=("ko",), added_from=date(2026, 1, 2), has_speech=False
        ),
        then="a bridge",
        within_s=5.0,
    )
    data = filters.chips(
        library(), search, result(corrected={"Nakamora": "Nakamura"}, notes=("listing",), is_listing=True)
    )
    assert [(one["name"], one["value"], one["label"]) for one in data["chips"]] == [
        ("liked", "v_10000_20000", "Like Film, 0:10.0"),
        ("disliked", "v_10000_20000", "Less like Film, 0:10.0"),
        ("image", "0" * 32, "Like a picture"),
        ("added_from", "2026-01-02", "Added from: 2026-01-02"),
        ("min_s", "2", "At least (s): 2"),
        ("languages", "ko", "Korean"),
        ("has_speech", "False", "without speech"),
        ("tags", "sea", "sea"),
        ("tags", "sky", "sky"),
        ("then", "a bridge", "Then “a bridge” within 5 s"),
    ]
    assert data["notes"] == ["Searched for “Nakamura” instead of “Nakamora”"]


def test_an_example_that_has_gone_can_still_be_taken_away() -> None:
    data = filters.chips(library(None), SearchState(liked=("gone_0_1",)), None)
    assert [(one["name"], one["value"]) for one in data["chips"]] == [("liked", "gone_0_1")]


def test_the_page_of_a_scene_shows_where_its_text_is() -> None:
    scene = replace(SCENE, keyframes=(Keyframe(12.0, 100.0, 500.0, 0.8, "a.webp"),))
    line = TextLine("FIRE EXIT", 0.9, 0.1, 0.2, 0.5, 0.25)
    texts = [FrameText("a.webp", (line,)), FrameText("gone.webp", (line,))]
    found: Any = SimpleNamespace(searchable_videos=list)
    data = scene_views.strips(found, scene, [scene], alike=[], nearest=[], picked=[], texts=texts)
    (section, *others) = data["sections"]
    assert section["name"] == "texts"
    assert [(one["time"], one["boxes"]) for one in section["items"]] == [
        ("0:12.0", [[0.1, 0.2, 0.5, 0.25, "FIRE EXIT"]])
    ]
    without = scene_views.strips(found, scene, [scene], alike=[], nearest=[], picked=[])
    assert [one["name"] for one in without["sections"]] == [one["name"] for one in others]


def test_the_page_of_a_scene_has_its_lines_and_two_around_it() -> None:
    starts = (1.0, 4.0, 8.0, 11.0, 19.5, 21.0, 23.0, 25.0)
    lines = [Segment(at, at + 1.0, f"at {at:g}", words=(Word("at", at, at + 0.5),)) for at in starts]
    data = scene_views.corrections(SCENE, VIDEO, lines, [])
    assert [(one["start"], one["inside"]) for one in data["lines"]] == [
        (4.0, False), (8.0, False), (11.0, True), (19.5, True), (21.0, False), (23.0, False),
    ]  # fmt: skip
    assert data["lines"][0]["words"] == [["at", 4.0, 4.5]]
    silent = scene_views.corrections(replace(SCENE, start_s=13.0, end_s=19.0), VIDEO, lines, [])
    assert [(one["start"], one["inside"]) for one in silent["lines"]] == [
        (8.0, False), (11.0, False), (19.5, False), (21.0, False),
    ]  # fmt: skip


def test_it_lists_the_corrections_of_its_own_time_newest_first() -> None:
    journal = Journal().with_line(0.0, 10.0, "before").with_line(12.0, 13.0, "here").with_tags(10.0, 20.0, ["a"], ["b"])
    made = scene_views.corrections(SCENE, VIDEO, [], journal.corrections)["made"]
    assert [one["text"] for one in made] == ["Tags added: a; Tags removed: b", "0:12.0: “here”"]
    assert {one["note"] for one in made} == {"Not applied yet"}


def test_searches_that_only_weigh_anew_are_one_row() -> None:
    def entry(text: str, total_ms: float, **more: Any) -> dict[str, Any]:
        weights = {"transcript": 0.5, "vision": 0.3, "lexical": 0.2}
        return {
            "at": "2026-11-26T12:00:00+00:00", "text": text, "weights": weights, "fusion": "rrf", "total": 2,
            "timing_ms": {"total": total_ms, "vision": total_ms / 2}, "filters": [], **more,
        }  # fmt: skip

    log = [entry("boat", 3.0, filters=["lang=ko"]), entry("boat", 5.0), entry("boat", 400.0), entry("sea", 9.0)]
    made: Any = SimpleNamespace(searches=SimpleNamespace(log=lambda limit: log, saved=lambda: []))
    rows = searches.page(made)["recent"]
    assert [(row["text"], row["took"], row["details"]) for row in rows] == [
        ("boat", "3 ms", "Korean"), ("boat", "400 ms", ""), ("sea", "9 ms", ""),
    ]  # fmt: skip
    assert rows[0]["href"] == "/search?q=boat&w=50-30-20&by=rrf&lang=ko"
    assert rows[1]["parts"] == "seen: 200 ms"
    assert searches.recent_texts(made, 5) == ["boat", "sea"]
