"""The parts of a render, what they refuse, and measuring the result."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import InvalidValue, RenderFailed
from heimdex_core.media.graph import clip_frames, exact_fps, wide_size
from heimdex_core.media.render import RenderClip, measure, render_reel
from heimdex_core.types import WorkContext
from tests.media.conftest import Shared
from tests.media.rendering import clip
from tests.support import media
from tests.support.decoding import info_of


@pytest.mark.parametrize(
    ("duration_s", "fps", "frames"),
    [
        (1.0, 30, 30),
        (0.04, 30, 1),
        (0.001, 30, 1),
        (1.016, 30, 30),
        (1.017, 30, 31),
        (10.01, Fraction(30000, 1001), 300),
    ],
)
def test_clip_frames(duration_s: float, fps: int | Fraction, frames: int) -> None:
    assert clip_frames(duration_s, Fraction(fps)) == frames


def test_exact_fps() -> None:
    assert exact_fps(29.97) == Fraction(30000, 1001)
    assert exact_fps(23.976) == Fraction(24000, 1001)
    assert exact_fps(25.0) == 25
    assert exact_fps(30.0) == 30


@pytest.mark.parametrize(("height", "size"), [(720, (1280, 720)), (1080, (1920, 1080)), (480, (854, 480))])
def test_wide_size(height: int, size: tuple[int, int]) -> None:
    assert wide_size(height) == size


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_a_clip_needs_a_length(shared: Shared, start_s: float, end_s: float) -> None:
    path = shared(media.one_frame, "a.mp4")
    with pytest.raises(InvalidValue):
        RenderClip(path, info_of(path), start_s, end_s)


@pytest.mark.parametrize("change", [{"width": 321}, {"height": 0}, {"fps": 0.0}])
def test_an_impossible_format(tmp_path: Path, shared: Shared, change: dict[str, float]) -> None:
    source = clip(shared(media.one_frame, "a.mp4"), 0.0, 0.04)
    options: dict[str, Any] = {"width": 320, "height": 180, "fps": 30.0, "crf": 20, "preset": "ultrafast", **change}
    with pytest.raises(InvalidValue):
        render_reel([source], tmp_path / "x.mp4", timeout_s=9, context=WorkContext(), **options)


# --- measuring ------------------------------------------------------------------------------------


def test_measuring_audio_that_starts_late(shared: Shared) -> None:
    measured = measure(shared(media.delayed_audio, "a.mp4", 1.0, duration_s=3.0))
    assert measured.video_duration_s == pytest.approx(3.0, abs=1e-3)
    assert measured.av_offset_s == pytest.approx(1.0, abs=0.025)
    assert measured.audio_duration_s == pytest.approx(2.0, abs=2 * 1024 / 44100)  # whole AAC packets


def test_measuring_without_audio(shared: Shared) -> None:
    measured = measure(shared(media.no_audio, "a.mp4"))
    assert measured.audio_codec is None
    assert measured.duration_s == pytest.approx(2.0, abs=1e-3)
    assert measured.frame_count == 50


@pytest.mark.parametrize("make", [media.text_file_mp4, media.empty_file, media.audio_only])
def test_measuring_what_is_not_a_video(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(RenderFailed):
        measure(make(tmp_path / "x.mp4"))
