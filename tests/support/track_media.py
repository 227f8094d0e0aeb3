"""Test media whose tracks are the trouble: silent ones, channels without positions, changes, joined recordings."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.support.clips import ffmpeg

PICTURE = ("-f", "lavfi", "-i", "color=c=red:s=160x90:r=25:d=2")
ENCODER = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1")
SILENCE = "anullsrc=r=48000:cl=stereo:d=2"


def sine(hz: float, duration_s: float = 2.0) -> str:
    """A lavfi source: a tone with a peak of 0.125."""
    return f"sine=frequency={hz}:sample_rate=48000:duration={duration_s}"


def sound_tracks(path: Path, sources: Sequence[str], options: Sequence[str] = ()) -> Path:
    """A red picture of 2 s with a FLAC track of each lavfi source; `options` go before the file's name (.mkv)."""
    inputs = [a for source in sources for a in ("-f", "lavfi", "-i", source)]
    maps = [a for n in range(len(sources) + 1) for a in ("-map", str(n))]
    ffmpeg(*PICTURE, *inputs, *maps, *ENCODER, "-c:a", "flac", *options, path)
    return path


def filtered_sound(path: Path, filters: str, codec: str, *, hz: float = 440) -> Path:
    """A red picture of 2 s with a tone that goes through ffmpeg's audio filters."""
    ffmpeg(*PICTURE, "-f", "lavfi", "-i", sine(hz), "-af", filters, *ENCODER, "-c:a", codec, path)
    return path


def labelled_channels(path: Path, labels: Sequence[int], sounding: int) -> Path:
    """A MOV with PCM whose channel list names `labels` (QuickTime's numbers; 0 is "unused"), a tone in one of them."""
    # a layout that no tag stands for is written as a list, which is then changed
    written = ("FL", "FR", "TC", "LFE2", "FC", "LFE")[: len(labels)]
    filtered_sound(path, f"pan={'+'.join(written)}|c{sounding}=c0", "pcm_s16le")
    data = bytearray(path.read_bytes())
    at = data.index(b"chan") + 20
    for n, label in enumerate(labels):
        data[at + 20 * n : at + 20 * n + 4] = struct.pack(">I", label)
    path.write_bytes(data)
    return path


def changing_sound(path: Path, channels: Sequence[int]) -> Path:
    """A red picture with AC-3 of 1 s for each number of channels: tones of 440 Hz, 540 Hz, ..."""
    joined = b""
    for n, count in enumerate(channels):
        part = path.with_name(f"{n}.ac3")
        ffmpeg("-f", "lavfi", "-i", sine(440 + 100 * n, 1.0), "-ac", str(count), "-c:a", "ac3", "-f", "ac3", part)
        joined += part.read_bytes()
    whole = path.with_name("whole.ac3")
    whole.write_bytes(joined)
    picture = ("-f", "lavfi", "-i", f"color=c=red:s=160x90:r=25:d={len(channels)}")
    ffmpeg(*picture, "-i", whole, "-map", "0:v", "-map", "1:a", *ENCODER, "-c:a", "copy", path)
    return path


def joined_recordings(path: Path, options: Sequence[str] = (), colours: Sequence[str] = ("red", "blue")) -> Path:
    """The bytes of several recordings, 3 s each, one after the other: a tone of 440 Hz, 540 Hz, ..."""
    joined = b""
    codecs = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"] if path.suffix == ".webm" else [*ENCODER]
    for n, colour in enumerate(colours):
        part = path.with_name(f"{n}-{path.name}")
        picture = ("-f", "lavfi", "-i", f"color=c={colour}:s=64x36:r=10:d=3")
        audio = ["-c:a", "libopus" if path.suffix == ".webm" else "libmp3lame"]
        ffmpeg(*picture, "-f", "lavfi", "-i", sine(440 + 100 * n, 3.0), *codecs, *audio, *options, part)
        joined += part.read_bytes()
    path.write_bytes(joined)
    return path


def edited(path: Path, edits_ms: Sequence[tuple[int, int]]) -> Path:
    """A MOV of red, lime and blue, 1 s each, with 400, 800 and 1600 Hz, shown by an edit list.

    `edits_ms` are the parts of those 3 s, (start, end) in ms, in the order in which they are shown.
    """
    colours = [("-f", "lavfi", "-i", f"color=c={colour}:s=160x90:r=25:d=1") for colour in ("red", "lime", "blue")]
    tones = [("-f", "lavfi", "-i", sine(hz, 1.0)) for hz in (400, 800, 1600)]
    graph = "[0][1][2]concat=n=3[v];[3][4][5]concat=n=3:v=0:a=1[a]"
    inputs = [a for one in (*colours, *tones) for a in one]
    # one keyframe for all of it: parts begin in the middle of what depends on others
    codecs = [*ENCODER, "-bf", "0", "-g", "250", "-sc_threshold", "0", "-c:a", "pcm_s16le"]
    ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", "-map", "[a]", *codecs, path)
    data = path.read_bytes()
    at = next(start for name, start, _ in _boxes(data, 0, len(data)) if name == b"moov")
    path.write_bytes(data[:at] + _with_edits(data, at, len(data), edits_ms))
    return path


def _with_edits(data: bytes, start: int, end: int, edits_ms: Sequence[tuple[int, int]]) -> bytes:
    """The box moov or trak at `start`, the last of the file, with other edit lists and durations."""
    total_ms = sum(b - a for a, b in edits_ms)
    body = b""
    for name, at, stop in _boxes(data, start + 8, end):
        box = bytearray(data[at:stop])
        if name == b"trak":
            box = bytearray(_with_edits(data, at, stop, edits_ms))
        elif name == b"mvhd":
            struct.pack_into(">II", box, 20, 1000, total_ms)
        elif name == b"tkhd":
            struct.pack_into(">I", box, 28, total_ms)
            scale = struct.unpack_from(">I", data, data.index(b"mdhd", at) + 16)[0]
            entries = b"".join(struct.pack(">IiHH", b - a, a * scale // 1000, 1, 0) for a, b in edits_ms)
            elst = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits_ms)) + entries
            box += struct.pack(">I4s", 8 + len(elst), b"edts") + elst
        body += b"" if name == b"edts" else bytes(box)
    return struct.pack(">I4s", 8 + len(body), data[start + 4 : start + 8]) + body


def _boxes(data: bytes, start: int, end: int) -> list[tuple[bytes, int, int]]:
    starts = [start]
    while starts[-1] + 8 <= end:
        starts.append(starts[-1] + struct.unpack_from(">I", data, starts[-1])[0])
    return [(data[a + 4 : a + 8], a, b) for a, b in pairwise(starts)]


def poster_first(path: Path, *, is_cover: bool = False) -> Path:
    """A yellow still as the first picture track, marked as the default one or as cover art; the red film second."""
    still = path.with_name("still.jpg")
    ffmpeg("-f", "lavfi", "-i", "color=c=yellow:s=300x300", "-frames:v", "1", still)
    film = sound_tracks(path.with_name("film.mkv"), [sine(440)])
    flags = ["-disposition:v:0", "attached_pic" if is_cover else "default", "-disposition:v:1", "0"]
    ffmpeg("-i", still, "-i", film, "-map", "0:v", "-map", "1:v", "-map", "1:a", "-c", "copy", *flags, path)
    return path
