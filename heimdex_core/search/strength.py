"""How close the hits of a search are, by all of its channels: the best that any of them says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from heimdex_core.search.channels.base import ChannelResult
from heimdex_core.types import Strength

if TYPE_CHECKING:
    from heimdex_core.store.view import View

_ORDER: tuple[Strength, ...] = ("weak", "fair", "strong")


def strengths(
    view: View,
    user_id: str,
    results: Mapping[str, ChannelResult],
    weights: Mapping[str, float],
    scene_ids: Sequence[str],
) -> dict[str, Strength | None]:
    """The best strength that any channel with a weight above 0 gives to each scene.

    Args:
        view: the view that was searched.
        user_id: whose scenes.
        results: what each channel found, by its name in the search.
        weights: by channel.
        scene_ids: the scenes to tell about.

    A scene that is found only by channels without a calibration has None. Raises LibraryDamaged, ViewOutdated.
    """
    said: dict[str, list[Strength]] = {scene_id: [] for scene_id in scene_ids}
    for name, found in results.items():
        limits = found.closeness
        if limits is None or weights.get(name, 0.0) <= 0:
            continue
        places = found.scenes.positions(scene_ids).tolist()
        scores = {
            scene_id: float(found.scenes.values[place])
            for scene_id, place in zip(scene_ids, places, strict=True)
            if place >= 0
        }
        shares = scores
        if limits.words:
            shares = view.word_coverage(limits.words, scene_ids=scores, user_id=user_id, least=limits.close_at)
        for scene_id in scores:
            said[scene_id].append(limits.strength(shares.get(scene_id, 0.0)))
    return {scene_id: max(some, key=_ORDER.index, default=None) for scene_id, some in said.items()}


def nothing_close(results: Mapping[str, ChannelResult], weights: Mapping[str, float]) -> bool:
    """Whether no channel with a weight above 0 found a close scene, or any scene at all.

    A channel that found something and has no calibration cannot say so.
    """
    return not any(
        found.is_close is True or (found.is_close is None and bool(found.scenes.hits))
        for name, found in results.items()
        if weights.get(name, 0.0) > 0
    )
