"""Clips for the tests of the tray, of made-up scenes of ten seconds."""

from __future__ import annotations

from heimdex_core.types import ReelClip

VIDEO = "6f0a2c1e-0000-4000-8000-000000000001"


def clip(n: int, start: float = 0.0, end: float = 10.0) -> ReelClip:
    """A clip of the nth scene of ten seconds; `start` and `end` are seconds of the scene."""
    return ReelClip(VIDEO, 10.0 * n + start, 10.0 * n + end, 10.0 * n, 10.0 * n + 10.0)


def scene(n: int) -> str:
    return clip(n).scene_id
