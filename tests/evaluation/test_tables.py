"""Judgements as CSV and Parquet: read as written, and refused with the row that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heimdex_core.errors import FileUnreadable, InvalidValue
from heimdex_core.evaluation.tables import read_table_rows, write_table_rows
from heimdex_core.types import Interval, SetQuery

ROW = {
    "query_id": "q1",
    "query": '분홍빛, "하늘"',
    "language": "ko",
    "kind": "seen",
    "scene_id": "v_0_2000",
    "video_id": "v",
    "video": "a.mp4",
    "start_s": 0.0,
    "end_s": 2.0,
    "grade": 2,
    "judge": "mina",
    "judged_at": "2026-11-26T10:00:00+00:00",
    "reason": "small,\nbut there",
}


@pytest.mark.parametrize("name", ["out.csv", "out.PARQUET"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str):
    write_table_rows(tmp_path / name, [ROW, {"query": "a bird"}])
    first, second = read_table_rows(tmp_path / name)
    assert first.query == SetQuery('분홍빛, "하늘"', "q1", "ko", "seen")
    assert (first.scene_id, first.grade, first.judge, first.reason) == ("v_0_2000", 2, "mina", "small,\nbut there")
    assert first.judged_at == datetime(2026, 11, 26, 10, tzinfo=UTC)
    assert (second.query.text, second.grade) == ("a bird", None)


def csv_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_interval_instead_of_a_scene(tmp_path: Path):
    path = csv_of(tmp_path, "\ufeffquery,video,start_s,end_s,grade\na bird,talk.mp4,3,9.5,3.0\n")
    (row,) = read_table_rows(path)
    assert (row.video, row.interval, row.grade) == ("talk.mp4", Interval(3.0, 9.5), 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("query,scene_id\na,v_0_1\n", "column grade is missing"),
        ("query,grade\na,1\n", "column scene_id is missing"),
        ("", "column query is missing"),
        ("query,scene_id,grade\na,v_0_1,5\n", "row 1: the grade 5"),
        ("query,scene_id,grade\na,v_0_1,1\nb,v_0_1,1.5\n", "row 2: the grade 1.5"),
        ("query,scene_id,grade\na,v_0_1,nan\n", "row 1: the grade nan"),
        ("query,scene_id,grade\n,v_0_1,1\n", "row 1: the query is empty"),
        ("query,scene_id,grade\na,v_0_1,1,more\n", "row 1: it has more columns"),
        ("query,video,start_s,end_s,grade\na,t.mp4,5,1,1\n", "row 1"),
        ("query,video,start_s,end_s,grade\na,t.mp4,inf,1,1\n", "row 1: start_s is inf"),
        ("query,video,start_s,end_s,grade\na,t.mp4,,1,1\n", "row 1: it has neither scene_id nor start_s"),
        ("query,scene_id,grade,judged_at\na,v_0_1,1,yesterday\n", "row 1"),
        ("query,query_id,scene_id,grade\na,q 1,v_0_1,1\n", "row 1: the query id"),
        ('query,scene_id,grade\n"a,v_0_1,1\n', "unexpected end"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, text: str, reason: str):
    with pytest.raises(FileUnreadable, match=reason):
        read_table_rows(csv_of(tmp_path, text))


def test_other_files_are_refused(tmp_path: Path):
    with pytest.raises(InvalidValue):
        read_table_rows(tmp_path / "rows.xlsx")
    with pytest.raises(FileUnreadable):
        read_table_rows(tmp_path / "none.csv")
    (tmp_path / "no.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(FileUnreadable):
        read_table_rows(tmp_path / "no.parquet")
    (tmp_path / "latin.csv").write_bytes("query,scene_id,grade\né,v,1\n".encode("latin-1"))
    with pytest.raises(FileUnreadable, match="UTF-8"):
        read_table_rows(tmp_path / "latin.csv")
    pq.write_table(pa.table({"query": ["a"], "grade": [None], "scene_id": [None]}), tmp_path / "null.parquet")
    assert [row.grade for row in read_table_rows(tmp_path / "null.parquet")] == [None]
