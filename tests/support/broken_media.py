"""Test files that must be refused, or whose damage must be said."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from tests.support.clips import Clips, colour_clips, ffmpeg, rewrite_packets, tone

# --- not usable -----------------------------------------------------------------------------------


def empty_file(path: Path) -> Path:
    """Zero bytes."""
    path.write_bytes(b"")
    return path


def text_file_mp4(path: Path) -> Path:
    """Prose under a video's name."""
    path.write_text("This is a shopping list: apples, pears, a kilo of flour.\n" * 50, encoding="utf-8")
    return path


def playlist_mp4(path: Path, target: Path) -> Path:
    """An HLS playlist under a video's name that points at another file."""
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n"
    path.write_text(f"{head}#EXTINF:10.0,\n{target.resolve()}\n#EXT-X-ENDLIST\n", encoding="utf-8")
    return path


def concat_mp4(path: Path, target: Path) -> Path:
    """An ffconcat script under a video's name that points at another file."""
    path.write_text(f"ffconcat version 1.0\nfile '{target.resolve()}'\n", encoding="utf-8")
    return path


def audio_only(path: Path, duration_s: float = 1.0) -> Path:
    """A tone and nothing else (.m4a, .mp4, .flac, .mp3, .wav ...)."""
    ffmpeg(*tone(440, duration_s), path)
    return path


def audio_with_cover(path: Path) -> Path:
    """A tone with cover art (.m4a or .mp3): the only picture is attached, not a video."""
    cover = path.with_suffix(".cover.png")
    ffmpeg("-f", "lavfi", "-i", "color=c=red:s=64x64:d=1", "-frames:v", "1", cover)
    maps = ["-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
    ffmpeg(*tone(440, 1.0), "-i", cover, *maps, path)
    cover.unlink()
    return path


def truncated_mp4(path: Path, duration_s: float = 4.0) -> Path:
    """An MP4 that stops before its index (moov)."""
    colour_clips(path, [("red", duration_s / 2), ("blue", duration_s / 2)], noise=10, tone_hz=440)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4 - 1000])
    return path


def cut_mp4(path: Path, duration_s: float = 10.0, *, keep: float = 0.5) -> Path:
    """An MP4 with its index in front, of whose pictures only the first `keep` (0 to 1) are there."""
    whole = colour_clips(path.with_name(f"whole-{path.name}"), [("red", duration_s)], noise=10, tone_hz=440)
    ffmpeg("-i", whole, "-c", "copy", "-movflags", "+faststart", path)
    whole.unlink()
    data = path.read_bytes()
    start = data.index(b"mdat")
    path.write_bytes(data[: start + round((len(data) - start) * keep)])
    return path


def cut_mkv(path: Path, duration_s: float = 4.0, *, keep_bytes: int | None = None) -> Path:
    """A Matroska file cut off: after `keep_bytes`, or inside its very first picture."""
    colour_clips(path, [("red", duration_s)], noise=20)
    data = path.read_bytes()
    if keep_bytes is None:
        first_block = data.index(b"\x1f\x43\xb6\x75")  # the first Cluster
        keep_bytes = first_block + 40
    path.write_bytes(data[:keep_bytes])
    return path


def undecodable_mkv(path: Path, duration_s: float = 2.0) -> Path:
    """A Matroska file that opens, with packets at every time, none of which is a picture."""
    good = colour_clips(path.with_name(f"good-{path.name}"), [("red", duration_s)])
    rng = np.random.default_rng(1)
    rewrite_packets(good, path, lambda kind, time_s, data: rng.bytes(len(data)) if kind == "video" else data)
    good.unlink()
    return path


def lying_duration(path: Path, claimed_s: float = 36_000.0, *, true_s: float = 5.0) -> Path:
    """.mp4, .mov or .mkv whose header claims `claimed_s` over `true_s` of red with a tone."""
    colour_clips(path, [("red", true_s)], tone_hz=440)
    data = bytearray(path.read_bytes())
    if path.suffix.lower() == ".mkv":
        at = data.index(b"\x44\x89\x88")  # Duration, 8-byte float, in ms
        struct.pack_into(">d", data, at + 3, claimed_s * 1000)
    else:
        at = data.index(b"mvhd") + 4  # version 0: created, modified, timescale, duration (32 bit each)
        timescale = struct.unpack_from(">I", data, at + 12)[0]
        struct.pack_into(">I", data, at + 16, round(claimed_s * timescale))
    path.write_bytes(data)
    return path


def broken_audio(
    path: Path, *, from_s: float = 2.0, to_s: float | None = None, duration_s: float = 6.0, clips: Clips | None = None
) -> Path:
    """A 440 Hz tone whose packets are garbage from `from_s` to `to_s` (to the end when None). Picture fine."""
    good = colour_clips(path.with_name(f"good-{path.name}"), clips or [("red", duration_s)], tone_hz=440)
    damage_sound(good, path, from_s=from_s, to_s=to_s)
    good.unlink()
    return path


def damage_sound(source: Path, path: Path, *, from_s: float, to_s: float | None = None) -> Path:
    """Copy a file with sound packets that are garbage from `from_s` to `to_s` (to the end when None)."""

    def damage(kind: str, time_s: float, data: bytes) -> bytes:
        broken = kind == "audio" and from_s <= time_s and (to_s is None or time_s < to_s)
        return b"\xff" * len(data) if broken else data

    return rewrite_packets(source, path, damage)


def damaged_frame(path: Path, *, at_s: float = 1.0, duration_s: float = 2.0, clips: Clips | None = None) -> Path:
    """25 fps, every frame a keyframe; the one at `at_s` is garbage, all others are fine."""
    good = colour_clips(path.with_name(f"good-{path.name}"), clips or [("red", duration_s)], key_every=1, noise=5)

    def damage(kind: str, time_s: float, data: bytes) -> bytes:
        return b"\xff" * len(data) if kind == "video" and abs(time_s - at_s) < 0.02 else data

    rewrite_packets(good, path, damage)
    good.unlink()
    return path
