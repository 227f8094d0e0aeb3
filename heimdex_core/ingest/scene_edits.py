"""Applying what people split and merged by hand to the scenes that were found.

Edits name boundaries by their time, so they are applied again to the scenes that other parameters or models give. A
boundary counts as the one that an edit means if it is at most `TOLERANCE_S` from it:

    split   a boundary is added, unless there is one already
    merge   the nearest boundary is removed; where there is none the edit is not applied, and the video has a note
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from heimdex_core.types import EditState, Interval, SceneEdit

TOLERANCE_S = 0.5
"""Other thresholds move a cut by a few frames; what moves further is another boundary."""
_SAME_S = 0.0005
"""Scenes carry milliseconds."""


@dataclass(frozen=True)
class SceneSpan:
    """[start_s, end_s); `divided` where it is a piece of a long take."""

    start_s: float
    end_s: float
    divided: bool = False

    @property
    def interval(self) -> Interval:
        return Interval(self.start_s, self.end_s)


def apply_edits(
    spans: Sequence[SceneSpan], edits: Sequence[SceneEdit], *, min_scene_s: float
) -> tuple[list[SceneSpan], dict[str, EditState]]:
    """The scenes after all edits in their order, and what became of each edit by its edit_id.

    Args:
        spans: the scenes of the whole video in order, without gaps.
        edits: oldest first.
        min_scene_s: a boundary that is nearer to a split than this counts as the split, and so does one within
            TOLERANCE_S: the smaller of the two limits decides.
    """
    scenes = list(spans)
    states: dict[str, EditState] = {}
    near_s = min(TOLERANCE_S, min_scene_s)
    for edit in edits:
        change = _split if edit.op == "split" else _merge
        states[edit.edit_id] = change(scenes, edit.at_s, near_s)
    return scenes, states


def _split(scenes: list[SceneSpan], at_s: float, near_s: float) -> EditState:
    if not scenes or not scenes[0].start_s < at_s < scenes[-1].end_s:
        return "not_applied"
    at_s = round(at_s, 3)
    n = bisect_left(scenes, at_s, key=lambda scene: scene.end_s)  # the scene that it is in, or ends at it
    scene = scenes[n]
    to_start_s, to_end_s = at_s - scene.start_s, scene.end_s - at_s
    if min(to_start_s, to_end_s) < near_s - _SAME_S:
        edge_is_inside = n > 0 if to_start_s <= to_end_s else n + 1 < len(scenes)
        return "not_needed" if edge_is_inside else "not_applied"
    scenes[n : n + 1] = [SceneSpan(scene.start_s, at_s, divided=True), SceneSpan(at_s, scene.end_s, divided=True)]
    return "applied"


def _merge(scenes: list[SceneSpan], at_s: float, near_s: float) -> EditState:
    boundaries = [scene.start_s for scene in scenes[1:]]
    if not boundaries:
        return "not_applied"
    n = min(range(len(boundaries)), key=lambda index: abs(boundaries[index] - at_s))
    if abs(boundaries[n] - at_s) > TOLERANCE_S:
        return "not_applied"
    before, after = scenes[n : n + 2]
    scenes[n : n + 2] = [SceneSpan(before.start_s, after.end_s, divided=before.divided and after.divided)]
    return "applied"
