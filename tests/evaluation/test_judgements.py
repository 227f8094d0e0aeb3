"""Judged queries: the file, and the scenes that judgements fall on."""

import json
import unicodedata

import pytest

from heimdex_core.errors import FileUnreadable, InvalidValue
from heimdex_core.evaluation.judgements import (
    JudgedQuery,
    Judgement,
    VideoScenes,
    overlaps,
    qrels_of,
    read_queries,
)
from heimdex_core.types import Interval, Scene, make_scene_id


def scene(start_s: float, end_s: float, video: str = "v") -> Scene:
    return Scene(make_scene_id(video, start_s, end_s), video, 0, start_s, end_s)


def judged(*relevant: tuple[str, float, float, int]) -> JudgedQuery:
    return JudgedQuery(
        "q",
        "text",
        "en",
        "",
        tuple(Judgement(name, Interval(start, end), grade) for name, start, end, grade in relevant),
    )


VIDEO = VideoScenes("A talk", "talk.mp4", (scene(0, 10), scene(10, 20), scene(20, 30)))


@pytest.mark.parametrize(
    ("start_s", "end_s", "together"),
    [
        (0, 10, True),
        (5, 15, True),  # 5 of 10 s
        (6, 16, False),  # 4 of 10 s
        (2, 3, True),  # inside the scene
        (0, 100, True),  # around the scene
        (10, 20, False),  # only touches
        (9, 9, False),  # nothing
    ],
)
def test_half_of_the_shorter_interval_must_be_shared(start_s, end_s, together):
    assert overlaps(Interval(0, 10), Interval(start_s, end_s)) is together


def test_intervals_become_scenes():
    query = judged(("talk.mp4", 1, 9, 2), ("A talk", 12, 30, 1))
    assert qrels_of([query], [VIDEO]) == {"q": {"v_0_10000": 2, "v_10000_20000": 1, "v_20000_30000": 1}}


def test_a_scene_of_two_judgements_has_the_higher_grade():
    query = judged(("talk.mp4", 0, 30, 1), ("talk.mp4", 10, 20, 3))
    assert qrels_of([query], [VIDEO])["q"] == {"v_0_10000": 1, "v_10000_20000": 3, "v_20000_30000": 1}


def test_a_judgement_without_a_scene_counts_as_not_found():
    query = judged(("talk.mp4", 50, 60, 2), ("elsewhere.mp4", 0, 5, 1), ("talk.mp4", 70, 80, 0))
    grades = qrels_of([query], [VIDEO])["q"]
    assert sorted(grades.values()) == [1, 2]
    assert all(name.startswith("missing:") for name in grades)


def test_names_are_compared_in_nfc_and_without_case():
    video = VideoScenes("t", unicodedata.normalize("NFD", "바다.mp4"), (scene(0, 10),))
    assert qrels_of([judged(("바다.MP4", 0, 10, 1))], [video]) == {"q": {"v_0_10000": 1}}


def test_a_file_is_read(tmp_path):
    path = tmp_path / "q.json"
    row = {"query": "바다", "relevant": [{"video": "talk.mp4", "start_s": 1, "end_s": 2.5, "grade": 3}]}
    path.write_text(json.dumps({"format": 1, "queries": [row, {**row, "query_id": "sea", "language": "ko"}]}))
    first, second = read_queries(path)
    assert (first.query_id, first.language, second.query_id, second.language) == ("q1", "en", "sea", "ko")
    assert second.relevant == (Judgement("talk.mp4", Interval(1, 2.5), 3),)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"queries": [{}]}', '{"queries": 3}', '{"queries": ["x"]}'])
def test_a_file_without_judged_queries_is_refused(tmp_path, text):
    path = tmp_path / "q.json"
    path.write_text(text)
    with pytest.raises(FileUnreadable):
        read_queries(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileUnreadable):
        read_queries(tmp_path / "none.json")


def test_grades_and_ids_are_checked(tmp_path):
    with pytest.raises(InvalidValue):
        Judgement("talk.mp4", Interval(0, 1), 4)
    row = {"query_id": "same", "query": "x", "relevant": []}
    path = tmp_path / "q.json"
    path.write_text(json.dumps({"queries": [row, row]}))
    with pytest.raises(InvalidValue):
        read_queries(path)
