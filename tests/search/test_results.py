"""A search result as JSON, as a table, as a sequence and as HTML."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from heimdex_core import schemas
from heimdex_core.search.html import CHANNEL_COLOURS
from heimdex_core.types import Query
from tests.search.fakes import scene


def test_the_json_document(bench):
    result = bench.searcher().search(Query("bread", limit=1), user_id="local")
    document = json.loads(json.dumps(schemas.search_result(result)))
    assert set(document) == {
        *("query", "fusion", "total", "nothing_close", "corrected", "notes", "hits", "channels", "timing_ms"),
        *("conditions", "order"),
    }
    assert document["query"] == "bread"
    assert document["fusion"] == "minmax"
    assert document["channels"]["vision"] == {"active": True, "reason": None, "space": "vision/fake"}
    (hit,) = document["hits"]
    assert set(hit) == {
        *("scene_id", "video_id", "start_s", "end_s", "score", "strength", "keyframe_s", "duplicates", "then"),
        *("transcript", "on_screen_text", "matched_words", "matched_on_screen", "people", "channels"),
    }
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


def test_html_escapes_all_text(bench, tmp_path):
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


def test_html_shows_how_the_score_is_made_up(bench):
    html = (
        bench.searcher().search(Query("bread", weights={"lexical": 0.5, "vision": 0.5}), user_id="local")._repr_html_()
    )
    first = html.split('<div style="width:240px')[1]
    # the bread scene: all of the words (.5), a quarter of what is seen (.125)
    assert f'title="vision 0.125" style="width:20.0%;background:{CHANNEL_COLOURS["vision"]}"' in first
    assert f'title="lexical 0.500" style="width:80.0%;background:{CHANNEL_COLOURS["lexical"]}"' in first


def test_html_says_why_a_channel_abstains(bench):
    html = bench.searcher().search(Query("...", weights={"lexical": 1}), user_id="local")._repr_html_()
    assert "No matching scenes." in html
    assert "lexical: no words to look up" in html


def test_the_videos_with_hits_are_counted_over_all_pages(bench):
    """Four scenes in two videos are found; "ferry" is in one scene."""
    searcher = bench.searcher()
    everything = searcher.search(Query("bread", limit=1), user_id="local")
    assert (everything.total, everything.total_videos) == (4, 2)
    words = searcher.search(Query("ferry", weights={"lexical": 1.0}), user_id="local")
    assert (words.total, words.total_videos) == (1, 1)
    nothing = searcher.search(Query("bread", video_ids=()), user_id="local")
    assert (nothing.total, nothing.total_videos) == (0, 0)


@pytest.mark.parametrize(("query", "reason"), [("the", "stop_words"), ("And the", "stop_words"), ('"the"', None)])
def test_a_query_of_very_common_words_finds_nothing_and_says_why(bench, query, reason):
    """In quotation marks they are looked up: the first scene has "the"."""
    result = bench.searcher().search(Query(query, weights={"lexical": 1.0}), user_id="local")
    assert result.channels["lexical"].reason == reason
    assert (result.total > 0, result.terms) == (reason is None, () if reason else ("the",))
