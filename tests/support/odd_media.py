"""Test media that is odd but workable: turned, late, uneven, tiny, many-voiced."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.clips import (
    Clips,
    Size,
    audio_codec,
    colour_clips,
    encode_frames,
    ffmpeg,
    plain,
    shift_times,
    tone,
    video_codec,
)

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
    sound = tone(440, delay_s + duration_s)
    picture = f"color=c=red:s=320x180:r=25:d={duration_s}"
    codecs = [*video_codec(path, None), *audio_codec(path)]
    ffmpeg(
        *sound, "-itsoffset", str(delay_s), "-f", "lavfi", "-i", picture, "-map", "1:v", "-map", "0:a", *codecs, path
    )
    return path


def delayed_audio(path: Path, delay_s: float = 1.0, *, duration_s: float = 3.0) -> Path:
    """A red picture from 0; a 440 Hz tone starts `delay_s` later and ends with the picture."""
    picture = f"color=c=red:s=320x180:r=25:d={duration_s}"
    sound = ["-itsoffset", str(delay_s), *tone(440, duration_s - delay_s)]
    codecs = [*video_codec(path, None), *audio_codec(path)]
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
    sounds = [*tone(900, duration_s), *tone(600, duration_s), *tone(440, duration_s)]
    maps = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:a"]
    names = ["Director's Commentary", "Audio description", "Main"]
    titles = [a for n, name in enumerate(names) for a in (f"-metadata:s:a:{n}", f"title={name}")]
    flags = ["-disposition:a:0", "comment", "-disposition:a:1", "visual_impaired", "-disposition:a:2", "0"]
    language = ["-metadata:s:a:2", "language=eng"]
    codecs = [*video_codec(path, None), *audio_codec(path)]
    ffmpeg(*picture, *sounds, *maps, *codecs, *titles, *language, *flags, path)
    return path


def fragmented_mp4(path: Path, duration_s: float = 4.0) -> Path:
    """An MP4 of movie fragments: its header makes no claim about the duration."""
    whole = colour_clips(path.with_name(f"whole-{path.name}"), [("red", duration_s)], tone_hz=440, key_every=25)
    ffmpeg("-i", whole, "-c", "copy", "-movflags", "+frag_keyframe+empty_moov", path)
    whole.unlink()
    return path


def live_webm(path: Path, duration_s: float = 3.0) -> Path:
    """A WebM as browsers record it: no duration, sizes unknown, no index."""
    whole = colour_clips(path.with_name(f"whole-{path.name}"), [("red", duration_s)], tone_hz=440)
    ffmpeg("-i", whole, "-c", "copy", "-f", "webm", "-live", "1", path)
    whole.unlink()
    return path


def anamorphic(path: Path) -> Path:
    """Coded 180x144 with pixels twice as wide as high: shown 360x144."""
    upright = colour_clips(path.with_name(f"square-{path.name}"), [("red", 0.4)], size=(180, 144))
    ffmpeg("-i", upright, "-vf", "setsar=2", *video_codec(path, None), path)
    upright.unlink()
    return path
