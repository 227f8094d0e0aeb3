"""Every clip begins and ends with the right frame and sample, also where clips are rendered in groups."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core.media import render
from heimdex_core.media.render import RenderClip, fitting_groups, measure, render_reel
from heimdex_core.types import WorkContext
from tests.media.conftest import Shared
from tests.media.rendering import BLUE, GREEN, LOUD, RED, clip, reel
from tests.support import media
from tests.support.decoding import centres, is_colour, loudness, pictures, sound


def counted(path: Path, count: int = 100, codec: str = "libx264") -> Path:
    """25 fps; frame n is plain gray of level 20 + 2 n; one keyframe in 50; B-frames where the codec has them."""
    raw = path.with_suffix(".gray")
    raw.write_bytes(b"".join(bytes([20 + 2 * n]) * (160 * 90) for n in range(count)))
    media.ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "gray", "-s", "160x90", "-r", "25", "-i", raw, "-c:v", codec, "-g", "50"),
        *("-bf", "2" if codec == "libx264" else "0", "-b:v", "2M", "-color_range", "tv", "-pix_fmt", "yuv420p", path),
    )
    raw.unlink()
    return path


@pytest.mark.parametrize(("name", "codec"), [("c.mp4", "libx264"), ("c.mkv", "libx264"), ("c.avi", "mpeg4")])
def test_clips_begin_and_end_with_the_right_frame(tmp_path: Path, name: str, codec: str) -> None:
    source = counted(tmp_path / name, codec=codec)
    starts = [0, 3, 49, 50, 77]
    clips = [clip(source, first / 25, first / 25 + 0.4) for first in starts]
    assert reel(clips, tmp_path / "out.mp4", fps=25.0).frame_count == 50
    levels = centres(tmp_path / "out.mp4")[:, 0]
    # what the source itself shows at these frames, decoded from its start
    decoded = centres(source)[:, 0]
    for n, first in enumerate(starts):
        assert list(levels[10 * n : 10 * n + 10]) == pytest.approx(list(decoded[first : first + 10]), abs=1.0)


def test_a_frame_from_before_the_clip_is_held_until_the_next(tmp_path: Path) -> None:
    images = [media.plain(colour) for colour in ("red", "green", "blue")]
    slides = media.encode_frames(tmp_path / "slides.mp4", images, [0.0, 4.0, 8.0])
    reel([clip(slides, 2.0, 5.0)], tmp_path / "out.mp4")
    seen = centres(tmp_path / "out.mp4")
    assert all(is_colour(pixel, RED) for pixel in seen[:59])
    assert all(is_colour(pixel, GREEN) for pixel in seen[61:])
    assert len(seen) == 90


def test_a_clip_from_before_the_first_frame(tmp_path: Path, shared: Shared) -> None:
    """The video starts 1.6 s late; a clip of [1, 2.6) has 48 frames, audio throughout, and red from its start."""
    source = shared(media.delayed_first_frame, "a.mp4", 1.6, duration_s=2.0)
    measured = reel([clip(source, 1.0, 2.6)], tmp_path / "out.mp4")
    samples, rate = sound(tmp_path / "out.mp4")
    assert measured.frame_count == 48
    assert all(is_colour(pixel, RED) for pixel in centres(tmp_path / "out.mp4"))
    assert loudness(samples, rate, 0.05, 1.5) > LOUD


def flashes(path: Path, offset_s: float = 0.0) -> Path:
    """4 s, black and silent, but white with a 1 kHz beep from 2.0 to 2.2 s; the clock starts at `offset_s`."""
    picture = "color=c=black:s=160x90:r=25:d=4,drawbox=c=white:t=fill:enable='between(t,1.99,2.19)'"
    beep = "aevalsrc='if(between(t,2,2.2),0.5*sin(2000*PI*t),0)':s=44100:d=4"
    codec = ["-c:v", "mpeg4", "-c:a", "pcm_s16le"] if path.suffix == ".avi" else ["-c:v", "libx264", "-g", "50"]
    shift = ["-output_ts_offset", str(offset_s)] if offset_s else []
    media.ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", beep, *codec, *shift, path)
    return path


@pytest.mark.parametrize(("name", "offset_s"), [("f.mp4", 0.0), ("f.mkv", 0.0), ("f.avi", 0.0), ("f.mkv", 5.0)])
def test_audio_and_video_stay_in_sync(tmp_path: Path, shared: Shared, name: str, offset_s: float) -> None:
    """The flash of the sixth clip, after five clips whose lengths are not whole frames."""
    source = flashes(tmp_path / name, offset_s)
    other = shared(media.colour_clips, "o.mp4", [("black", 1.0)], size=(160, 90), fps=24)
    before = [clip(other, 0.1, 0.1 + 0.0717 * n) for n in range(1, 6)]
    frames = sum(round(0.0717 * n * 30) for n in range(1, 6))
    reel([*before, clip(source, 1.5, 2.5)], tmp_path / "out.mp4", height=90)
    seen, (samples, rate) = centres(tmp_path / "out.mp4"), sound(tmp_path / "out.mp4")
    flash_s = int(np.argmax(seen[:, 0] > 128)) / 30
    beep_s = int(np.argmax(np.abs(samples) > 0.1)) / rate
    assert flash_s == pytest.approx(frames / 30 + 0.5, abs=0.5 / 30)
    assert abs(beep_s - flash_s) < 0.040


def red_blue(shared: Shared, noise: int = 0) -> Path:
    """Red for 1 s, then blue for 1 s, small, with a tone and a keyframe at each colour."""
    options = {"size": (160, 90), "key_every": 25, "tone_hz": 440, "noise": noise}
    return shared(media.colour_clips, "s.mp4", [("red", 1.0), ("blue", 1.0)], **options)


def test_fifty_clips(tmp_path: Path, shared: Shared) -> None:
    source = red_blue(shared)
    clips = [clip(source, n % 2 + 0.1, n % 2 + 0.3) for n in range(50)]
    measured = reel(clips, tmp_path / "out.mp4", fps=10.0, height=90)
    assert measured.frame_count == 50 * 2
    seen = centres(tmp_path / "out.mp4")
    assert all(is_colour(pixel, BLUE if n // 2 % 2 else RED) for n, pixel in enumerate(seen))


def uhd(path: Path, n: int) -> RenderClip:
    """A clip that claims to be 4K: 3840 x 2160 x 1.5 bytes = 12.4 MB per frame, 99.5 MB for eight."""
    whole = clip(path, n % 2 + 0.11, n % 2 + 0.31)
    return replace(whole, info=replace(whole.info, coded_width=3840, coded_height=2160))


def test_what_would_not_fit_into_memory_is_rendered_in_groups(shared: Shared) -> None:
    source = red_blue(shared)
    clips = [uhd(source, n) for n in range(40)]
    # 13 x 99.5 MB = 1294 MB; one more is over 1300 MB
    assert [len(group) for group in fitting_groups(clips)] == [13, 13, 13, 1]
    small = [clip(source, c.start_s, c.end_s) for c in clips]
    assert len(fitting_groups(small)) == 1


def test_groups_are_joined_seamlessly(tmp_path: Path, shared: Shared) -> None:
    """14 clips of 0.2 s at 29.97 fps, 6 frames each, in two groups: frames, times and audio as from one graph."""
    source = red_blue(shared, noise=20)
    clips = [uhd(source, n) for n in range(14)]
    reported: list[float] = []
    render_reel(
        clips,
        tmp_path / "out.mp4",
        width=160,
        height=90,
        fps=29.97,
        crf=20,
        preset="ultrafast",
        timeout_s=120,
        context=WorkContext(report=lambda done, total: reported.append(done)),
    )
    measured = measure(tmp_path / "out.mp4")
    times, images = pictures(tmp_path / "out.mp4")
    samples, rate = sound(tmp_path / "out.mp4")
    assert measured.frame_count == 84
    assert times == pytest.approx([n * 1001 / 30000 for n in range(84)], abs=1e-4)
    for n in range(14):
        assert is_colour(images[6 * n : 6 * n + 6].mean(axis=(0, 1, 2)), BLUE if n % 2 else RED, 40)
    assert abs(measured.audio_duration_s - measured.video_duration_s) < 0.024
    assert abs(measured.av_offset_s) < 1e-4
    assert loudness(samples, rate, 0.1, 2.7) > LOUD
    assert reported == sorted(reported)
    assert reported[-1] == pytest.approx(84 * 1001 / 30000)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_clips_that_fade_into_each_other_are_divided_where_nothing_fades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips of 12, 15 and 6 frames, by turns, and fades of 3, in six graphs: the same frames as from one graph."""
    source = counted(tmp_path / "counted.mp4")
    clips = [clip(source, n * 0.48, n * 0.48 + length_s) for n, length_s in enumerate([0.48, 0.6, 0.24] * 2)]
    size = {"width": 160, "height": 90, "fps": 25.0, "crf": 1, "preset": "ultrafast", "timeout_s": 120}
    faded: dict[str, Any] = {**size, "crossfade_s": 0.12, "title_s": 0.4, "context": WorkContext()}
    render_reel(clips, tmp_path / "one.mp4", **faded)
    written, run = list[str](), render.run_ffmpeg

    def noting(args: list[str], **options: Any) -> list[str]:
        written.append(Path(args[-1]).suffix)
        return run(args, **options)

    monkeypatch.setattr(render, "run_ffmpeg", noting)
    monkeypatch.setattr(render, "_MAX_DECODED_BYTES", 1)
    render_reel(clips, tmp_path / "six.mp4", **faded)
    assert written.count(".mov") == 6
    (times, one), (same, six) = pictures(tmp_path / "one.mp4"), pictures(tmp_path / "six.mp4")
    assert len(one) == 10 + 2 * (12 + 15 + 6) - 6 * 3
    assert same == pytest.approx(times, abs=1e-4)
    assert six.mean(axis=(1, 2, 3)) == pytest.approx(one.mean(axis=(1, 2, 3)), abs=0.5)


def test_fades_need_more_memory_than_cuts(shared: Shared) -> None:
    """99.5 MB for each clip, and 100 MB for its fade."""
    clips = [uhd(red_blue(shared), n) for n in range(5)]
    assert [len(group) for group in fitting_groups(clips, 250_000_000)] == [2, 2, 1]
    assert [len(group) for group in fitting_groups(clips, 250_000_000, fade_bytes=100_000_000)] == [1] * 5
