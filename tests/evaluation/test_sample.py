"""The clip, the subtitles and the judged queries in data/sample fit together."""

from itertools import pairwise
from pathlib import Path

import av
import pysubs2
import pytest

from heimdex_core.evaluation.judgements import read_queries

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
CLIP = SAMPLE / "heimdex_sample.mp4"


@pytest.fixture(scope="module")
def duration_s() -> float:
    with av.open(str(CLIP)) as container:
        assert container.duration is not None
        return container.duration / av.time_base


def test_the_clip_is_small_and_has_the_planned_length(duration_s):
    assert CLIP.stat().st_size <= 6_000_000
    assert 65 <= duration_s <= 85


@pytest.mark.parametrize("name", ["heimdex_sample.srt", "heimdex_sample.ko.srt"])
def test_subtitles_lie_in_the_clip_in_order(name, duration_s):
    lines = pysubs2.load(str(SAMPLE / name), encoding="utf-8")
    assert len(lines) == 19
    assert all(line.start < line.end <= duration_s * 1000 for line in lines)
    assert all(first.end <= second.start for first, second in pairwise(lines))


def test_both_languages_have_the_same_times():
    english, korean = (pysubs2.load(str(SAMPLE / name)) for name in ("heimdex_sample.srt", "heimdex_sample.ko.srt"))
    assert [(line.start, line.end) for line in english] == [(line.start, line.end) for line in korean]


def test_judged_queries_are_about_the_clip(duration_s):
    queries = read_queries(SAMPLE / "queries.json")
    assert {query.kind for query in queries} == {"said", "seen", "words", "both"}
    assert {query.language for query in queries} == {"en", "ko"}
    for query in queries:
        assert any(judged.grade > 0 for judged in query.relevant)
        assert all(judged.video == CLIP.name for judged in query.relevant)
        assert all(judged.interval.end_s <= duration_s + 0.01 for judged in query.relevant)
