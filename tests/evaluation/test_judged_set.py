"""data/sample/judged.json fits the clips that make_clips.py draws, and evaluation/report.py makes its page of it."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any, cast

import av
import pytest

from evaluation import report
from heimdex_core import Library
from heimdex_core.evaluation.judgements import overlaps, read_queries
from heimdex_core.types import Interval

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
SAMPLE_CUTS = [0, 5.67, 13.08, 20.29, 27.29, 34.88, 41.88, 50.12, 57.12, 64.71, 72.0]


@pytest.fixture(scope="module")
def make_clips():
    sys.path.insert(0, str(SAMPLE))
    try:
        import make_clips

        yield make_clips
    finally:
        sys.path.remove(str(SAMPLE))


@pytest.fixture(scope="module")
def queries():
    return read_queries(SAMPLE / "judged.json")


def test_every_judgement_is_a_scene_of_a_clip(make_clips, queries):
    cuts = {"heimdex_sample.mp4": SAMPLE_CUTS}
    for clip in make_clips.CLIPS:
        cuts[clip.filename] = [number * make_clips.SCENE_S for number in range(len(clip.parts) + 1)]
    places = {(name, start, end) for name, times in cuts.items() for start, end in zip(times, times[1:], strict=False)}
    judged = [(one.video, one.interval.start_s, one.interval.end_s) for query in queries for one in query.relevant]
    assert set(judged) <= places
    assert len(places) == 40


def test_there_are_queries_of_every_kind_in_both_languages_and_both_halves(queries):
    counts = Counter((query.kind, query.language, report.is_held_out(query)) for query in queries)
    assert set(counts) == {
        (kind, language, half)
        for kind in ("said", "seen", "both", "words", "nothing")
        for language in ("en", "ko")
        for half in (True, False)
    }
    assert {judged.grade for query in queries for judged in query.relevant} == {0, 1, 2, 3}
    for query in queries:
        assert any(judged.grade > 0 for judged in query.relevant) == (query.kind != "nothing")
    assert len({query.text for query in queries}) == len(queries)


def test_a_clip_is_drawn_with_its_subtitles(make_clips, tmp_path):
    clip = make_clips.Clip("two.mp4", "Two", "en", make_clips.CLIPS[0].parts[:2])
    path = make_clips.make(clip, tmp_path)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(2 * make_clips.SCENE_S * av.time_base, rel=0.01)
        assert not container.streams.audio
    # Two sentences share the first scene's 5 s, the second scene's one begins half a second after the cut.
    assert path.with_suffix(".srt").read_text(encoding="utf-8") == (
        "1\n00:00:00,500 --> 00:00:02,800\nThe dentist moved my appointment to Thursday afternoon.\n\n"
        "2\n00:00:03,000 --> 00:00:05,300\nI hope it is only one tooth.\n\n"
        "3\n00:00:06,500 --> 00:00:11,300\nOur little bakery sold two hundred loaves on Saturday.\n"
    )


def test_scenes_that_a_query_does_not_name_get_grade_0(make_clips, queries):
    class At:
        def __init__(self, start_s: float, end_s: float) -> None:
            self.interval, self.start_s, self.end_s = Interval(start_s, end_s), start_s, end_s

    (first,) = (query for query in queries if query.text == "bread sold at a bakery")
    scenes = {
        "harbour_notes.mp4": [At(0.0, 6.0), At(6.02, 12.0), At(12.0, 18.0)],
        "heimdex_sample.mp4": [At(20.3, 27.3)],
    }
    (row,) = cast(Any, report.completed([first], cast(Any, scenes)))["queries"]
    grades = [(one["video"], one["start_s"], one["grade"]) for one in row["relevant"]]
    assert grades == [
        ("harbour_notes.mp4", 6.0, 3),
        ("heimdex_sample.mp4", 20.29, 2),
        ("harbour_notes.mp4", 0.0, 0),
        ("harbour_notes.mp4", 12.0, 0),
    ]


@pytest.mark.long
def test_hybrid_is_at_least_as_good_as_each_channel_on_held_out_queries(make_clips, queries, tmp_path):
    with Library.open(tmp_path / "library", profile="offline") as library:
        report.fill(library, tmp_path / "clips")
        scenes = {video.filename: library.scenes(video.video_id) for video in library.videos()}
        assert sum(len(of_video) for of_video in scenes.values()) == 40
        for query in queries:
            for judged in query.relevant:
                assert any(overlaps(scene.interval, judged.interval) for scene in scenes[judged.video])
        text = report.page(library, queries, tmp_path)
        found = {run.name: run for run in library.evaluation.runs("held-out")}
    for name in report.SINGLE:
        for measure in report.MEASURES:
            assert found["hybrid"].measures[measure].mean >= found[name].measures[measure].mean
    assert text.count("**hybrid**") == 2
