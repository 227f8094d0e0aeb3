"""Reels and what is rendered of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from heimdex_core.errors import InvalidValue
from heimdex_core.types.library import make_scene_id
from heimdex_core.types.values import Json


class ExportState(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ReelClip:
    """A piece of a reel: [start_s, end_s) of a video, and the identity of the scene that it came from.

    It may reach beyond that scene. Its video ends somewhere, too, which a plan and the operations of a reel look at.
    """

    video_id: str
    start_s: float
    """In seconds of the video, as everything here; 0 or later."""
    end_s: float
    scene_start_s: float
    scene_end_s: float
    copy: int = 0
    """Tells the clips of one scene in one reel apart: 0 for the first, a number of its own for each further one."""
    strategy: str | None = None
    """How its picture is put into a frame of another shape, by the name of a crop strategy; None: as the reel's."""

    def __post_init__(self) -> None:
        value = f"{self.start_s:.3f} to {self.end_s:.3f} s"
        if not (0 <= self.start_s < self.end_s and math.isfinite(self.end_s)):
            raise InvalidValue(name="clip", value=value, reason="it must start at 0 s or later, and end after that")
        if not 0 <= self.scene_start_s < self.scene_end_s:
            scene = f"{self.scene_start_s:.3f} to {self.scene_end_s:.3f} s"
            raise InvalidValue(name="clip", value=value, reason=f"{scene} cannot be its scene")
        if self.copy < 0:
            raise InvalidValue(name="copy", value=str(self.copy), reason="it must be 0 or more")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def scene_id(self) -> str:
        return make_scene_id(self.video_id, self.scene_start_s, self.scene_end_s)

    @property
    def clip_id(self) -> str:
        """What names the clip in its reel: the scene_id, and "#" with the number of the copy for further ones."""
        return f"{self.scene_id}#{self.copy}" if self.copy else self.scene_id


@dataclass(frozen=True, slots=True)
class Reel:
    """A named list of clips kept in the library; the tray is the one called by its reserved id."""

    reel_id: str
    user_id: str
    title: str
    clips: tuple[ReelClip, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Export:
    export_id: str
    user_id: str
    kind: str
    """The name of an ExportKind (export/__init__.py)."""
    title: str
    state: ExportState
    clips: tuple[ReelClip, ...]
    created_at: datetime
    params: Json = field(default_factory=dict)
    error: Json | None = None
    path: str | None = None
    """Relative to the library; None until completed."""
    size_bytes: int | None = None
    measured_duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    completed_at: datetime | None = None
    expires_at: datetime | None = None
    """When the file is removed; None in a completed export keeps it."""
    job_id: str | None = None
    left_out: tuple[Json, ...] = ()
    """The clips that a completed export does not contain because they failed, as in ClipsFailed."""
    loudness_lufs: float | None = None
    """Integrated loudness, measured in the file (EBU R 128); None for silence."""
    true_peak_dbtp: float | None = None
    """Highest true peak, measured in the file; None for digital silence."""

    @property
    def scene_id(self) -> str | None:
        """The scene that a short was made of; None for other kinds."""
        return self._param("scene_id")

    @property
    def strategy(self) -> str | None:
        """How pictures of another shape were put into the frame: one of export.crop.STRATEGIES.

        Clips that have a strategy of their own are not meant.
        """
        return self._param("strategy")

    @property
    def quality(self) -> str | None:
        """The preset of a short: one of export.quality.QUALITIES."""
        return self._param("quality")

    @property
    def notes(self) -> tuple[str, ...]:
        """Codes of what is to be known of the file, such as "sound_silent"."""
        return tuple(self.params.get("notes") or ())

    def _param(self, name: str) -> str | None:
        value = self.params.get(name)
        return str(value) if value is not None else None
