"""Previews: what browsers cannot play becomes an MP4 with the times of the source."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from heimdex_core.errors import Cancelled, InvalidValue, RenderFailed
from heimdex_core.media.preview import PreviewPlan, make_preview, preview_plan
from heimdex_core.types import AudioTrack, MediaInfo, WorkContext
from tests.media.conftest import Shared
from tests.support import media
from tests.support.decoding import centres, info_of, is_colour, loudness, pictures, sound

RED, BLUE = media.RGB["red"], media.RGB["blue"]


def track(codec: str) -> AudioTrack:
    return AudioTrack(1, codec, 44100, 2, None, None, is_default=True, is_commentary=False)


PLAYABLE = MediaInfo(
    container="mov",
    size_bytes=1,
    claimed_duration_s=1.0,
    duration_s=1.0,
    origin_s=0.0,
    video_stream_index=0,
    video_codec="h264",
    video_profile="High",
    pixel_format="yuv420p",
    width=640,
    height=360,
    coded_width=640,
    coded_height=360,
    rotation_deg=0,
    fps=25.0,
    frame_count=25,
    is_variable_frame_rate=False,
    first_frame_s=0.0,
    audio_tracks=(track("aac"),),
)


@pytest.mark.parametrize(
    ("change", "plan"),
    [
        ({}, "none"),
        ({"container": "matroska"}, "none"),
        ({"container": "matroska", "video_codec": "vp8", "audio_tracks": (track("vorbis"),)}, "none"),
        ({"container": "matroska", "video_codec": "vp9", "audio_tracks": (track("opus"),)}, "none"),
        ({"video_codec": "av1", "audio_tracks": ()}, "none"),
        ({"rotation_deg": 90, "is_variable_frame_rate": True}, "none"),
        ({"container": "avi"}, "remux"),
        ({"container": "matroska", "audio_tracks": (track("ac3"),)}, "remux"),
        ({"audio_tracks": (track("pcm_s16le"),)}, "remux"),
        ({"container": "matroska", "origin_s": 5.0}, "remux"),
        ({"container": "matroska", "video_codec": "vp8", "origin_s": 5.0}, "transcode"),
        ({"video_codec": "hevc"}, "transcode"),
        ({"container": "avi", "video_codec": "mpeg4"}, "transcode"),
        ({"pixel_format": "yuv422p"}, "transcode"),
        ({"pixel_format": "yuv420p10le"}, "transcode"),
        ({"video_codec": "prores", "pixel_format": "yuv422p10le"}, "transcode"),
    ],
)
def test_plan(change: dict[str, Any], plan: PreviewPlan) -> None:
    assert preview_plan(replace(PLAYABLE, **change)) == plan


def test_damaged_video_is_transcoded() -> None:
    # Chromium stops at the first frame that it cannot decode
    assert preview_plan(PLAYABLE, damaged=True) == "transcode"


def preview(source: Path, out: Path, plan: PreviewPlan | None = None, *, height_px: int = 720) -> MediaInfo:
    info = info_of(source)
    make_preview(source, info, out, plan or preview_plan(info), height_px=height_px, context=WorkContext())
    return info_of(out)


def key_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(p.pts * p.time_base) for p in container.demux(video=0) if p.is_keyframe and p.pts is not None]


def first_blue_s(path: Path) -> float:
    times, images = pictures(path)
    return times[int(np.argmax(images[:, 90, 160, 2] > 128))]


def test_an_avi_becomes_playable_with_its_times(tmp_path: Path) -> None:
    source = media.mpeg4_avi(tmp_path / "s.avi", [("red", 0.6), ("blue", 0.8)])
    made = preview(source, tmp_path / "p.mp4")
    assert preview_plan(made) == "none"
    # AVI's own clock may skip a tick after the first frame: its times as decoded are what counts
    assert first_blue_s(source) == pytest.approx(0.6, abs=0.041)
    assert first_blue_s(tmp_path / "p.mp4") == pytest.approx(first_blue_s(source), abs=0.001)
    samples, rate = sound(tmp_path / "p.mp4")
    assert loudness(samples, rate, 0.2, 1.2) > 0.02


def test_a_transcoded_preview_has_a_keyframe_every_second(tmp_path: Path) -> None:
    source = media.colour_clips(tmp_path / "s.avi", [("red", 2.5)], size=(64, 36))
    preview(source, tmp_path / "p.mp4")
    assert key_times(tmp_path / "p.mp4") == pytest.approx([0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("size", "degrees", "expected"),
    [((320, 180), 0, (160, 90)), ((320, 180), 90, (90, 160)), ((64, 48), 0, (64, 48)), ((321, 181), 0, (160, 90))],
)
def test_a_transcoded_preview_is_reduced_and_never_enlarged(
    tmp_path: Path, size: tuple[int, int], degrees: int, expected: tuple[int, int]
) -> None:
    source = (
        media.rotated(tmp_path / "s.mov", degrees, size=size)
        if degrees
        else media.colour_clips(tmp_path / "s.mp4", [("red", 0.2)], size=size, pixel_format="yuv444p")
    )
    made = preview(source, tmp_path / "p.mp4", "transcode", height_px=90)
    assert (made.width, made.height) == expected
    assert made.rotation_deg == 0


def test_video_that_starts_late_is_shown_from_the_start(tmp_path: Path) -> None:
    """Audio from 0, red from 0.8 s: the preview has both from 0, so that all players agree where 0 is."""
    made = preview(media.delayed_first_frame(tmp_path / "s.avi", 0.8, duration_s=0.6), tmp_path / "p.mp4")
    assert made.first_frame_s == 0
    assert made.origin_s == 0
    samples, rate = sound(tmp_path / "p.mp4")
    assert loudness(samples, rate, 0.1, 1.2) > 0.02
    assert len(centres(tmp_path / "p.mp4")) == pytest.approx(1.4 * 25, abs=1)


def test_audio_that_starts_late_stays_late(tmp_path: Path, shared: Shared) -> None:
    source = shared(media.delayed_audio, "a.mkv", 1.0, duration_s=3.0)
    made = preview(source, tmp_path / "p.mp4", "transcode")
    samples, rate = sound(tmp_path / "p.mp4")
    assert made.origin_s == 0
    assert int(np.argmax(np.abs(samples) > 0.02)) / rate == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("plan", ["remux", "transcode"])
def test_a_clock_that_does_not_start_at_0(tmp_path: Path, shared: Shared, plan: PreviewPlan) -> None:
    made = preview(shared(media.late_start, "a.mkv", 5.0, duration_s=2.0), tmp_path / "p.mp4", plan)
    assert (made.origin_s, made.first_frame_s) == (0, 0)
    assert made.duration_s == pytest.approx(2.0, abs=0.05)


def test_a_remux_copies_the_video(tmp_path: Path) -> None:
    source = media.colour_clips(tmp_path / "s.avi", [("red", 0.6), ("blue", 0.4)], codec="libx264", tone_hz=440)
    assert preview_plan(info_of(source)) == "remux"
    made = preview(source, tmp_path / "p.mp4")
    assert preview_plan(made) == "none"
    assert np.array_equal(centres(source), centres(tmp_path / "p.mp4"))
    source_times, made_times = pictures(source)[0], pictures(tmp_path / "p.mp4")[0]
    assert made_times == pytest.approx(source_times, abs=0.001)


def test_a_remux_encodes_only_audio_that_browsers_cannot_play(tmp_path: Path) -> None:
    source = tmp_path / "s.mov"
    video, tone = "testsrc2=s=160x90:r=25:d=1", "sine=frequency=440:duration=1"
    media.ffmpeg(
        "-f", "lavfi", "-i", video, "-f", "lavfi", "-i", tone, "-c:a", "pcm_s16le", "-pix_fmt", "yuv420p", source
    )
    made = preview(source, tmp_path / "p.mp4")
    assert [t.codec for t in made.audio_tracks] == ["aac"]
    assert made.frame_count == 25
    assert np.array_equal(pictures(source)[1], pictures(tmp_path / "p.mp4")[1])


def test_a_remux_that_loses_the_times_is_not_kept(tmp_path: Path) -> None:
    """Video that the probe says starts at 0.4 s but that starts at 0 in the copy is transcoded."""
    source = media.colour_clips(tmp_path / "s.avi", [("red", 1.0)], codec="libx264")
    info = replace(info_of(source), first_frame_s=0.4)
    make_preview(source, info, tmp_path / "p.mp4", "remux", height_px=90, context=WorkContext())
    assert info_of(tmp_path / "p.mp4").height == 90  # a copy would still be 180 high


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_damaged_frames_are_concealed(tmp_path: Path, shared: Shared, name: str) -> None:
    source = shared(media.damaged_frame, name, at_s=1.0, duration_s=2.0)
    made = preview(source, tmp_path / "p.mp4", "transcode")
    assert made.frame_count == 50
    assert all(is_colour(pixel, RED) for pixel in centres(tmp_path / "p.mp4"))


@pytest.mark.parametrize("from_s", [0.0, 0.5])
def test_broken_audio_does_not_prevent_a_preview(tmp_path: Path, shared: Shared, from_s: float) -> None:
    source = shared(media.broken_audio, "a.mp4", from_s=from_s, duration_s=1.0)
    made = preview(source, tmp_path / "p.mp4", "transcode")
    assert made.frame_count == 25


def test_variable_rates_keep_their_times(tmp_path: Path, shared: Shared) -> None:
    """Red until 1.0 s, then blue, at 30 frames per second."""
    preview(shared(media.variable_frame_rate, "a.mkv"), tmp_path / "p.mp4", "transcode")
    seen = centres(tmp_path / "p.mp4")
    assert is_colour(seen[29], RED)
    assert is_colour(seen[30], BLUE)


@pytest.mark.parametrize("make", [media.one_frame, media.odd_size])
def test_the_smallest_files(tmp_path: Path, shared: Shared, make: Callable[[Path], Path]) -> None:
    source = shared(make, "a.mkv")
    assert preview(source, tmp_path / "p.mp4", "transcode").frame_count == info_of(source).frame_count


def test_cancelling_leaves_nothing(tmp_path: Path, shared: Shared) -> None:
    source = shared(media.no_audio, "a.avi", 0.4)
    info = info_of(source)
    with pytest.raises(Cancelled):
        make_preview(
            source, info, tmp_path / "p.mp4", "transcode", height_px=90, context=WorkContext(is_cancelled=lambda: True)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(tmp_path: Path, shared: Shared) -> None:
    info = info_of(shared(media.no_audio, "a.avi", 0.4))
    source = media.text_file_mp4(tmp_path / "s.avi")
    with pytest.raises(RenderFailed):
        make_preview(source, info, tmp_path / "p.mp4", "transcode", height_px=90, context=WorkContext())
    assert [path.name for path in tmp_path.iterdir()] == ["s.avi"]


def test_no_preview_where_none_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue):
        make_preview(tmp_path / "s", PLAYABLE, tmp_path / "p.mp4", "none", height_px=90, context=WorkContext())
