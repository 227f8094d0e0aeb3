"""The formats of TREC: read as written, and refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.errors import FileUnreadable
from heimdex_core.evaluation import trec
from heimdex_core.types import SetQuery


@pytest.fixture
def file(tmp_path: Path):
    def written(text: str | bytes) -> Path:
        path = tmp_path / "file.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def test_qrels(file):
    path = file("q1 0 v_0_1000 3\n\nq1\t0\tv_1000_2000\t-1\nq2 Q0 v_0_1000 0\n")
    assert trec.read_qrels(path) == (
        trec.Qrel("q1", "v_0_1000", 3),
        trec.Qrel("q1", "v_1000_2000", 0),
        trec.Qrel("q2", "v_0_1000", 0),
    )
    assert trec.read_qrels(file("")) == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("q1 0 v 3\nq1 v 3\n", "line 2: 3 columns instead of 4"),
        ("q1 0 v high\n", "line 1"),
        ("q1 0 v 4\n", "line 1: the grade 4 is above 3"),
        ("q1,0,v,3\n", "line 1: 1 columns"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_wrong_qrels_are_refused(file, text, reason):
    with pytest.raises(FileUnreadable, match=reason):
        trec.read_qrels(file(text))


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(FileUnreadable):
        trec.read_qrels(tmp_path / "none")


def test_a_run_is_ordered_by_its_scores(file):
    name, rankings = trec.read_run(
        file("q1 Q0 a 1 0.5 mine\nq1 Q0 b 2 0.9 mine\nq1 Q0 c 3 0.5 mine\nq2 Q0 a 1 1 mine\n")
    )
    assert name == "mine"
    assert rankings == {"q1": (("b", 0.9), ("a", 0.5), ("c", 0.5)), "q2": (("a", 1.0),)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("q1 Q0 a 1 0.5 x\nq1 Q0 a 2 0.4 x\n", "line 2: the scene a is there twice"),
        ("q1 Q0 a 1 0.5\n", "line 1: 5 columns"),
        ("q1 Q0 a 1 much x\n", "line 1"),
        ("", "no lines"),
    ],
)
def test_wrong_runs_are_refused(file, text, reason):
    with pytest.raises(FileUnreadable, match=reason):
        trec.read_run(file(text))


def test_topics_of_both_kinds(file):
    first = "<top>\n<num> Number: 301\n<title> red sunset\n over a sea\n<desc> Description: x\n</top>\n"
    classic = first + "<top><num>302<title>밤</top>"
    assert trec.read_topics(file(classic)) == (SetQuery("red sunset over a sea", "301"), SetQuery("밤", "302"))
    assert trec.read_topics(file("q1\ta bird  on a branch\nq2\t밤\n")) == (
        SetQuery("a bird on a branch", "q1"),
        SetQuery("밤", "q2"),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<top><num>1</top>", "topic 1 has no number or no title"),
        ("q1\ta\nq1\tb\n", "query id q1 is there twice"),
        ("q1 without a tab\n", "line 1: 1 columns"),
        ("", "no topics"),
    ],
)
def test_wrong_topics_are_refused(file, text, reason):
    with pytest.raises(FileUnreadable, match=reason):
        trec.read_topics(file(text))


def test_what_is_written_is_read_again(file):
    queries = (SetQuery("a & b < c"), SetQuery("분홍빛 하늘", "q7"))
    assert trec.read_topics(file(trec.topics_text(queries))) == queries
    rankings = {"q1": (("a", 0.75), ("b", 1 / 3)), "q2": (("b", 2.0),)}
    name, read = trec.read_run(file(trec.run_text("my run", rankings)))
    assert name == "my_run"
    assert {q: [s for s, _ in hits] for q, hits in read.items()} == {"q1": ["a", "b"], "q2": ["b"]}
    assert read["q1"][1][1] == pytest.approx(1 / 3)
    # the average of two judges is rounded, a half upwards
    text = trec.qrels_text({"q1": {"a": 2.5, "b": 0.5, "c": 1 / 3}})
    assert [row.grade for row in trec.read_qrels(file(text))] == [3, 1, 0]
