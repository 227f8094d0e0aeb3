"""Files of small models, written by hand in ONNX's format (onnx.proto)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

_FLOAT, _INT64 = 1, 7
_VERSION, _OPERATORS = 7, 11


def model(
    nodes: Sequence[bytes],
    weights: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The content of a file: nodes in their order, tensors by name, values that go in and come out."""
    fields = [message(1, one) for one in nodes]
    fields += [message(2, b"small"), *(message(5, one) for one in weights)]
    fields += [*(message(11, one) for one in inputs), *(message(12, one) for one in outputs)]
    notes = [message(1, key.encode()) + message(2, text.encode()) for key, text in (metadata or {}).items()]
    whole = [number(1, _VERSION), message(7, b"".join(fields)), message(8, message(1, b"") + number(2, _OPERATORS))]
    return b"".join([*whole, *(message(14, note) for note in notes)])


def node(kind: str, inputs: Sequence[str], output: str, **ints: Sequence[int] | int) -> bytes:
    """One operator with its attributes: an integer, or a list of them."""
    parts = [message(1, one.encode()) for one in inputs] + [message(2, output.encode())]
    parts += [message(3, output.encode()), message(4, kind.encode())]
    for name, values in ints.items():
        if isinstance(values, int):
            content = number(3, values) + number(20, 2)
        else:
            content = b"".join(number(8, value) for value in values) + number(20, 7)
        parts.append(message(5, message(1, name.encode()) + content))
    return b"".join(parts)


def tensor(name: str, values: np.ndarray) -> bytes:
    """Numbers as float32 or int64."""
    dims = b"".join(number(1, size) for size in values.shape)
    kind = _FLOAT if values.dtype == np.float32 else _INT64
    return dims + number(2, kind) + message(8, name.encode()) + message(9, values.tobytes())


def value(name: str, shape: Sequence[int | str]) -> bytes:
    """An input or output of float32; a size that varies has a name."""
    dims = [message(2, size.encode()) if isinstance(size, str) else number(1, size) for size in shape]
    tensor = number(1, _FLOAT) + message(2, b"".join(message(1, dim) for dim in dims))
    return message(1, name.encode()) + message(2, message(1, tensor))


def message(field: int, content: bytes) -> bytes:
    """A field with a length, of a protocol buffer."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    found = []
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return struct.pack(f"{len(found) + 1}B", *found, value)
