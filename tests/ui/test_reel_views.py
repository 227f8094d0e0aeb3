"""The opened clip and the form of the reel page, without a browser."""

from __future__ import annotations

import pytest

from heimdex_core.export.captions.styles import POSITIONS, STYLES
from heimdex_core.export.crop import STRATEGIES
from heimdex_core.export.timelines import FORMATS
from heimdex_core.settings import Settings
from heimdex_core.types import MODES, Pause, ReelClip, ReelOptions, Segment, Word
from ui.views import reel_form as form
from ui.views.opened_clip import shown_part, words_between


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


def test_pauses_are_counted_without_those_that_are_kept() -> None:
    silence, filler = Pause("v", 1.0, 2.5, "silence"), Pause("v", 4.0, 4.4, "filler", "um")
    listed = form.pauses([silence, filler], {silence.pause_id})
    assert listed["label"] == "1 of 2 pauses are cut out, 0:00.4"
    assert [(item["text"], item["kept"]) for item in listed["items"]] == [
        ("silence, 1.5 s", True),
        ("“um”, 0.4 s", False),
    ]
