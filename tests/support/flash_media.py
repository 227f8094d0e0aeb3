"""Test media in which picture and sound mark the same moments: a white flash and a beep."""

from __future__ import annotations

import tempfile
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.support.broken_media import damage_sound
from tests.support.clips import ffmpeg
from tests.support.colour_media import hdr_signal

DURATION_S = 2.4
FLASHES_S = (0.8, 1.5)
"""When flash and beep begin, but for the frame's place in the rate; both last MARK_S."""
MARK_S = 0.1
BEEP_HZ = 1800
SOUND_ENDS_S = 1.75
"""Where sound that is broken or too short ends."""

SIZES = {"16:9": (320, 180), "4:3": (240, 180), "1:1": (180, 180), "9:16": (180, 320), "21:9": (420, 180),
         "narrow": (100, 320)}  # fmt: skip
RATES = {"23.976": Fraction(24000, 1001), "25": Fraction(25), "29.97": Fraction(30000, 1001), "60": Fraction(60),
         "variable": Fraction(60)}  # fmt: skip
TOP, BOTTOM, SQUARE = (96, 30, 30), (30, 30, 96), (150, 120, 0)
"""Colours of the upper half, the lower half, and of a square that moves to the right."""
_RATE_HZ = 48_000


@dataclass(frozen=True)
class FlashSource:
    """What a file is like; every field has the values of a factor of the matrix of exports."""

    shape: str = "16:9"
    rate: str = "25"
    rotation: str = "0"
    sound: str = "stereo"
    """"stereo", "none", "broken" (garbage from SOUND_ENDS_S), "5.1" or "short" (until SOUND_ENDS_S)."""
    coding: str = "h264"
    """"h264", "hevc", "hdr" (HEVC, 10 bits, PQ), "interlaced", "late" (its clock starts at 5 s) or "odd" (sides)."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as shown."""
        width, height = SIZES[self.shape]
        return (width + 1, height + 1) if self.coding == "odd" else (width, height)

    @property
    def flashes_s(self) -> list[float]:
        """When the flashes begin, exactly."""
        rate = RATES[self.rate]
        return [float(round(time_s * rate) / rate) for time_s in FLASHES_S]

    def write(self, folder: Path) -> Path:
        """Write it into a folder, under a name of its own; once."""
        name = "-".join((self.shape.replace(":", "x"), self.rate, self.rotation, self.sound, self.coding))
        path = folder / f"{name}.{'mkv' if self.coding == 'late' else 'mp4'}"
        if path.exists():
            return path
        with tempfile.TemporaryDirectory(dir=folder) as made:
            plain = self._encode(Path(made), path.suffix)
            if self.sound == "broken":
                plain = damage_sound(plain, plain.with_name(path.name), from_s=SOUND_ENDS_S)
            late: list[str] = ["-output_ts_offset", "5"] if self.coding == "late" else []
            # ffmpeg's -display_rotation counts counter-clockwise
            ffmpeg("-display_rotation", str(-int(self.rotation)), "-i", plain, "-c", "copy", *late, path)
        return path

    def _encode(self, folder: Path, suffix: str) -> Path:
        raw, wav, out = folder / "frames.rgb", folder / "sound.wav", folder / f"encoded{suffix}"
        rate = RATES[self.rate]
        images = self._images(rate)
        raw.write_bytes(b"".join(np.ascontiguousarray(image).tobytes() for image in images))
        height, width = images[0].shape[:2]
        picture: list[str | Path] = [
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            f"{width}x{height}",
            "-r",
            str(rate),
            "-i",
            raw,
        ]
        filters, codec = self._picture_codec()
        if self.rate == "variable":
            # gaps of 1 to 3 sixtieths; the first frame of a flash is always there
            kept = "+".join(f"eq(mod(n,18),{n})" for n in (0, 1, 2, 5, 8, 9, 12, 15))
            filters = f"select='{kept}',{filters}"
            codec += ["-fps_mode", "vfr"]
        sound: list[str | Path] = []
        if self.sound != "none":
            _write_sound(wav, self.flashes_s, SOUND_ENDS_S if self.sound == "short" else DURATION_S)
            sound = ["-i", wav]
            surround = "pan=5.1|FC=c0|FL=0.3*c0|FR=0.3*c0"
            codec += ["-c:a", "aac", "-b:a", "128k", "-af", surround if self.sound == "5.1" else "aformat=cl=stereo"]
        ffmpeg(*picture, *sound, "-vf", filters, *codec, "-g", "12", "-threads", "1", out)
        return out

    def _images(self, rate: Fraction) -> list[np.ndarray]:
        """Frames as they are coded, RGB."""
        count = round(DURATION_S * rate)
        if self.coding != "interlaced":
            return [self._moment(n, rate) for n in range(count)]
        images = []
        for n in range(count):
            image = self._moment(2 * n, 2 * rate).copy()
            image[1::2] = self._moment(2 * n + 1, 2 * rate)[1::2]
            images.append(image)
        return images

    def _moment(self, number: int, rate: Fraction) -> np.ndarray:
        width, height = self.size
        time_s = float(number / rate)
        image = np.empty((height, width, 3), np.uint8)
        image[: height // 2], image[height // 2 :] = TOP, BOTTOM
        side = min(width, height) // 4
        left = round((width - side) * time_s / DURATION_S)
        top = (height - side) // 2
        image[top : top + side, left : left + side] = SQUARE
        if any(start_s - 1e-6 <= time_s < start_s + MARK_S - 1e-6 for start_s in self.flashes_s):
            image[:] = 255
        if self.coding == "hdr":
            image = np.rint(hdr_signal(image, "pq") * 255).astype(np.uint8)
        return np.rot90(image, int(self.rotation) // 90)

    def _picture_codec(self) -> tuple[str, list[str | Path]]:
        """(filters, options of the encoder)"""
        x264: list[str | Path] = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "16"]
        x265: list[str | Path] = ["-c:v", "libx265", "-preset", "ultrafast", "-crf", "16", "-tag:v", "hvc1"]
        x265 += ["-x265-params", "log-level=error"]
        tags = "range=tv:color_primaries={0}:color_trc={1}:colorspace={2}"
        if self.coding == "hdr":
            return _coded("bt2020", "yuv420p10le", tags.format("bt2020", "smpte2084", "bt2020nc")), x265
        pixels = "yuv444p" if self.coding == "odd" else "yuv420p"
        filters = _coded("bt709", pixels, tags.format("bt709", "bt709", "bt709"))
        if self.coding == "hevc":
            return filters, x265
        if self.coding == "interlaced":
            return f"{filters},setfield=tff", [*x264, "-x264-params", "tff=1", "-flags", "+ildct+ilme"]
        return filters, x264


def _coded(matrix: str, pixels: str, tags: str) -> str:
    return f"scale=out_color_matrix={matrix}:out_range=tv,format={pixels},setparams={tags}"


def _write_sound(path: Path, beeps_s: list[float], duration_s: float) -> None:
    """A quiet tone of 300 Hz with beeps, 16 bits mono."""
    time_s = np.arange(round(duration_s * _RATE_HZ)) / _RATE_HZ
    samples = 0.05 * np.sin(2 * np.pi * 300 * time_s)
    for beep_s in beeps_s:
        within = (time_s >= beep_s) & (time_s < beep_s + MARK_S)
        samples[within] = 0.4 * np.sin(2 * np.pi * BEEP_HZ * (time_s[within] - beep_s))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())
