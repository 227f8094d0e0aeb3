"""A face detector in YuNet's format that finds squares of pure red: an ONNX file, written by hand.

The format of the file is ONNX's (onnx.proto); names and meaning of the outputs are those that OpenCV's FaceDetectorYN
reads: for strides of 8, 16 and 32 pixels the class and objectness scores (the score is the root of their product), the
box (middle in strides from the cell, logarithm of the size in strides) and five landmarks.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

BOX_PX = 40
"""Width and height of every box."""
_FLOAT, _INT64 = 1, 7


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
            f"kps_{stride}": (np.zeros((10, 3, stride, stride), np.float32), [0.5] * 10),
        }
        for name, (kernel, bias) in heads.items():
            weights += [_tensor(f"{name}.w", kernel), _tensor(f"{name}.b", np.array(bias, np.float32))]
            weights.append(_tensor(f"{name}.shape", np.array([1, -1, len(bias)], np.int64)))
            nodes.append(
                _node("Conv", ["input", f"{name}.w", f"{name}.b"], f"{name}.cells", kernel_shape=[stride] * 2,
                      strides=[stride] * 2)
            )  # fmt: skip
            # the mean over 5 x 5 cells of 8 pixels is that over a box
            nodes.append(_node("AveragePool", [f"{name}.cells"], f"{name}.means", kernel_shape=[5, 5], pads=[2] * 4))
            nodes.append(_node("Transpose", [f"{name}.means"], f"{name}.last", perm=[0, 2, 3, 1]))
            nodes.append(_node("Reshape", [f"{name}.last", f"{name}.shape"], name))
            outputs.append(_value(name, [1, "anchors", len(bias)]))
    fields = [_message(1, node) for node in nodes]
    fields += [_message(2, b"small"), *(_message(5, tensor) for tensor in weights)]
    fields += [_message(11, _value("input", [1, 3, "height", "width"])), *(_message(12, one) for one in outputs)]
    graph = b"".join(fields)
    path.write_bytes(_number(1, 7) + _message(7, graph) + _message(8, _message(1, b"") + _number(2, 11)))
    return path


def _node(kind: str, inputs: Sequence[str], output: str, **ints: Sequence[int]) -> bytes:
    parts = [_message(1, one.encode()) for one in inputs] + [_message(2, output.encode())]
    parts += [_message(3, output.encode()), _message(4, kind.encode())]
    for name, values in ints.items():
        attribute = _message(1, name.encode()) + b"".join(_number(8, value) for value in values) + _number(20, 7)
        parts.append(_message(5, attribute))
    return b"".join(parts)


def _tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    kind = _FLOAT if values.dtype == np.float32 else _INT64
    return dims + _number(2, kind) + _message(8, name.encode()) + _message(9, values.tobytes())


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = [_message(2, size.encode()) if isinstance(size, str) else _number(1, size) for size in shape]
    tensor = _number(1, _FLOAT) + _message(2, b"".join(_message(1, dim) for dim in dims))
    return _message(1, name.encode()) + _message(2, _message(1, tensor))


def _message(field: int, content: bytes) -> bytes:
    """A field with a length, of a protocol buffer."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    found = []
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return struct.pack(f"{len(found) + 1}B", *found, value)
