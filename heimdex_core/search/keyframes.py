"""The keyframe of a hit that matched the query."""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.channels.base import ChannelResult
from heimdex_core.search.fusion.base import FusedScene
from heimdex_core.types import Keyframe, Scene


def matched_keyframe(scene: Scene, results: Mapping[str, ChannelResult], item: FusedScene) -> Keyframe | None:
    """The keyframe that the channel with the largest contribution matched; None where no channel compared pictures.

    The vectors of videos that were indexed by earlier versions are those of whole scenes. Where such a scene has one
    keyframe only, it is that one.
    """
    found = [(name, one.keyframes[scene.scene_id]) for name, one in results.items() if scene.scene_id in one.keyframes]
    if not found:
        return None

    def contribution(name: str) -> float:
        part = item.parts.get(name)
        return part.contribution if part else 0.0

    _, file = max(found, key=lambda pair: contribution(pair[0]))
    if file is None:
        return scene.keyframes[0] if len(scene.keyframes) == 1 else None
    return next((keyframe for keyframe in scene.keyframes if keyframe.file == file), None)
