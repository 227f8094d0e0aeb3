"""What a rendered file must fulfil before it is published."""

from dataclasses import replace
from typing import Any

import pytest

from heimdex_core.errors import RenderCheckFailed
from heimdex_core.export.check import check_render
from heimdex_core.media.render import RenderMeasure

GOOD = RenderMeasure(
    duration_s=10.01,
    video_duration_s=10.0,
    audio_duration_s=10.01,
    frame_count=300,
    width=1280,
    height=720,
    video_codec="h264",
    audio_codec="aac",
    pixel_format="yuv420p",
    size_bytes=1,
    av_offset_s=0.0,
)


def check(measured: RenderMeasure, clips: tuple[float, ...] = (4.0, 6.0)) -> None:
    check_render(measured, clips, fps=30.0, width=1280, height=720)


@pytest.mark.parametrize(
    "change",
    [
        {},
        # two clips: two frames of 33.3 ms
        {"video_duration_s": 10.066, "audio_duration_s": 10.066},
        {"video_duration_s": 9.934, "audio_duration_s": 9.934},
        {"audio_duration_s": 10.039},
        {"av_offset_s": 0.02},
    ],
)
def test_good_enough(change: dict[str, Any]) -> None:
    check(replace(GOOD, **change))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"video_duration_s": 10.07, "audio_duration_s": 10.07}, "lasts 10.070 s instead of 10.000 s"),
        ({"video_duration_s": 9.93, "audio_duration_s": 9.93}, "lasts 9.930 s"),
        ({"audio_duration_s": 10.05}, "ends 50 ms after"),
        ({"audio_duration_s": 9.9}, "ends 100 ms before"),
        ({"av_offset_s": 0.05}, "starts 50 ms after"),
        ({"av_offset_s": -0.05}, "starts 50 ms before"),
        ({"video_codec": "hevc"}, "hevc"),
        ({"pixel_format": "yuv444p"}, "yuv444p"),
        ({"audio_codec": None}, "None"),
        ({"width": 1278}, "1278x720"),
    ],
)
def test_not_good_enough(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RenderCheckFailed, match=reason):
        check(replace(GOOD, **change))


def test_one_clip_may_be_one_frame_off_not_two() -> None:
    off = replace(GOOD, video_duration_s=10.05, audio_duration_s=10.05)
    check(off, (4.0, 6.0))
    with pytest.raises(RenderCheckFailed):
        check(off, (10.0,))
