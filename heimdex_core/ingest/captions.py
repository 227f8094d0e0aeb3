"""Stage: one line in words about each scene's best picture. Only where the models have a captioner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heimdex_core.ingest.keyframes import SceneFrames
from heimdex_core.ingest.read_pictures import in_batches
from heimdex_core.models.base import Captioner
from heimdex_core.types import Keyframe, WorkContext

VERSION = 1


def describe(scenes: Sequence[SceneFrames], frames: Path, captioner: Captioner, context: WorkContext) -> list[str]:
    """A line for each scene; "" for one without pictures, or where the model has nothing to say."""
    shown = [n for n, scene in enumerate(scenes) if scene.keyframes]
    lines = [""] * len(scenes)
    left = iter(shown)
    for images in in_batches(frames, [best(scenes[n]).file for n in shown], context):
        for line in captioner.caption(images):
            lines[next(left)] = " ".join(line.split())
    return lines


def best(scene: SceneFrames) -> Keyframe:
    """The keyframe that the thumbnail is made of."""
    return max(scene.keyframes, key=lambda keyframe: keyframe.score)
