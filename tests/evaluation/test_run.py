"""evaluation/run.py over the sample: the script, and what each channel finds."""

import json

import pytest

from evaluation import run
from heimdex_core import Library
from heimdex_core.errors import InvalidWeights
from heimdex_core.evaluation.judgements import read_queries
from tests.support.sample import sample_library


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    with Library.open(sample_library(tmp_path_factory)) as opened:
        yield opened


def of_kind(kind: str):
    return tuple(query for query in read_queries(run.SAMPLE_QUERIES) if query.kind == kind)


def test_scenes_begin_at_the_cuts(library):
    (video,) = library.videos()
    cuts = [scene.start_s for scene in library.scenes(video.video_id)]
    assert cuts == pytest.approx([0, 5.67, 13.08, 20.29, 27.29, 34.88, 41.88, 50.12, 57.12, 64.71], abs=0.05)


@pytest.mark.parametrize(
    ("kind", "channel"), [("said", "transcript"), ("seen", "vision"), ("words", "lexical"), ("both", "transcript")]
)
def test_each_channel_alone_finds_its_kind_of_query(library, kind, channel):
    scores = run.score(library, of_kind(kind), {channel: 1.0}, None)
    # The right scene is first, or sometimes second.
    assert scores.mean["MRR"] >= 0.7


def test_all_channels_together_rank_nearly_every_scene_first(library):
    scores = run.score(library, read_queries(run.SAMPLE_QUERIES), None, None)
    assert scores.mean["nDCG@10"] >= 0.85
    assert scores.mean["recall@10"] >= 0.95


def test_the_script_prints_a_table(library, capsys):
    assert run.main(["--library", str(library.path), "--weights", "lexical=1", "--fusion", "rrf"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["nDCG@10", "MRR", "recall@10", "precision@5", "MAP"]
    assert "words-1    1.000" in printed
    assert "\nmean " in printed
    assert "weak (nDCG@10 below 0.5): " in printed  # the lexical channel finds nothing that is only seen


def test_the_script_prints_one_json_document(library, capsys):
    assert run.main(["--library", str(library.path), "--weights", "lexical=1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"mean", "queries", "weak", "unjudged"}
    assert len(document["queries"]) == len(read_queries(run.SAMPLE_QUERIES))


def test_the_script_reports_errors(tmp_path, capsys):
    assert run.main(["--library", str(tmp_path / "none")]) == 1
    assert "There is no library" in capsys.readouterr().err
    assert run.main(["--library", str(tmp_path / "none"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "LIBRARY_NOT_FOUND"


def test_weights_as_text():
    assert run.parse_weights("transcript=.5, vision=0.25") == {"transcript": 0.5, "vision": 0.25}
    with pytest.raises(InvalidWeights):
        run.parse_weights("transcript")
    with pytest.raises(InvalidWeights):
        run.parse_weights("transcript=much")
