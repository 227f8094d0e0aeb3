"""Decoded frames are upright and at their times, and damaged ones are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core import errors
from heimdex_core.media.decode import fit_size, frame_at, frames, two_size_frames
from tests.media.conftest import Shared
from tests.support import media
from tests.support.decoding import info_of


def is_colour(image: np.ndarray, name: str) -> bool:
    """Whether the mean colour is this one, as far as lossy coding keeps it."""
    return bool(np.abs(image.reshape(-1, 3).mean(0) - media.RGB[name]).max() < 6)


def test_every_frame_in_order_and_small(shared: Shared) -> None:
    path = shared(media.colour_clips, "a.mp4", [("red", 1.0), ("blue", 1.0)], key_every=12)
    found = list(frames(path, info_of(path), max_side_px=64))
    assert [round(f.time_s, 3) for f in found] == [n / 25 for n in range(50)]
    assert all(f.image.shape == (36, 64, 3) and f.image.dtype == np.uint8 for f in found)
    assert is_colour(found[24].image, "red")
    assert is_colour(found[25].image, "blue")


def test_frames_are_never_enlarged(shared: Shared) -> None:
    path = shared(media.no_audio, "a.mp4", 0.2)
    for side in (None, 4000):
        assert next(frames(path, info_of(path), max_side_px=side)).image.shape == (180, 320, 3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi"])
def test_a_part_of_a_video(shared: Shared, name: str) -> None:
    path = shared(media.colour_clips, name, [("red", 1.0), ("blue", 1.0)], key_every=12)
    info = info_of(path)
    every = [f.time_s for f in frames(path, info, max_side_px=32)]
    found = list(frames(path, info, max_side_px=32, start_s=0.9, end_s=1.2))
    assert [f.time_s for f in found] == [t for t in every if 0.9 - 1e-3 <= t < 1.2]
    assert len(found) in (7, 8)
    assert is_colour(found[0].image, "red")
    assert is_colour(found[-1].image, "blue")


def test_the_frame_on_screen_at_a_time(shared: Shared) -> None:
    path = shared(media.variable_frame_rate, "a.mp4")
    info = info_of(path)
    # frames are shown at ... 0.9, 1.0, 1.5, 2.0 ...
    for asked_s, shown_s in [(0.0, 0.0), (0.95, 0.9), (1.0, 1.0), (1.49, 1.0), (1.5, 1.5), (99.0, 2.12)]:
        assert frame_at(path, info, asked_s).time_s == pytest.approx(shown_s, abs=1e-3)
    assert is_colour(frame_at(path, info, 0.95).image, "red")
    assert is_colour(frame_at(path, info, 1.0).image, "blue")


def test_times_count_from_the_first_audio_when_the_video_is_late(shared: Shared) -> None:
    path = shared(media.delayed_first_frame, "a.mkv", 1.6, duration_s=2.0)
    info = info_of(path)
    assert [round(f.time_s, 2) for f in frames(path, info, max_side_px=32)] == [
        pytest.approx(1.6 + n / 25) for n in range(50)
    ]
    # there is nothing before the first frame, so it is returned
    assert frame_at(path, info, 0.5, max_side_px=32).time_s == pytest.approx(1.6)


def test_times_count_from_zero_when_the_clock_starts_late(shared: Shared) -> None:
    path = shared(media.late_start, "a.mkv", 5.0, duration_s=2.0)
    info = info_of(path)
    times = [f.time_s for f in frames(path, info, max_side_px=32)]
    assert times[0] == pytest.approx(0.0)
    assert times[-1] == pytest.approx(1.96)
    assert frame_at(path, info, 0.5).time_s == pytest.approx(0.48)


@pytest.mark.parametrize(
    ("degrees", "top_left", "bottom_right"),
    [(90, "red", "blue"), (270, "blue", "red"), (180, "blue", "red"), (0, "red", "blue")],
)
def test_rotation_is_applied(shared: Shared, degrees: int, top_left: str, bottom_right: str) -> None:
    path = shared(media.rotated, "a.mp4", degrees)
    image = next(frames(path, info_of(path), max_side_px=64)).image
    assert image.shape == ((64, 36, 3) if degrees in (90, 270) else (36, 64, 3))
    assert is_colour(image[:4, :4], top_left)
    assert is_colour(image[-4:, -4:], bottom_right)
    if degrees in (90, 270):  # one half is above the other
        assert is_colour(image[:4, -4:], top_left)
    else:
        assert is_colour(image[-4:, :4], top_left)


def test_mirroring_is_applied(shared: Shared) -> None:
    path = shared(media.mirrored, "a.mp4")
    image = next(frames(path, info_of(path), max_side_px=64)).image
    assert is_colour(image[:, :8], "blue")
    assert is_colour(image[:, -8:], "red")


@pytest.mark.parametrize(("name", "size"), [("a.mp4", (161, 91)), ("a.webm", (161, 91)), ("a.mkv", (1, 1))])
def test_odd_sizes(shared: Shared, name: str, size: tuple[int, int]) -> None:
    path = shared(media.odd_size, name, size)
    found = list(frames(path, info_of(path), max_side_px=512))
    assert len(found) == 10
    assert found[0].image.shape == (size[1], size[0], 3)
    assert is_colour(found[0].image, "red")


def test_wide_pixels_are_shown_square(shared: Shared) -> None:
    path = shared(media.anamorphic, "a.mp4")
    assert next(frames(path, info_of(path), max_side_px=None)).image.shape == (144, 360, 3)


def test_one_frame(shared: Shared) -> None:
    path = shared(media.one_frame, "a.mp4")
    info = info_of(path)
    assert [f.time_s for f in frames(path, info, max_side_px=32)] == [0.0]
    assert frame_at(path, info, 0.02).time_s == 0.0


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi"])
@pytest.mark.parametrize("threads", [1, 2, 0])
def test_a_damaged_frame_is_left_out_and_reported_with_its_time(shared: Shared, name: str, threads: int) -> None:
    path = shared(media.damaged_frame, name, at_s=1.0, duration_s=2.0)
    damaged: list[float] = []
    times = [f.time_s for f in frames(path, info_of(path), max_side_px=32, threads=threads, on_damage=damaged.append)]
    assert damaged == [pytest.approx(1.0)]
    assert len(times) == 49
    assert not any(abs(t - 1.0) < 0.01 for t in times)


def test_no_damage_is_reported_of_intact_files(shared: Shared) -> None:
    damaged: list[float] = []
    for name in ("a.webm", "a.avi", "a.mp4"):  # VP8 has hidden frames, AVI no presentation times
        path = shared(media.moving_pattern, name, 1.0)
        info = info_of(path)
        assert len(list(frames(path, info, max_side_px=32, on_damage=damaged.append))) == info.frame_count
    assert damaged == []


def test_a_file_that_was_damaged_after_it_was_probed(shared: Shared) -> None:
    info = info_of(shared(media.no_audio, "a.mkv", 2.0))
    bad = shared(media.undecodable_mkv, "a.mkv", 2.0)
    with pytest.raises(errors.UndecodableVideo):
        list(frames(bad, info, max_side_px=32))
    with pytest.raises(errors.UndecodableVideo):
        frame_at(bad, info, 0.5)


def test_one_pass_returns_both_sizes(shared: Shared) -> None:
    path = shared(media.colour_clips, "a.mp4", [("red", 1.0), ("blue", 1.0)], key_every=12)
    asked: list[float] = []

    def each_second(time_s: float) -> bool:
        asked.append(time_s)
        return abs(time_s - round(time_s)) < 0.01

    found = list(two_size_frames(path, info_of(path), detect_width_px=64, max_side_px=160, want_candidate=each_second))
    assert len(found) == len(asked) == 50
    assert {small.shape for _, small, _ in found} == {(36, 64, 3)}
    kept = [(time_s, image) for time_s, _, image in found if image is not None]
    assert [round(time_s, 2) for time_s, _ in kept] == [0.0, 1.0]
    assert kept[0][1].shape == (90, 160, 3)
    assert is_colour(kept[0][1], "red")
    assert is_colour(kept[1][1], "blue")
    # the small one is BGR, as OpenCV and the shot detectors want it
    assert is_colour(found[0][1][:, :, ::-1], "red")


def test_the_width_of_the_small_image_is_that_of_the_rotated_frame(shared: Shared) -> None:
    path = shared(media.rotated, "a.mp4", 90)
    _, small, candidate = next(
        two_size_frames(path, info_of(path), detect_width_px=90, max_side_px=160, want_candidate=lambda _: True)
    )
    assert small.shape == (160, 90, 3)
    assert candidate is not None
    assert candidate.shape == (160, 90, 3)


def test_fit_size(shared: Shared) -> None:
    info = info_of(shared(media.no_audio, "a.mp4", 0.2))  # 320x180
    assert fit_size(info, max_side_px=160) == (160, 90)
    assert fit_size(info, width_px=32) == (32, 18)
    assert fit_size(info, max_side_px=1) == (1, 1)
    assert fit_size(info) == (320, 180)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")])
def test_full_range_colours_are_not_stretched(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    source = "color=c=0x101010:s=64x64:r=25:d=0.2"
    encode = ["-c:v", codec, "-pix_fmt", "yuv420p", "-color_range", "pc", "-crf", "1", "-b:v", "0"]
    media.ffmpeg("-f", "lavfi", "-i", source, "-vf", "scale=out_range=full", *encode, path)
    image = next(frames(path, info_of(path), max_side_px=None)).image
    assert np.abs(image.astype(int) - 0x10).max() <= 2


def test_hidden_frames_are_not_taken_for_the_damaged_one(tmp_path: Path) -> None:
    good, path = tmp_path / "good.webm", tmp_path / "a.webm"
    source = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2"]
    hidden = ["-c:v", "libvpx", "-b:v", "300k", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-g", "100"]
    for number in ("1", "2"):
        media.ffmpeg(*source, *hidden, "-pass", number, "-passlogfile", tmp_path / "log", good)
    packets: list[float] = []

    def damage(_: str, at_s: float, data: bytes) -> bytes:
        packets.append(at_s)
        return b"\xff" * len(data) if abs(at_s - 1.4) < 0.01 else data

    media.rewrite_packets(good, path, damage)
    assert len(packets) > 50  # 50 are shown, the rest is hidden
    assert sum(abs(at_s - 1.4) < 0.01 for at_s in packets) == 1
    info = info_of(path)
    assert (info.frame_count, info.fps, info.is_variable_frame_rate) == (50, 25.0, False)
    damaged: list[float] = []
    assert len(list(frames(path, info, max_side_px=32, on_damage=damaged.append))) == 49
    assert damaged == [pytest.approx(1.4)]
