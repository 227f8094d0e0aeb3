"""A, then B: scenes after which, in the same video, a scene that fits another text begins within some seconds.

The score of a pair is the geometric mean of the two scores: both have to fit, and their scales are the same, since both
rankings are made by the same channels and weights. An arithmetic mean would rank a scene that fits A perfectly and is
followed by next to nothing as high as one where both fit by half.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace

from heimdex_core.errors import InvalidValue
from heimdex_core.search.fusion.base import Fused, FusedScene
from heimdex_core.search.fusion.parts import Part
from heimdex_core.types import Then, parse_scene_id

LONGEST_S = 24 * 3600.0
_ROUNDING_MS = 2
"""Scene ids carry milliseconds, and the end of a scene is the beginning of the next."""


def check(then: Then) -> None:
    """Raise InvalidValue for a time that is not from 0 to LONGEST_S seconds."""
    if not 0 <= then.within_s <= LONGEST_S:  # also refuses NaN
        reason = f"a number of seconds from 0 to {LONGEST_S:g} is needed"
        raise InvalidValue(name="within_s", value=then.within_s, reason=reason)


def follow(first: Fused, second: Fused, within_s: float) -> tuple[Fused, Mapping[str, str]]:
    """The scenes of `first` that a scene of `second` follows.

    Args:
        first: the ranking for A.
        second: the ranking for B, made with the same weights and fusion.
        within_s: from the end of A to the beginning of B, in seconds; B is another scene.

    Returns (the ranking, with scores of the pairs, and {scene of A: the best scene of B}).
    """
    by_video: dict[str, list[tuple[int, FusedScene]]] = {}
    for item in second.ranking:
        video_id, start_ms, _ = parse_scene_id(item.scene_id)
        by_video.setdefault(video_id, []).append((start_ms, item))
    for pairs in by_video.values():
        pairs.sort(key=lambda pair: pair[0])
    ranking: list[FusedScene] = []
    following: dict[str, str] = {}
    for item in first.ranking:
        video_id, _, end_ms = parse_scene_id(item.scene_id)
        best = _best_after(item.scene_id, end_ms, by_video.get(video_id, []), within_s)
        if best is not None:
            ranking.append(_scaled(item, math.sqrt(max(item.score, 0.0) * max(best.score, 0.0))))
            following[item.scene_id] = best.scene_id
    # `sorted` is stable: equal pairs keep the order of A
    ordered = sorted(ranking, key=lambda item: -item.score)
    return replace(first, ranking=tuple(ordered)), following


def _best_after(scene_id: str, end_ms: int, pairs: list[tuple[int, FusedScene]], within_s: float) -> FusedScene | None:
    """The best of the scenes that begin from `end_ms` to `within_s` later; the earliest of equal ones."""
    at = bisect_left(pairs, end_ms - _ROUNDING_MS, key=lambda pair: pair[0])
    best: FusedScene | None = None
    for start_ms, item in pairs[at:]:
        if start_ms > end_ms + within_s * 1000 + _ROUNDING_MS:
            break
        if item.scene_id != scene_id and (best is None or item.score > best.score):
            best = item
    return best


def _scaled(item: FusedScene, score: float) -> FusedScene:
    """The scene with another score, which its parts sum to."""
    factor = score / item.score if item.score > 0 else 0.0
    parts = {name: Part(part.normalised, part.contribution * factor) for name, part in item.parts.items()}
    return FusedScene(item.scene_id, score, parts)
