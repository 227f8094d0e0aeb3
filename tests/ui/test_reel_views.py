"""The opened clip and the form of the reel page, without a browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heimdex_core.export.captions.styles import POSITIONS, STYLES
from heimdex_core.export.crop import STRATEGIES
from heimdex_core.export.timelines import FORMATS
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import MODES, Pause, ReelClip, ReelOptions, Segment, Word
from ui import kept_pauses
from ui.views import reel_form as form
from ui.views.opened_clip import shown_part, words_between


class FakeLibrary(Library):
    """A library that has preferences only."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}

    def preferences(self) -> dict[str, Any]:
        return self.saved

    def set_preference(self, key: str, value: Any) -> None:
        self.saved[key] = value


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.state.language", lambda: "en")


def test_the_filmstrip_shows_what_a_clip_can_grow_into() -> None:
    # half of 10 s on either side, within the video
    assert shown_part(ReelClip("v", 12.0, 18.0, 10.0, 20.0), 60.0) == (5.0, 25.0)
    # the clip has grown to 30 s: half of that on either side, but no more than there is
    assert shown_part(ReelClip("v", 10.0, 40.0, 10.0, 20.0), 50.0) == (0.0, 50.0)
    # a short scene has 3 s on either side, a long one 20 s
    assert shown_part(ReelClip("v", 10.0, 11.0, 10.0, 11.0), 60.0) == (7.0, 14.0)
    assert shown_part(ReelClip("v", 100.0, 200.0, 100.0, 200.0), 900.0) == (80.0, 220.0)


def test_words_of_lines_without_word_times_are_whole_lines() -> None:
    timed = Segment(0.0, 2.0, "two words", words=(Word("two", 0.2, 0.5), Word(" words", 0.6, 1.0)))
    assert words_between([timed, Segment(3.0, 5.0, "a line"), Segment(8.0, 9.0, "late")], 0.5, 8.0) == [
        {"start": 0.6, "end": 1.0, "text": "words"},
        {"start": 3.0, "end": 5.0, "text": "a line"},
    ]


def test_the_form_offers_what_the_core_has() -> None:
    assert (set(form.STRATEGIES), set(form.STYLES), set(form.POSITIONS)) == (
        set(STRATEGIES),
        set(STYLES),
        set(POSITIONS),
    )
    assert (form.MODES, set(form.FORMATS)) == (MODES, set(FORMATS))


def test_choices_are_kept_and_become_arguments() -> None:
    settings = Settings()
    chosen = form.choices(
        {"aspect": "9:16", "height_px": 1080, "captions": "boxed", "mode": "no such", "x": 1}, settings
    )
    assert (chosen["aspect"], chosen["height_px"], chosen["mode"]) == ("9:16", 1080, "exact")
    for name, value in (("crossfade_s", "0.5"), ("strategy", "blur_pad"), ("title_card", True), ("height_px", "7")):
        chosen = form.changed(chosen, name, value, settings)
    options = ReelOptions(**form.reel_options(chosen))
    assert (options.crossfade_s, options.strategy, options.title_card, options.height_px) == (
        0.5,
        "blur_pad",
        True,
        1080,
    )
    assert options.captions == "boxed"
    assert {group["name"] for group in form.groups(chosen, settings)} >= {"strategy", "position"}
    # pictures of the same shape need no strategy, and no captions no place
    plain = form.choices(None, settings)
    assert form.reel_options(plain)["strategy"] is None
    assert not {"strategy", "position"} & {group["name"] for group in form.groups(plain, settings)}


def test_a_clip_can_have_a_strategy_of_its_own_where_the_frame_is_not_wide() -> None:
    settings = Settings()
    clip = ReelClip("v", 0.0, 1.0, 0.0, 1.0, strategy="letterbox")
    wide = form.choices(None, settings)
    assert form.clip_strategies(wide) == []
    assert form.framed([clip], wide)[0].strategy is None, "what is not shown does not count"
    tall = form.choices({"aspect": "9:16", "strategy": "blur_pad"}, settings)
    offered = form.clip_strategies(tall)
    assert offered[0] == {"value": "", "label": "Reel: Blur"}
    assert {one["value"] for one in offered[1:]} == set(STRATEGIES)
    assert form.framed([clip], tall) == [clip]
    plain = ReelClip("v", 1.0, 2.0, 1.0, 2.0)
    assert [form.strategy_of(tall, one) for one in (clip, plain)] == ["letterbox", "blur_pad"]
    assert form.strategy_of(wide, clip) is None
    followed = replace(clip, strategy="smart_crop")
    assert "The preview shows the middle" in form.notice(tall, settings, [plain, followed])
    assert "The preview shows the middle" not in form.notice(tall, settings, [plain, clip])
    assert "The preview shows the middle" not in form.notice(wide, settings, [followed])


def test_a_fast_reel_has_the_size_of_its_clips_unless_another_is_chosen() -> None:
    """A fast reel of 720p copies nothing of sources in 1080p."""
    settings = Settings()
    fast = form.changed(form.choices(None, settings), "mode", "fast", settings)
    assert ReelOptions(**form.reel_options(fast)).params["own_format"] is True
    assert "size and frame rate of the clips" in form.notice(fast, settings)
    assert "Fast encodes every frame" not in form.notice(fast, settings)
    assert "Fast encodes every frame" in form.notice(fast | {"captions": "plain"}, settings)
    # it is remembered; an exact reel has a height
    assert form.choices(fast, settings)["height_px"] is None
    assert form.choices({"mode": "fast"}, settings)["height_px"] is None
    assert form.changed(fast, "mode", "exact", settings)["height_px"] == settings.reel_height_px
    assert form.choices({"height_px": None}, settings)["height_px"] == settings.reel_height_px
    chosen = form.changed(fast, "height_px", "1080", settings)
    assert ReelOptions(**form.reel_options(chosen)).height_px == 1080
    assert form.changed(chosen, "height_px", "None", settings)["height_px"] is None


def test_kept_pauses_are_remembered_for_each_reel() -> None:
    library = FakeLibrary()
    kept_pauses.choose(library, "", "v_1", keep=True)
    kept_pauses.choose(library, "", "v_2", keep=True)
    kept_pauses.choose(library, "autumn", "v_1", keep=True)
    kept_pauses.choose(library, "", "v_1", keep=False)
    assert (kept_pauses.of(library, ""), kept_pauses.of(library, "autumn")) == (["v_2"], ["v_1"])
    kept_pauses.replace(library, "autumn", [])
    assert library.saved == {"kept_pauses": {"": ["v_2"]}}
    library.saved = {"kept_pauses": ["not", "ours"]}
    assert kept_pauses.of(library, "") == []


def test_pauses_are_counted_without_those_that_are_kept() -> None:
    silence, filler = Pause("v", 1.0, 2.5, "silence"), Pause("v", 4.0, 4.4, "filler", "um")
    listed = form.pauses([silence, filler], {silence.pause_id})
    assert listed["label"] == "1 of 2 pauses are cut out, 0:00.4"
    assert [(item["text"], item["kept"]) for item in listed["items"]] == [
        ("silence, 1.5 s", True),
        ("“um”, 0.4 s", False),
    ]
