"""Clean test clips, everything about them known: what is shown, when it cuts, what is said.

Every function writes `path` (its ending chooses the container) and returns it, unless it says otherwise.
Times are seconds from the start of the file.
"""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

Clips = Sequence[tuple[str, float]]
Size = tuple[int, int]

RGB: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "lime": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "black": (0, 0, 0),
}
"""What ffmpeg's colour names mean, for comparing pictures."""


def ffmpeg(*args: str | Path) -> None:
    """Run the bundled ffmpeg; its last words are in the exception if it fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    done = subprocess.run([*command, *(str(a) for a in args)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ffmpeg failed: {done.stderr[-2000:]}")


def video_codec(path: Path, codec: str | None, pixel_format: str = "yuv420p") -> list[str]:
    by_suffix = {".webm": "libvpx", ".avi": "mpeg4"}
    codec = codec or by_suffix.get(path.suffix.lower(), "libx264")
    options = {
        "libx264": ["-preset", "ultrafast", "-crf", "23"],
        "libvpx": ["-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"],
        "mpeg4": ["-q:v", "4"],
    }
    return ["-c:v", codec, *options.get(codec, []), "-pix_fmt", pixel_format, "-threads", "1"]


def audio_codec(path: Path) -> list[str]:
    by_suffix = {".webm": "libopus", ".avi": "libmp3lame"}
    return ["-c:a", by_suffix.get(path.suffix.lower(), "aac"), "-b:a", "96k"]


def tone(tone_hz: float, duration_s: float) -> list[str]:
    return ["-f", "lavfi", "-i", f"sine=frequency={tone_hz}:sample_rate=44100:duration={duration_s}"]


def colour_clips(
    path: Path,
    clips: Clips,
    *,
    size: Size = (320, 180),
    fps: int | Fraction = 25,
    tone_hz: float | None = None,
    codec: str | None = None,
    key_every: int = 250,
    noise: int = 0,
    pixel_format: str = "yuv420p",
    metadata: dict[str, str] | None = None,
) -> Path:
    """Plain colours one after the other with hard cuts: [("red", 2.0), ("blue", 3.0)] cuts at 2.0.

    `tone_hz` adds a sine of the same length. `noise` 1 to 100 adds grain, so that pictures are not flat.
    """
    inputs: list[str] = []
    for colour, duration_s in clips:
        source = f"color=c={colour}:s={size[0]}x{size[1]}:r={fps}:d={duration_s}"
        inputs += ["-f", "lavfi", "-i", source]
    grain = f",noise=alls={noise}:allf=t" if noise else ""
    graph = "".join(f"[{n}:v]" for n in range(len(clips))) + f"concat=n={len(clips)}:v=1:a=0{grain}[v]"
    total_s = sum(duration_s for _, duration_s in clips)
    sound = tone(tone_hz, total_s) if tone_hz else []
    tags = [a for k, v in (metadata or {}).items() for a in ("-metadata", f"{k}={v}")]
    flags = ["-movflags", "use_metadata_tags"] if tags and path.suffix.lower() in (".mp4", ".mov") else []
    maps = ["-map", "[v]"] + (["-map", f"{len(clips)}:a", *audio_codec(path)] if tone_hz else [])
    video = video_codec(path, codec, pixel_format)
    ffmpeg(*inputs, *sound, "-filter_complex", graph, *maps, *video, "-g", str(key_every), *tags, *flags, path)
    return path


def moving_pattern(
    path: Path, duration_s: float = 2.0, *, size: Size = (320, 180), fps: int = 25, tone_hz: float | None = 440
) -> Path:
    """ffmpeg's moving test picture: sharp, colourful, with motion."""
    sound = tone(tone_hz, duration_s) if tone_hz else []
    audio = audio_codec(path) if tone_hz else []
    source = f"testsrc2=s={size[0]}x{size[1]}:r={fps}:d={duration_s}"
    ffmpeg("-f", "lavfi", "-i", source, *sound, *video_codec(path, None), *audio, path)
    return path


def encode_frames(
    path: Path,
    images: Iterable[np.ndarray],
    times_s: Sequence[float],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
) -> Path:
    """RGB pictures shown at exactly `times_s` (to the millisecond)."""
    with av.open(str(path), "w") as out:
        stream: av.VideoStream | None = None
        for image, time_s in zip(images, times_s, strict=True):
            if stream is None:
                options = {"preset": "ultrafast"} if codec == "libx264" else {}
                added = out.add_stream(codec, rate=25, options=options)
                assert isinstance(added, av.VideoStream)
                stream = added
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = pixel_format
                stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
                stream.codec_context.max_b_frames = 0
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        if stream is not None:
            out.mux(stream.encode(None))
    return path


def plain(colour: str, size: Size = (320, 180)) -> np.ndarray:
    """An RGB picture of one colour, (height, width, 3) uint8."""
    return np.full((size[1], size[0], 3), RGB[colour], np.uint8)


def rewrite_packets(source: Path, target: Path, change: Callable[[str, float, bytes], bytes]) -> Path:
    """Copy a file packet by packet; `change(kind, time_s, bytes)` gives each packet's new bytes."""
    with av.open(str(source)) as inp, av.open(str(target), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in inp.streams}
        for packet in inp.demux():
            if packet.dts is None:
                continue
            assert packet.pts is not None
            new = av.Packet(change(packet.stream.type, float(packet.pts * packet.time_base), bytes(packet)))
            new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
            new.time_base, new.is_keyframe = packet.time_base, packet.is_keyframe
            new.stream = streams[packet.stream.index]
            out.mux(new)
    return target


def shift_times(source: Path, target: Path, offset_s: float) -> Path:
    """Copy a file with every packet `offset_s` later on the container's own clock."""
    ffmpeg("-i", source, "-c", "copy", "-output_ts_offset", str(offset_s), target)
    return target


# --- subtitles


def srt_time(time_s: float) -> str:
    """00:00:01,500"""
    ms = round(time_s * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


def srt(lines: Sequence[tuple[float, float, str]]) -> str:
    """SubRip text of (start_s, end_s, text) lines."""
    blocks = [f"{n}\n{srt_time(a)} --> {srt_time(b)}\n{text}\n" for n, (a, b, text) in enumerate(lines, 1)]
    return "\n".join(blocks)


def with_subtitles(
    path: Path, lines: Sequence[tuple[float, float, str]], *, duration_s: float = 6.0, language: str = "eng"
) -> Path:
    """A silent picture with one embedded text subtitle track (mov_text in .mp4, SubRip in .mkv)."""
    text = path.with_suffix(".embedded.srt")
    text.write_text(srt(lines), encoding="utf-8")
    codec = "mov_text" if path.suffix.lower() in (".mp4", ".mov") else "srt"
    picture = ["-f", "lavfi", "-i", f"color=c=red:s=320x180:r=25:d={duration_s}"]
    maps = ["-map", "0:v", "-map", "1:s", "-c:s", codec, "-metadata:s:s:0", f"language={language}"]
    ffmpeg(*picture, "-i", text, *maps, *video_codec(path, None), path)
    text.unlink()
    return path


# --- speech ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SpokenLine:
    """A line of `spoken` and where it is heard, without the rests the voice adds."""

    text: str
    start_s: float
    end_s: float


def speech_wav(path: Path, text: str, *, voice: str = "en-us", words_per_minute: int = 150) -> Path:
    """espeak-ng saying `text`, 22050 Hz mono."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-w", str(path), "--", text]
    subprocess.run(command, check=True, capture_output=True)
    return path


def _audible(wav: Path) -> tuple[float, float, float]:
    """(first, last moment above -40 dBFS, length) of a mono 16-bit file, in seconds."""
    with wave.open(str(wav)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 328)
    return loud[0] / rate, (loud[-1] + 1) / rate, len(samples) / rate


def spoken(
    path: Path,
    lines: Sequence[tuple[float, str]],
    *,
    clips: Clips | None = None,
    size: Size = (320, 180),
    fps: int = 25,
    voice: str = "en-us",
) -> list[SpokenLine]:
    """Speech over plain pictures: each (start_s, text) begins at its time. Returns where each line is heard.

    Without `clips` the picture is gray until half a second after the last word. Lines must not overlap.
    """
    heard: list[SpokenLine] = []
    total_s = 0.0
    inputs: list[str | Path] = []
    for n, (start_s, text) in enumerate(lines):
        wav = speech_wav(path.with_name(f"{path.stem}-line{n}.wav"), text, voice=voice)
        from_s, to_s, end_s = _audible(wav)
        if heard and start_s < heard[-1].end_s:
            raise ValueError(f"line {n} begins at {start_s} before the one before it ends at {heard[-1].end_s}")
        heard.append(SpokenLine(text, start_s + from_s, start_s + to_s))
        total_s = start_s + end_s + 0.5
        inputs += ["-i", wav]
    clips = clips or [("gray", round(total_s, 2))]
    total_s = sum(duration_s for _, duration_s in clips)
    picture = colour_clips(path.with_name(f"{path.stem}-picture{path.suffix}"), clips, size=size, fps=fps)
    delays = "".join(f"[{n + 1}:a]adelay={round(at * 1000)}:all=1[d{n}];" for n, (at, _) in enumerate(lines))
    mixed = "".join(f"[d{n}]" for n in range(len(lines)))
    graph = f"{delays}{mixed}amix=inputs={len(lines)}:normalize=0,apad,atrim=0:{total_s}[a]"
    maps = ["-map", "0:v", "-map", "[a]", "-c:v", "copy", *audio_codec(path)]
    ffmpeg("-i", picture, *inputs, "-filter_complex", graph, *maps, path)
    for leftover in [picture, *(Path(i) for i in inputs[1::2])]:
        leftover.unlink()
    return heard
