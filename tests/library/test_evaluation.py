"""Judgements, runs, sweeps and defaults of a library, from end to end on made-up scenes found by their words."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from heimdex_core.errors import (
    InvalidValue,
    InvalidWeights,
    NoJudgements,
    SceneNotFound,
    UnknownName,
)
from heimdex_core.library import Library
from heimdex_core.store.runs import RunRecords
from heimdex_core.types import Filters, RunSettings, SetQuery, VideoState, make_scene_id
from tests.library.evaluating import TEXTS, judge_all, lib, made, scene_ids
from tests.store import making

__all__ = ["lib", "made"]


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
    "queries",
    [
        [""],
        ["x" * 1001],
        [7],
        ["\ud800"],
        [SetQuery("a", "\ud800")],
        [SetQuery("a", "x"), SetQuery("b", "x")],
        [SetQuery("a", "x y")],
    ],
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


def test_a_page_of_runs_reads_the_rankings_of_no_others(lib: Library, monkeypatch: pytest.MonkeyPatch):
    judge_all(lib)
    made = [lib.evaluate(name=name) for name in ("first", "second", "third", "fourth")][::-1]
    read: list[str] = []
    rankings = RunRecords.rankings

    def reading(self: RunRecords, user_id: str, run_id: str) -> Any:
        read.append(run_id)
        return rankings(self, user_id, run_id)

    monkeypatch.setattr(RunRecords, "rankings", reading)
    with Library.open(lib.path, settings=lib.settings, create=False) as again:
        page = again.evaluation.runs(limit=2, after=(made[0].created_at, made[0].run_id))
        assert ([one.name for one in page], read) == (["third", "second"], [made[1].run_id, made[2].run_id])
        assert again.evaluation.runs("none", limit=2) == again.evaluation.runs(limit=0) == []
        assert again.evaluation.runs(after=(made[-1].created_at, made[-1].run_id)) == []
        assert again.evaluation.runs() == made


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
