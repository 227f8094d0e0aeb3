"""Stage `vision_embedding`: what each scene looks like, as one vector a keyframe.

Version 1 pooled them into one vector a scene. Its results hold until somebody asks for a video to be indexed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.prefetch import image_batches
from heimdex_core.ingest.stages import keyframes
from heimdex_core.ingest.stages.keyframes import SceneFrames
from heimdex_core.models.base import ImageTextEncoder, Vectors
from heimdex_core.store.keyframe_vectors import Pooling, VectorRows
from heimdex_core.types import Json, Space, WorkContext, to_json

VERSION = 2
BEFORE_KEYFRAMES = 1
PARAMS = ("vision_pooling",)
FILE = "vision.npy"


@dataclass(frozen=True)
class SceneLooks:
    """`rows` are the scenes (by index) that the rows of the vectors belong to; `notes` are the model's.

    `files` are the keyframes of the rows, in frames/; None where each scene has one vector.
    """

    rows: tuple[int, ...]
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None

    @staticmethod
    def from_json(data: Json) -> SceneLooks:
        files = data.get("files")
        return SceneLooks(tuple(data["rows"]), tuple(data.get("notes", ())), None if files is None else tuple(files))

    def named(self, scenes: Sequence[str], vectors: Vectors, pooling: Pooling) -> VectorRows:
        """The rows under the names of the scenes, `scenes` by index."""
        return VectorRows([scenes[row] for row in self.rows], vectors, self.files, pooling)


def embed_frames(
    scenes: Sequence[SceneFrames], frames: Path, model: ImageTextEncoder, context: WorkContext
) -> tuple[SceneLooks, Vectors]:
    """The (n, d) unit vectors of the scenes' keyframes; images are read and encoded in batches."""
    owners = tuple(n for n, scene in enumerate(scenes) for _ in scene.keyframes)
    names = tuple(keyframe.file for scene in scenes for keyframe in scene.keyframes)
    parts = [np.zeros((0, model.space.dim), dtype=np.float32)]
    parts += [model.encode_images(images) for images in image_batches(frames, names, context)]
    return SceneLooks(owners, tuple(getattr(model, "notes", ())), names), np.concatenate(parts)


def embed_changed(
    context: StageContext, spec: StageSpec[Any], space: Space, model: ImageTextEncoder, work: WorkContext
) -> tuple[SceneLooks, Vectors]:
    """As `embed_frames` of all scenes; vectors that an earlier generation has of the same frames are taken from it."""
    frames = context.result(keyframes.SPEC)
    known = _known_vectors(context, spec, space)
    new = [SceneFrames() if n in known else one for n, one in enumerate(frames)]
    found, vectors = embed_frames(new, context.work.path / keyframes.FOLDER, model, work)
    if not known:
        return found, vectors
    by_scene = groupby(range(len(found.rows)), key=found.rows.__getitem__)
    each = {**known, **{n: vectors[list(group)] for n, group in by_scene}}
    rows = tuple(n for n in sorted(each) for _ in each[n])
    names = tuple(keyframe.file for n in sorted(each) for keyframe in frames[n].keyframes)
    return SceneLooks(rows, found.notes, names), np.concatenate([each[n] for n in sorted(each)])


def _known_vectors(context: StageContext, spec: StageSpec[Any], space: Space) -> Mapping[int, Vectors]:
    """By index of the scene: the (k, d) vectors of an earlier generation that still hold, one a keyframe."""
    found = keyframes.unchanged(context, spec)
    if found is None:
        return {}
    earlier, then = found
    before, frames = earlier.keyframe_vectors(space), context.result(keyframes.SPEC)
    return {n: before[old] for n, old in then.items() if len(before.get(old, ())) == len(frames[n].keyframes)}


def run(context: StageContext, work: WorkContext) -> StageOutput:
    found, vectors = embed_changed(context, SPEC, context.models.spaces["vision"], context.models.vision(), work)
    context.work.save_vectors(FILE, vectors)
    return StageOutput(to_json(found), (FILE,))


_SPEC: StageSpec[SceneLooks] = StageSpec(
    name="vision_embedding",
    version=VERSION,
    branch="picture",
    run=run,
    parse=SceneLooks.from_json,
    label={"en": "Analysing what is seen", "ko": "화면 분석"},
    needs=(keyframes.SPEC,),
    reads_files_of=(keyframes.SPEC,),
    params=PARAMS,
    model=lambda context: context.space_model("vision"),
    vector_files=lambda context: {FILE: context.models.spaces["vision"]},
    unit="items",
    weight=4.0,
)
SPEC = replace(_SPEC, earlier=replace(_SPEC, version=BEFORE_KEYFRAMES))
