"""How much of a file is decoded at most: the size of a frame, the rate of sound, the number of tracks, their names.

A file of some kilobytes can decode to gigabytes. What it claims is refused before anything is decoded; what a stream
turns out to be is refused by libav before it takes the memory (`max_pixels`, `max_samples`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heimdex_core.settings import Settings, get_settings

if TYPE_CHECKING:
    from av.container import InputContainer

LEAST_BYTES_PER_PIXEL = 4
"""Frames of formats with fewer count as much: they take as long to decode and to scale."""
MAX_CHANNELS = 64
RATES_HZ = (1000, 1_536_000)
"""Sound at other rates counts as not decodable. Resampled to 16 kHz, a second at 1 Hz would be 16,000 seconds."""
MAX_TRACKS = {"video": 16, "audio": 64, "subtitles": 128}
"""By kind, as PyAV names them; the tracks that follow are left out. libav reads no more than 1,000 in all."""
MAX_TEXT_CHARS = 200
"""Of titles and other tags that are kept."""
# Of all channels in one packet, which no codec comes near: 64 MB as float32.
_MAX_SAMPLES = 1 << 24
# Of the memory that a process may take; the rest is for what a decoder keeps to predict from, and for everything else.
_SHARE_FOR_THREADS = 0.25


@dataclass(frozen=True)
class DecodingLimits:
    """Limits that the settings give."""

    frame_bytes: int
    """Of an uncompressed frame."""
    memory_bytes: int
    """Resident memory of a process that decodes."""

    @staticmethod
    def of(settings: Settings) -> DecodingLimits:
        return DecodingLimits(settings.max_frame_bytes, settings.media_memory_bytes)


_given: DecodingLimits | None = None


def use(limits: DecodingLimits) -> None:
    """In a child process: decode with the limits of the process that started it."""
    global _given
    _given = limits


def current() -> DecodingLimits:
    """The limits of this process: those that were given, else those of the settings."""
    return _given or DecodingLimits.of(get_settings())


def frame_bytes(width: int, height: int, pixel_format: str | None) -> int:
    """What a frame counts as: width x height x bytes per pixel, of which there are at least LEAST_BYTES_PER_PIXEL.

    `pixel_format` is libav's name for it, None where it is not known.
    """
    import av

    bits = av.VideoFormat(pixel_format).padded_bits_per_pixel if pixel_format else 0
    return width * height * max(LEAST_BYTES_PER_PIXEL, -(-bits // 8))


def is_too_large(width: int, height: int, pixel_format: str | None) -> bool:
    """Whether frames of this size are not decoded."""
    return frame_bytes(width, height, pixel_format) > current().frame_bytes


def most_pixels() -> int:
    """How many pixels a frame has at most, in whatever format."""
    return current().frame_bytes // LEAST_BYTES_PER_PIXEL


def decoder_options() -> dict[str, str]:
    """Options of libav's decoders, with which they refuse larger frames."""
    return {"max_pixels": str(most_pixels()), "max_samples": str(_MAX_SAMPLES)}


def frame_threads(size_bytes: int, wanted: int = 0) -> int:
    """How many threads may decode a frame each, where one takes `size_bytes`: `wanted`, or fewer.

    0 lets libav choose, as it does for frames of ordinary size; 1 is one frame at a time.
    """
    most = max(1, int(current().memory_bytes * _SHARE_FOR_THREADS) // max(1, size_bytes))
    chosen = wanted or (os.cpu_count() or 1) + 1  # as many as libav takes
    return wanted if chosen <= most else most


def first_tracks(container: InputContainer, kind: str) -> list[Any]:
    """The streams of one kind, without those beyond MAX_TRACKS."""
    return list(getattr(container.streams, kind))[: MAX_TRACKS[kind]]


def tracks_left_out(container: InputContainer) -> int:
    """How many tracks are beyond MAX_TRACKS."""
    return sum(max(0, len(getattr(container.streams, kind)) - most) for kind, most in MAX_TRACKS.items())


def is_usable_sound(rate_hz: int, channels: int) -> bool:
    """Whether sound of this kind is decoded."""
    return RATES_HZ[0] <= rate_hz <= RATES_HZ[1] and 0 < channels <= MAX_CHANNELS
