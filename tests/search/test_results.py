import json
import math

import numpy as np
import pytest
from PIL import Image

from heimdex_core.search.html import marked, timecode
from heimdex_core.types import Query
from tests.search.fakes import scene


def test_the_json_document(bench):
    result = bench.searcher().search(Query("bread", limit=1), user_id="local")
    document = json.loads(json.dumps(result.to_dict()))
    assert set(document) == {"query", "fusion", "hits", "channels", "timing_ms"}
    assert document["query"] == "bread"
    assert document["fusion"] == "minmax"
    assert document["channels"]["vision"] == {"active": True, "reason": None, "space": "vision/fake"}
    (hit,) = document["hits"]
    assert set(hit) == {"scene_id", "video_id", "start_s", "end_s", "score", "transcript", "channels"}
    assert set(hit["channels"]["lexical"]) == {"score", "rank", "weight", "contribution"}


def test_pandas(bench):
    table = bench.searcher().search(Query("bread"), user_id="local").to_pandas()
    assert list(table["scene_id"])[0] == bench.ids[1]
    assert list(table["rank"]) == [1, 2, 3, 4]
    assert table.loc[0, "matched_words"] == "bread"
    assert table.loc[0, "vision_score"] == pytest.approx(0.3)
    assert math.isnan(table.loc[3, "transcript_score"])


def test_pandas_of_nothing_has_the_columns(bench):
    table = bench.searcher().search(Query("bread", video_ids=()), user_id="local").to_pandas()
    assert len(table) == 0
    assert {"rank", "scene_id", "vision_score"} <= set(table.columns)


def test_it_is_a_sequence_of_hits(bench):
    result = bench.searcher().search(Query("bread"), user_id="local")
    assert len(result) == len(list(result)) == 4
    assert result[-1] == list(result)[-1]
    assert len(result[:2]) == 2


def test_notebook_picture(bench, tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "t.webp")
    evil = scene("v3", 0, '<script>alert("bread")</script>', thumbnail="t.webp")
    bench.reader.all.append(evil)
    bench.reader.titles["v3"] = "<b>bold</b>"
    bench.reader.frames = tmp_path
    html = bench.searcher().search(Query("bread"), user_id="local")._repr_html_()
    assert html.count("data:image/webp;base64,") == 1
    assert "<script>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "<mark>bread</mark>" in html
    assert "0:10.0" in html


def test_notebook_picture_says_who_abstains(bench):
    html = bench.searcher().search(Query("...", weights={"lexical": 1}), user_id="local")._repr_html_()
    assert "Nothing fits" in html
    assert "lexical: no word to look up" in html


def test_every_reason_has_a_sentence():
    from heimdex_core.search.channels.base import REASONS
    from heimdex_core.search.html import _REASONS

    assert set(_REASONS) == set(REASONS)


@pytest.mark.parametrize(
    ("time_s", "shown"), [(0, "0:00.0"), (9.96, "0:10.0"), (59.97, "1:00.0"), (83.4, "1:23.4"), (3725.5, "1:02:05.5")]
)
def test_timecodes(time_s, shown):
    assert timecode(time_s) == shown


def test_marking_escapes():
    assert marked("a<b and c", ((1, 3),)) == "a<mark>&lt;b</mark> and c"
