"""What the evaluation page shows of runs, comparisons, sweeps and files, without a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from heimdex_core.types import (
    EvaluationRun,
    MeasureDelta,
    MeasureSummary,
    QueryDelta,
    RunComparison,
    RunSettings,
    SceneJudgement,
    SetQuery,
    Sweep,
    SweepOutcome,
    SweepScore,
)
from ui.evaluation.runs import run_name
from ui.views import evaluation as views
from ui.views import files, sweeps

WHEN = datetime(2026, 11, 26, tzinfo=UTC)
BALANCED = {"transcript": 0.45, "vision": 0.35, "lexical": 0.2}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a page no language is chosen."""
    monkeypatch.setattr("ui.state.language", lambda: "en")


def summary(mean: float, *, unjudged: float = 0.0) -> MeasureSummary:
    return MeasureSummary(mean, mean - 0.1, mean + 0.1, unjudged)


def run(name: str, ndcg: float, *, unjudged: float = 0.0) -> EvaluationRun:
    return EvaluationRun(
        run_id=f"id-{name}",
        name=name,
        query_set="default",
        created_at=WHEN,
        settings=RunSettings(BALANCED, "minmax"),
        provenance=None,
        queries=(SetQuery("red", "q1"), SetQuery("blue", "q2")),
        rankings={},
        measures={"nDCG@10": summary(ndcg, unjudged=unjudged)},
        per_query={"q1": {"nDCG@10": ndcg}},
        unjudged={},
        unscored=("q2",),
    )


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.064, "+0.064"), (-0.18, "−0.180"), (0.0, "0.000"), (-0.0002, "0.000"), (1.0, "+1.000")],
)
def test_a_difference_has_its_sign(value: float, shown: str) -> None:
    assert views.signed(value) == shown


def test_p_values_and_shares() -> None:
    assert [views.p_value(p) for p in (0.5, 0.0312, 0.001, 0.0004)] == ["0.500", "0.031", "0.001", "< 0.001"]
    # a share below one per cent is not none
    assert [views.percent(share) for share in (0.0, 0.004, 0.123, 1.0)] == ["0%", "under 1%", "12%", "100%"]


def test_an_interval_needs_both_ends() -> None:
    assert views.interval(0.8, 0.925) == "0.800 to 0.925"
    assert views.interval(-0.01, 0.14, is_signed=True) == "−0.010 to +0.140"
    assert views.interval(None, 0.9) == ""


def test_settings_in_one_line() -> None:
    assert views.settings_text(RunSettings(BALANCED, "minmax")) == "said 45 · seen 35 · keywords 20 · by score"
    seen = {"transcript": 0.0, "vision": 2.0, "lexical": 0.0}
    other = RunSettings(seen, "rrf", ("vision/clip",), 0.05, ("lang=ko",))
    assert views.settings_text(other) == "seen 100 · by rank · keyframe temperature 0.05 · clip · filtered"


# --- runs -----------------------------------------------------------------------------------------


def test_the_table_marks_the_best_and_what_is_hardly_judged() -> None:
    table = views.runs_table([run("b", 0.8, unjudged=0.4), run("a", 0.7)], "id-a", "id-b")
    cells = [row["measures"]["nDCG@10"] for row in table["rows"]]
    assert [(cell["mean"], cell["interval"], cell["unjudged"]) for cell in cells] == [
        ("0.800", "0.700 to 0.900", "40% unjudged"),
        ("0.700", "0.600 to 0.800", "0% unjudged"),
    ]
    assert [(cell["best"], cell["warn"]) for cell in cells] == [(True, True), (False, False)]
    assert [row["side"] for row in table["rows"]] == ["b", "a"]
    # an imported run cannot be made again
    assert [action["name"] for action in table["rows"][0]["actions"]] == ["delete_run"]


def test_a_single_run_is_not_the_best() -> None:
    (row,) = views.runs_table([run("a", 0.7)], None, None)["rows"]
    assert row["measures"]["nDCG@10"]["best"] is False


def test_a_comparison_has_tests_and_a_bar_for_each_query() -> None:
    delta = MeasureDelta(0.5, 0.7, 0.2, 0.05, 0.35, 0.01, 0.02, 0.04, wins=2, losses=1, ties=0)
    queries = (QueryDelta("q1", "red", 0.2, 0.9, 0.7), QueryDelta("q2", "blue", 0.5, 0.4999, -0.0001))
    found = RunComparison(run("a", 0.5), run("b", 0.7), {"nDCG@10": delta}, {"nDCG@10": queries})
    shown = views.comparison(found, "nDCG@10", "q1")
    assert shown["text"] == "b (B) against a (A)"
    assert shown["summary"] == [
        {
            "label": "nDCG@10",
            "delta": "+0.200",
            "interval": "+0.050 to +0.350",
            "p": "0.040",
            "title": "Without correction for the number of measures: randomisation test 0.010, t test 0.020",
            "tone": "win",
        }
    ]
    assert [(row["text"], row["delta"], row["value"]) for row in shown["rows"]] == [
        ("red", 0.7, "+0.700"),
        ("blue", 0.0, "0.000"),
    ]
    # what chance explains is not coloured
    unsure = replace(found, measures={"nDCG@10": replace(delta, p_corrected=0.06)})
    assert views.comparison(unsure, "nDCG@10", None)["summary"][0]["tone"] == ""


def test_grades_of_several_judges_are_averaged() -> None:
    def judgement(scene_id: str | None, grade: int, judge: str) -> SceneJudgement:
        return SceneJudgement(
            f"{scene_id}{judge}", "default", "red", "v", 0, 1000, grade, judge, WHEN, scene_id=scene_id
        )

    judged = [
        judgement("v_0_1", 3, "ann"),
        judgement("v_0_1", 2, "ben"),
        judgement("v_1_2", 0, "ann"),
        judgement(None, 3, "ann"),
    ]
    assert views.mean_grades(judged) == {"v_0_1": 2.5, "v_1_2": 0.0}


def test_scenes_that_only_one_of_two_runs_has() -> None:
    assert views.only_here([["a", "b"], ["b", "c"]]) == [{"a"}, {"c"}]


def test_runs_are_named_by_what_they_are_made_with() -> None:
    assert run_name("now", "minmax", "mine", is_only=True, several_fusions=False) == "mine"
    assert run_name("only_vision", "rrf", "", is_only=False, several_fusions=False) == "only seen"
    assert run_name("balanced", "rrf", "new", is_only=False, several_fusions=True) == "new, balanced, rank"


# --- sweeps ---------------------------------------------------------------------------------------


def scored(number: int, weights: tuple[float, float, float], tuning: float, fusion: str = "minmax") -> SweepScore:
    names = ("transcript", "vision", "lexical")
    return SweepScore(number, RunSettings(dict(zip(names, weights, strict=True)), fusion), tuning)


SCORES = (
    scored(0, (0.45, 0.35, 0.2), 0.6),
    scored(1, (1.0, 0.0, 0.0), 0.5),
    scored(2, (0.0, 1.0, 0.0), 0.9),
    scored(3, (0.4, 0.4, 0.2), 0.7),
    scored(4, (0.5, 0.5, 0.0), 0.1, "rrf"),
    scored(5, (0.0, 0.0, 1.0), 1.0),
)


def sweep(scores: tuple[SweepScore, ...] = SCORES, outcome: SweepOutcome | None = None) -> Sweep:
    settings = tuple(one.settings for one in scores)
    split = (("q1", "q2"), ("q3",))
    return Sweep(
        "s1", "sweep 1", "default", "nDCG@10", "done", WHEN, settings, *split, 3, 3, scores=scores, outcome=outcome
    )


def test_the_place_of_weights_on_the_dial() -> None:
    assert sweeps.point_of(BALANCED) == (44, 20)  # 0.35 of 0.80, and 0.20 of 1
    assert sweeps.point_of({"transcript": 1.0, "vision": 1.0, "lexical": 2.0}) == (50, 50)
    assert sweeps.point_of({"lexical": 1.0}) is None
    assert sweeps.point_of({"transcript": 0.0}) is None


def test_the_heat_map_has_a_cell_for_each_setting_of_one_fusion() -> None:
    assert sweeps.planes(sweep()) == [("minmax", None, (), None)]  # one setting of rank fusion is no map
    found = sweeps.map_of(sweep(), ("minmax", None, (), None))
    # the baseline, at 44 and 20, is not a setting of the grid
    assert (found.columns, found.rows) == ((0, 50, 100), (0, 20))
    drawn = sweeps.heatmap(found, "nDCG@10", None)
    shares = [[cell and cell["share"] for cell in row] for row in drawn["cells"]]
    # 0.7 is half of the way from 0.5 to 0.9
    assert shares == [[0.0, None, 1.0], [None, 0.5, None]]
    assert (drawn["best"], drawn["selected"]) == ({"x": 2, "y": 0}, None)
    assert (drawn["low"], drawn["high"]) == ("0.500", "0.900")
    assert drawn["readout"] == "seen 100 · by score: 0.900"
    chosen = sweeps.heatmap(found, "nDCG@10", 3)
    assert chosen["selected"] == {"x": 1, "y": 1}
    assert chosen["readout"] == "said 40 · seen 40 · keywords 20 · by score: 0.700"


def test_a_cell_is_its_setting() -> None:
    found = sweeps.map_of(sweep(), ("minmax", None, (), None))
    numbers = [[(one := found.at(x, y)) and one.number for x in range(3)] for y in range(2)]
    assert numbers == [[1, None, 2], [None, 3, None]]
    assert found.at(9, 0) is None
    assert found.at(-1, 0) is None


def test_equal_settings_have_one_colour() -> None:
    same = tuple(replace(one, tuning=0.5) for one in SCORES[:4])
    drawn = sweeps.heatmap(sweeps.map_of(sweep(same), ("minmax", None, (), None)), "nDCG@10", None)
    assert {cell["share"] for row in drawn["cells"] for cell in row if cell} == {0.5}


OUTCOME = SweepOutcome(
    winner=SCORES[2],
    baseline=SCORES[0],
    tuning_gain=0.3,
    chance_gain=0.08,
    held_out_baseline=summary(0.55),
    held_out_winner=summary(0.75),
    delta=0.2,
    low=0.05,
    high=0.35,
    p=0.002,
    p_corrected=0.012,
    verdict="better",
)


def test_the_figures_are_those_of_the_held_out_queries() -> None:
    drawn = sweeps.figures(sweep(outcome=OUTCOME), [])
    assert [(card["value"], card["text"]) for card in drawn["cards"]] == [
        ("0.750", "setting of now: 0.550"),
        ("+0.200", "+0.050 to +0.350"),
        ("0.012", "uncorrected: 0.002"),
        ("0.900", "gain +0.300, by chance +0.080"),
        ("3", "2 tuning · 1 held out"),
    ]
    assert drawn["verdict"]["tone"] == "win"
    same = replace(OUTCOME, verdict="no difference", low=None)
    drawn = sweeps.figures(sweep(outcome=same), [])
    assert drawn["verdict"] == {
        "text": "No difference from the setting of now can be shown with these queries.",
        "tone": "",
    }
    assert drawn["cards"][1]["text"] == "too few queries for an interval"


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "content", "kind"),
    [
        (".txt", b"q1 0 v_0_1000 2\nq1 0 v_1_2 0\n", "qrels"),
        (".qrels", b"\xef\xbb\xbf\nq1\t0\tv_0_1000\t1\n", "qrels"),  # a byte order mark and an empty line before it
        (".txt", b"q1 Q0 v_0_1000 1 12.5 mine\n", "run"),
        (".txt", b"q1\ta red car on a bridge\n", "topics"),
        (".txt", b"q1 three more words\n", "topics"),
        (".txt", b"", "topics"),
        (".csv", b"q1 0 v_0_1000 2\n", "table"),
        (".parquet", b"PAR1", "table"),
    ],
)
def test_what_a_file_holds_is_told_by_its_first_line(suffix: str, content: bytes, kind: str) -> None:
    assert files.kind_of(suffix, content) == kind


def test_names_of_downloads() -> None:
    assert [files.safe_name(name) for name in ("a/b: c", "밤 산책", "..", "")] == [
        "ab c",
        "밤 산책",
        "queries",
        "queries",
    ]
