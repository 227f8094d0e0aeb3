"""Stage: what each scene looks like, as one vector pooled from its keyframes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heimdex_core.ingest.keyframes import SceneFrames
from heimdex_core.ingest.params import Pooling
from heimdex_core.media.images import read_image
from heimdex_core.models.base import ImageTextEncoder, Vectors
from heimdex_core.types import Json, WorkContext

VERSION = 1
PARAMS = ("vision_pooling",)
FILE = "vision.npy"
_BATCH = 16


@dataclass(frozen=True)
class SceneLooks:
    """`rows` are the scenes (by index) that the rows of the vectors belong to."""

    rows: tuple[int, ...]

    @staticmethod
    def from_json(data: Json) -> SceneLooks:
        return SceneLooks(tuple(data["rows"]))


def embed_frames(
    scenes: Sequence[SceneFrames], frames: Path, model: ImageTextEncoder, pooling: Pooling, context: WorkContext
) -> tuple[SceneLooks, Vectors]:
    """The (n, d) unit vectors of the scenes that have keyframes; images are read and encoded in batches."""
    files = [(n, keyframe.file) for n, scene in enumerate(scenes) for keyframe in scene.keyframes]
    parts: list[Vectors] = []
    for start in range(0, len(files), _BATCH):
        context.check()
        batch = files[start : start + _BATCH]
        parts.append(model.encode_images([read_image(frames / name) for _, name in batch]))
        context.report(start + len(batch), len(files))
    rows: list[int] = []
    pooled: list[Vectors] = []
    each = np.concatenate(parts) if parts else np.zeros((0, model.space.dim), dtype=np.float32)
    for n in dict.fromkeys(owner for owner, _ in files):
        vector = pool(each[[row for row, (owner, _) in enumerate(files) if owner == n]], pooling)
        if vector is not None:
            rows.append(n)
            pooled.append(vector)
    vectors = np.stack(pooled) if pooled else np.zeros((0, model.space.dim), dtype=np.float32)
    return SceneLooks(tuple(rows)), vectors


def pool(vectors: Vectors, pooling: Pooling) -> Vectors | None:
    """(k, d) to (d,), of length 1; None where nothing is left (opposite vectors cancel out)."""
    whole = vectors.mean(axis=0) if pooling == "mean" else vectors.max(axis=0)
    norm = float(np.linalg.norm(whole))
    return np.asarray(whole / norm, dtype=np.float32) if norm > 1e-6 else None
