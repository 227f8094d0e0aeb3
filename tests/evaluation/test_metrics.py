"""The metrics against numbers worked out by hand."""

import math

import pytest

from heimdex_core.errors import UnknownName
from heimdex_core.evaluation.metrics import evaluate

QRELS = {"q1": {"a": 3, "b": 1, "n": 0}, "q2": {"c": 2}}


def test_metrics_by_hand():
    # q1: b first, n second, a third. DCG = 1/log2(2) + 0 + 3/log2(4) = 2.5; ideal = 3 + 1/log2(3).
    # q2: nothing relevant found.
    found = evaluate({"q1": [("b", 0.9), ("n", 0.5), ("a", 0.4)], "q2": [("x", 1.0)]}, QRELS)
    assert found.per_query["q1"] == pytest.approx(
        {
            "nDCG@10": 2.5 / (3 + 1 / math.log2(3)),
            "MRR": 1.0,
            "recall@10": 1.0,
            "precision@5": 2 / 5,
            "MAP": (1 + 2 / 3) / 2,
        }
    )
    assert found.per_query["q2"] == dict.fromkeys(("nDCG@10", "MRR", "recall@10", "precision@5", "MAP"), 0.0)
    assert found.mean["MRR"] == pytest.approx(0.5)
    assert found.weak == ("q2",)


def test_mrr_is_one_over_the_rank_of_the_first_relevant():
    found = evaluate({"q2": [("x", 3.0), ("y", 2.0), ("c", 1.0)]}, {"q2": {"c": 2}})
    assert found.mean["MRR"] == pytest.approx(1 / 3)


def test_the_given_order_counts_where_scores_are_equal():
    first = evaluate({"q2": [("c", 0.0), ("x", 0.0)]}, {"q2": {"c": 1}})
    last = evaluate({"q2": [("x", 0.0), ("c", 0.0)]}, {"q2": {"c": 1}})
    assert (first.mean["MRR"], last.mean["MRR"]) == (1.0, 0.5)


def test_a_query_without_hits_counts_with_zero():
    found = evaluate({"q1": [("a", 1.0)]}, QRELS)
    assert found.per_query["q2"]["nDCG@10"] == 0.0
    assert evaluate({}, QRELS).mean["nDCG@10"] == 0.0


def test_a_query_without_a_relevant_judgement_is_left_out_and_listed():
    found = evaluate({"q1": [("a", 1.0)], "q3": [("a", 1.0)]}, {"q1": {"a": 1}, "q3": {"a": 0}})
    assert set(found.per_query) == {"q1"}
    assert found.unjudged == ("q3",)
    assert found.mean["MRR"] == 1.0


def test_other_metrics_by_name():
    found = evaluate({"q1": [("a", 1.0)]}, {"q1": {"a": 1}}, ("P@1", "R@100"))
    assert found.mean == {"P@1": 1.0, "R@100": 1.0}
    with pytest.raises(UnknownName):
        evaluate({}, QRELS, ("loudness@3",))


def test_as_a_table():
    table = evaluate({"q1": [("a", 1.0)]}, QRELS).to_pandas()
    assert list(table.index) == ["q1", "q2", "mean"]
    assert table.loc["mean", "MRR"] == 0.5
    assert len(evaluate({}, {}).to_pandas()) == 0


def test_grades_of_several_judges_are_averaged_and_relevant_from_one():
    # Judges: a 3 and 2, b 1 and 0, c 1 and 1. b, with 0.5, is not relevant, but counts in nDCG.
    found = evaluate({"q": [("b", 3.0), ("c", 2.0), ("a", 1.0)]}, {"q": {"a": 2.5, "b": 0.5, "c": 1.0}})
    # DCG = .5 + 1/log2(3) + 2.5/2; ideal = 2.5 + 1/log2(3) + .5/2
    assert found.per_query["q"]["nDCG@10"] == pytest.approx((1.75 + 1 / math.log2(3)) / (2.75 + 1 / math.log2(3)))
    assert found.per_query["q"]["MRR"] == pytest.approx(1 / 2)
    assert found.per_query["q"]["precision@5"] == pytest.approx(2 / 5)
    assert found.per_query["q"]["MAP"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_level_of_relevance_can_be_asked_for():
    found = evaluate({"q": [("b", 2.0), ("a", 1.0)]}, {"q": {"a": 2, "b": 1}}, ("P(rel=2)@2", "RR(rel=2)"))
    assert found.mean == pytest.approx({"P(rel=2)@2": 1 / 2, "RR(rel=2)": 1 / 2})


def test_unjudged_scenes_are_counted_down_to_the_cutoff():
    ranking = [(f"s{n}", -float(n)) for n in range(12)]
    grades = {"s0": 1, "s2": 0, "s11": 3}
    share = evaluate({"q": ranking}, {"q": grades}).unjudged_share["q"]
    # of the first ten, s0 and s2 are judged; of the first five too
    assert share == pytest.approx(
        {"nDCG@10": 8 / 10, "MRR": 8 / 10, "recall@10": 8 / 10, "precision@5": 3 / 5, "MAP": 8 / 10}
    )
    short = evaluate({"q": ranking[:2]}, {"q": grades}).unjudged_share["q"]
    assert short["nDCG@10"] == 1 / 2
    assert evaluate({}, {"q": grades}).unjudged_share["q"]["nDCG@10"] == 0.0
