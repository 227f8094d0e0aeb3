"""How a reel is rendered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.types.values import Json, to_json

MODES = ("exact", "fast")
ASPECTS: dict[str, Fraction] = {"16:9": Fraction(16, 9), "9:16": Fraction(9, 16), "1:1": Fraction(1)}
"""Width divided by height, by name."""
MIN_HEIGHT_PX, MAX_HEIGHT_PX = 360, 1080
MAX_CROSSFADE_S = 3.0


@dataclass(frozen=True, slots=True)
class ReelOptions:
    """How a reel is rendered. Raises InvalidValue or UnknownName for what cannot be used."""

    mode: str = "exact"
    """"exact" encodes everything again, in one graph; "fast" copies frames where that can be done."""
    aspect: str = "16:9"
    """A name of ASPECTS."""
    height_px: int | None = None
    """The shorter side of the picture, as in "720p": even, 360 to 1080; None for HEIMDEX_REEL_HEIGHT_PX."""
    strategy: str | None = None
    """How pictures of another shape are put into the frame, by the name of a crop strategy; None shows all of each,
    on black."""
    crossfade_s: float = 0.0
    """How long each clip fades into the next one, in seconds; 0 for cuts."""
    title_card: bool = False
    """Begin with the title of the reel, on black."""
    lower_thirds: bool = False
    """Show the title of the video at the beginning of each clip."""
    captions: str | None = None
    """The name of a caption style; None for no captions."""
    position: str = "safe"
    """Where captions are, by the name of a caption position."""

    def __post_init__(self) -> None:
        for kind, name, known in (("reel mode", self.mode, MODES), ("aspect", self.aspect, tuple(ASPECTS))):
            if name not in known:
                raise UnknownName(kind=kind, name=name, known=", ".join(known))
        height = self.height_px
        if height is not None and (not MIN_HEIGHT_PX <= height <= MAX_HEIGHT_PX or height % 2):
            reason = f"it must be even and from {MIN_HEIGHT_PX} to {MAX_HEIGHT_PX}"
            raise InvalidValue(name="height_px", value=str(height), reason=reason)
        if not (math.isfinite(self.crossfade_s) and 0 <= self.crossfade_s <= MAX_CROSSFADE_S):
            reason = f"it must be from 0 to {MAX_CROSSFADE_S:g} s"
            raise InvalidValue(name="crossfade_s", value=str(self.crossfade_s), reason=reason)

    @property
    def params(self) -> Json:
        """The parameters of an export with these options; no height where none was asked for.

        Copied frames then keep the size and rate of the sources ("own_format").
        """
        found: Json = to_json(self)
        if self.height_px is None:
            del found["height_px"]
        return found if self.height_px is not None or self.mode != "fast" else {**found, "own_format": True}

    @staticmethod
    def from_params(params: Json) -> ReelOptions:
        """The options of an export, from its parameters; those it was stored without have their defaults."""
        known = {name: params[name] for name in ReelOptions.__dataclass_fields__ if name in params}
        return ReelOptions(**known)


def frame_size(aspect: str, height_px: int) -> tuple[int, int]:
    """(width, height) in pixels of a frame whose shorter side is `height_px`: ("9:16", 720) -> (720, 1280)."""
    ratio = ASPECTS[aspect]
    longer = 2 * round(height_px * max(ratio, 1 / ratio) / 2)
    shorter = 2 * round(height_px / 2)
    return (longer, shorter) if ratio >= 1 else (shorter, longer)
