"""What a short is asked for with, and how many of them may still be made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from heimdex_core.errors import InvalidValue
from heimdex_core.types.captions import Cue
from heimdex_core.types.crop import CropKeyframe, CropPath
from heimdex_core.types.values import Json


@dataclass(frozen=True, slots=True)
class ShortRequest:
    """A short to be made of one scene, as it was asked for. Names are checked when it is planned."""

    scene_id: str
    strategy: str = "center_crop"
    """How the picture is put into the 9:16 frame: one of export.crop.STRATEGIES."""
    quality: str = "medium"
    """One of export.quality.QUALITIES."""
    trim: tuple[float, float] | None = None
    """[start, end) in seconds of the video, which may reach beyond the scene; None for the whole scene."""
    captions: str | None = None
    """The style of captions, one of export.captions.STYLES; None for none."""
    position: str = "safe"
    """Where captions stand, one of export.captions.POSITIONS."""
    cues: tuple[Cue, ...] | None = None
    """Captions in player time of the video, as corrected by hand; None for those made from the transcript."""
    crop_path: CropPath | None = None
    """Where smart_crop crops; None for a path worked out when the short is made."""
    snap: str | None = None
    """What in and out are moved to the ends of: "word", "sentence" or None."""
    title: str = ""

    def __post_init__(self) -> None:
        if self.trim is None:
            return
        start_s, end_s = self.trim
        if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
            value = f"{start_s:.3f} to {end_s:.3f} s"
            raise InvalidValue(name="trim", value=value, reason="the start must lie before the end, and not before 0")

    @staticmethod
    def from_json(data: Json) -> ShortRequest:
        """What `to_json` made of a request; other keys are ignored."""
        given = {name: data[name] for name in ShortRequest.__dataclass_fields__ if name in data}
        if given.get("trim") is not None:
            given["trim"] = tuple(given["trim"])
        if given.get("cues") is not None:
            given["cues"] = tuple(Cue.from_json(cue) for cue in given["cues"])
        if given.get("crop_path") is not None:
            keyframes = given["crop_path"]["keyframes"]
            given["crop_path"] = CropPath(tuple(CropKeyframe(**keyframe) for keyframe in keyframes))
        return ShortRequest(**given)


@dataclass(frozen=True, slots=True)
class ShortAllowance:
    """How many shorts a person may still make: those of the last 24 hours count, failed and cancelled ones do not."""

    limit: int
    """HEIMDEX_SHORT_DAILY_LIMIT; 0 for none."""
    used: int
    remaining: int | None
    """None where there is no limit."""
    resets_at: datetime | None
    """When the oldest of those that count stops counting; None where nothing counts."""
