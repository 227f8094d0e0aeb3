"""Pictures for the models, read on another thread a little ahead of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from heimdex_core.ingest.prefetch import prefetch
from heimdex_core.media.images import read_image
from heimdex_core.models.base import Image
from heimdex_core.types import WorkContext

BATCH = 32
"""Pictures given to a model at once; its own batches may be smaller. Three times as many are in memory at most:
one at the model, one ready, one being read."""


def image_batches(folder: Path, names: Sequence[str], context: WorkContext) -> Iterator[list[Image]]:
    """The RGB pictures in their order, BATCH at a time; reports how many have been taken."""

    def read() -> Iterator[list[Image]]:
        for start in range(0, len(names), BATCH):
            yield [read_image(folder / name) for name in names[start : start + BATCH]]

    done = 0
    with contextlib.closing(prefetch(read(), 1)) as batches:
        for batch in batches:
            context.check()
            yield batch
            done += len(batch)
            context.report(done, len(names))
