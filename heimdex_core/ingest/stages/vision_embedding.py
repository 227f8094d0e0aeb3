"""Stage `vision_embedding`: what each scene looks like, as one vector pooled from its keyframes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from heimdex_core.ingest.context import StageContext, StageOutput, StageSpec
from heimdex_core.ingest.params import Pooling
from heimdex_core.ingest.prefetch import image_batches
from heimdex_core.ingest.stages import keyframes
from heimdex_core.ingest.stages.keyframes import SceneFrames
from heimdex_core.models.base import ImageTextEncoder, Vectors
from heimdex_core.types import Json, Space, WorkContext, to_json

VERSION = 1
PARAMS = ("vision_pooling",)
FILE = "vision.npy"


@dataclass(frozen=True)
class SceneLooks:
    """`rows` are the scenes (by index) that the rows of the vectors belong to; `notes` are the model's."""

    rows: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: Json) -> SceneLooks:
        return SceneLooks(tuple(data["rows"]), tuple(data.get("notes", ())))


def embed_frames(
    scenes: Sequence[SceneFrames], frames: Path, model: ImageTextEncoder, pooling: Pooling, context: WorkContext
) -> tuple[SceneLooks, Vectors]:
    """The (n, d) unit vectors of the scenes that have keyframes; images are read and encoded in batches."""
    owners = [n for n, scene in enumerate(scenes) for _ in scene.keyframes]
    names = [keyframe.file for scene in scenes for keyframe in scene.keyframes]
    parts = [np.zeros((0, model.space.dim), dtype=np.float32)]
    parts += [model.encode_images(images) for images in image_batches(frames, names, context)]
    each = np.concatenate(parts)
    rows: list[int] = []
    pooled: list[Vectors] = []
    for n, group in groupby(range(len(owners)), key=owners.__getitem__):
        vector = pool(each[list(group)], pooling)
        if vector is not None:
            rows.append(n)
            pooled.append(vector)
    vectors = np.stack(pooled) if pooled else np.zeros((0, model.space.dim), dtype=np.float32)
    return SceneLooks(tuple(rows), tuple(getattr(model, "notes", ()))), vectors


def pool(vectors: Vectors, pooling: Pooling) -> Vectors | None:
    """(k, d) to (d,), of length 1; None where nothing is left (opposite vectors cancel out)."""
    whole = vectors.mean(axis=0) if pooling == "mean" else vectors.max(axis=0)
    norm = float(np.linalg.norm(whole))
    return np.asarray(whole / norm, dtype=np.float32) if norm > 1e-6 else None


def embed_changed(
    context: StageContext, spec: StageSpec[Any], space: Space, model: ImageTextEncoder, work: WorkContext
) -> tuple[SceneLooks, Vectors]:
    """As `embed_frames` of all scenes; vectors that an earlier generation has of the same frames are taken from it."""
    frames = context.result(keyframes.SPEC)
    known = _known_vectors(context, spec, space)
    new = [SceneFrames() if n in known else one for n, one in enumerate(frames)]
    folder, pooling = context.work.path / keyframes.FOLDER, context.params.vision_pooling
    found, vectors = embed_frames(new, folder, model, pooling, work)
    each = {**known, **dict(zip(found.rows, vectors, strict=True))}
    rows = tuple(sorted(each))
    stacked = np.stack([each[row] for row in rows]) if rows else vectors
    return SceneLooks(rows, found.notes), np.asarray(stacked, dtype=np.float32)


def _known_vectors(context: StageContext, spec: StageSpec[Any], space: Space) -> dict[int, Vectors]:
    """By index of the scene: the (d,) vectors of an earlier generation that still hold."""
    found = keyframes.unchanged(context, spec)
    if found is None:
        return {}
    earlier, then = found
    before = earlier.vectors(space)
    return {n: before[old] for n, old in then.items() if old in before}


def run(context: StageContext, work: WorkContext) -> StageOutput:
    found, vectors = embed_changed(context, SPEC, context.models.spaces["vision"], context.models.vision(), work)
    context.work.save_vectors(FILE, vectors)
    return StageOutput(to_json(found), (FILE,))


SPEC: StageSpec[SceneLooks] = StageSpec(
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
