"""Small media made on the spot, with everything about them known: what is shown, when it cuts, what is said.

Every function writes `path` (its ending chooses the container) and returns it, unless it says otherwise.
Times are seconds from the start of the file. Most take well under a second.
"""

from __future__ import annotations

import struct
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


def _video_codec(path: Path, codec: str | None, pixel_format: str = "yuv420p") -> list[str]:
    by_suffix = {".webm": "libvpx", ".avi": "mpeg4"}
    codec = codec or by_suffix.get(path.suffix.lower(), "libx264")
    options = {
        "libx264": ["-preset", "ultrafast", "-crf", "23"],
        "libvpx": ["-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"],
        "mpeg4": ["-q:v", "4"],
    }
    return ["-c:v", codec, *options.get(codec, []), "-pix_fmt", pixel_format, "-threads", "1"]


def _audio_codec(path: Path) -> list[str]:
    by_suffix = {".webm": "libopus", ".avi": "libmp3lame"}
    return ["-c:a", by_suffix.get(path.suffix.lower(), "aac"), "-b:a", "96k"]


def _tone(tone_hz: float, duration_s: float) -> list[str]:
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
    sound = _tone(tone_hz, total_s) if tone_hz else []
    tags = [a for k, v in (metadata or {}).items() for a in ("-metadata", f"{k}={v}")]
    flags = ["-movflags", "use_metadata_tags"] if tags and path.suffix.lower() in (".mp4", ".mov") else []
    maps = ["-map", "[v]"] + (["-map", f"{len(clips)}:a", *_audio_codec(path)] if tone_hz else [])
    video = _video_codec(path, codec, pixel_format)
    ffmpeg(*inputs, *sound, "-filter_complex", graph, *maps, *video, "-g", str(key_every), *tags, *flags, path)
    return path


def moving_pattern(
    path: Path, duration_s: float = 2.0, *, size: Size = (320, 180), fps: int = 25, tone_hz: float | None = 440
) -> Path:
    """ffmpeg's moving test picture: sharp, colourful, with motion."""
    sound = _tone(tone_hz, duration_s) if tone_hz else []
    audio = _audio_codec(path) if tone_hz else []
    source = f"testsrc2=s={size[0]}x{size[1]}:r={fps}:d={duration_s}"
    ffmpeg("-f", "lavfi", "-i", source, *sound, *_video_codec(path, None), *audio, path)
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
        stream = None
        for image, time_s in zip(images, times_s, strict=True):
            if stream is None:
                options = {"preset": "ultrafast"} if codec == "libx264" else {}
                stream = out.add_stream(codec, rate=25, options=options)
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


# --- odd but workable -----------------------------------------------------------------------------


def no_audio(path: Path, duration_s: float = 2.0) -> Path:
    """A red picture without sound."""
    return colour_clips(path, [("red", duration_s)])


def one_frame(path: Path, *, size: Size = (320, 180)) -> Path:
    """A file of one picture (40 ms)."""
    return colour_clips(path, [("red", 0.04)], size=size)


def odd_size(path: Path, size: Size = (161, 91), duration_s: float = 0.4) -> Path:
    """A size that 4:2:0 does not divide evenly; down to (1, 1). .webm keeps 4:2:0, .mp4 and .mkv use 4:4:4."""
    pixel_format = "yuv420p" if path.suffix.lower() == ".webm" else "yuv444p"
    return colour_clips(path, [("red", duration_s)], size=size, pixel_format=pixel_format)


def variable_frame_rate(path: Path, *, size: Size = (320, 180)) -> Path:
    """16 frames at 0, 0.1 ... 0.9, 1.0, 1.5, 2.0, 2.04, 2.08, 2.12: red before 1.0 s, blue from there."""
    times_s = vfr_times()
    return encode_frames(path, (plain("red" if t < 1.0 else "blue", size) for t in times_s), times_s)


def vfr_times() -> list[float]:
    """When the frames of `variable_frame_rate` are shown."""
    return [n / 10 for n in range(10)] + [1.0, 1.5, 2.0, 2.04, 2.08, 2.12]


def rotated(path: Path, degrees: int = 90, *, size: Size = (320, 180), duration_s: float = 0.4) -> Path:
    """Coded `size` with a display matrix that turns it by `degrees` clockwise when shown.

    The coded picture has a red left half and a blue right half, so 90 shows red above blue and 270
    (or -90) blue above red.
    """
    width, height = size
    image = np.concatenate([plain("red", (width // 2, height)), plain("blue", (width - width // 2, height))], axis=1)
    upright = path.with_name(f"upright-{path.name}")
    count = max(1, round(duration_s * 25))
    encode_frames(upright, [image] * count, [n / 25 for n in range(count)])
    # ffmpeg's -display_rotation counts counter-clockwise
    ffmpeg("-display_rotation", str(-degrees), "-i", upright, "-c", "copy", path)
    upright.unlink()
    return path


def mirrored(path: Path, *, size: Size = (320, 180)) -> Path:
    """As `rotated` by 0, with a display matrix that swaps left and right: shown blue left, red right."""
    upright = rotated(path.with_name(f"plain-{path.name}"), 0, size=size)
    ffmpeg("-display_hflip", "-i", upright, "-c", "copy", path)
    upright.unlink()
    return path


def delayed_first_frame(path: Path, delay_s: float = 1.6, *, duration_s: float = 2.0) -> Path:
    """A 440 Hz tone from 0; the red picture starts `delay_s` (on the 25 fps grid) later and lasts `duration_s`."""
    sound = _tone(440, delay_s + duration_s)
    picture = f"color=c=red:s=320x180:r=25:d={duration_s}"
    codecs = [*_video_codec(path, None), *_audio_codec(path)]
    ffmpeg(
        *sound, "-itsoffset", str(delay_s), "-f", "lavfi", "-i", picture, "-map", "1:v", "-map", "0:a", *codecs, path
    )
    return path


def delayed_audio(path: Path, delay_s: float = 1.0, *, duration_s: float = 3.0) -> Path:
    """A red picture from 0; a 440 Hz tone starts `delay_s` later and ends with the picture."""
    picture = f"color=c=red:s=320x180:r=25:d={duration_s}"
    sound = ["-itsoffset", str(delay_s), *_tone(440, duration_s - delay_s)]
    codecs = [*_video_codec(path, None), *_audio_codec(path)]
    ffmpeg("-f", "lavfi", "-i", picture, *sound, "-map", "0:v", "-map", "1:a", *codecs, path)
    return path


def late_start(path: Path, offset_s: float = 5.0, *, duration_s: float = 2.0) -> Path:
    """Picture and tone together, but the container's clock starts at `offset_s` (write .mkv or .webm)."""
    start = colour_clips(path.with_name(f"zero-{path.name}"), [("red", duration_s)], tone_hz=440)
    shift_times(start, path, offset_s)
    start.unlink()
    return path


def mpeg4_avi(path: Path, clips: Clips = (("red", 1.0), ("blue", 1.0)), *, tone_hz: float | None = 440) -> Path:
    """MPEG-4 part 2 and MP3 in AVI: no browser plays it."""
    return colour_clips(path, clips, tone_hz=tone_hz, codec="mpeg4")


def multi_track(path: Path, duration_s: float = 2.0) -> Path:
    """Three tracks: 1 "Director's Commentary" (900 Hz), 2 descriptions for the blind (600 Hz), 3 the film (440 Hz).

    No track is marked as default; write .mkv (titles and dispositions are kept there).
    """
    picture = ["-f", "lavfi", "-i", f"color=c=red:s=320x180:r=25:d={duration_s}"]
    sounds = [*_tone(900, duration_s), *_tone(600, duration_s), *_tone(440, duration_s)]
    maps = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:a"]
    names = ["Director's Commentary", "Audio description", "Main"]
    titles = [a for n, name in enumerate(names) for a in (f"-metadata:s:a:{n}", f"title={name}")]
    flags = ["-disposition:a:0", "comment", "-disposition:a:1", "visual_impaired", "-disposition:a:2", "0"]
    language = ["-metadata:s:a:2", "language=eng"]
    codecs = [*_video_codec(path, None), *_audio_codec(path)]
    ffmpeg(*picture, *sounds, *maps, *codecs, *titles, *language, *flags, path)
    return path


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
    ffmpeg(*picture, "-i", text, *maps, *_video_codec(path, None), path)
    text.unlink()
    return path


# --- speech ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SpokenLine:
    """A line of `spoken` and where it is heard (to about 0.1 s: the voice has its own short rests)."""

    text: str
    start_s: float
    end_s: float


def speech_wav(path: Path, text: str, *, voice: str = "en-us", words_per_minute: int = 150) -> Path:
    """espeak-ng saying `text`, 22050 Hz mono."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-w", str(path), "--", text]
    subprocess.run(command, check=True, capture_output=True)
    return path


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
    inputs: list[str | Path] = []
    for n, (start_s, text) in enumerate(lines):
        wav = speech_wav(path.with_name(f"{path.stem}-line{n}.wav"), text, voice=voice)
        with wave.open(str(wav)) as file:
            end_s = start_s + file.getnframes() / file.getframerate()
        if heard and start_s < heard[-1].end_s:
            raise ValueError(f"line {n} begins at {start_s} before the one before it ends at {heard[-1].end_s}")
        heard.append(SpokenLine(text, start_s, end_s))
        inputs += ["-i", wav]
    clips = clips or [("gray", round(heard[-1].end_s + 0.5, 2))]
    total_s = sum(duration_s for _, duration_s in clips)
    picture = colour_clips(path.with_name(f"{path.stem}-picture{path.suffix}"), clips, size=size, fps=fps)
    delays = "".join(f"[{n + 1}:a]adelay={round(at * 1000)}:all=1[d{n}];" for n, (at, _) in enumerate(lines))
    mixed = "".join(f"[d{n}]" for n in range(len(lines)))
    graph = f"{delays}{mixed}amix=inputs={len(lines)}:normalize=0,apad,atrim=0:{total_s}[a]"
    maps = ["-map", "0:v", "-map", "[a]", "-c:v", "copy", *_audio_codec(path)]
    ffmpeg("-i", picture, *inputs, "-filter_complex", graph, *maps, path)
    for leftover in [picture, *(Path(i) for i in inputs[1::2])]:
        leftover.unlink()
    return heard


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
    ffmpeg(*_tone(440, duration_s), path)
    return path


def audio_with_cover(path: Path) -> Path:
    """A tone with cover art (.m4a or .mp3): the only picture is attached, not a video."""
    cover = path.with_suffix(".cover.png")
    ffmpeg("-f", "lavfi", "-i", "color=c=red:s=64x64:d=1", "-frames:v", "1", cover)
    maps = ["-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
    ffmpeg(*_tone(440, 1.0), "-i", cover, *maps, path)
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

    def damage(kind: str, time_s: float, data: bytes) -> bytes:
        broken = kind == "audio" and from_s <= time_s and (to_s is None or time_s < to_s)
        return b"\xff" * len(data) if broken else data

    rewrite_packets(good, path, damage)
    good.unlink()
    return path


def damaged_frame(path: Path, *, at_s: float = 1.0, duration_s: float = 2.0, clips: Clips | None = None) -> Path:
    """25 fps, every frame a keyframe; the one at `at_s` is garbage, all others are fine."""
    good = colour_clips(path.with_name(f"good-{path.name}"), clips or [("red", duration_s)], key_every=1, noise=5)

    def damage(kind: str, time_s: float, data: bytes) -> bytes:
        return b"\xff" * len(data) if kind == "video" and abs(time_s - at_s) < 0.02 else data

    rewrite_packets(good, path, damage)
    good.unlink()
    return path


def rewrite_packets(source: Path, target: Path, change: Callable[[str, float, bytes], bytes]) -> Path:
    """Copy a file packet by packet; `change(kind, time_s, bytes)` gives each packet's new bytes."""
    with av.open(str(source)) as inp, av.open(str(target), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in inp.streams}
        for packet in inp.demux():
            if packet.dts is None:
                continue
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
