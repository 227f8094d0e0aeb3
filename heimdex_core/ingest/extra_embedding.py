"""Stage: vectors in the spaces besides the primary ones: of captions, and of further models to compare with.

Each space has a record of its own, so that another one more does not make the others again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heimdex_core.models.base import TextEncoder, Vectors
from heimdex_core.types import Space, WorkContext

VERSION = 1
_BATCH = 64


def record_name(space: Space) -> str:
    """How the space's record is called. Kinds have no hyphen, so no two spaces share a name."""
    return "space-" + space.name.replace("/", "-", 1)


def file_name(space: Space) -> str:
    """The file of its vectors in the work folder."""
    return f"{record_name(space)}.npy"


def embed_lines(lines: Sequence[str], model: TextEncoder, context: WorkContext) -> tuple[tuple[int, ...], Vectors]:
    """(the lines by index that the model can read, their (n, d) unit vectors)."""
    asked = [n for n, line in enumerate(lines) if line and model.understands(line)]
    parts: list[Vectors] = [np.zeros((0, model.space.dim), dtype=np.float32)]
    for start in range(0, len(asked), _BATCH):
        context.check()
        batch = asked[start : start + _BATCH]
        parts.append(np.asarray(model.encode_passages([lines[n] for n in batch]), dtype=np.float32))
        context.report(start + len(batch), len(asked))
    vectors = np.concatenate(parts)
    readable = [row for row in range(len(asked)) if np.linalg.norm(vectors[row]) > 0.5]
    return tuple(asked[row] for row in readable), vectors[readable]
