"""Judgements as files: out and in again, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heimdex_core.errors import (
    FileUnreadable,
    InvalidValue,
    NoJudgements,
    NotWritable,
)
from heimdex_core.library import Library
from tests.library.evaluating import judge_all, lib, made, scene_ids

__all__ = ["lib", "made"]


def test_out_and_in_again(lib: Library, tmp_path: Path):
    judge_all(lib, "nature")
    lib.judge("boat 0", scene_ids(lib)[0], 1, query_set="nature", judge="mina", reason='why, "not"')
    run = lib.evaluate("nature", name="my run")
    files = lib.evaluation.export_trec(tmp_path / "trec", query_set="nature")
    assert [path.name for path in files] == ["qrels.txt", "topics.txt", "my_run.run"]
    report = lib.evaluation.import_trec(
        files[0], topics=files[1], run=files[2], query_set="trec", judge="trec", name="from a file"
    )
    assert (report.queries, report.judgements, report.run, report.unknown_scenes) == (24, 72, "from a file", ())
    for nowhere in ("x" * 300, "qrels.txt/trec", "no/such/folder"):
        with pytest.raises(NotWritable):
            lib.evaluation.export_trec(tmp_path / "trec" / nowhere, query_set="nature")
    # the average of 3 and 1 is 2 in qrels, which have no judges
    imported = lib.evaluation.run("from a file")
    assert imported.provenance is None
    assert imported.measures["MRR"] == run.measures["MRR"]
    for name in ("rows.csv", "rows.parquet"):
        lib.evaluation.export_table(tmp_path / name, query_set="nature")
        lib.evaluation.import_table(tmp_path / name, query_set=name)

        def content(query_set: str) -> set[tuple[object, ...]]:
            found = lib.evaluation.judgements(query_set)
            return {(one.query, one.scene_id, one.grade, one.judge, one.judged_at, one.reason) for one in found}

        assert content(name) == content("nature")


def test_unknown_scenes_are_left_out_and_listed(lib: Library, tmp_path: Path):
    first, second, *_ = scene_ids(lib)
    path = tmp_path / "qrels.txt"
    path.write_text(f"q1 0 {first} 3\nq1 0 gone_0_1000 2\nq1 0 {first} 3\nq1 0 {second} 0\n")
    (tmp_path / "topics.txt").write_text("q1\tharbour\n")
    report = lib.evaluation.import_trec(path, topics=tmp_path / "topics.txt")
    assert (report.judgements, report.duplicates, report.unknown_scenes) == (2, 1, ("gone_0_1000",))
    assert lib.evaluation.grades("harbour") == {first: 3, second: 0}


@pytest.mark.parametrize(
    ("qrels", "error", "reason"),
    [
        ("q1 0 gone_0_1000 2\n", InvalidValue, "none of their scenes"),
        ("q7 0 FIRST 2\n", InvalidValue, "give the topics too"),
        ("q1 0 FIRST 2\nq1 0 FIRST 3\n", FileUnreadable, "the grades 2 and 3"),
        ("q1 FIRST 2\n", FileUnreadable, "line 1: 3 columns"),
    ],
)
def test_bad_qrels_change_nothing(lib: Library, tmp_path: Path, qrels: str, error: type, reason: str):
    path = tmp_path / "qrels.txt"
    path.write_text(qrels.replace("FIRST", scene_ids(lib)[0]))
    (tmp_path / "topics.txt").write_text("q1\tharbour\n")
    with pytest.raises(error, match=reason):
        lib.evaluation.import_trec(path, topics=tmp_path / "topics.txt")
    assert lib.evaluation.judgements() == []


def test_qrels_without_a_relevant_scene_are_kept_but_cannot_be_scored(lib: Library, tmp_path: Path):
    (tmp_path / "rows.csv").write_text(f"query,scene_id,grade\nharbour,{scene_ids(lib)[0]},0\n")
    assert lib.evaluation.import_table(tmp_path / "rows.csv").judgements == 1
    with pytest.raises(NoJudgements):
        lib.evaluate()


def test_intervals_are_the_scenes_that_they_cover(lib: Library, tmp_path: Path):
    first, second, *_ = scene_ids(lib)  # [0, 2), [2, 4)
    rows = "query,video,start_s,end_s,grade\nharbour,PORT.mp4,0.5,2.5,3\nharbour,port,2.2,3.9,1\nharbour,no,0,1,2\n"
    (tmp_path / "rows.csv").write_text(rows)
    report = lib.evaluation.import_table(tmp_path / "rows.csv")
    assert report.unknown_scenes == ("no 0-1",)
    assert lib.evaluation.grades("harbour") == {first: 3, second: 1}
    queries = [{"query": "boat", "relevant": [{"video": "port.mp4", "start_s": 0, "end_s": 2, "grade": 2}]}]
    (tmp_path / "queries.json").write_text(json.dumps({"format": 1, "queries": queries}))
    assert lib.evaluation.import_table(tmp_path / "queries.json").judgements == 1
    assert lib.evaluation.grades("boat") == {first: 2}
