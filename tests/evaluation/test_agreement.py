"""Cohen's and Fleiss' kappa against worked examples of the literature."""

from __future__ import annotations

import pytest

from heimdex_core.evaluation.agreement import agreement, cohen_kappa, fleiss_kappa
from heimdex_core.types import SceneJudgement, utc_now


def judgement(judge: str, scene: int, grade: int, *, moved: bool = False, query: str = "a bird") -> SceneJudgement:
    found = None if moved else f"v_{scene}_{scene + 1}"
    return SceneJudgement(
        f"{judge}{scene}", "default", query, "v", scene, scene + 1, grade, judge, utc_now(), scene_id=found
    )


def test_cohen_on_two_readers_of_fifty_proposals():
    # https://en.wikipedia.org/wiki/Cohen%27s_kappa, first example: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no.
    # Observed 35/50 = .7; by chance 25/50 * 30/50 + 25/50 * 20/50 = .5; kappa = .2/.5.
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    assert cohen_kappa([a for a, _ in pairs], [b for _, b in pairs]) == pytest.approx(0.4)


def test_fleiss_on_fourteen_raters_of_ten_subjects():
    # https://en.wikipedia.org/wiki/Fleiss%27_kappa, worked example: how many of 14 raters chose each of 5 categories.
    counts = [
        (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
    ]  # fmt: skip
    items = [[category for category, n in enumerate(row) for _ in range(n)] for row in counts]
    assert fleiss_kappa(items) == pytest.approx(0.210, abs=5e-4)


def test_full_and_reversed_agreement():
    assert cohen_kappa([0, 3, 1], [0, 3, 1]) == pytest.approx(1.0)
    assert cohen_kappa([0, 3], [3, 0]) == pytest.approx(-1.0)


def test_kappa_is_not_defined_where_there_is_nothing_to_agree_by_chance():
    assert cohen_kappa([], []) is None
    assert cohen_kappa([2, 2], [2, 2]) is None
    assert fleiss_kappa([]) is None
    assert fleiss_kappa([[1, 1], [1, 1]]) is None


def test_only_scenes_that_both_have_judged_count():
    said = [judgement("ann", n, grade) for n, grade in enumerate((3, 0, 3, 0))]
    said += [judgement("ben", n, grade) for n, grade in enumerate((3, 0, 0, 0))]
    said += [judgement("ann", 9, 3), judgement("ben", 7, 1, moved=True), judgement("ann", 7, 2, moved=True)]
    found = agreement(said)
    # Of four scenes three agree; by chance 2/4 * 1/4 + 2/4 * 3/4 = .5; kappa = (.75 - .5) / .5.
    assert [(pair.judges, pair.items, pair.kappa) for pair in found.pairs] == [(("ann", "ben"), 4, pytest.approx(0.5))]
    assert [(one.scene_id, dict(one.grades)) for one in found.disagreements] == [("v_2_3", {"ann": 3, "ben": 0})]


def test_the_same_scene_for_two_queries_is_two_items():
    said = [
        judgement("ann", 1, 3),
        judgement("ben", 1, 3),
        judgement("ann", 1, 0, query="b"),
        judgement("ben", 1, 1, query="b"),
    ]
    assert agreement(said).pairs[0].items == 2


def test_one_judge_has_nobody_to_agree_with():
    found = agreement([judgement("ann", 1, 3)])
    assert (found.judges, found.pairs, found.fleiss, found.items) == (("ann",), (), None, 0)
