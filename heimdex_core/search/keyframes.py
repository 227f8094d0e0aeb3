"""The keyframe of a hit that matched the query."""

from __future__ import annotations

from collections.abc import Mapping

from heimdex_core.search.fusion.base import FusedScene
from heimdex_core.types import Keyframe, Scene


def matched_keyframe(scene: Scene, files: Mapping[str, str | None], item: FusedScene) -> Keyframe | None:
    """The keyframe that the channel with the largest contribution matched; None where no channel compared pictures.

    The vectors of videos that were indexed by earlier versions are those of whole scenes. Where such a scene has one
    keyframe only, it is that one.

    Args:
        scene: the scene that was found.
        files: by channel that compared pictures and found it: the file name of the keyframe that matched best.
        item: the scene in the ranking.
    """
    if not files:
        return None

    def contribution(name: str) -> float:
        part = item.parts.get(name)
        return part.contribution if part else 0.0

    file = files[max(files, key=contribution)]
    if file is None:
        return scene.keyframes[0] if len(scene.keyframes) == 1 else None
    return next((keyframe for keyframe in scene.keyframes if keyframe.file == file), None)
