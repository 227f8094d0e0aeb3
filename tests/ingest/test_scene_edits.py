"""Splits and merges by hand, applied to scenes that may have moved since."""

from __future__ import annotations

import pytest

from heimdex_core.ingest.scene_edits import SceneSpan, apply_edits
from heimdex_core.types import EditOp, EditState, SceneEdit, utc_now


def spans(*edges: float, divided: bool = False) -> list[SceneSpan]:
    return [SceneSpan(a, b, divided) for a, b in zip(edges, edges[1:], strict=False)]


def edges(scenes: list[SceneSpan]) -> list[float]:
    return [scenes[0].start_s, *(scene.end_s for scene in scenes)]


def edit(op: EditOp, at_s: float, edit_id: str = "0000000a") -> SceneEdit:
    return SceneEdit(edit_id, op, at_s, utc_now())


def applied(
    scenes: list[SceneSpan], *edits: SceneEdit, min_scene_s: float = 1.0
) -> tuple[list[float], list[EditState]]:
    found, states = apply_edits(scenes, edits, min_scene_s=min_scene_s)
    assert all(a.end_s == b.start_s for a, b in zip(found, found[1:], strict=False)), "no gaps"
    return edges(found), list(states.values())


@pytest.mark.parametrize(
    ("edits", "after", "states"),
    [
        ([edit("split", 4.0)], [0, 3, 4, 10, 12], ["applied"]),
        ([edit("merge", 3.0)], [0, 10, 12], ["applied"]),
        ([edit("split", 5.0, "a"), edit("split", 7.0, "b")], [0, 3, 5, 7, 10, 12], ["applied", "applied"]),
        ([edit("merge", 3.0, "a"), edit("merge", 10.0, "b")], [0, 12], ["applied", "applied"]),
        ([edit("split", 5.0, "a"), edit("merge", 5.0, "b")], [0, 3, 10, 12], ["applied", "applied"]),
        ([edit("merge", 3.0, "a"), edit("split", 3.0, "b")], [0, 3, 10, 12], ["applied", "applied"]),
        # a boundary already
        ([edit("split", 3.0)], [0, 3, 10, 12], ["not_needed"]),
        ([edit("split", 3.4)], [0, 3, 10, 12], ["not_needed"]),
        ([edit("split", 9.6)], [0, 3, 10, 12], ["not_needed"]),
        ([edit("split", 3.5)], [0, 3, 3.5, 10, 12], ["applied"]),
        # the ends of the video are no boundaries of two scenes
        ([edit("split", 0.3)], [0, 3, 10, 12], ["not_applied"]),
        ([edit("split", 11.8)], [0, 3, 10, 12], ["not_applied"]),
        ([edit("split", 12.0)], [0, 3, 10, 12], ["not_applied"]),
        ([edit("split", 99.0)], [0, 3, 10, 12], ["not_applied"]),
        # a boundary that has moved
        ([edit("merge", 3.5)], [0, 10, 12], ["applied"]),
        ([edit("merge", 3.6)], [0, 3, 10, 12], ["not_applied"]),
        ([edit("merge", 0.2)], [0, 3, 10, 12], ["not_applied"]),
    ],
)
def test_edits_in_their_order(edits: list[SceneEdit], after: list[float], states: list[EditState]) -> None:
    assert applied(spans(0, 3, 10, 12), *edits) == (after, states)


def test_short_scenes_can_be_split_where_they_are_allowed() -> None:
    """With scenes of 0.2 s allowed, a boundary 0.3 s away is not the one that is meant."""
    assert applied(spans(0, 3, 10), edit("split", 3.3), min_scene_s=0.2) == ([0, 3, 3.3, 10], ["applied"])


def test_of_two_boundaries_the_nearer_one_is_removed() -> None:
    assert applied(spans(0, 3, 3.6, 9), edit("merge", 3.4), min_scene_s=0.2) == ([0, 3, 9], ["applied"])


def test_one_scene_cannot_be_merged() -> None:
    assert applied(spans(0, 5), edit("merge", 2.5)) == ([0, 5], ["not_applied"])


def test_which_scenes_are_pieces_of_a_take() -> None:
    """What is split is a piece; what is merged is one where both were."""
    scenes = [*spans(0, 4), *spans(4, 6, 8, divided=True)]
    found, _ = apply_edits(scenes, [edit("split", 2.0, "a"), edit("merge", 4.0, "b")], min_scene_s=1.0)
    assert [(scene.start_s, scene.end_s, scene.divided) for scene in found] == [
        (0, 2, True),
        (2, 6, True),
        (6, 8, True),
    ]
    found, _ = apply_edits(scenes, [edit("merge", 4.0)], min_scene_s=1.0)
    assert [scene.divided for scene in found] == [False, True]
