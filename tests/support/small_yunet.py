"""A face detector in YuNet's format that finds squares of pure red: an ONNX file, written by hand.

Names and meaning of the outputs are those that OpenCV's FaceDetectorYN reads: for strides of 8, 16 and 32 pixels the
class and objectness scores (the score is the root of their product), the box (middle in strides from the cell,
logarithm of the size in strides) and five landmarks.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from tests.support.onnx_file import model, node, tensor, value

BOX_PX = 40
"""Width and height of every box."""


def write_small_yunet(path: Path) -> Path:
    """Write the detector to `path`. Its score is the mean redness, (R - G) / 255, of a box.

    Edges of boxes are multiples of 8 pixels.
    """
    nodes, weights, outputs = [], [], []
    for stride in (8, 16, 32):
        redness = np.zeros((1, 3, stride, stride), np.float32)
        if stride == 8:  # at the others nothing is found
            redness[0, 2], redness[0, 1] = 1 / 255 / stride**2, -1 / 255 / stride**2  # channels are B, G, R
        size = math.log(BOX_PX / stride)
        heads: dict[str, tuple[np.ndarray, list[float]]] = {
            f"cls_{stride}": (redness, [0.0]),
            f"obj_{stride}": (redness, [0.0]),
            f"bbox_{stride}": (np.zeros((4, 3, stride, stride), np.float32), [0.5, 0.5, size, size]),
            f"kps_{stride}": (np.zeros((10, 3, stride, stride), np.float32), _landmarks(stride)),
        }
        for name, (kernel, bias) in heads.items():
            weights += [tensor(f"{name}.w", kernel), tensor(f"{name}.b", np.array(bias, np.float32))]
            weights.append(tensor(f"{name}.shape", np.array([1, -1, len(bias)], np.int64)))
            nodes.append(
                node("Conv", ["input", f"{name}.w", f"{name}.b"], f"{name}.cells", kernel_shape=[stride] * 2,
                      strides=[stride] * 2)
            )  # fmt: skip
            # the mean over 5 x 5 cells of 8 pixels is that over a box
            nodes.append(node("AveragePool", [f"{name}.cells"], f"{name}.means", kernel_shape=[5, 5], pads=[2] * 4))
            nodes.append(node("Transpose", [f"{name}.means"], f"{name}.last", perm=[0, 2, 3, 1]))
            nodes.append(node("Reshape", [f"{name}.last", f"{name}.shape"], name))
            outputs.append(value(name, [1, "anchors", len(bias)]))
    inputs = [value("input", [1, 3, "height", "width"])]
    path.write_bytes(model(nodes, weights, inputs, outputs))
    return path


def _landmarks(stride: int) -> list[float]:
    """In strides from the cell: where they are in a picture that FaceRecognizerSF has aligned, if that is the box."""
    aligned = np.array([38.3, 51.7, 73.5, 51.5, 56.0, 71.7, 41.5, 92.4, 70.7, 92.2]) / 112
    places: list[float] = (0.5 + (aligned - 0.5) * BOX_PX / stride).tolist()
    return places
