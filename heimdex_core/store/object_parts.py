"""Limits of S3 that others than the code that speaks to it have to know."""

from __future__ import annotations

import math

PART_BYTES = 16 * 1024**2
"""Larger files travel in parts of this size."""
MAX_PARTS = 10_000
"""Of one object."""
MAX_LINK_S = 7 * 24 * 3600
"""So long a signed link can be valid."""


def part_bytes(size_bytes: int) -> int:
    """Bytes of every part of an object of this size but the last: more than `PART_BYTES` if there would be too many."""
    return max(PART_BYTES, math.ceil(size_bytes / MAX_PARTS))
