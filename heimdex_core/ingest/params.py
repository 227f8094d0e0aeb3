"""What can be chosen about an ingest. The defaults live in settings.py, the choice is kept with the result."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, get_args

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.settings import DetectorName, Settings
from heimdex_core.store.keyframe_vectors import Pooling


@dataclass(frozen=True)
class IngestParams:
    """The parameters of every stage; names and units as in Settings, where the defaults are."""

    max_file_bytes: int
    max_duration_s: float
    language: str
    audio_track: int | None
    detector: DetectorName
    content_threshold: float
    gradual_transitions: bool
    adaptive_threshold: float
    adaptive_window: int
    adaptive_min_content: float
    fade_threshold: float
    hash_threshold: float
    min_scene_s: float
    divide_long_takes: bool
    divide_min_s: float
    divide_max_s: float
    candidate_side_px: int
    candidate_interval_s: float
    keyframes_per_scene: int
    keyframe_short_scene_s: float
    keyframe_quality: int
    keyframe_min_brightness: float
    keyframe_min_sharpness: float
    thumbnail_width_px: int
    thumbnail_quality: int
    ocr_min_confidence: float
    context_below_chars: int
    context_within_s: float
    context_weight: float
    vision_pooling: Pooling
    preview_height_px: int

    def __post_init__(self) -> None:
        _known("detector", self.detector, get_args(DetectorName))
        _known("vision_pooling", self.vision_pooling, get_args(Pooling))
        for name in ("min_scene_s", "divide_min_s", "divide_max_s", "candidate_interval_s"):
            if getattr(self, name) <= 0:
                raise InvalidValue(name=name, value=getattr(self, name), reason="it must be above 0")
        if self.audio_track is not None and self.audio_track < 1:
            raise InvalidValue(name="audio_track", value=self.audio_track, reason="sound tracks are counted from 1")
        if self.divide_max_s < 2 * self.divide_min_s:
            raise InvalidValue(
                name="divide_max_s",
                value=self.divide_max_s,
                reason=f"it must be at least twice divide_min_s ({self.divide_min_s} s), or some have no division",
            )
        if self.keyframes_per_scene < 1:
            raise InvalidValue(
                name="keyframes_per_scene", value=self.keyframes_per_scene, reason="at least 1 is needed"
            )

    @staticmethod
    def from_settings(settings: Settings, **overrides: Any) -> IngestParams:
        """The settings' values with `overrides` by name. Raises UnknownName or InvalidValue."""
        names = [f.name for f in dataclasses.fields(IngestParams)]
        for name in overrides:
            _known("ingest parameter", name, names)
        return IngestParams(**{name: overrides.get(name, getattr(settings, name)) for name in names})


def _known(kind: str, name: str, known: Any) -> None:
    if name not in known:
        raise UnknownName(kind=kind, name=name, known=", ".join(sorted(known)))
