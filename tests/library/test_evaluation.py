"""Judgements, runs, sweeps and defaults of a library, from end to end on made-up scenes found by their words."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import (
    Cancelled,
    FileUnreadable,
    InvalidValue,
    InvalidWeights,
    NoJudgements,
    SceneNotFound,
    TooFewQueries,
    UnknownName,
)
from heimdex_core.library import Library
from heimdex_core.library.running import EvaluationSearch
from heimdex_core.models.profiles import profile_choice
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.store.judgements import NewJudgement
from heimdex_core.types import Filters, RunSettings, SetQuery, VideoState, make_scene_id, parse_scene_id
from tests.store import making

WORDS: dict[str, Any] = {"weight_transcript": 0.0, "weight_vision": 0.0, "weight_lexical": 1.0}
"""Scenes are found by their words, so no model is loaded."""
TEXTS = ("harbour harbour boat", "harbour crane", "bakery bread", "boat race")
QUERIES = [f"{word} {number}" for number in range(12) for word in ("harbour", "boat")]
"""24 queries; 6 of them are held out."""


def open_library(path: Path, **settings: Any) -> Library:
    models = profile_choice("offline").to_dict()
    Store.create(path, profile="offline", models=models, spaces=making.SPACES).close()
    return Library.open(path, settings=Settings(**{**WORDS, **settings}), create=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of four scenes, to be copied."""
    path = tmp_path_factory.mktemp("made") / "library"
    with open_library(path) as opened:
        making.add(opened._store, "port", TEXTS)
    return path


@pytest.fixture
def lib(made: Path, tmp_path: Path) -> Iterator[Library]:
    shutil.copytree(made, tmp_path / "library")
    with Library.open(tmp_path / "library", settings=Settings(**WORDS), create=False) as opened:
        yield opened


def scene_ids(lib: Library) -> list[str]:
    (video,) = lib.searchable_videos()
    return [scene.scene_id for scene in lib.scenes(video.video_id)]


def judge_all(lib: Library, query_set: str = "default") -> None:
    """Grades for QUERIES: the harbour with a boat is best for both words."""
    first, second, _, fourth = (parse_scene_id(scene_id) for scene_id in scene_ids(lib))
    new = []
    for text in QUERIES:
        is_boat = text.startswith("boat")
        graded = ((first, 3), (fourth if is_boat else second, 2), (second if is_boat else fourth, 0))
        new += [NewJudgement(text, *scene, grade, "local") for scene, grade in graded]
    lib._store.judgements.save("local", query_set, new)


# --- judgements -----------------------------------------------------------------------------------


def test_a_judgement_says_who_when_and_why(lib: Library):
    first, *_ = scene_ids(lib)
    made = lib.judge("  a   boat", first, 2, reason="small", judge="mina")
    assert (made.query, made.scene_id, made.grade, made.judge, made.reason) == ("a boat", first, 2, "mina", "small")
    assert made.judged_at.tzinfo is not None
    assert lib.evaluation.judgements() == [made]
    assert lib.evaluation.judgements(judge="local") == []
    (kept,) = lib.evaluation.query_sets()
    assert (kept.name, [query.text for query in kept.queries], kept.judgement_count) == ("default", ["a boat"], 1)
    assert lib.sql("select query_set, judge, grade, reason from judgements").to_dict("records") == [
        {"query_set": "default", "judge": "mina", "grade": 2, "reason": "small"}
    ]


def test_the_last_word_of_a_judge_counts(lib: Library):
    first, second, *_ = scene_ids(lib)
    for grade in (1, 3):
        lib.judge("boat", first, grade)
    lib.judge("boat", second, 0)
    lib.judge("boat", first, 2, judge="mina")
    lib.judge("other", first, 1)
    assert lib.evaluation.grades("boat") == {first: 3, second: 0}
    assert lib.evaluation.grades(" boat ", judge="mina") == {first: 2}
    (mine,) = lib.evaluation.judgements(query="boat", judge="mina")
    lib.evaluation.forget(mine.judgement_id)
    assert lib.evaluation.grades("boat", judge="mina") == {}
    assert len(lib.evaluation.judgements()) == 3


def test_grades_are_averaged_over_judges(lib: Library):
    first, second, *_ = scene_ids(lib)
    lib.judge("harbour", first, 3)
    lib.judge("harbour", second, 1)
    lib.judge("harbour", second, 0, judge="mina")
    run = lib.evaluate()
    # The words rank the first scene first. The second has 0.5, which is not relevant.
    assert run.measures["recall@10"].mean == 1.0
    assert run.per_query[run.queries[0].query_id]["precision@5"] == 1 / 5
    found = lib.evaluation.agreement()
    assert (found.judges, found.pairs[0].items, len(found.disagreements)) == (("local", "mina"), 1, 1)


def test_two_judges_at_once(lib: Library):
    scenes = scene_ids(lib)

    def work(judge: str) -> None:
        with Library.open(lib.path, settings=lib.settings, create=False) as own:
            for number, scene_id in enumerate(scenes):
                own.judge(f"query {number}", scene_id, 3 if judge == "ann" else 1, judge=judge)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, ("ann", "ben")))
    assert len(lib.evaluation.judgements()) == 8
    assert sorted(query.text for query in lib.evaluation.query_set("default").queries) == [
        f"query {number}" for number in range(4)
    ]
    assert lib.evaluation.grades("query 2", judge="ann") == {scenes[2]: 3}


@pytest.mark.parametrize(
    ("text", "grade", "more"),
    [("", 1, {}), ("x" * 1001, 1, {}), ("a", 4, {}), ("a", -1, {}), ("a", 1, {"query_set": " "}),
     ("a", 1, {"query_set": "sample"}), ("a", 1, {"judge": "x" * 101}), ("a", 1, {"judge": "a\nb\0"})],
)  # fmt: skip
def test_bad_judgements_are_refused(lib: Library, text: str, grade: int, more: dict[str, Any]):
    with pytest.raises(InvalidValue):
        lib.judge(text, scene_ids(lib)[0], grade, **more)
    assert lib.evaluation.judgements() == []


def test_a_scene_that_is_gone_cannot_be_judged(lib: Library):
    first, *_ = scene_ids(lib)
    lib.judge("boat", first, 3)
    (video,) = lib.searchable_videos()
    lib.delete(video.video_id)
    with pytest.raises(SceneNotFound):
        lib.judge("boat", first, 3)
    assert [one.is_moved for one in lib.evaluation.judgements()] == [True]
    assert lib.evaluation.grades("boat") == {}
    lib.restore(video.video_id)
    assert lib.evaluation.grades("boat") == {first: 3}


def test_after_a_reindex_judgements_are_found_by_overlap_or_said_to_have_moved(lib: Library):
    first, *_, last = scene_ids(lib)  # [0, 2) and [6, 8)
    lib.judge("boat", first, 3)
    lib.judge("boat", last, 2)
    (video,) = lib.videos()
    making.commit(lib._store, lib._store.set_state(video.video_id, VideoState.PROCESSING), TEXTS, length_s=3.0)
    kept, moved = lib.evaluation.judgements()
    # [0, 2) and [0, 3): 2/3. [6, 8) has 2/3 of [6, 9) as well.
    assert kept.scene_id == make_scene_id(video.video_id, 0.0, 3.0)
    assert moved.scene_id == make_scene_id(video.video_id, 6.0, 9.0)
    making.commit(lib._store, lib._store.set_state(video.video_id, VideoState.PROCESSING), TEXTS[:2], length_s=7.0)
    # [0, 2) has 2/7 of [0, 7), [6, 8) has 1/14 of [7, 14).
    assert [one.is_moved for one in lib.evaluation.judgements()] == [True, True]
    unscored = lib.evaluate("default")
    assert (unscored.moved, unscored.measures, len(unscored.unscored)) == (2, {}, 1)
    new = make_scene_id(video.video_id, 0.0, 7.0)
    lib.judge("boat", new, 1)
    run = lib.evaluate("default")
    assert (run.moved, run.measures["MRR"].mean) == (2, 1.0)


def test_a_lost_catalog_is_rebuilt_with_judgements_runs_and_sweeps(lib: Library):
    judge_all(lib)
    lib.evaluation.save_query_set("default", guidelines="3 exactly")
    run = lib.evaluate(name="kept")
    lib.evaluation.make_default({"fusion": "rrf"}, scope="library")
    before = lib.evaluation.judgements()
    lib.close()
    lib._store.paths.catalog.unlink()
    report = Library.repair(lib.path)
    assert report["restored"]["judgements"]["rows"] == len(before) == 72
    with Library.open(lib.path, settings=lib.settings, create=False) as again:
        assert again.evaluation.judgements() == before
        assert again.evaluation.query_set("default").guidelines == "3 exactly"
        assert again.evaluation.run("kept").measures == run.measures
        assert again.evaluation.defaults().fusion == "rrf"


# --- query sets -----------------------------------------------------------------------------------


def test_query_sets(lib: Library):
    made = lib.evaluation.save_query_set("nature", ["a bird", SetQuery("밤 하늘", "k1", "ko", "seen")])
    assert [(query.text, query.language) for query in made.queries] == [("a bird", ""), ("밤 하늘", "ko")]
    assert made.queries[1].query_id == "k1"
    assert made.queries[0].query_id == SetQuery(" a  bird").query_id
    changed = lib.evaluation.save_query_set("nature", guidelines="3: clear to see")
    assert (changed.queries, changed.guidelines) == (made.queries, "3: clear to see")
    lib.judge("a sea", scene_ids(lib)[0], 1, query_set="nature")
    assert [query.text for query in lib.evaluation.query_set("nature").queries] == ["a bird", "밤 하늘", "a sea"]
    lib.evaluation.delete_query_set("nature")
    assert (lib.evaluation.query_sets(), lib.evaluation.judgements()) == ([], [])
    with pytest.raises(UnknownName):
        lib.evaluation.query_set("nature")


def test_a_renamed_set_keeps_its_judgements_runs_and_sweeps(lib: Library):
    judge_all(lib, "nature")
    run = lib.evaluate("nature")
    sweep = lib.evaluation.sweep("nature", weights=[{"lexical": 1.0}])
    made = lib.evaluation.rename_query_set("nature", " birds ")
    assert (made.name, made.judgement_count, len(made.queries)) == ("birds", 72, 24)
    assert lib.evaluation.runs("birds")[0].measures == run.measures
    assert lib.evaluation.get_sweep(sweep.sweep_id).query_set == "birds"
    lib.evaluation.save_query_set("other")
    for name, new, error in (
        ("none", "new", UnknownName),
        ("birds", "other", InvalidValue),
        ("birds", "sample", InvalidValue),
    ):
        with pytest.raises(error):
            lib.evaluation.rename_query_set(name, new)


@pytest.mark.parametrize(
    "queries", [[""], ["x" * 1001], [7], [SetQuery("a", "x"), SetQuery("b", "x")], [SetQuery("a", "x y")]]
)
def test_bad_query_sets_are_refused(lib: Library, queries: list[Any]):
    with pytest.raises(InvalidValue):
        lib.evaluation.save_query_set("nature", queries)
    assert lib.evaluation.query_sets() == []


# --- runs -----------------------------------------------------------------------------------------


def test_a_run_is_kept_with_all_that_made_it(lib: Library):
    judge_all(lib)
    made = lib.evaluate(weights={"lexical": 0.5}, fusion="rrf", filters=Filters(title="port"), name="words only")
    assert made.settings == RunSettings({"lexical": 0.5}, "rrf", filters=("title=port",))
    assert made.provenance is not None
    assert made.provenance.models["name"] == "offline"
    assert (made.provenance.scenes, made.provenance.model_set) == (4, 1)
    assert made.measures["MRR"].mean == 1.0
    # "harbour": the scenes of grade 3 and 2, in this order. "boat": the shorter text, of grade 2, comes first.
    ideal = 3 + 2 / math.log2(3)
    mean = (1 + (2 + 3 / math.log2(3)) / ideal) / 2
    assert made.measures["nDCG@10"].mean == pytest.approx(mean)
    assert made.measures["nDCG@10"].unjudged == 0.0
    with Library.open(lib.path, settings=lib.settings, create=False) as other:
        assert other.evaluation.run("words only") == made
        assert other.evaluation.run(made.run_id) == made
        assert [run.name for run in other.evaluation.runs("default")] == ["words only"]
    again = lib.evaluation.rerun("words only", name="again")
    assert (again.settings, again.rankings, again.measures) == (made.settings, made.rankings, made.measures)
    lib.evaluation.delete_run("words only")
    with pytest.raises(UnknownName):
        lib.evaluation.run("words only")


def test_runs_are_scored_by_the_judgements_of_today(lib: Library):
    first, second, *_ = scene_ids(lib)
    lib.judge("harbour", second, 3)
    run = lib.evaluate(name="one")
    assert run.measures["MRR"].mean == 1 / 2
    assert run.measures["MRR"].unjudged == 1 / 2
    lib.judge("harbour", first, 1)
    assert lib.evaluation.run("one").measures["MRR"].mean == 1.0
    assert lib.evaluation.run("one").measures["MRR"].unjudged == 0.0


def test_without_a_name_runs_are_numbered(lib: Library):
    judge_all(lib)
    assert [lib.evaluate().name, lib.evaluate().name] == ["run 1", "run 2"]


def test_a_library_without_judgements_says_so(lib: Library):
    for query_set in (None, "default", "sample"):
        with pytest.raises((NoJudgements, UnknownName)):
            lib.evaluate(query_set)
    lib.judge("harbour", scene_ids(lib)[0], 0)
    with pytest.raises(NoJudgements, match="None of the 1 queries"):
        lib.evaluate()
    assert lib.evaluation.runs() == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"weights": {"lexical": 0}}, InvalidWeights),
        ({"weights": {"lexical": float("nan")}}, (InvalidWeights, InvalidValue)),
        ({"weights": {"lexical": -1}}, InvalidWeights),
        ({"weights": {"smell": 1}}, UnknownName),
        ({"fusion": "best"}, UnknownName),
        ({"spaces": ["text/none"]}, UnknownName),
        ({"name": "x" * 101}, InvalidValue),
    ],
)
def test_bad_settings_are_refused_before_anything_is_searched(lib: Library, given: dict[str, Any], error: type):
    judge_all(lib)
    with pytest.raises(error):
        lib.evaluate(**given)
    assert lib.evaluation.runs() == []


def test_two_runs_are_compared_query_by_query(lib: Library):
    judge_all(lib)
    lib.evaluate(name="all")
    # Without the first scene, which is 2 s long like all, nothing relevant but the second or fourth is left.
    (video,) = lib.videos()
    making.add(lib._store, "pier", ["harbour harbour boat boat"])
    lib.evaluate(name="with pier")
    pair = lib.evaluation.compare("all", "with pier")
    found = pair.measures["MRR"]
    assert (found.first, found.wins) == (1.0, 0)
    assert found.delta == pytest.approx(found.second - found.first)
    assert found.wins + found.losses + found.ties == 24
    assert found.p <= found.p_corrected <= 1.0
    assert [row.delta for row in pair.queries["MRR"]] == sorted(
        (row.delta for row in pair.queries["MRR"]), reverse=True
    )
    same = lib.evaluation.compare("all", lib.evaluation.run("all")).measures["nDCG@10"]
    assert (same.delta, same.p, same.p_t, same.p_corrected, same.ties) == (0.0, 1.0, 1.0, 1.0, 24)
    lib.judge("bread", scene_ids_of(lib, video.video_id)[2], 3, query_set="other")
    lib.evaluate("other", name="of another set")
    with pytest.raises(InvalidValue, match="in common"):
        lib.evaluation.compare("all", "of another set")


def scene_ids_of(lib: Library, video_id: str) -> list[str]:
    return [scene.scene_id for scene in lib.scenes(video_id)]


def test_the_pool_has_what_runs_found_and_not_which(lib: Library):
    lib.evaluation.save_query_set("nature", ["harbour", "bread"])
    first, second, third, _ = scene_ids(lib)
    # a set that nobody has judged yet can be run, so that there is something to judge
    assert lib.evaluate("nature", name="words").measures == {}
    lib.judge("harbour", first, 3, query_set="nature")
    assert lib.evaluation.run("words").measures["MRR"].mean == 1.0
    found = lib.evaluation.pool("nature")
    assert {(item.query, item.scene_id, item.grade) for item in found} == {
        ("harbour", first, 3),
        ("harbour", second, None),
        ("bread", third, None),
    }
    assert [item.query for item in lib.evaluation.pool("nature", runs=["words"], depth=1)] == ["harbour", "bread"]
    with pytest.raises(UnknownName):
        lib.evaluation.pool("nature", runs=["none"])
    with pytest.raises(InvalidValue):
        lib.evaluation.pool("nature", depth=0)


def test_the_reports_need_no_network_and_show_what_was_typed(lib: Library):
    judge_all(lib)
    lib.judge("<script>alert(1)</script> | harbour", scene_ids(lib)[0], 3, judge="mina")
    lib.evaluate(name="base")
    lib.evaluate(name="<b>rrf</b>", fusion="rrf")
    page, text = lib.evaluation.report(), lib.evaluation.report(format="md")
    assert "<script" not in page
    assert "&lt;b&gt;rrf&lt;/b&gt;" in page
    assert not any(word in page for word in ("http:", "https:", "src=", "href=", "@import", "url("))
    assert "| Measure | base | &lt;b>rrf&lt;/b> |" in text
    assert "Agreement of the judges" in text


# --- files ----------------------------------------------------------------------------------------


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


# --- sweeps ---------------------------------------------------------------------------------------


def fake_ranking(calls: list[tuple[str, float]], scenes: list[str]):
    """Rankings in which temperature 1 puts the best scene first, temperature 2 last, all others second."""

    def ranking(self: EvaluationSearch, text: str, settings: RunSettings, depth: int | None = None):
        kind = settings.temperature or 0.0
        calls.append((text, kind))
        first, *rest = scenes
        ordered = {1.0: [first, *rest], 2.0: [*rest, first]}.get(kind, [rest[1], first, rest[0], rest[2]])
        return tuple((scene_id, -float(rank)) for rank, scene_id in enumerate(ordered))

    return ranking


def test_a_sweep_finds_the_better_setting(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking(calls, scene_ids(lib)))
    seen: list[tuple[int, int]] = []
    sweep = lib.evaluation.sweep(
        weights=[{"lexical": 1.0}],
        temperatures=[3.0, 1.0],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (sweep.state, sweep.done, sweep.total) == ("done", 24, 24)
    assert seen == [(number + 1, 24) for number in range(24)]
    assert len(calls) == 24 * 3
    outcome = sweep.outcome
    assert outcome is not None
    assert (outcome.winner.settings.temperature, outcome.verdict) == (1.0, "better")
    assert outcome.held_out_winner.mean > 0.8
    assert outcome.delta > 0
    assert set(sweep.tuning).isdisjoint(sweep.held_out)
    again = lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[3.0, 1.0])
    assert (again.scores, again.outcome) == (sweep.scores, sweep.outcome)
    assert [one.name for one in lib.evaluation.sweeps()] == ["sweep 2", "sweep 1"]


def test_thirty_equal_settings_make_no_difference(lib: Library):
    judge_all(lib)
    equal = [{"lexical": (number + 1) / 30} for number in range(30)]
    sweep = lib.evaluation.sweep(weights=equal)
    assert sweep.outcome is not None
    assert len(sweep.settings) == 31
    assert (sweep.outcome.winner.number, sweep.outcome.verdict, sweep.outcome.delta) == (0, "no difference", 0.0)
    assert (sweep.outcome.p_corrected, sweep.outcome.chance_gain) == (1.0, 0.0)


def test_an_interrupted_sweep_goes_on_with_the_queries_that_are_left(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking(calls, scene_ids(lib)))
    whole = lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0, 2.0], name="whole")
    calls.clear()

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0, 2.0], name="part", progress=stop)
    part = lib.evaluation.sweeps()[0]
    assert (part.name, part.state, part.done, part.outcome) == ("part", "cancelled", 7, None)
    calls.clear()
    resumed = lib.evaluation.resume_sweep(part.sweep_id)
    assert len({text for text, _ in calls}) == 17
    assert (resumed.scores, resumed.outcome) == (whole.scores, whole.outcome)
    # judgements that came meanwhile do not change what a sweep has measured
    lib.judge(QUERIES[0], scene_ids(lib)[0], 0)
    assert lib.evaluation.get_sweep(part.sweep_id).scores == whole.scores


def test_a_sweep_can_be_cancelled_from_elsewhere(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking([], scene_ids(lib)))

    def cancel(done: int, total: int) -> None:
        if done == 3:
            lib.evaluation.cancel_sweep(lib.evaluation.sweeps()[0].sweep_id)

    with pytest.raises(Cancelled):
        lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0], progress=cancel)
    (sweep,) = lib.evaluation.sweeps()
    assert (sweep.state, sweep.done) == ("cancelled", 3)
    lib.evaluation.delete_sweep(sweep.sweep_id)
    assert lib.evaluation.sweeps() == []
    with pytest.raises(UnknownName):
        lib.evaluation.resume_sweep(sweep.sweep_id)


def test_where_videos_changed_a_sweep_begins_anew(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(EvaluationSearch, "ranking", fake_ranking(calls, scene_ids(lib)))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lib.evaluation.sweep(weights=[{"lexical": 1.0}], temperatures=[1.0], progress=stop)
    making.add(lib._store, "pier", ["sea"])
    calls.clear()
    lib.evaluation.resume_sweep(lib.evaluation.sweeps()[0].sweep_id)
    assert len({text for text, _ in calls}) == 24


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"weights": [{"lexical": 0}]}, InvalidWeights),
        ({"fusions": ["best"]}, UnknownName),
        ({"measure": "loudness@3"}, UnknownName),
        ({"budget": 0}, InvalidValue),
        ({"query_set": "none"}, UnknownName),
        ({"spaces": [["text/none"]]}, UnknownName),
    ],
)
def test_a_bad_sweep_is_refused_before_it_begins(lib: Library, given: dict[str, Any], error: type):
    judge_all(lib)
    with pytest.raises(error):
        lib.evaluation.sweep(**given)
    assert lib.evaluation.sweeps() == []


def test_a_sweep_needs_queries_on_both_sides(lib: Library):
    lib.judge("harbour", scene_ids(lib)[0], 3)
    with pytest.raises(TooFewQueries):
        lib.evaluation.sweep()
    assert lib.evaluation.sweeps() == []


# --- defaults -------------------------------------------------------------------------------------


def test_mine_come_before_the_librarys_and_those_before_the_environments(lib: Library):
    evaluation = lib.evaluation
    assert (evaluation.defaults().source, evaluation.defaults().weights["lexical"]) == ("settings", 1.0)
    evaluation.make_default({"weights": {"lexical": 0.5}, "fusion": "rrf"}, scope="library")
    assert (evaluation.defaults().source, evaluation.defaults().fusion) == ("library", "rrf")
    assert lib.search("harbour").fusion == "rrf"
    other = lib.as_user("mina")
    assert other.evaluation.defaults().fusion == "rrf"
    other.evaluation.make_default(RunSettings({"lexical": 0.25}, "zscore"))
    assert (other.evaluation.defaults().source, other.evaluation.defaults().fusion) == ("me", "zscore")
    assert evaluation.defaults().fusion == "rrf"
    assert other.evaluation.undo_default().source == "library"
    assert evaluation.undo_default(scope="library").source == "settings"
    for scope in ("me", "library"):
        with pytest.raises(InvalidValue, match="no default was set"):
            evaluation.undo_default(scope=scope)


def test_undo_goes_back_step_by_step(lib: Library):
    lib.set_preference("weights", {"lexical": 0.1})
    for weight in (0.2, 0.3):
        lib.evaluation.make_default({"weights": {"lexical": weight}})
    assert lib.evaluation.undo_default().weights == {"lexical": 0.2}
    assert lib.evaluation.defaults().can_undo_me
    assert lib.evaluation.undo_default().weights == {"lexical": 0.1}
    assert not lib.evaluation.defaults().can_undo_me


def test_a_run_and_the_winner_of_a_sweep_can_become_the_default(lib: Library):
    judge_all(lib)
    run = lib.evaluate(weights={"lexical": 0.7}, fusion="rrf")
    assert lib.evaluation.make_default(run).weights == {"lexical": 0.7}
    assert lib.search("harbour").fusion == "rrf"
    sweep = lib.evaluation.sweep(weights=[{"lexical": 0.4}], fusions=["zscore"])
    assert sweep.settings[0].weights == {"lexical": 0.7}
    assert lib.evaluation.make_default(sweep.scores[1]).fusion == "zscore"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, InvalidValue),
        ({"weights": {"lexical": 0}}, InvalidWeights),
        ({"weights": {"smell": 1}}, UnknownName),
        ({"fusion": "best"}, UnknownName),
        ({"colour": "red"}, InvalidValue),
        (7, InvalidValue),
    ],
)
def test_bad_defaults_are_refused(lib: Library, settings: Any, error: type):
    with pytest.raises(error):
        lib.evaluation.make_default(settings)
    assert lib.evaluation.defaults().source == "settings"
