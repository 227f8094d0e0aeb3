"""Clips of any kind in one reel: every frame exact, audio and video in sync, damage concealed."""

import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from heimdex_core.errors import Cancelled, RenderFailed, RenderTimeout
from heimdex_core.media import render
from heimdex_core.media.render import RenderClip, RenderMeasure, render_reel
from heimdex_core.types import WorkContext
from tests.media.conftest import Shared
from tests.media.rendering import BLACK, BLUE, GREEN, LOUD, RED, SILENT, WHITE, YELLOW, clip, reel
from tests.support import media
from tests.support.decoding import centres, is_colour, loudness, pictures, sound

# --- clips of every kind --------------------------------------------------------------------------

Mixed = tuple[RenderMeasure, np.ndarray, np.ndarray, int]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, shared: Shared) -> Mixed:
    """(measure, centre colours, samples, rate) of a reel of eight kinds of clips at 30 fps."""
    d = tmp_path_factory.mktemp("mixed")
    plain = shared(media.colour_clips, "a.mp4", [("red", 1.0), ("blue", 1.0)], tone_hz=440)
    no_sound = media.colour_clips(d / "b.webm", [("green", 1.0)], fps=Fraction(30000, 1001))
    odd = shared(media.odd_size, "a.mp4", (161, 91))
    turned = shared(media.rotated, "a.mov", 90)
    vfr = shared(media.variable_frame_rate, "a.mkv")
    one = shared(media.one_frame, "a.mp4")
    media.ffmpeg(  # 4:3 in non-square pixels, 50 fps, mono 22050 Hz
        *("-f", "lavfi", "-i", "color=c=yellow:s=352x288:r=50:d=1", "-f", "lavfi", "-i", "sine=r=22050:d=1"),
        *("-vf", "setsar=12/11", "-c:v", "mpeg4", "-c:a", "pcm_s16le", "-ac", "1", d / "g.avi"),
    )
    clips = [
        clip(plain, 0.5, 1.5),  # 30 frames, 0 to 29: red until 0.5 s, then blue
        clip(no_sound, 0.1, 0.6),  # 15, 30 to 44
        clip(odd, 0.0, 0.4),  # 12, 45 to 56
        clip(turned, 0.0, 0.4),  # 12, 57 to 68: red above blue
        clip(vfr, 0.55, 1.35),  # 24, 69 to 92: red for 0.45 s, then blue
        clip(one, 0.0, 0.04),  # 1.2 frames: 1, 93
        clip(d / "g.avi", 0.2, 0.9),  # 21, 94 to 114
        clip(plain, 0.0, 0.5),  # 15, 115 to 129
    ]
    out = d / "reel.mp4"
    measured = reel(clips, out)
    return measured, centres(out), *sound(out)


def test_its_length_is_the_sum_of_whole_frames(mixed: Mixed) -> None:
    measured = mixed[0]
    assert measured.frame_count == 30 + 15 + 12 + 12 + 24 + 1 + 21 + 15 == 130
    assert measured.video_duration_s == pytest.approx(130 / 30, abs=1e-4)


def test_its_audio_is_as_long_as_its_video(mixed: Mixed) -> None:
    measured = mixed[0]
    # AAC comes in packets of 1024 samples, 23.2 ms
    assert 0 <= measured.audio_duration_s - measured.video_duration_s < 1024 / 44100
    assert measured.av_offset_s == pytest.approx(0, abs=1e-4)


def test_it_plays_in_browsers(mixed: Mixed) -> None:
    measured = mixed[0]
    assert (measured.video_codec, measured.pixel_format, measured.audio_codec) == ("h264", "yuv420p", "aac")
    assert (measured.width, measured.height) == (320, 180)


@pytest.mark.parametrize(
    ("first", "last", "colour"),
    [
        (0, 14, RED),
        (15, 29, BLUE),
        (30, 44, GREEN),
        (45, 56, RED),
        (69, 81, RED),
        (83, 92, BLUE),
        (93, 93, RED),
        (94, 114, YELLOW),
        (115, 129, RED),
    ],
)
def test_every_frame_shows_its_clip(mixed: Mixed, first: int, last: int, colour: tuple[int, int, int]) -> None:
    shown = mixed[1]
    wrong = [n for n in range(first, last + 1) if not is_colour(shown[n], colour)]
    assert not wrong, f"frames {wrong} are {shown[wrong]}"


def test_audio_is_where_it_was_and_silence_elsewhere(mixed: Mixed) -> None:
    _, _, samples, rate = mixed
    at = [n / 30 for n in (0, 30, 94, 115, 130)]
    # encoders spread a few ms across a join
    assert loudness(samples, rate, at[0] + 0.05, at[1] - 0.05) > LOUD
    assert loudness(samples, rate, at[1] + 0.05, at[2] - 0.05) < SILENT
    assert loudness(samples, rate, at[2] + 0.05, at[3] - 0.05) > LOUD
    assert loudness(samples, rate, at[3] + 0.05, at[4] - 0.05) > LOUD


def test_joins_are_faded(mixed: Mixed) -> None:
    _, _, samples, rate = mixed
    middle = round(115 / 30 * rate)  # between two clips with audio
    assert np.max(np.abs(samples[middle - 20 : middle + 20])) < 0.3 * np.max(np.abs(samples))


# --- shape ----------------------------------------------------------------------------------------


def shown(path: Path, start_s: float, end_s: float, out: Path) -> np.ndarray:
    """The first frame of a one-clip reel of 320x180."""
    reel([clip(path, start_s, end_s)], out)
    return pictures(out)[1][0]


def test_a_rotated_video_is_upright_between_black_bars(tmp_path: Path, shared: Shared) -> None:
    # coded 320x180, shown 180x320: fits 180 px high as 101.25 wide, in the middle of 320
    image = shown(shared(media.rotated, "a.mov", 90), 0.0, 0.2, tmp_path / "out.mp4")
    assert is_colour(image[45, 160], RED)
    assert is_colour(image[135, 160], BLUE)
    assert is_colour(image[90, 100], BLACK)
    assert is_colour(image[90, 220], BLACK)


def test_a_wide_video_is_letterboxed(tmp_path: Path) -> None:
    # 320x80 in 320x180: 50 black lines above and below
    source = media.colour_clips(tmp_path / "w.mp4", [("white", 0.4)], size=(320, 80))
    image = shown(source, 0.0, 0.2, tmp_path / "out.mp4")
    assert is_colour(image[45, 160], BLACK)
    assert is_colour(image[55, 160], WHITE)
    assert is_colour(image[125, 160], WHITE)
    assert is_colour(image[135, 160], BLACK)


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    # 160x180 pixels, each twice as wide as high: fills 320x180
    media.ffmpeg("-f", "lavfi", "-i", "color=c=white:s=160x180:r=25:d=0.4", "-vf", "setsar=2", tmp_path / "s.mp4")
    image = shown(tmp_path / "s.mp4", 0.0, 0.2, tmp_path / "out.mp4")
    assert is_colour(image[90, 5], WHITE)
    assert is_colour(image[90, 315], WHITE)


def test_one_pixel_is_enough(tmp_path: Path, shared: Shared) -> None:
    image = shown(shared(media.odd_size, "a.mkv", (1, 1)), 0.0, 0.2, tmp_path / "out.mp4")
    assert is_colour(image[90, 160], RED)


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_colours_survive_whatever_matrix_they_came_in(tmp_path: Path, matrix: str) -> None:
    space = "bt709" if matrix == "bt709" else "bt601"
    media.ffmpeg(
        *("-f", "lavfi", "-i", "color=c=orange:s=320x180:r=25:d=0.4,format=gbrp"),
        *("-vf", f"scale=out_color_matrix={space}:out_range=pc,format=yuvj420p", "-colorspace", matrix),
        *("-color_range", "pc", tmp_path / "m.mp4"),
    )
    reel([clip(tmp_path / "m.mp4", 0.0, 0.2)], tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)  # BT.709, limited range
        planes = [int(np.frombuffer(bytes(plane), np.uint8)[0]) for plane in frame.planes]
    # orange (1, .647, 0): Y = .2126 + .7152 * .647 = .675; Cb = (0 - Y) / 1.8556; Cr = (1 - Y) / 1.5748 (BT.709)
    assert planes == pytest.approx([16 + 219 * 0.675, 128 - 224 * 0.364, 128 + 224 * 0.206], abs=3)


def test_a_change_of_size_within_a_file_does_not_break_the_reel(tmp_path: Path) -> None:
    small, large = tmp_path / "small.avi", tmp_path / "large.avi"
    media.colour_clips(small, [("red", 1.0)], size=(160, 90), codec="mjpeg", pixel_format="yuvj420p")
    media.colour_clips(large, [("blue", 1.0)], size=(320, 240), codec="mjpeg", pixel_format="yuvj420p")
    both = tmp_path / "both.avi"
    with av.open(str(both), "w") as out, av.open(str(small)) as a, av.open(str(large)) as b:
        stream = out.add_stream_from_template(a.streams.video[0])
        for n, packet in enumerate([p for c in (a, b) for p in c.demux(video=0) if p.size]):
            packet.pts = packet.dts = n
            packet.stream = stream
            out.mux(packet)
    measured = reel([clip(small, 0.0, 0.4), clip(both, 0.0, 2.0), clip(large, 0.0, 0.4)], tmp_path / "out.mp4")
    seen = centres(tmp_path / "out.mp4")
    assert measured.frame_count == 12 + 60 + 12
    assert is_colour(seen[12 + 15], RED)
    assert is_colour(seen[12 + 45], BLUE)
    assert is_colour(seen[12 + 60 + 6], BLUE)


# --- damage ---------------------------------------------------------------------------------------


def test_broken_audio_becomes_silence(tmp_path: Path, shared: Shared) -> None:
    source = shared(media.broken_audio, "a.mp4", from_s=1.0, to_s=2.0, duration_s=3.0)
    measured = reel([clip(source, 0.0, 3.0)], tmp_path / "out.mp4")
    samples, rate = sound(tmp_path / "out.mp4")
    assert measured.frame_count == 90
    assert abs(measured.audio_duration_s - 3.0) < 0.04
    assert loudness(samples, rate, 0.1, 0.9) > LOUD
    assert loudness(samples, rate, 1.2, 1.8) < LOUD / 4
    assert loudness(samples, rate, 2.2, 2.9) > LOUD


def test_audio_of_which_nothing_can_be_decoded(tmp_path: Path, shared: Shared) -> None:
    source = shared(media.broken_audio, "a.mp4", from_s=0.0, duration_s=1.0)
    assert reel([clip(source, 0.0, 1.0)], tmp_path / "out.mp4").frame_count == 30


def test_a_damaged_frame_is_concealed(tmp_path: Path, shared: Shared) -> None:
    source = shared(media.damaged_frame, "a.mkv", at_s=1.0, duration_s=2.0)
    measured = reel([clip(source, 0.5, 1.5)], tmp_path / "out.mp4")
    assert measured.frame_count == 30
    assert all(is_colour(pixel, RED) for pixel in centres(tmp_path / "out.mp4"))


def test_a_clip_that_outlasts_its_file_holds_the_last_frame(tmp_path: Path, shared: Shared) -> None:
    source = shared(media.no_audio, "a.mp4")
    assert reel([clip(source, 1.5, 3.0)], tmp_path / "out.mp4").frame_count == 45
    assert is_colour(centres(tmp_path / "out.mp4")[-1], RED)


def test_a_clip_of_which_nothing_can_be_decoded_is_named(tmp_path: Path, shared: Shared) -> None:
    good = clip(shared(media.no_audio, "a.mp4"), 0.0, 0.4)
    bad = replace(good, path=shared(media.undecodable_mkv, "a.mkv", 2.0))
    with pytest.raises(RenderFailed, match="clip 2 can"):
        reel([good, bad, good], tmp_path / "out.mp4")
    # 4K: 13 clips in the first graph, so it is the third input of the second
    large = replace(good.info, coded_width=3840, coded_height=2160)
    many = [replace(good, info=large)] * 15 + [replace(bad, info=large)]
    with pytest.raises(RenderFailed, match="clip 16 can"):
        reel(many, tmp_path / "out.mp4")


# --- stopping -------------------------------------------------------------------------------------


def render_slowly(clips: list[RenderClip], out: Path, context: WorkContext, timeout_s: float) -> None:
    render_reel(
        clips, out, width=1920, height=1080, fps=60.0, crf=18, preset="veryslow", timeout_s=timeout_s, context=context
    )


def test_cancelling_leaves_nothing(tmp_path: Path, shared: Shared) -> None:
    reported: list[float] = []
    context = WorkContext(report=lambda done, total: reported.append(done), is_cancelled=lambda: bool(reported))
    clips = [clip(shared(media.moving_pattern, "a.mp4", 1.0), 0.0, 1.0)] * 20
    with pytest.raises(Cancelled):
        render_slowly(clips, tmp_path / "x.mp4", context, timeout_s=60)
    assert reported
    assert list(tmp_path.iterdir()) == []


def test_a_timeout_leaves_nothing(tmp_path: Path, shared: Shared) -> None:
    small = clip(shared(media.moving_pattern, "a.mp4", 1.0), 0.0, 1.0)
    large = replace(small, info=replace(small.info, coded_width=3840, coded_height=2160))
    with pytest.raises(RenderTimeout) as caught:
        render_slowly([large] * 20, tmp_path / "x.mp4", WorkContext(), timeout_s=0.4)  # 4K: two graphs
    assert caught.value.details["limit_s"] == 0.4
    assert list(tmp_path.iterdir()) == []


def test_sound_that_fails_stops_the_picture(tmp_path: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, reported = threading.Event(), [0.0]

    def report(done: float, _: float) -> None:
        reported.append(done)
        begun.set()

    def make_sound(*_: object, **__: object) -> None:
        begun.wait(60)
        raise RenderFailed(reason="no sound")

    monkeypatch.setattr(render, "make_sound", make_sound)
    clips = [clip(shared(media.moving_pattern, "a.mp4", 1.0), 0.0, 1.0)] * 20
    size: dict[str, Any] = {"width": 640, "height": 360, "fps": 60.0, "crf": 18, "preset": "slow"}
    with pytest.raises(RenderFailed, match="no sound"):
        render_reel(clips, tmp_path / "x.mp4", timeout_s=60, context=WorkContext(report=report), **size)
    assert max(reported) < 20
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source_is_reported(tmp_path: Path, shared: Shared) -> None:
    lost = replace(clip(shared(media.no_audio, "a.mp4"), 0.0, 1.0), path=tmp_path / "missing.mp4")
    with pytest.raises(RenderFailed, match="No such file"):
        reel([lost], tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
