"""Words to scenes, context, and the share of speech."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from heimdex_core.ingest.scene_text import pieces, scene_texts, speech_ratios, with_context
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.types import Interval, Segment, Transcript, Word
from tests.support.counting import lines_run

SCENES = [SceneSpan(0, 10), SceneSpan(10, 20), SceneSpan(20, 30)]


def said(*segments: Segment) -> list[str]:
    return scene_texts(pieces(Transcript(segments, source="subtitles"), SCENES), len(SCENES))


def word(text: str, start_s: float) -> Word:
    return Word(text, start_s, start_s + 0.5)


def test_a_segment_inside_a_scene():
    assert said(Segment(1, 4, "hello there"), Segment(22, 24, "bye")) == ["hello there", "", "bye"]


def test_a_segment_that_ends_at_a_cut_belongs_before_it():
    assert said(Segment(8, 10, "until the cut")) == ["until the cut", "", ""]


def test_words_part_a_segment_over_a_cut_without_doubling():
    words = (word("One,", 8.5), word("two", 9.2), word("three", 10.1), word("four.", 11.0))
    assert said(Segment(8.5, 11.5, "One, two three four.", words=words)) == ["One, two", "three four.", ""]


def test_the_segments_own_spelling_is_kept():
    words = (word("안녕", 9.0), word("하세요", 10.2))
    assert said(Segment(9, 11, "안녕하세요", words=words)) == ["안녕", "하세요", ""]


def test_words_that_are_not_in_the_text_are_joined():
    words = (word("uno", 9.0), word("dos", 10.2), word("tres", 11.2))
    assert said(Segment(9, 12, "1 2 3", words=words)) == ["uno", "dos tres", ""]


def test_without_word_times_both_scenes_have_the_segment():
    assert said(Segment(8, 12, "over the cut")) == ["over the cut", "over the cut", ""]


def test_a_sliver_does_not_count():
    assert said(Segment(8, 10.2, "nearly all before")) == ["nearly all before", "", ""]


def test_a_segment_over_three_scenes():
    assert said(Segment(5, 25, "long")) == ["long", "long", "long"]


def test_a_segment_of_no_length_has_its_place():
    assert said(Segment(10, 10, "now")) == ["", "now", ""]


def context(*segments: Segment, below_chars: int = 200) -> list[str]:
    found = pieces(Transcript(segments, source="subtitles"), SCENES)
    own = scene_texts(found, len(SCENES))
    return with_context(found, SCENES, own, below_chars=below_chars, within_s=3.0)


def test_neighbours_within_three_seconds_are_context():
    lines = (Segment(2, 6.9, "far"), Segment(7.5, 9, "before"), Segment(12, 14, "own"), Segment(22, 24, "after"))
    assert context(*lines)[1] == "before own after"


def test_a_long_text_needs_no_context():
    lines = (Segment(8, 9, "before"), Segment(12, 14, "x" * 200))
    assert context(*lines)[1] == "x" * 200
    assert context(*lines, below_chars=201)[1] == "before " + "x" * 200


def test_a_silent_scene_stays_silent():
    assert context(Segment(8, 9, "before"), Segment(21, 22, "after"))[1] == ""


def test_a_line_shared_by_two_scenes_is_not_said_twice():
    assert context(Segment(8, 12, "over the cut"))[0] == "over the cut"


def test_speech_ratios():
    speech = [Interval(8, 12), Interval(11, 13), Interval(18, 25)]
    # 8 to 10; 10 to 13 and 18 to 20; 20 to 25
    assert speech_ratios([*SCENES, SceneSpan(40, 50)], speech) == [0.2, 0.5, 0.5, 0.0]


# --- many lines -----------------------------------------------------------------------------------


def test_context_and_speech_are_what_a_look_at_everything_finds():
    """Lines of all lengths, over each other and out of order, as a recogniser may leave them."""
    rng = random.Random(5)  # noqa: S311
    edges = sorted({0.0, 60.0, *(round(rng.uniform(0, 60), 3) for _ in range(20))})
    scenes = [SceneSpan(a, b) for a, b in pairwise(edges)]
    spans = [
        Interval(start, start + rng.choice((0.01, 0.5, 3, 30))) for start in (rng.uniform(0, 60) for _ in range(80))
    ]
    lines = [Segment(span.start_s, span.end_s, f"line{n}") for n, span in enumerate(spans)]
    found = pieces(Transcript(tuple(lines), source="recognised"), scenes)
    texts = scene_texts(found, len(scenes))
    around = with_context(found, scenes, texts, below_chars=10**6, within_s=3.0)
    for n, scene in enumerate(scenes):
        near = [p for p in found if p.end_s > scene.start_s - 3.0 and p.start_s < scene.end_s + 3.0]
        parts = [*(p.text for p in near if p.scene < n), texts[n], *(p.text for p in near if p.scene > n)]
        assert around[n] == (" ".join(dict.fromkeys(parts)) if texts[n] else "")
    times = np.arange(0, 60, 0.0005) + 0.00025
    spoken = np.any([(times >= span.start_s) & (times < span.end_s) for span in spans], axis=0)
    for scene, ratio in zip(scenes, speech_ratios(scenes, spans), strict=True):
        inside = (times >= scene.start_s) & (times < scene.end_s)
        assert ratio == pytest.approx(spoken[inside].mean(), abs=0.02)


@pytest.mark.parametrize("with_words", [False, True])
def test_four_times_the_lines_and_scenes_are_four_times_the_work(with_words: bool):
    def work(n: int) -> int:
        scenes = [SceneSpan(k, k + 1.0) for k in range(n)]
        lines = [
            Segment(k + 0.6, k + 1.4, "one two", words=(word("one", k + 0.6), word("two", k + 1.0))) for k in range(n)
        ]
        if not with_words:
            lines = [replace(line, words=()) for line in lines]
        speech = [Interval(line.start_s, line.end_s) for line in lines]

        def all_of_it() -> None:
            found = pieces(Transcript(tuple(lines), source="subtitles"), scenes)
            with_context(found, scenes, scene_texts(found, n), below_chars=200, within_s=3.0)
            speech_ratios(scenes, speech)

        return lines_run(all_of_it)

    assert work(400) < 5 * work(100)
