"""Quality presets of shorts. To add one, add it to QUALITIES."""

from __future__ import annotations

from dataclasses import dataclass

from heimdex_core.errors import UnknownName

_LIMIT_FOR_S = 60.0


@dataclass(frozen=True, slots=True)
class Quality:
    """How much a short may cost in bits."""

    name: str
    """Stored with every short, so it must not change."""
    crf: int
    """Quality for libx264, 0 (lossless) to 51."""
    audio_bps: int
    """Bits per second of the sound."""
    limit_bytes: int
    """Size of a short of up to 60 s at most."""

    def max_bytes(self, duration_s: float) -> int:
        """Size of a file at most: `limit_bytes` up to 60 s, above that in proportion to its duration."""
        return round(self.limit_bytes * max(1.0, duration_s / _LIMIT_FOR_S))


_ALL = (Quality("high", 18, 192_000, 60_000_000), Quality("medium", 23, 128_000, 30_000_000))
QUALITIES: dict[str, Quality] = {found.name: found for found in _ALL}


def quality(name: str) -> Quality:
    """The preset of that name. Raises UnknownName."""
    if name not in QUALITIES:
        raise UnknownName(kind="quality", name=name, known=", ".join(QUALITIES))
    return QUALITIES[name]
