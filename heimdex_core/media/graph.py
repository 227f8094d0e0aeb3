"""Arguments for ffmpeg: how a clip is opened, and the filter graph that joins many clips.

The video of every clip becomes exactly `clip_frames` frames and its audio exactly as long, so that they stay in sync
however many clips there are. Times are player times in seconds (0 is the start of the file's earliest stream).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from heimdex_core.errors import InvalidValue
from heimdex_core.media.colour import ALPHA_DECODERS
from heimdex_core.media.containers import VIDEO_FORMATS, read_structure
from heimdex_core.media.framing import Framing, Timeline
from heimdex_core.media.limits import most_pixels
from heimdex_core.media.picture import framed_chain, picture_chain
from heimdex_core.media.treatment import treatment_of
from heimdex_core.types import AudioTrack, Cue, MediaInfo

SAMPLE_RATE_HZ = 44_100
"""The rate of the audio in rendered files."""
KEEP_TIMES = "-copyts"
"""Makes ffmpeg keep the container's own times, which `rebase_video` and `rebase_audio` expect."""
AUDIO_BITRATE_BPS = 192_000
MP4 = ("-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4")
"""Writes MP4 without the sources' tags and with the index in front."""

_SILENCE = f"anullsrc=r={SAMPLE_RATE_HZ}:cl=stereo"
_FADE_S = 0.008
# Matroska and AVI interleave their streams: audio that belongs to a keyframe may lie before it in the file. In MP4
# and MOV every track is sought separately.
_PREROLL_S = 0.25
# The decoders of 50 inputs may be open at once, and each of their threads holds frames.
_DECODER_THREADS = 2
_NTSC = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001))


@dataclass(frozen=True)
class RenderClip:
    """[start_s, end_s) of a file, in player time. Raises InvalidValue unless 0 <= start_s < end_s."""

    path: Path
    info: MediaInfo
    """What `probe` returned for the file."""
    start_s: float
    end_s: float
    audio_track: AudioTrack | None = None
    """None for silence."""
    sound_file: Path | None = None
    """A file with the sound of just this clip, which is used in place of `audio_track`."""
    framing: Framing | None = None
    """How the picture is put into a frame of another shape; None to fit it on black."""
    strategy: str | None = None
    """What chooses `framing`: the name of the clip's crop strategy; None for that of the reel."""
    title: str = ""
    """Of its video, for what is drawn on the reel."""
    cues: tuple[Cue, ...] = ()
    """Its captions, in player time."""
    cuts_s: tuple[float, ...] = ()
    """Where the picture is known to cut, in player time; for crops that follow something."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < self.end_s:
            value = f"{self.start_s} to {self.end_s} s"
            raise InvalidValue(name="clip", value=value, reason="it must satisfy 0 <= start < end")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class RenderFormat:
    """Format of a rendered file. Raises InvalidValue unless the sides are even and positive and the rate positive."""

    width: int
    height: int
    fps: Fraction
    """Frames per second, constant."""
    crf: int
    """Quality for libx264: 0 (lossless) to 51 (worst)."""
    preset: str
    """Speed for libx264: "ultrafast" to "veryslow"."""

    def __post_init__(self) -> None:
        if self.width < 2 or self.height < 2 or self.width % 2 or self.height % 2:
            raise InvalidValue(name="size", value=f"{self.width}x{self.height}", reason="both sides must be even")
        if self.fps <= 0:
            raise InvalidValue(name="fps", value=str(self.fps), reason="it must be above 0")


def audio_encoder(bitrate_bps: int = AUDIO_BITRATE_BPS) -> tuple[str, ...]:
    """Options for AAC, stereo, at SAMPLE_RATE_HZ and so many bits per second."""
    return ("-c:a", "aac", "-b:a", str(bitrate_bps), "-ar", str(SAMPLE_RATE_HZ), "-ac", "2")


AUDIO_ENCODER = audio_encoder()


def exact_fps(fps: float) -> Fraction:
    """The fraction that a rounded frame rate stands for: 29.97 is 30000/1001, 25.0 is 25."""
    for ntsc in _NTSC:
        if abs(fps - float(ntsc)) < 0.002:
            return ntsc
    return Fraction(fps).limit_denominator(1000)


def wide_size(height: int) -> tuple[int, int]:
    """(width, height) in pixels of a 16:9 frame with even sides: 720 -> (1280, 720)."""
    return 2 * round(height * 16 / 9 / 2), 2 * round(height / 2)


def clip_frames(duration_s: float, fps: Fraction) -> int:
    """How many frames a clip becomes: its duration rounded to whole frames, at least one."""
    return max(1, round(Fraction(duration_s) * fps))


def input_args(path: Path, info: MediaInfo, start_s: float) -> list[str]:
    """Open `path` near `start_s` (player time). Frames keep the container's own times.

    Frames before the start are read, too (-noaccurate_seek): the one still shown there may have begun long before.
    Damage is tolerated (error rate, ignore_err), as players do.
    """
    preroll_s = 0.0 if info.container.startswith("mov") else _PREROLL_S
    # in an edit list of several parts, ffmpeg takes the last keyframe of them all for the one before the start
    can_seek = start_s > preroll_s and not read_structure(path).rearranged
    seek = ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{info.origin_s + start_s - preroll_s:.6f}"]
    return [
        *("-protocol_whitelist", "file", "-format_whitelist", ",".join(VIDEO_FORMATS)),
        *("-threads", str(_DECODER_THREADS), "-err_detect", "ignore_err", "-max_error_rate", "1"),
        *("-max_pixels", str(most_pixels())),
        # A change of size or format in mid-stream would otherwise rebuild the whole graph of all clips.
        *("-reinit_filter", "0"),
        # frames are turned by media/picture.py, after they were deinterlaced and have one size
        "-noautorotate",
        *_alpha_decoder(path, info),
        *(seek if can_seek else []),
        *("-i", f"file:{path.resolve()}"),
    ]


def rebase_video(info: MediaInfo, start_s: float) -> str:
    """Filters that make `start_s` (player time) time 0 of the video, to the microsecond.

    ffmpeg's own offsets are rounded to the container's clock, which in AVI ticks only once per frame.
    """
    return f"settb=AVTB,setpts=PTS-{round((info.origin_s + start_s) * 1_000_000)}"


def rebase_audio(info: MediaInfo, start_s: float) -> str:
    """Filters that make `start_s` (player time) time 0 of the audio and drop what is before it.

    async fills gaps (broken or late audio) with silence and drops overlaps; it never stretches.
    """
    fill = f"aresample={SAMPLE_RATE_HZ}:async=1:min_hard_comp=0.02:first_pts=0"
    return f"asetpts=PTS-{info.origin_s + start_s:.6f}/TB,atrim=start=0,{fill}"


def reel_graph(clips: Sequence[RenderClip], target: RenderFormat, *, frames_before: int = 0) -> str:
    """The filter graph with the outputs [video] and [audio]; clip n is input n, and sound files follow the clips.

    `frames_before` is how many frames of the same reel are rendered by earlier graphs.
    """
    parts: list[str] = []
    done = frames_before
    for n, clip in enumerate(clips):
        count = clip_frames(clip.duration_s, target.fps)
        parts.append(f"[{n}:{clip.info.video_stream_index}]{_video_chain(clip, count, target, str(n))}[v{n}]")
        # from the running total, so that the rounding errors of the clips do not add up
        samples = _samples(done + count, target.fps) - _samples(done, target.fps)
        track = clip.audio_track
        source = f"[{n}:{track.stream_index}]{rebase_audio(clip.info, clip.start_s)}" if track else _SILENCE
        if clip.sound_file is not None:
            source = f"[{len(clips) + sum(c.sound_file is not None for c in clips[:n])}:0]asetpts=PTS-STARTPTS"
        parts.append(f"{source},{_audio_chain(samples)}[a{n}]")
        done += count
    count = len(clips)
    # In one concat filter the video of a clip would wait for the clip's last sample: there are two.
    video, audio = ("".join(f"[{kind}{n}]" for n in range(count)) for kind in "va")
    # concat rounds to microseconds; numbering the frames again is exact
    parts.append(f"{video}concat=n={count}:v=1:a=0,setpts=N/({target.fps}*TB),fps={target.fps}[video]")
    parts.append(f"{audio}concat=n={count}:v=0:a=1,asetpts=N/SR/TB[audio]")
    return ";".join(parts)


def picture_graph(clips: Sequence[RenderClip], target: RenderFormat, *, title: int = 0, crossfade: int = 0) -> str:
    """The filter graph of the picture of a reel, with the output [joined]; clip n is input n.

    Args:
        clips: at least one.
        target: size and rate of the reel.
        title: how many black frames it begins with, for a title to be drawn on.
        crossfade: for how many frames each clip, or the title, fades into the next one.
    """
    parts, lengths = [], [title] if title else []
    if title:
        size = f"{target.width}x{target.height}"
        parts.append(f"color=black:s={size}:r={target.fps},format=yuv420p,trim=end_frame={title}[v0]")
    for n, clip in enumerate(clips):
        count = clip_frames(clip.duration_s, target.fps)
        chain = _video_chain(clip, count, target, str(n))
        parts.append(f"[{n}:{clip.info.video_stream_index}]{chain}[v{len(lengths)}]")
        lengths.append(count)
    # the filters number the frames again, because they round times to microseconds; that is exact
    renumber = f"setpts=N/({target.fps}*TB),fps={target.fps}"
    if not crossfade:
        inputs = "".join(f"[v{n}]" for n in range(len(lengths)))
        return ";".join([*parts, f"{inputs}concat=n={len(lengths)}:v=1:a=0,{renumber}[joined]"])
    last, begins = "[v0]", 0
    for n in range(1, len(lengths)):
        begins += lengths[n - 1] - crossfade
        fade = f"xfade=duration={_seconds(crossfade, target)}:offset={_seconds(begins, target)}"
        parts.append(f"{last}[v{n}]{fade},{renumber}[x{n}]")
        last = f"[x{n}]"
    return ";".join([*parts, f"{last}{renumber}[joined]"])


def _seconds(frames: int, target: RenderFormat) -> str:
    return f"{float(frames / target.fps):.6f}"


def video_encoder(target: RenderFormat) -> list[str]:
    """Options for H.264 that every browser plays, every frame at its exact time."""
    return [
        *("-c:v", "libx264", "-preset", target.preset, "-crf", str(target.crf), "-pix_fmt", "yuv420p"),
        *("-fps_mode", "passthrough", "-video_track_timescale", str(target.fps.numerator * 512)),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
    ]


def _alpha_decoder(path: Path, info: MediaInfo) -> list[str]:
    """Input options for the transparency that WebM stores beside the picture; libav's own decoders drop it."""
    decoder = ALPHA_DECODERS.get(info.video_codec)
    if decoder is None or not treatment_of(path, info).alpha:
        return []
    return [f"-c:{info.video_stream_index}", decoder]


def _video_chain(clip: RenderClip, frames: int, target: RenderFormat, label: str) -> str:
    """Exactly `frames` frames of the target size. Each is held until the next, and the last one to the end."""
    # start_time=0: the frame shown at 0 began at or before it; video that starts late is shown from 0 on
    timing = f"fps={target.fps}:start_time=0,tpad=stop_mode=clone:stop=-1,trim=end_frame={frames}"
    picture = (clip.path, clip.info, target.width, target.height, timing)
    if clip.framing is None:
        shown = picture_chain(*picture)
    else:
        shown = framed_chain(*picture, clip.framing, Timeline(clip.start_s, target.fps), label)
    return f"{rebase_video(clip.info, clip.start_s)},{shown}"


def _audio_chain(samples: int) -> str:
    """Exactly `samples` stereo samples from time 0, padded with silence, with short fades at both ends."""
    fade = min(round(_FADE_S * SAMPLE_RATE_HZ), samples // 2)
    return ",".join([
        "aformat=sample_fmts=fltp:channel_layouts=stereo",
        "apad",
        f"atrim=end_sample={samples}",
        f"afade=t=in:ss=0:ns={fade}",
        f"afade=t=out:ss={samples - fade}:ns={fade}",
    ])  # fmt: skip


def _samples(frames: int, fps: Fraction) -> int:
    return round(frames * SAMPLE_RATE_HZ / fps)
