"""Pauses: what can be cut out of speech without losing a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PauseKind = Literal["silence", "filler"]


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence or a filler word, during [start_s, end_s) in seconds of its video."""

    video_id: str
    start_s: float
    end_s: float
    kind: PauseKind
    text: str = ""
    """The filler word; "" for a silence."""

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def pause_id(self) -> str:
        """What names the pause: the video, and where it starts and ends in milliseconds."""
        return f"{self.video_id}_{round(self.start_s * 1000)}_{round(self.end_s * 1000)}"
