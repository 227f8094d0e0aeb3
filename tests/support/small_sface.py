"""A face recogniser in SFace's format that tells faces apart by where they are light and dark: an ONNX file.

What FaceRecognizerSF gives it is the aligned face, (1, 3, 112, 112), from 0 to 255; it answers with 128 numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.onnx_file import model, node, tensor, value

_CELLS, _DIM = 4, 128


def write_small_sface(path: Path) -> Path:
    """Write the recogniser to `path`: the means of 4 x 4 cells, without that of the channel, turned."""
    kernel = np.random.default_rng(7).standard_normal((_DIM, 3, _CELLS, _CELLS)).astype(np.float32)
    kernel -= kernel.mean(axis=(2, 3), keepdims=True)  # what is the same everywhere counts for nothing
    side = 112 // _CELLS
    nodes = [
        node("AveragePool", ["data"], "cells", kernel_shape=[side] * 2, strides=[side] * 2),
        node("Conv", ["cells", "w", "b"], "turned", kernel_shape=[_CELLS] * 2),
        node("Reshape", ["turned", "shape"], "fc1"),
    ]
    weights = [
        tensor("w", kernel),
        tensor("b", np.zeros(_DIM, np.float32)),
        tensor("shape", np.array([1, _DIM], np.int64)),
    ]
    path.write_bytes(model(nodes, weights, [value("data", [1, 3, 112, 112])], [value("fc1", [1, _DIM])]))
    return path
