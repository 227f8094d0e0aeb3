"""Small files that claim, or turn into, something enormous: frames, tracks, tags. Matroska is written by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.clips import Size, ffmpeg


def ebml(identity: int, body: bytes) -> bytes:
    """An element of Matroska (RFC 8794): its id, its length in 8 bytes, its content."""
    return identity.to_bytes((identity.bit_length() + 7) // 8, "big") + struct.pack(">Q", 1 << 56 | len(body)) + body


def number(identity: int, value: int) -> bytes:
    """An element that holds an unsigned integer."""
    return ebml(identity, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def matroska(path: Path, tracks: Iterable[bytes], blocks: Sequence[tuple[int, bytes]], extra: bytes = b"") -> Path:
    """A Matroska file of these TrackEntries and of (track number, packet) at 0, 40, 80 ms ...; `extra` elements go
    before the packets."""
    head = ebml(0x1A45DFA3, ebml(0x4282, b"matroska") + number(0x4287, 4) + number(0x4285, 2))
    info = ebml(0x1549A966, number(0x2AD7B1, 1_000_000) + ebml(0x4489, struct.pack(">d", 40.0 * len(blocks))))
    written = [number(0xE7, 0)]
    for n, (track, packet) in enumerate(blocks):
        written.append(ebml(0xA3, bytes([0x80 | track]) + struct.pack(">hB", 40 * n, 0x80) + packet))
    body = info + ebml(0x1654AE6B, b"".join(tracks)) + extra + ebml(0x1F43B675, b"".join(written))
    path.write_bytes(head + ebml(0x18538067, body))
    return path


def picture_track(n: int, codec: str, size: Size, *, private: bytes = b"", name: str = "") -> bytes:
    """A TrackEntry that claims pictures of this size."""
    shown = ebml(0xE0, number(0xB0, size[0]) + number(0xBA, size[1]))
    return _track(n, 1, codec, shown + (ebml(0x63A2, private) if private else b""), name)


def sound_track(n: int, codec: str, rate_hz: float, channels: int, bits: int, *, name: str = "") -> bytes:
    """A TrackEntry that claims sound of this kind."""
    rate = ebml(0xB5, struct.pack(">d", rate_hz))
    return _track(n, 2, codec, ebml(0xE1, rate + number(0x9F, channels) + number(0x6264, bits)), name)


def subtitle_track(n: int, codec: str, *, name: str = "") -> bytes:
    """A TrackEntry of subtitles."""
    return _track(n, 17, codec, b"", name)


def _track(n: int, kind: int, codec: str, rest: bytes, name: str) -> bytes:
    title = ebml(0x536E, name.encode()) if name else b""
    return ebml(
        0xAE, number(0xD7, n) + number(0x73C5, n) + number(0x83, kind) + ebml(0x86, codec.encode()) + title + rest
    )


def jpeg_frames(folder: Path, size: Size, count: int) -> list[bytes]:
    """JPEG pictures of this size, which a track V_MJPEG holds as packets."""
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size[0]}x{size[1]}:r=25", "-frames:v", str(count), folder / "%03d.jpg")
    return [(folder / f"{n + 1:03d}.jpg").read_bytes() for n in range(count)]
