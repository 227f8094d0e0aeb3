"""Many clips of any kind into one H.264/AAC file, frame-exact, through one ffmpeg graph.

The picture of every clip becomes exactly `clip_frames` frames and its sound exactly as long, so that nothing
can drift however many clips there are. Times are player times (0 = the file's earliest stream).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from heimdex_core.errors import InvalidValue, RenderFailed
from heimdex_core.media.ffmpeg import removed_on_failure, run_ffmpeg
from heimdex_core.media.opening import VIDEO_FORMATS, open_media
from heimdex_core.types import AudioTrack, MediaInfo, WorkContext

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


def render_reel(
    clips: Sequence[RenderClip],
    out: Path,
    *,
    width: int,
    height: int,
    fps: float,
    crf: int,
    preset: str,
    timeout_s: float | None,
    context: WorkContext,
) -> None:
    """Write `out` (MP4: H.264 yuv420p in front-loaded order, AAC 44.1 kHz stereo), clips letterboxed on black.

    Reports seconds of the reel. Raises RenderFailed, RenderTimeout, DiskFull, Cancelled; then `out` is gone.
    """
    if not clips:
        raise InvalidValue(name="clips", value="0", reason="at least one is needed")
    form = RenderFormat(width, height, exact_fps(fps), crf, preset)
    frames = [clip_frames(clip.duration_s, form.fps) for clip in clips]
    args: list[str] = [KEEP_TIMES]
    for clip in clips:
        args += input_args(clip.path, clip.info, clip.start_s)
    args += ["-filter_complex", reel_graph(clips, frames, form), "-map", "[picture]", "-map", "[sound]"]
    args += [*encoder_args(form), "-f", "mp4", str(out)]
    with removed_on_failure(out):
        run_ffmpeg(args, total_s=float(sum(frames) / form.fps), context=context, timeout_s=timeout_s)


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


def reel_graph(clips: Sequence[RenderClip], frames: Sequence[int], form: RenderFormat) -> str:
    """The filter graph with outputs [picture] and [sound]. Clip n is input n."""
    parts: list[str] = []
    done = 0
    for n, (clip, count) in enumerate(zip(clips, frames, strict=True)):
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


def encoder_args(form: RenderFormat) -> list[str]:
    """H.264 and AAC that every browser plays, index in front."""
    return [
        *("-c:v", "libx264", "-preset", form.preset, "-crf", str(form.crf), "-pix_fmt", "yuv420p"),
        *("-fps_mode", "passthrough", "-video_track_timescale", str(form.fps.numerator * 512)),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
        *("-c:a", "aac", "-b:a", AUDIO_BITRATE, "-ar", str(SAMPLE_RATE_HZ), "-ac", "2"),
        *("-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart"),
    ]


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


# --- measuring ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RenderMeasure:
    """What a rendered file really holds; `av_offset_s` is how much later its sound starts than its picture."""

    duration_s: float
    video_duration_s: float
    audio_duration_s: float
    frame_count: int
    width: int
    height: int
    video_codec: str
    audio_codec: str | None
    pixel_format: str
    size_bytes: int
    av_offset_s: float


def measure(path: Path) -> RenderMeasure:
    """Measure a rendered MP4: pictures by their packets, sound by decoding it. RenderFailed if that cannot be done."""
    try:
        with av.open(str(path), format="mov") as container:
            return _measure(container, path)
    except (av.error.FFmpegError, IndexError) as error:
        raise RenderFailed(reason=f"the file written cannot be read again: {error}") from error


def _measure(container: av.container.InputContainer, path: Path) -> RenderMeasure:
    video = container.streams.video[0]
    audio = container.streams.audio[0] if container.streams.audio else None
    starts: list[int] = []
    end = 0
    samples, audio_start_s = 0, 0.0
    decoded_picture = False
    for packet in container.demux([s for s in (video, audio) if s is not None]):
        if packet.stream is video and packet.pts is not None:
            starts.append(packet.pts)
            end = max(end, packet.pts + (packet.duration or 0))
            if not decoded_picture:
                decoded_picture = bool(packet.decode())
        elif packet.stream is audio:
            for frame in (f for f in packet.decode() if isinstance(f, av.AudioFrame)):
                if not samples and frame.time is not None:
                    audio_start_s = frame.time
                samples += frame.samples
    if not starts or video.time_base is None:
        raise RenderFailed(reason="the file written has no picture")
    video_start_s = float(min(starts) * video.time_base)
    video_s = float((end - min(starts)) * video.time_base)
    audio_s = samples / audio.codec_context.sample_rate if audio is not None else 0.0
    context = video.codec_context
    return RenderMeasure(
        duration_s=max(video_start_s + video_s, audio_start_s + audio_s),
        video_duration_s=video_s,
        audio_duration_s=audio_s,
        frame_count=len(starts),
        width=context.width,
        height=context.height,
        video_codec=context.name,
        audio_codec=audio.codec_context.name if audio is not None else None,
        pixel_format=context.pix_fmt or "",
        size_bytes=path.stat().st_size,
        av_offset_s=audio_start_s - video_start_s if audio is not None else 0.0,
    )
