"""A, then B: which scenes follow which, and how pairs are ranked."""

from __future__ import annotations

import math

import pytest

from heimdex_core.errors import InvalidValue
from heimdex_core.search import sequence
from heimdex_core.search.fusion.base import Fused, FusedScene
from heimdex_core.search.fusion.parts import Part
from heimdex_core.types import Scene, Then
from tests.search.fakes import scene

FIRST = [scene("v1", n) for n in range(6)]
SECOND = [scene("v2", n) for n in range(2)]


def ranked(*items: tuple[Scene, float]) -> Fused:
    ranking = tuple(
        FusedScene(one.scene_id, score, {"vision": Part(score, score / 4), "lexical": Part(score, score * 3 / 4)})
        for one, score in items
    )
    return Fused(ranking, {"vision": 0.25, "lexical": 0.75})


def test_pairs_are_ranked_by_their_geometric_mean() -> None:
    """Scenes are ten seconds long, one after another. (.9, .4) is .6, and (.5, 1) is .7071."""
    found, following = sequence.follow(
        ranked((FIRST[0], 0.9), (FIRST[3], 0.5)), ranked((FIRST[4], 1.0), (FIRST[1], 0.4)), within_s=5
    )
    assert [(item.scene_id, round(item.score, 4)) for item in found.ranking] == [
        (FIRST[3].scene_id, 0.7071),
        (FIRST[0].scene_id, 0.6),
    ]
    assert following == {FIRST[0].scene_id: FIRST[1].scene_id, FIRST[3].scene_id: FIRST[4].scene_id}
    assert found.ranking[1].parts["lexical"] == Part(0.9, pytest.approx(0.45))  # type: ignore[arg-type]
    assert sum(part.contribution for part in found.ranking[1].parts.values()) == pytest.approx(0.6)


@pytest.mark.parametrize(("within_s", "follows"), [(0.0, 1), (9.9, 1), (10.0, 2), (19.0, 2), (20.0, 3), (1000.0, 3)])
def test_only_what_begins_within_the_time_follows(within_s: float, follows: int) -> None:
    """The later ones fit better, and the earlier ones are nearer; the third is 20 s after the end of the first."""
    second = ranked((FIRST[3], 0.9), (FIRST[2], 0.6), (FIRST[1], 0.3))
    _, following = sequence.follow(ranked((FIRST[0], 1.0)), second, within_s)
    assert following == {FIRST[0].scene_id: FIRST[follows].scene_id}


def test_neither_the_scene_itself_nor_one_before_it_nor_one_of_another_video_follows() -> None:
    second = ranked((FIRST[2], 1.0), (FIRST[1], 1.0), (SECOND[1], 1.0))
    found, following = sequence.follow(ranked((FIRST[2], 1.0)), second, within_s=1000)
    assert (found.ranking, following) == ((), {})


def test_the_earliest_of_equal_ones_follows_and_equal_pairs_keep_their_order() -> None:
    second = ranked((FIRST[5], 0.5), (FIRST[4], 0.5), (SECOND[1], 0.5))
    found, following = sequence.follow(ranked((SECOND[0], 0.5), (FIRST[0], 0.5)), second, within_s=1000)
    assert [item.scene_id for item in found.ranking] == [SECOND[0].scene_id, FIRST[0].scene_id]
    assert following[FIRST[0].scene_id] == FIRST[4].scene_id


def test_pairs_without_a_score_are_kept() -> None:
    assert sequence.follow(ranked((FIRST[0], 0.0)), ranked((FIRST[1], 0.0)), 10)[0].ranking[0].score == 0.0


@pytest.mark.parametrize("within_s", [-1.0, math.nan, math.inf, 86_401.0])
def test_times_that_cannot_be_are_refused(within_s: float) -> None:
    with pytest.raises(InvalidValue):
        sequence.check(Then("the sea", within_s))
    sequence.check(Then("the sea", 0.0))
