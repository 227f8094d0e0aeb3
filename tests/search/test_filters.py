"""Filters, excluded words, order, facets and named videos, over a real store."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdex_core.errors import LibraryDamaged, SearchFailed
from heimdex_core.models.base import QueryVector
from heimdex_core.search.filter_text import filter_pairs
from heimdex_core.search.filters import select
from heimdex_core.search.notes import note_texts
from heimdex_core.settings import get_settings
from heimdex_core.store import analysis, lance_search, lance_writing, lexical
from heimdex_core.types import Filters, Hit, SearchResult, utc_now
from tests.search.made_library import MadeLibrary

EN: dict[str, Any] = {"language": "en"}
KO: dict[str, Any] = {"language": "ko"}
SILENT: dict[str, Any] = {}
DAY: dict[str, Any] = {"language": "en", "tags": ("sea", "Day")}
NIGHT: dict[str, Any] = {"language": "en", "tags": ("sea", "night")}

HARBOUR: list[tuple[str, float, dict[str, Any]]] = [
    ("the ferry leaves the harbour", 4.0, DAY),
    ("a boat, and more boats", 6.0, NIGHT),
    ("", 10.0, {"tags": ("sea",)}),
    ("fresh bread for the crew", 2.5, EN),
]
KITCHEN = [
    ("bread needs flour and time", 5.0, EN),
    ("밤에 빵을 구워요", 5.0, KO),
    ("", 1.0, {"tags": ("boat",), "on_screen_text": "FIRE EXIT\n비상구는 왼쪽에 있어요"}),
]
TALK = [("a boat is a vessel", 30.0, EN), ("어두운 바다", 12.0, KO)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MadeLibrary:
    library = MadeLibrary(tmp_path_factory.mktemp("filters") / "lib")
    library.add("Harbour", HARBOUR)
    library.add("Kitchen", KITCHEN)
    library.add("IMG_2031", TALK)
    library.add("Secret", [("a boat of somebody else", 5.0, EN)], user_id="another")
    return library


def starts(result: SearchResult) -> list[tuple[str, float]]:
    return [(hit.video_title, hit.scene.start_s) for hit in result]


def found(result: SearchResult) -> set[str]:
    return {hit.scene_id for hit in result}


# --- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(title="HARB"), [("Harbour", 0.0), ("Harbour", 4.0), ("Harbour", 10.0), ("Harbour", 20.0)]),
        (Filters(filename="img_2031.MP4"), [("IMG_2031", 0.0), ("IMG_2031", 30.0)]),
        (Filters(languages=("ko",)), [("IMG_2031", 30.0), ("Kitchen", 5.0)]),
        (Filters(languages=("KO", "xx")), [("IMG_2031", 30.0), ("Kitchen", 5.0)]),
        (Filters(has_speech=False), [("Kitchen", 10.0), ("Harbour", 10.0)]),
        (Filters(tags=("SEA", "day")), [("Harbour", 0.0)]),
        (Filters(on_screen="Exits"), [("Kitchen", 10.0)]),
        (Filters(on_screen="exit fire"), []),
        (Filters(on_screen="비상구"), [("Kitchen", 10.0)]),
        (Filters(on_screen="boat"), []),
        (Filters(on_screen="..."), []),
        (Filters(min_s=10.0), [("IMG_2031", 0.0), ("IMG_2031", 30.0), ("Harbour", 10.0)]),
        (Filters(min_s=2.5, max_s=4.0), [("Harbour", 0.0), ("Harbour", 20.0)]),
        (Filters(video_ids=()), []),
        (Filters(people=("Anna",)), []),
        (Filters(title="kitchen", languages=("en",)), [("Kitchen", 0.0)]),
    ],
)
def test_a_filter_alone_lists_its_scenes(
    library: MadeLibrary, filters: Filters, expected: list[tuple[str, float]]
) -> None:
    result = library.search(filters=filters)
    assert starts(result) == expected
    assert "listing" in result.notes
    assert {state.reason for state in result.channels.values()} == {"not_asked"}
    assert (result.is_listing, result.order, result.nothing_close) == (True, "newest", False)
    assert result.conditions.texts == tuple(filter_pairs(filters))


@pytest.mark.parametrize(
    ("text", "expected", "conditions"),
    [
        ("-title:kitchen -lang:en", [("IMG_2031", 30.0), ("Harbour", 10.0)], ("-title=kitchen", "-lang=en")),
        (
            'title:kitchen -screen:"fire exit"',
            [("Kitchen", 0.0), ("Kitchen", 5.0)],
            ("title=kitchen", "-screen=fire exit"),
        ),
        ('title:img -"a vessel" -ship', [("IMG_2031", 30.0)], ("title=img", '-"a vessel"', "-ship")),
        (
            "-file:img_2031.mp4 -file:harbour lang:ko",
            [("Kitchen", 5.0)],
            ("lang=ko", "-file=img_2031.mp4", "-file=harbour"),
        ),
        ("-person:Anna title:img", [("IMG_2031", 0.0), ("IMG_2031", 30.0)], ("title=img", "-person=Anna")),
    ],
)
def test_filters_with_a_minus_leave_their_scenes_out(
    library: MadeLibrary, text: str, expected: list[tuple[str, float]], conditions: tuple[str, ...]
) -> None:
    result = library.search(text)
    assert (starts(result), result.conditions.texts) == (expected, conditions)
    # a channel searches the same scenes
    every, some = (starts(library.search(asked, weights={"vision": 1.0})) for asked in ("boat", f"boat {text}"))
    assert some == [one for one in every if one in expected]


def test_a_list_says_what_its_scenes_fit_and_in_which_order_they_come(library: MadeLibrary) -> None:
    listed = library.search("-boat", filters=Filters(title="harbour", min_s=3.0))
    begin = "all scenes that fit title=harbour, min-s=3, -boat are listed, from "
    assert note_texts(listed) == [f"{begin}the most recently added video on, each from its beginning"]
    by_time = library.search("-boat", filters=Filters(title="harbour", min_s=3.0), sort="time")
    assert note_texts(by_time) == [f"{begin}the video that was added first on, each from its beginning"]
    many = library.search("title:harbour -aa -bb -cc -dd -ee -ff -gg -hh -ii")
    assert "fit title=harbour, -aa, -bb, -cc, -dd, -ee, -ff, -gg and 2 more are listed" in note_texts(many)[0]
    assert note_texts(library.search("title:nowhere")) == []
    shown = listed._repr_html_()  # type: ignore[attr-defined]
    assert "not needed" not in shown
    assert begin in shown
    found = library.search("boat")
    assert (found.is_listing, found.order, note_texts(found)) == (False, "score", [])


def test_days_are_inclusive(library: MadeLibrary) -> None:
    today, day = utc_now().date(), timedelta(days=1)
    assert library.search(filters=Filters(added_from=today - day, added_to=today + day)).total == 9
    assert library.search(filters=Filters(added_from=today + day)).total == 0
    assert library.search(filters=Filters(added_to=today - day)).total == 0


def test_filters_in_the_text_and_beside_it_both_count(library: MadeLibrary) -> None:
    assert starts(library.search("lang:ko", filters=Filters(title="kitchen"))) == [("Kitchen", 5.0)]
    assert starts(library.search("title:kitchen title:harbour")) == []
    both = library.search("boat title:harbour", video_ids=(library.search("title:img").hits[0].scene.video_id,))
    assert both.total == 0


CHOICES = st.builds(
    Filters,
    title=st.sampled_from(["", "harbour", "i"]),
    languages=st.sampled_from([(), ("en",), ("ko",), ("en", "ko")]),
    has_speech=st.sampled_from([None, True, False]),
    tags=st.sampled_from([(), ("sea",), ("boat",)]),
    min_s=st.sampled_from([None, 2.5, 5.0]),
    max_s=st.sampled_from([None, 6.0, 10.0]),
)


def passes(hit: Hit, filters: Filters) -> bool:
    """The filters as a person would apply them to a hit."""
    scene = hit.scene
    return (
        filters.title in hit.video_title.lower()
        and (not filters.languages or scene.language in filters.languages)
        and (filters.has_speech is None or bool(scene.transcript) == filters.has_speech)
        and all(tag in [one.lower() for one in scene.tags] for tag in filters.tags)
        and (filters.min_s is None or scene.end_s - scene.start_s >= filters.min_s)
        and (filters.max_s is None or scene.end_s - scene.start_s <= filters.max_s)
    )


@given(CHOICES, st.sampled_from(["boat", "bread 빵", "the sea", "vessel"]))
@settings(deadline=None, max_examples=40)
def test_a_filter_equals_filtering_the_full_list(library: MadeLibrary, filters: Filters, text: str) -> None:
    every, some = library.search(text), library.search(text, filters=filters)
    assert found(some) == {hit.scene_id for hit in every if passes(hit, filters)}
    for name in every.channels:
        # each channel gives the same scores; what the fusion makes of them depends on all scenes that are searched
        expected = {hit.scene_id: hit.channels[name].score for hit in every if passes(hit, filters)}
        assert {hit.scene_id: hit.channels[name].score for hit in some} == pytest.approx(expected)


@given(CHOICES)
@settings(deadline=None, max_examples=20)
def test_one_channel_keeps_its_order_under_a_filter(library: MadeLibrary, filters: Filters) -> None:
    weights = {"vision": 1.0}
    every = [hit.scene_id for hit in library.search("boat", weights=weights) if passes(hit, filters)]
    assert [hit.scene_id for hit in library.search("boat", weights=weights, filters=filters)] == every


@pytest.mark.parametrize("k", [1, 2, 10])
@pytest.mark.parametrize("listed", [0, 2000], ids=["left out afterwards", "condition of the query"])
def test_words_are_looked_up_in_exactly_the_filtered_scenes(
    library: MadeLibrary, monkeypatch: pytest.MonkeyPatch, listed: int, k: int
) -> None:
    monkeypatch.setattr(lexical, "MAX_LISTED_SCENES", listed)
    view = library.store.reader().view()
    every = view.lexical_search("boat bread", k=100, user_id="local").hits
    for filters in (Filters(languages=("en",)), Filters(tags=("boat",)), Filters(min_s=30.0), Filters(max_s=0.5)):
        scenes = select(view, "local", [filters]).scenes
        assert scenes is not None
        found = view.lexical_search("boat bread", k=k, user_id="local", scene_ids=scenes).hits
        expected = [hit for hit in every if hit[0] in scenes]
        # which of several scenes with the last score are among the k is not said
        assert [score for _, score in found] == [score for _, score in expected][:k]
        assert set(found) <= set(expected)


# --- excluded words -------------------------------------------------------------------------------


def has_term(hit: Hit, word: str) -> bool:
    texts = (hit.scene.transcript, hit.video_title, *hit.scene.tags)
    return any(analysis.terms(word)[0] in analysis.terms(text) for text in texts)


@given(st.sampled_from(["boat", "boats", "bread", "harbour", "sea", "the", "vessel", "nothing"]), CHOICES)
@settings(deadline=None, max_examples=40)
def test_no_channel_returns_a_scene_with_an_excluded_word(library: MadeLibrary, word: str, filters: Filters) -> None:
    every, some = library.search("ship", filters=filters), library.search(f"ship -{word}", filters=filters)
    assert not any(has_term(hit, word) for hit in some)
    assert found(some) == {hit.scene_id for hit in every if not has_term(hit, word)}


def test_an_excluded_phrase_is_one(library: MadeLibrary) -> None:
    assert ("Harbour", 0.0) in starts(library.search('-"harbour ferry"'))
    assert ("Harbour", 0.0) not in starts(library.search('-"ferry leaves"'))


def test_models_receive_the_text_without_operators(library: MadeLibrary) -> None:
    library.models.encoders["text/made-up"].encoded.clear()
    library.search('old "tall ship" -boat -"rough sea" title:harbour lang:en')
    assert library.models.encoders["text/made-up"].encoded == ["old tall ship"]


# --- order ----------------------------------------------------------------------------------------


def test_orders(library: MadeLibrary) -> None:
    filters = Filters(min_s=5.0)
    chronological = [
        *[("Harbour", 4.0), ("Harbour", 10.0)],
        *[("Kitchen", 0.0), ("Kitchen", 5.0)],
        *[("IMG_2031", 0.0), ("IMG_2031", 30.0)],
    ]
    assert starts(library.search("", filters=filters, sort="time")) == chronological
    by_score = library.search("boat", filters=filters)
    assert sorted(starts(by_score)) == sorted(starts(library.search("boat", filters=filters, sort="time")))
    newest = starts(library.search("boat", filters=filters, sort="newest"))
    assert [title for title, _ in newest] == sorted(
        (title for title, _ in newest), key=["IMG_2031", "Kitchen", "Harbour"].index
    )
    for title in ("IMG_2031", "Kitchen", "Harbour"):  # within a video, best first
        assert [s for s in newest if s[0] == title] == [s for s in starts(by_score) if s[0] == title]


def test_videos_together(library: MadeLibrary) -> None:
    flat, grouped = starts(library.search("boat")), starts(library.search("boat", group_by_video=True))
    titles = list(dict.fromkeys(title for title, _ in flat))
    assert grouped == [one for title in titles for one in flat if one[0] == title]


def test_a_named_file_comes_first(library: MadeLibrary) -> None:
    result = library.search("bread IMG_2031.mp4")
    assert [title for title, _ in starts(result)][:2] == ["IMG_2031", "IMG_2031"]
    assert "Kitchen" in [title for title, _ in starts(result)][2:]
    assert len(result.named_videos) == 1
    # without its ending it has to be the whole text
    assert library.search("img_2031").named_videos == result.named_videos
    assert library.search("bread img_2031").named_videos == ()
    assert library.search("harbour").named_videos == ()
    assert starts(library.search("harbour.mp4")) == [("Harbour", s) for s in (0.0, 4.0, 10.0, 20.0)]


# --- facets ---------------------------------------------------------------------------------------


def test_choices_are_counted_without_their_own_filter(library: MadeLibrary) -> None:
    result = library.search(filters=Filters(languages=("ko",), has_speech=True), facets=True)
    assert result.total == 2
    # languages: all 7 scenes with speech; has_speech: the 2 Korean scenes; tags: those of the 2 scenes found
    assert result.facets["languages"] == {"en": 5, "ko": 2}
    assert result.facets["has_speech"] == {"true": 2}
    assert result.facets["tags"] == {}
    assert sorted(result.facets["video_ids"].values()) == [1, 1]


def test_counts_are_those_of_the_hits(library: MadeLibrary) -> None:
    result = library.search("boat", facets=True)
    assert result.facets["tags"] == dict(Counter(tag for hit in result for tag in hit.scene.tags))
    assert sum(result.facets["has_speech"].values()) == result.total
    assert library.search("boat").facets == {}


# --- corrected words and morphemes ----------------------------------------------------------------


def test_a_word_that_occurs_nowhere_is_looked_up_as_a_similar_one(library: MadeLibrary) -> None:
    result = library.search("harbuor", weights={"lexical": 1.0})
    assert result.corrected == {"harbuor": "Harbour"}
    assert {title for title, _ in starts(result)} == {"Harbour"}
    assert library.search('"harbuor"', weights={"lexical": 1.0}).corrected == {}


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("bost", {}),  # 4 letters
        ("vesel", {"vesel": "vessel"}),
        ("breda", {"breda": "bread"}),
        ("vesrels", {"vesrels": "vessel"}),
        ("vexxels", {}),  # 2 letters of 7 differ
        ("harbxxrs", {"harbxxrs": "Harbour"}),  # 2 letters of 8, beside the ending
        ("ferries", {}),  # its stem occurs
        ("zzzzzzzz", {}),
        ("\U0001f3ac" * 8, {}),
    ],
)
def test_how_much_of_a_word_may_differ(library: MadeLibrary, text: str, corrected: dict[str, str]) -> None:
    assert library.search(text, weights={"lexical": 1.0}).corrected == corrected


def test_words_on_screen_are_found_and_said_to_be_there(library: MadeLibrary) -> None:
    result = library.search("the exit", weights={"lexical": 1.0})
    assert starts(result) == [("Kitchen", 10.0)]
    assert (result[0].matched_words, result[0].matched_on_screen) == (("EXIT",), ("EXIT",))
    assert not result.nothing_close
    result = library.search('boat screen:"fire exit"', weights={"lexical": 1.0})
    assert starts(result) == [("Kitchen", 10.0)]
    assert (result[0].matched_words, result[0].matched_on_screen) == (("boat",), ())
    result = library.search("비상구", weights={"lexical": 1.0})
    assert result[0].matched_on_screen == ("비상구",)
    # what is read off the screen excludes nothing
    assert ("Kitchen", 10.0) in starts(library.search("-exit"))


def test_the_words_of_others_are_not_suggested(library: MadeLibrary) -> None:
    assert library.search("somebdoy", weights={"lexical": 1.0}).corrected == {}
    assert library.search("somebdoy", weights={"lexical": 1.0}, user_id="another").corrected == {"somebdoy": "somebody"}


def test_a_filter_does_not_change_what_a_word_means(library: MadeLibrary) -> None:
    result = library.search("harbuor title:kitchen", weights={"lexical": 1.0})
    assert (result.corrected, result.total) == ({"harbuor": "Harbour"}, 0)


def test_korean_words_are_found_whatever_particle_they_have(library: MadeLibrary) -> None:
    result = library.search("밤", weights={"lexical": 1.0})
    assert starts(result) == [("Kitchen", 5.0)]
    assert result[0].matched_words == ("밤",)
    assert starts(library.search("빵", weights={"lexical": 1.0})) == [("Kitchen", 5.0)]
    assert ("Kitchen", 5.0) not in starts(library.search("-밤"))
    assert ("Kitchen", 5.0) in starts(library.search("-바다"))


# --- paging and the log ---------------------------------------------------------------------------


def test_pages_fit_together_while_videos_arrive(tmp_path: Path) -> None:
    library = MadeLibrary(tmp_path / "lib")
    library.add("Harbour", HARBOUR)
    first = library.search("boat", limit=2)
    library.add("More", [("boat boat boat", 5.0, EN)] * 1 + [("another boat", 5.0, EN)])
    rest = library.search("boat", limit=2, offset=2, view_token=first.view_token)
    assert rest.view_token == first.view_token
    pages = [hit.scene_id for hit in (*first, *rest)]
    assert len(set(pages)) == len(pages) == first.total == rest.total
    now = library.search("boat", limit=2)
    assert now.total > first.total
    # where a video has gone, nothing of it is shown any more
    harbour = next(video for video in library.store.videos("local") if video.title == "Harbour")
    library.store.delete_video("local", harbour.video_id)
    after = library.search("boat", view_token=first.view_token)
    assert {hit.video_title for hit in after} == {"More"}


def test_a_page_whose_tables_are_gone_is_one_of_the_present_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEIMDEX_SEARCH", "lancedb")
    get_settings.cache_clear()
    library = MadeLibrary(tmp_path / "lib")
    library.add("Kitchen", KITCHEN)
    library.add("Harbour", HARBOUR)
    first = library.search("boat", limit=1)
    monkeypatch.setattr(lance_search, "MAX_APPENDS", 0)  # as after many additions
    monkeypatch.setattr(lance_writing, "KEPT_S", 0.001)  # a long time ago
    assert library.store.maintenance.merge_indexes() == 3
    rest = library.search("boats", limit=1, view_token=first.view_token)
    assert rest.view_token != first.view_token
    assert {name: channel.reason for name, channel in rest.channels.items()} == {
        name: channel.reason for name, channel in first.channels.items()
    }


def test_the_log_has_what_was_asked_and_what_came(library: MadeLibrary) -> None:
    result = library.search("harbuor -bread", filters=Filters(languages=("en",)), sort="time", weights={"lexical": 1.0})
    row = library.logged[-1]
    assert (row["text"], row["filters"], row["sort"]) == ("harbuor -bread", ["lang=en"], "time")
    assert (row["total"], row["corrected"]) == (result.total, {"harbuor": "Harbour"})
    assert row["timing_ms"]["total"] > 0
    assert row["active"] == ["lexical"]


# --- channels that fail ---------------------------------------------------------------------------


def test_a_channel_that_fails_or_is_late_is_left_out_under_a_filter_too(tmp_path: Path) -> None:
    library = MadeLibrary(tmp_path / "lib", channel_timeout_s=0.3)
    library.add("Harbour", HARBOUR)
    filters = Filters(min_s=3.0)
    encoder = library.models.encoders["vision/made-up"]
    library.search("boat", filters=filters)  # loads what there is to load
    may_answer = threading.Event()

    def late(text: str) -> QueryVector:
        may_answer.wait(30)
        return QueryVector(np.ones(4, np.float32))

    encoder.answer = late
    try:
        result = library.search("boats", filters=filters)
        assert result.channels["vision"].reason == "timeout"
        assert result.channels["lexical"].active
        assert ("Harbour", 20.0) not in starts(result)
    finally:
        may_answer.set()

    def broken(text: str) -> QueryVector:
        raise RuntimeError("no weights")

    encoder.answer = broken
    result = library.search("a ship -ferry", filters=filters)
    assert result.channels["vision"].reason == "failed"
    assert ("Harbour", 0.0) not in starts(result)
    with pytest.raises(SearchFailed):
        library.search("a ship", filters=filters, weights={"vision": 1.0})


def test_excluded_words_are_not_shown_where_the_word_index_is_lost(tmp_path: Path) -> None:
    library = MadeLibrary(tmp_path / "lib")
    library.add("Harbour", HARBOUR)
    (library.store.paths.lexical_of(1) / "manifest.json").unlink()
    assert library.search("boat").channels["lexical"].reason == "failed"
    with pytest.raises(LibraryDamaged):
        library.search("ship -boat")


def test_small_and_empty_libraries(tmp_path: Path) -> None:
    library = MadeLibrary(tmp_path / "lib")
    filters = Filters(languages=("en",), has_speech=False)
    for text in ("", "boat", "boat -sea", "-sea", "lang:ko", "\U0001f3ac"):
        assert library.search(text, filters=filters, facets=True).total == 0
    library.add("Silent", [("", 3.0, {"tags": ("sea",)})])
    assert library.search("boat").channels["transcript"].reason == "no_transcript"
    assert starts(library.search(filters=Filters(has_speech=False))) == [("Silent", 0.0)]
    assert library.search("-sea").total == 0
