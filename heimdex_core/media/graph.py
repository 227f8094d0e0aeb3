"""The words ffmpeg is told: how to open a clip, and the one graph that makes many clips a whole.

The picture of every clip becomes exactly `clip_frames` frames and its sound exactly as long, so that nothing
can drift however many clips there are. Times are player times (0 = the file's earliest stream).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from heimdex_core.errors import InvalidValue
from heimdex_core.media.opening import VIDEO_FORMATS, open_media
from heimdex_core.types import AudioTrack, MediaInfo

SAMPLE_RATE_HZ = 44_100
AUDIO_BITRATE = "192k"
KEEP_TIMES = "-copyts"
_SILENCE = f"anullsrc=r={SAMPLE_RATE_HZ}:cl=stereo"
_FADE_S = 0.008
# Matroska and AVI interleave: sound that belongs to a keyframe may lie before it in the file. MP4 and MOV seek
# every track by itself.
_PREROLL_S = 0.25
# Decoders of 50 inputs stand ready at once; each thread of each holds frames.
_DECODER_THREADS = 2
# HD without a stated matrix is BT.709 by every player's rule; swscale would take BT.601.
_HD_LINES = 720
_UNSTATED_MATRIX = 2  # ISO/IEC 23091-2, 8.3
_NTSC = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001))


@dataclass(frozen=True)
class RenderClip:
    """[start_s, end_s) of a file, in player time; `audio_track` None means silence. Raises InvalidValue."""

    path: Path
    info: MediaInfo
    start_s: float
    end_s: float
    audio_track: AudioTrack | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < self.end_s:
            value = f"{self.start_s} to {self.end_s} s"
            raise InvalidValue(name="clip", value=value, reason="0 <= start < end is needed")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True)
class RenderFormat:
    """What the file becomes: even pixels, constant frames a second, libx264's crf and preset."""

    width: int
    height: int
    fps: Fraction
    crf: int
    preset: str

    def __post_init__(self) -> None:
        if self.width < 2 or self.height < 2 or self.width % 2 or self.height % 2:
            raise InvalidValue(name="size", value=f"{self.width}x{self.height}", reason="even numbers are needed")
        if self.fps <= 0:
            raise InvalidValue(name="fps", value=str(self.fps), reason="it must be above 0")


def exact_fps(fps: float) -> Fraction:
    """29.97 as 30000/1001, 25.0 as 25: the fraction that is meant."""
    for ntsc in _NTSC:
        if abs(fps - float(ntsc)) < 0.002:
            return ntsc
    return Fraction(fps).limit_denominator(1000)


def wide_size(height: int) -> tuple[int, int]:
    """(width, height) in pixels of a 16:9 picture with even sides: 720 -> (1280, 720)."""
    return 2 * round(height * 16 / 9 / 2), 2 * round(height / 2)


def clip_frames(duration_s: float, fps: Fraction) -> int:
    """How many frames a clip becomes: its duration rounded to frames, at least one."""
    return max(1, round(Fraction(duration_s) * fps))


def choose_audio(info: MediaInfo) -> AudioTrack | None:
    """The track a reel takes its sound from: the default one that is no commentary, else the first such one."""
    spoken = [t for t in info.audio_tracks if not t.is_commentary] or list(info.audio_tracks)
    return next((t for t in spoken if t.is_default), spoken[0] if spoken else None)


def input_args(path: Path, info: MediaInfo, start_s: float) -> list[str]:
    """Open `path` near `start_s` (player time); frames keep the container's own times (KEEP_TIMES).

    Frames before the start come along (-noaccurate_seek): the one still shown there may have begun long before.
    Damage is played over (error rate, ignore_err), as a player does.
    """
    preroll_s = 0.0 if info.container.startswith("mov") else _PREROLL_S
    seek = ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{info.origin_s + start_s - preroll_s:.6f}"]
    return [
        *("-protocol_whitelist", "file", "-format_whitelist", ",".join(VIDEO_FORMATS)),
        *("-threads", str(_DECODER_THREADS), "-err_detect", "ignore_err", "-max_error_rate", "1"),
        # A change of size or format in mid-stream would otherwise rebuild the whole graph of all clips.
        *("-reinit_filter", "0"),
        *(seek if start_s > preroll_s else []),
        *("-i", f"file:{path.resolve()}"),
    ]


def picture_from(info: MediaInfo, start_s: float) -> str:
    """Filters that make `start_s` (player time) the picture's 0, to the microsecond.

    ffmpeg's own offsets are rounded to the container's clock, which ticks only once a frame in AVI.
    """
    return f"settb=AVTB,setpts=PTS-{round((info.origin_s + start_s) * 1_000_000)}"


def sound_from(info: MediaInfo, start_s: float) -> str:
    """Filters that make `start_s` (player time) the sound's 0, drop what is before it, and fill holes.

    async fills holes (broken or late sound) with silence and drops overlaps; it never stretches.
    """
    fill = f"aresample={SAMPLE_RATE_HZ}:async=1:min_hard_comp=0.02:first_pts=0"
    return f"asetpts=PTS-{info.origin_s + start_s:.6f}/TB,atrim=start=0,{fill}"


def reel_graph(clips: Sequence[RenderClip], form: RenderFormat, *, frames_before: int = 0) -> str:
    """The filter graph with outputs [picture] and [sound]. Clip n is input n.

    `frames_before`: how many frames of the same reel other graphs have made already.
    """
    parts: list[str] = []
    done = frames_before
    for n, clip in enumerate(clips):
        count = clip_frames(clip.duration_s, form.fps)
        parts.append(f"[{n}:{clip.info.video_stream_index}]{picture_chain(clip, count, form)}[v{n}]")
        # cut from the running total: rounding of one clip cannot add to that of the next
        samples = _samples(done + count, form.fps) - _samples(done, form.fps)
        track = clip.audio_track
        heard = f"[{n}:{track.stream_index}]{sound_from(clip.info, clip.start_s)}" if track else _SILENCE
        parts.append(f"{heard},{sound_chain(samples)}[a{n}]")
        done += count
    count = len(clips)
    pictures, sounds = (  # joined apart: joined together, a clip's picture would wait for its last sample
        "".join(f"[{kind}{n}]" for n in range(count)) for kind in "va"
    )
    # concat rounds to microseconds; counting frames afresh is exact
    parts.append(f"{pictures}concat=n={count}:v=1:a=0,setpts=N/({form.fps}*TB),fps={form.fps}[picture]")
    parts.append(f"{sounds}concat=n={count}:v=0:a=1,asetpts=N/SR/TB[sound]")
    return ";".join(parts)


def picture_chain(clip: RenderClip, frames: int, form: RenderFormat) -> str:
    """Exactly `frames` frames of form's size. A frame is held until the next and the last one to the end."""
    colours = scale_colours(clip.path, clip.info)
    w, h = form.width, form.height
    return ",".join(
        [
            picture_from(clip.info, clip.start_s),
            # start_time=0: what is shown at 0 began at or before it; a picture that starts late is shown from 0 on
            f"fps={form.fps}:start_time=0",
            "tpad=stop_mode=clone:stop=-1",
            f"trim=end_frame={frames}",
            f"scale=w='max(2,2*round(min({w},{h}*dar)/2))':h='max(2,2*round(min({h},{w}/dar)/2))':{colours}",
            "format=yuv420p",
            f"pad={w}:{h}:2*trunc((ow-iw)/4):2*trunc((oh-ih)/4):color=black:eval=frame",
            "setsar=1",
        ]
    )


def sound_chain(samples: int) -> str:
    """Exactly `samples` stereo samples from time 0, silent where there is no sound; both ends fade for some ms."""
    fade = min(round(_FADE_S * SAMPLE_RATE_HZ), samples // 2)
    return ",".join(
        [
            "aformat=sample_fmts=fltp:channel_layouts=stereo",
            "apad",
            f"atrim=end_sample={samples}",
            f"afade=t=in:ss=0:ns={fade}",
            f"afade=t=out:ss={samples - fade}:ns={fade}",
        ]
    )


def picture_encoder(form: RenderFormat) -> list[str]:
    """H.264 that every browser plays, every frame at its exact time."""
    return [
        *("-c:v", "libx264", "-preset", form.preset, "-crf", str(form.crf), "-pix_fmt", "yuv420p"),
        *("-fps_mode", "passthrough", "-video_track_timescale", str(form.fps.numerator * 512)),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
    ]


SOUND_ENCODER = ("-c:a", "aac", "-b:a", AUDIO_BITRATE, "-ar", str(SAMPLE_RATE_HZ), "-ac", "2")
MP4 = ("-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4")
"""Without the sources' tags, with the index in front."""


def _samples(frames: int, fps: Fraction) -> int:
    return round(frames * SAMPLE_RATE_HZ / fps)


def scale_colours(path: Path, info: MediaInfo) -> str:
    """Options of ffmpeg's scale that bring any matrix and range to BT.709, limited range."""
    to = "out_color_matrix=bt709:out_range=tv:flags=bicubic"
    if info.coded_height < _HD_LINES:
        return to
    with open_media(path) as container:
        streams = [s for s in container.streams.video if s.index == info.video_stream_index]
        unstated = all(s.codec_context.colorspace == _UNSTATED_MATRIX for s in streams)
    return f"in_color_matrix=bt709:{to}" if unstated else to
