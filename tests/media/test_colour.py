"""Colours, fields and shapes: keyframes, previews and reels show the same, whatever a file stores and says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.media import decode
from heimdex_core.media.decode import UnusableFrame, frame_at, frames, two_size_frames
from heimdex_core.media.preview import make_preview, preview_plan
from heimdex_core.media.treatment import treatment_of
from heimdex_core.types import PictureTreatment, WorkContext
from tests.media.colours import CHROMA_TOLERANCE, HDR_PATCHES, all_ways, assert_patches, shown
from tests.media.conftest import Shared
from tests.media.rendering import clip, reel
from tests.support import colour_media, media
from tests.support.colour_media import PATCHES, combing, patch_colours, square_sides
from tests.support.decoding import info_of, pictures

# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transfer", "full_range"), [("pq", False), pytest.param("pq", True, marks=pytest.mark.long), ("hlg", False)]
)
def test_hdr_looks_like_sdr(shared: Shared, tmp_path: Path, transfer: str, full_range: bool) -> None:
    path = shared(colour_media.hdr, f"{transfer}.mkv", transfer, full_range=full_range)
    assert info_of(path).notes == ("no_audio", f"tone_mapped:{transfer.upper()}")
    assert_patches(path, tmp_path, HDR_PATCHES, CHROMA_TOLERANCE)


def yuv(path: Path, matrix: str, **options: object) -> Path:
    size: tuple[int, int] = options.pop("size", (96, 64))  # type: ignore[assignment]
    return colour_media.yuv_video(path, colour_media.patches(size) / 255, matrix=matrix, **options)  # type: ignore[arg-type]


H264 = ("-c:v", "libx264", "-crf", "4", "-preset", "ultrafast")
SDR_FILES: dict[str, Callable[[Path], Path]] = {
    "full_range": lambda folder: yuv(
        folder / "f.mp4", "bt709", full_range=True, codec=H264, tags={"colorspace": "bt709", "color_range": "pc"}
    ),
    "444p10": lambda folder: yuv(folder / "f.mkv", "bt709", bits=10, subsampled=False, tags={"colorspace": "bt709"}),
    "untagged_sd": lambda folder: yuv(folder / "f.mp4", "bt601", codec=H264),
    "untagged_portrait_hd": lambda folder: yuv(folder / "f.mp4", "bt709", codec=H264, size=(406, 720)),
    "untagged_cropped_hd": lambda folder: yuv(folder / "f.mp4", "bt709", codec=H264, size=(1280, 544)),
    "tagged_709_sd": lambda folder: yuv(folder / "f.mp4", "bt709", codec=H264, tags={"colorspace": "bt709"}),
    "smpte240m": lambda folder: yuv(folder / "f.mkv", "smpte240m", subsampled=False, tags={"colorspace": "smpte240m"}),
    "fcc": lambda folder: yuv(folder / "f.mkv", "fcc", subsampled=False, tags={"colorspace": "fcc"}),
    "ictcp": lambda folder: colour_media.h264_tags(folder / "f.mp4", 2, 2, 14),
    "ictcp_pq_tags": lambda folder: colour_media.h264_tags(folder / "f.mp4", 22, 4, 14),
    "reserved": lambda folder: colour_media.h264_tags(folder / "f.mp4", 3, 3, 3),
    "rgb_tag_on_420": lambda folder: colour_media.h264_tags(folder / "f.mp4", 1, 1, 0),
}


LONG = {"smpte240m", "fcc", "ictcp_pq_tags", "reserved", "untagged_sd", "444p10"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in SDR_FILES]
)
def test_sdr_colours_are_the_same_everywhere(tmp_path: Path, name: str) -> None:
    assert_patches(SDR_FILES[name](tmp_path), tmp_path, np.asarray(PATCHES), 8)


@pytest.mark.parametrize(
    ("suffix", "pixel_format", "codec"),
    [(".mkv", "rgb24", "libx264rgb"), (".mov", "rgb24", "qtrle"), (".mkv", "gbrp", "ffv1"), (".mov", "rgb48be", "png")],
)
def test_rgb_is_shown_as_it_is(tmp_path: Path, suffix: str, pixel_format: str, codec: str) -> None:
    path = tmp_path / f"rgb{suffix}"
    (tmp_path / "raw.rgb").write_bytes(colour_media.patches().tobytes() * 5)
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-r", "25"]
    lossless = ["-crf", "0"] if codec == "libx264rgb" else []
    media.ffmpeg(*source, "-i", tmp_path / "raw.rgb", "-c:v", codec, "-pix_fmt", pixel_format, *lossless, path)
    assert_patches(path, tmp_path, np.asarray(PATCHES), 6)


@pytest.mark.parametrize(
    ("name", "pixel_format", "codec"),
    [("f.mov", "argb", "qtrle"), ("f.webm", "yuva420p", "libvpx-vp9"), ("f.mov", "yuva444p10le", "prores_ks")],
)
def test_transparency_lies_on_black(tmp_path: Path, name: str, pixel_format: str, codec: str) -> None:
    path = colour_media.transparent(tmp_path / name, pixel_format, codec)
    assert "transparent" in info_of(path).notes
    for way, image in all_ways(path, tmp_path).items():
        height, width = image.shape[:2]
        opaque, clear = image[height // 2, round(width * 0.35)], image[height // 2, round(width * 0.65)]
        assert np.abs(opaque.astype(int) - (255, 0, 0)).max() <= 12, way
        assert clear.max() <= 6, way


def test_half_transparent_pixels_are_half_as_bright(tmp_path: Path) -> None:
    path = colour_media.transparent(tmp_path / "half.mov", "rgba", "png", alpha=128)
    assert shown(path)[32, 20].tolist() == pytest.approx([128, 0, 0], abs=2)


def test_a_file_that_is_wholly_transparent_is_shown_opaque(tmp_path: Path) -> None:
    """Some recorders leave the alpha channel empty."""
    path = colour_media.transparent(tmp_path / "none.mov", "argb", "qtrle", alpha=0)
    assert "transparency_ignored" in info_of(path).notes
    assert shown(path)[32, 20].tolist() == pytest.approx([255, 0, 0], abs=2)


# --- interlaced -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "marked", "order", "note"),
    [
        ("tff", True, "tff", "interlaced"),
        ("bff", True, "bff", "interlaced"),
        ("tff", False, "tff", "interlaced_unmarked"),
        ("bff", False, "bff", "interlaced_unmarked"),
        ("telecined", False, "tff", "interlaced_unmarked"),
        ("progressive", True, None, "not_interlaced"),
        ("progressive", False, None, None),
    ],
)
def test_interlacing_is_measured(shared: Shared, kind: str, marked: bool, order: str | None, note: str | None) -> None:
    info = info_of(shared(colour_media.moving_bar, "bar.mp4", kind, marked=marked))
    assert info.treatment is not None
    assert info.treatment.field_order == order
    assert info.treatment.notes == ((note,) if note else ())


@pytest.mark.parametrize(("kind", "marked"), [("tff", True), ("bff", False)])
def test_interlaced_frames_are_shown_without_combs(shared: Shared, tmp_path: Path, kind: str, marked: bool) -> None:
    path = shared(colour_media.moving_bar, "bar.mp4", kind, marked=marked)
    info = info_of(path)
    assert combing(shown(path, replace(info, treatment=PictureTreatment()))) > 0.02
    for way, image in all_ways(path, tmp_path).items():
        assert combing(image) < 0.002, way
    assert preview_plan(info) == "transcode"


def test_deinterlaced_frames_keep_their_times(shared: Shared) -> None:
    path = shared(colour_media.moving_bar, "bar.mp4", "tff")
    info = info_of(path)
    times = [frame.time_s for frame in frames(path, info, max_side_px=None)]
    assert times == pytest.approx([n / 25 for n in range(25)])
    # the bar is at 8 pixels a frame; a frame that were one late would have it 8 pixels to the left
    image = frame_at(path, info, 0.4).image
    bar = np.nonzero(image[128, :, 0] > 180)[0]
    assert 80 <= bar[0] <= 84


@pytest.mark.parametrize("start_s", [0.0, 0.4])
def test_a_deinterlaced_reel_starts_where_it_should(shared: Shared, tmp_path: Path, start_s: float) -> None:
    path = shared(colour_media.moving_bar, "bar.mp4", "tff")
    reel([clip(path, start_s, start_s + 0.4)], tmp_path / "reel.mp4", fps=25)
    _, images = pictures(tmp_path / "reel.mp4")
    assert len(images) == 10
    # 320x256 becomes 226x180 in the middle of 320x180
    left = np.nonzero(images[0][90, :, 0] > 180)[0][0]
    assert left == pytest.approx(47 + 8 * start_s * 25 * 226 / 320, abs=4)


def test_fine_progressive_patterns_are_not_taken_for_fields(shared: Shared) -> None:
    """ffmpeg's own idet finds this one interlaced."""
    info = info_of(shared(media.moving_pattern, "pattern.mp4", 1.0, size=(320, 240), tone_hz=None))
    assert info.treatment is not None
    assert info.treatment.field_order is None


# --- shapes ---------------------------------------------------------------------------------------


def test_each_part_of_a_file_whose_size_changes_keeps_its_shape(shared: Shared, tmp_path: Path) -> None:
    path = shared(colour_media.resized, "resized.webm")
    info = info_of(path)
    reel([clip(path, 0, 1.2)], tmp_path / "reel.mp4", fps=25)
    make_preview(path, info, tmp_path / "preview.mp4", "transcode", height_px=90, context=WorkContext())
    ways = {
        "keyframes": np.stack([frame.image for frame in frames(path, info, max_side_px=None)]),
        "preview": pictures(tmp_path / "preview.mp4")[1],
        "reel": pictures(tmp_path / "reel.mp4")[1],
    }
    for way, images in ways.items():
        # a square of 40 pixels; 160 fitted into 90 lines makes it 22.5 wide and high
        for image, side in ((images[7], 40), (images[22], 22.5)):
            scale = image.shape[0] / 90
            assert square_sides(image) == pytest.approx((side * scale, side * scale), abs=3), way


def test_a_change_of_size_is_reported_and_needs_a_preview(shared: Shared) -> None:
    path = shared(colour_media.resized, "resized.webm")
    info = info_of(path)
    changes: list[tuple[float, str]] = []
    passes = two_size_frames(
        path,
        info,
        detect_width_px=64,
        max_side_px=128,
        want_candidate=lambda time_s: True,
        on_change=lambda time_s, what: changes.append((time_s, what)),
    )
    sizes = {(small.shape, large.shape) for _, small, large in passes if large is not None}
    assert sizes == {((36, 64, 3), (72, 128, 3))}
    assert changes == [(pytest.approx(0.6), "size")]
    assert preview_plan(info) == "none"
    assert preview_plan(info, changes_size=True) == "transcode"


@pytest.mark.parametrize(
    "degrees", [pytest.param(0, marks=pytest.mark.long), 90, pytest.param(180, marks=pytest.mark.long), 270]
)
def test_hdr_is_turned_too(shared: Shared, tmp_path: Path, degrees: int) -> None:
    upright = shared(colour_media.hdr, "pq.mkv", "pq")
    path = tmp_path / "turned.mkv"
    media.ffmpeg("-display_rotation", str(-degrees), "-i", upright, "-c", "copy", path)
    info = info_of(path)
    assert info.rotation_deg == degrees
    white = {0: (0.17, 0.25), 90: (0.75, 0.17), 180: (0.83, 0.75), 270: (0.25, 0.83)}[degrees]
    for way, image in all_ways(path, tmp_path).items():
        scale = min(image.shape[1] / info.width, image.shape[0] / info.height)
        left, top = (image.shape[1] - info.width * scale) / 2, (image.shape[0] - info.height * scale) / 2
        x, y = left + white[0] * info.width * scale, top + white[1] * info.height * scale
        assert image[int(y), int(x)].min() > 225, way


@pytest.mark.parametrize("degrees", [90, pytest.param(180, marks=pytest.mark.long)])
def test_turned_frames_are_deinterlaced_before_they_are_turned(shared: Shared, tmp_path: Path, degrees: int) -> None:
    upright = shared(colour_media.moving_bar, "bar.mp4", "tff")
    path = tmp_path / "turned.mp4"
    media.ffmpeg("-display_rotation", str(-degrees), "-i", upright, "-c", "copy", path)
    for way, image in all_ways(path, tmp_path).items():
        seen = np.rot90(image) if degrees == 90 else image
        assert combing(np.ascontiguousarray(seen)) < 0.002, way


def test_hdr_of_an_odd_size_fills_the_frame(tmp_path: Path) -> None:
    signal = colour_media.hdr_signal(np.full((91, 161, 3), 255, np.uint8), "pq")
    tags = {"color_primaries": "bt2020", "color_trc": "smpte2084", "colorspace": "bt2020nc", "color_range": "tv"}
    path = colour_media.yuv_video(tmp_path / "odd.mkv", signal, matrix="bt2020", bits=10, subsampled=False, tags=tags)
    ways = all_ways(path, tmp_path)
    assert ways["keyframe"].shape == (91, 161, 3)
    assert ways["keyframe"].min() > 235
    assert ways["preview"].min() > 230


# --- one choice -----------------------------------------------------------------------------------


def test_videos_without_a_stored_treatment_are_rendered_by_the_same_one(shared: Shared, tmp_path: Path) -> None:
    """As videos are that were indexed before it was stored."""
    path = shared(colour_media.hdr, "pq.mkv", "pq")
    info = info_of(path)
    old = replace(info, treatment=None)
    assert treatment_of(path, old) == info.treatment
    reel([replace(clip(path, 0, 0.2), info=old)], tmp_path / "reel.mp4", fps=25)
    found = patch_colours(pictures(tmp_path / "reel.mp4")[1][2], (96, 64))
    assert np.abs(found - HDR_PATCHES).max() <= CHROMA_TOLERANCE


def test_the_stored_treatment_is_the_one_that_is_used(shared: Shared) -> None:
    path = shared(colour_media.hdr, "pq.mkv", "pq")
    info = replace(info_of(path), treatment=PictureTreatment(matrix="bt2020"))
    assert patch_colours(shown(path, info))[0, 0] == pytest.approx(0.5807 * 255, abs=2)


@pytest.mark.parametrize(
    ("size", "tags", "plan"),
    [
        # untagged: browsers go by the number of lines, and so do we, unless it is HD that was cropped
        ((96, 64), {}, "none"),
        ((1280, 544), {}, "remux"),
        # without primaries and transfer they do not believe the matrix
        ((96, 64), {"colorspace": "bt709"}, "remux"),
        ((96, 64), {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}, "none"),
        ((96, 64), {"colorspace": "smpte170m"}, "none"),
    ],
)
def test_a_preview_is_made_where_browsers_would_show_other_colours(
    tmp_path: Path, size: tuple[int, int], tags: dict[str, str], plan: str
) -> None:
    path = yuv(tmp_path / "f.mp4", "bt709", codec=H264, size=size, tags=tags)
    info = info_of(path)
    assert preview_plan(info) == plan
    if plan == "remux":
        make_preview(path, info, tmp_path / "p.mp4", "remux", height_px=480, context=WorkContext())
        made = info_of(tmp_path / "p.mp4")
        assert made.frame_count == info.frame_count
        assert preview_plan(made) == "none"


def test_frames_that_cannot_be_converted_are_left_out_and_reported(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shared(colour_media.hdr, "pq.mkv", "pq")
    info = info_of(path)
    calls = iter(range(100))
    convert = decode._Scaler._filtered

    def failing(scaler: decode._Scaler, frame: object, fit: bool) -> np.ndarray:
        if next(calls) == 2:
            raise OSError(95, "Operation not supported")
        return convert(scaler, frame, fit)  # type: ignore[arg-type]

    monkeypatch.setattr(decode._Scaler, "_filtered", failing)
    damaged: list[float] = []
    times = [f.time_s for f in frames(path, info, max_side_px=None, on_damage=damaged.append)]
    assert times == pytest.approx([0.0, 0.04, 0.12, 0.16])
    assert damaged == pytest.approx([0.08])
    assert issubclass(UnusableFrame, Exception)
