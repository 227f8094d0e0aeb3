"""Stage: names for what scenes show, from the vision model's written vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.models.base import ImageTextEncoder, Vectors
from heimdex_core.types import WorkContext

VERSION = 1


def name_scenes(
    vectors: Vectors, rows: Sequence[int], count: int, model: ImageTextEncoder, context: WorkContext
) -> list[list[str]]:
    """Tags of each of `count` scenes, most certain first; `rows` says which scene a vector belongs to."""
    tags: list[list[str]] = [[] for _ in range(count)]
    for done, (row, vector) in enumerate(zip(rows, vectors, strict=True), start=1):
        tags[row] = list(dict.fromkeys(model.tags(vector)))
        if done % 32 == 0:
            context.check()
            context.report(done, len(rows))
    return tags
