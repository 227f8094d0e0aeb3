"""How close the hits of a search are, by all of its channels: the best that any of them says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heimdex_core.search.channels.base import ChannelResult
from heimdex_core.types import Strength

_ORDER: tuple[Strength, ...] = ("weak", "fair", "strong")


def strengths(
    results: Mapping[str, ChannelResult], weights: Mapping[str, float], scene_ids: Iterable[str]
) -> dict[str, Strength | None]:
    """The best strength that any channel with a weight above 0 gives to each scene.

    Args:
        results: what each channel found, by its name in the search.
        weights: by channel.
        scene_ids: the scenes to tell about.

    A scene that is found only by channels without a calibration has None.
    """
    counting = [
        (found.scenes.scores, found.closeness)
        for name, found in results.items()
        if weights.get(name, 0.0) > 0 and found.closeness is not None
    ]
    best: dict[str, Strength | None] = {}
    for scene_id in scene_ids:
        said = [limits.strength(scene_id, scores[scene_id]) for scores, limits in counting if scene_id in scores]
        best[scene_id] = max(said, key=_ORDER.index, default=None)
    return best


def nothing_close(results: Mapping[str, ChannelResult], weights: Mapping[str, float]) -> bool:
    """Whether no channel with a weight above 0 found a close scene, or any scene at all.

    A channel that found something and has no calibration cannot say so.
    """
    return not any(
        found.is_close is True or (found.is_close is None and bool(found.scenes.hits))
        for name, found in results.items()
        if weights.get(name, 0.0) > 0
    )
