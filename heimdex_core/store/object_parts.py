"""The parts in which a large object travels."""

from __future__ import annotations

import math

PART_BYTES = 16 * 1024**2
"""Larger files travel in parts of this size."""
MAX_PARTS = 10_000
"""Of one object, a limit of S3."""


def part_bytes(size_bytes: int) -> int:
    """Bytes of every part of an object of this size but the last: more than `PART_BYTES` if there would be too many."""
    return max(PART_BYTES, math.ceil(size_bytes / MAX_PARTS))
