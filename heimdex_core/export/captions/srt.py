"""Cues as SubRip text."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.types import Cue


def cues_to_srt(cues: Sequence[Cue], *, offset_s: float = 0.0) -> str:
    """The cues that are shown, numbered from 1. `offset_s` is the time of the cues at which the video begins."""
    shown = [cue for cue in cues if cue.text and cue.end_s > offset_s]
    return "\n".join(
        f"{n}\n{_time(cue.start_s - offset_s)} --> {_time(cue.end_s - offset_s)}\n{cue.text}\n"
        for n, cue in enumerate(shown, 1)
    )


def _time(seconds: float) -> str:
    ms = max(0, round(seconds * 1000))
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"
