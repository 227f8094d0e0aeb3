"""The vectors of a scene's keyframes: as rows of a file, pooled into one of the scene, and scored together.

A scene's score is the softmax-weighted mean of its keyframes' cosines c with the query:

    s = sum(w_i c_i),  w_i = exp(c_i / t) / sum(exp(c_j / t))

This is query scoring (Bain et al., "A CLIP-Hitchhiker's Guide to Long Video Retrieval", arXiv 2205.08508), averaging
the scores. The temperature t leads from the maximum (0) to the mean (infinity); the authors' code has .1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Pooling = Literal["mean", "max"]


class VectorRows(NamedTuple):
    """The rows of one generation in one space."""

    scene_ids: Sequence[str]
    """n; each once, or where there are `keyframes` once for each of them, one after the other."""
    vectors: Floats
    """(n, d)"""
    keyframes: Sequence[str] | None = None
    """n file names; None for one vector a scene, as versions before keyframes had vectors wrote them."""
    pooling: Pooling = "mean"
    """How the vectors of a scene's keyframes become one."""


@dataclass(frozen=True)
class SceneVectors:
    """One vector a scene, made of the rows of a generation, and the keyframes that it is made of."""

    scene_ids: list[str]
    vectors: Floats
    """(n, d)"""
    names: list[list[str] | None]
    """n lists of the keyframes' file names; None where they are not known."""
    rows: list[slice]
    """n slices of VectorRows: the scene's own rows."""


def pool(vectors: Floats, pooling: Pooling) -> Floats | None:
    """(k, d) to (d,), of length 1; None where nothing is left (opposite vectors cancel out)."""
    whole = vectors.mean(axis=0) if pooling == "mean" else vectors.max(axis=0)
    norm = float(np.linalg.norm(whole))
    return np.asarray(whole / norm, dtype=np.float32) if norm > 1e-6 else None


def by_scene(rows: VectorRows) -> SceneVectors:
    """One vector a scene. Rows without keyframes are taken as they are; a scene that has no mean is left out."""
    if rows.keyframes is None:
        count = len(rows.scene_ids)
        own = [slice(n, n + 1) for n in range(count)]
        return SceneVectors(list(rows.scene_ids), rows.vectors, [None] * count, own)
    scene_ids: list[str] = []
    pooled: list[Floats] = []
    names: list[list[str] | None] = []
    slices: list[slice] = []
    for scene_id, group in groupby(range(len(rows.scene_ids)), key=rows.scene_ids.__getitem__):
        members = list(group)
        own_rows = slice(members[0], members[-1] + 1)
        vector = rows.vectors[own_rows][0] if len(members) == 1 else pool(rows.vectors[own_rows], rows.pooling)
        if vector is not None:
            scene_ids.append(scene_id)
            pooled.append(vector)
            names.append(list(rows.keyframes[own_rows]))
            slices.append(own_rows)
    dim = rows.vectors.shape[1]
    return SceneVectors(scene_ids, np.stack(pooled) if pooled else np.zeros((0, dim), np.float32), names, slices)


def scene_scores(cosines: npt.NDArray[np.floating], starts: Numbers, temperature: float) -> tuple[Floats, Numbers]:
    """The scores of scenes, and which keyframe of each is the most similar one.

    Args:
        cosines: (m,) of the keyframes, scene by scene.
        starts: (n + 1,) where each scene's keyframes begin, and m at the end; every scene has at least one.
        temperature: of the softmax, in units of the cosine, from 0; see above.

    Returns ((n,) scores, (n,) positions among the scene's keyframes; the first of equal ones).
    """
    counts, first = np.diff(starts), starts[:-1]
    if not len(counts):
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    values = np.asarray(cosines, dtype=np.float64)
    highest = np.maximum.reduceat(values, first)
    of_scene = np.repeat(np.arange(len(counts)), counts)
    _, where = np.unique(of_scene[values == highest[of_scene]], return_index=True)
    best = np.flatnonzero(values == highest[of_scene])[where] - first
    if temperature == 0:
        return highest.astype(np.float32), best
    with np.errstate(over="ignore"):  # a very low temperature leaves the weight of the best keyframe alone
        weights = np.exp((values - highest[of_scene]) / temperature)
    scores = np.add.reduceat(weights * values, first) / np.add.reduceat(weights, first)
    return scores.astype(np.float32), best
