"""Reels and shorts."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from heimdex_core import types
from heimdex_core.schemas.shapes.base import Moment, Shape
from heimdex_core.types import Json, to_json


class Clip(Shape):
    """A piece of a reel: [start_s, end_s) of a video, and the scene that it came from."""

    video_id: str
    start_s: float
    end_s: float
    scene_start_s: float
    scene_end_s: float
    copy_: int = Field(0, alias="copy")
    strategy: str | None = None

    model_config = ConfigDict(serialize_by_alias=True, populate_by_name=True)


class Export(Shape):
    """A reel or a short that was rendered, or is going to be."""

    export_id: str
    user_id: str
    kind: str
    title: str
    state: str = Field(description="pending, processing, completed, failed or cancelled")
    clips: tuple[Clip, ...]
    created_at: Moment
    params: Json
    error: Json | None
    path: str | None
    size_bytes: int | None
    measured_duration_s: float | None
    width: int | None
    height: int | None
    completed_at: Moment | None
    expires_at: Moment | None
    job_id: str | None
    left_out: tuple[Json, ...]
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    scene_id: str | None
    strategy: str | None
    quality: str | None
    out: str | None = Field(description="where its file is: a link of the API, a path of the command line")

    @classmethod
    def of(cls, found: types.Export, out: str | None) -> Export:
        asked = {"scene_id": found.scene_id, "strategy": found.strategy, "quality": found.quality}
        return cls.model_validate({**to_json(found), **asked, "out": out})

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state not in ("pending", "processing")
