"""What is measured in a rendered file, from its bytes and its decoded frames alone."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from tests.support.decoding import sound
from tests.support.flash_media import BEEP_HZ

_WHITE = 190
"""Luma (16 to 235) that only a flash has."""


@dataclass(frozen=True)
class Found:
    """What a file holds."""

    size: tuple[int, int]
    video_codec: str
    pixel_format: str
    audio_codec: str
    sample_rate_hz: int
    frame_times_s: tuple[float, ...]
    flashes_s: tuple[float, ...]
    """When the middle of the picture turns white."""
    beeps_s: tuple[float, ...]
    """When beeps begin, to about 2 ms."""


def look(path: Path) -> Found:
    """Decode a whole file."""
    times, white = [], []
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        names = (video.codec_context.name, audio.codec_context.name)
        rate_hz = audio.codec_context.sample_rate
        for frame in container.decode(video=0):
            assert frame.time is not None
            times.append(frame.time)
            white.append(_middle_luma(frame) > _WHITE)
        size, pixels = (frame.width, frame.height), frame.format.name
    flashes = [t for n, t in enumerate(times) if white[n] and not (n and white[n - 1])]
    return Found(size, names[0], pixels, names[1], rate_hz, tuple(times), tuple(flashes), beeps(*sound(path)))


def _middle_luma(frame: av.VideoFrame) -> float:
    plane = frame.planes[0]
    luma = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
    y, x, reach = frame.height // 2, frame.width // 2, max(2, min(frame.width, frame.height) // 40)
    return float(luma[y - reach : y + reach, x - reach : x + reach].mean())


def beeps(samples: np.ndarray, rate_hz: int) -> tuple[float, ...]:
    """When tones of BEEP_HZ begin, in seconds: where half of their level is reached."""
    window = round(0.004 * rate_hz)
    turned = samples * np.exp(-2j * np.pi * BEEP_HZ * np.arange(len(samples)) / rate_hz)
    level = np.abs(np.convolve(turned, np.ones(window) / window, "same"))
    if level.max() < 0.02:
        return ()
    loud = np.convolve(level > level.max() / 2, np.ones(window), "same") > window * 0.9
    return tuple(float(n + 1 - window / 2) / rate_hz for n in np.flatnonzero(loud[1:] & ~loud[:-1]))


def is_faststart(path: Path) -> bool:
    """Whether the index of an MP4 (moov) is before its frames (mdat)."""
    data, at, names = path.read_bytes(), 0, []
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        length = struct.unpack_from(">Q", data, at + 8)[0] if length == 1 else length or len(data) - at
        names.append(name)
        at += length
    return names.index(b"moov") < names.index(b"mdat")


def decoding_errors(path: Path) -> str:
    """What ffmpeg says while it decodes the whole file strictly; "" for nothing."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "warning", "-nostdin", "-xerror"]
    command += ["-err_detect", "crccheck+bitstream+buffer+explode", "-i", str(path), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.stderr or not done.returncode else f"it ended with {done.returncode}"


def halves(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean row of what is reddish, of what is bluish) in the middle columns of an RGB picture."""
    middle = image.shape[1] // 2
    red, blue = (image[:, middle - 8 : middle + 8, n].astype(float).mean(1) for n in (0, 2))
    rows = np.arange(len(red))
    return rows[red - blue > 25].mean(), rows[blue - red > 25].mean()
