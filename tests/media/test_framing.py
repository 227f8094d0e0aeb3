"""How pictures are put into frames of another shape: what is where, by the pixels of rendered files."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import InvalidValue
from heimdex_core.media.framing import BLUR, CENTRE_CROP, FIT, Framing, crop_box, crop_shares, framed_image
from heimdex_core.media.render import RenderClip, measure, render_reel
from heimdex_core.types import WorkContext
from heimdex_core.types.crop import CropKeyframe, CropPath
from tests.support import media
from tests.support.colour_media import resized, square_sides
from tests.support.decoding import info_of, is_colour, pictures

BLACK = media.RGB["black"]
FRAME = (90, 160)


def ramp(size: tuple[int, int], *, down: bool = False) -> np.ndarray:
    """Gray that rises from 20 to 220 from left to right, or from top to bottom: a pixel says where it comes from."""
    width, height = size
    side = height if down else width
    line = np.rint(20 + 200 * (np.arange(side) + 0.5) / side).astype(np.uint8)
    return np.broadcast_to((line[:, None] if down else line[None, :])[..., None], (height, width, 3)).copy()


def place(pixels: np.ndarray) -> float:
    """Where in the ramp the mean of some pixels lies, as a share of it."""
    return (float(pixels.mean()) - 20) / 200


def source(
    folder: Path, size: tuple[int, int] = (320, 180), *, seconds: float = 0.4, down: bool = False, turns: int = 0
) -> Path:
    """A ramp that does not move, turned counter-clockwise by `turns` quarters."""
    times_s = [n / 25 for n in range(round(seconds * 25))]
    image = np.rot90(ramp(size, down=down), turns)
    # 4:4:4, because sides may be odd
    path = folder / f"source-{down}.mkv"
    return media.encode_frames(path, [image] * len(times_s), times_s, codec="ffv1", pixel_format="yuv444p")


def rendered(
    path: Path, framing: Framing, *, frame: tuple[int, int] = FRAME, start_s: float = 0.0, end_s: float = 0.2
) -> np.ndarray:
    """The frames of [start_s, end_s), (n, height, width, 3)."""
    clip = RenderClip(path, info_of(path), start_s, end_s, framing=framing)
    return render_clips([clip], path.with_name("out.mp4"), frame)


def render_clips(clips: list[RenderClip], out: Path, frame: tuple[int, int] = FRAME) -> np.ndarray:
    render_reel(
        clips, out, width=frame[0], height=frame[1], fps=25.0, crf=1, preset="ultrafast", timeout_s=60,
        context=WorkContext(),
    )  # fmt: skip
    measured = measure(out)
    assert (measured.width, measured.height) == frame
    return pictures(out)[1]


def middle(image: np.ndarray) -> float:
    height, width = image.shape[:2]
    return place(image[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2])


def sides(image: np.ndarray) -> list[float]:
    """What is at the left and at the right edge."""
    return [place(image[:, :2]), place(image[:, -2:])]


def ends(image: np.ndarray) -> list[float]:
    """What is at the top and at the bottom."""
    return [place(image[:2]), place(image[-2:])]


# --- shapes ---------------------------------------------------------------------------------------


def test_the_largest_crop_by_hand() -> None:
    # 9:16 of 16:9: 9/16 / (16/9) = 81/256 of the width
    assert crop_shares(Fraction(16, 9), Fraction(9, 16)) == pytest.approx((81 / 256, 1.0))
    # 9:16 of a picture of 1:4 keeps its width and (1/4) / (9/16) = 4/9 of its height
    assert crop_shares(Fraction(1, 4), Fraction(9, 16)) == pytest.approx((1.0, 4 / 9))
    assert crop_box(None, 0, picture=(1920, 1080), frame=(1080, 1920)) == pytest.approx((0.341797, 0, 0.316406, 1))
    left = CropPath((CropKeyframe(0, 0.1),))  # nearer to the edge than half a crop
    assert crop_box(left, 0, picture=(1920, 1080), frame=(1080, 1920))[0] == 0


def test_only_a_crop_has_a_path() -> None:
    with pytest.raises(InvalidValue):
        Framing("blur", CropPath((CropKeyframe(0, 0.5),)))


# --- rendered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "width", "height"),
    [
        ((320, 180), 81 / 256, 1.0),
        ((90, 320), 1.0, 0.5),  # narrower than 9:16
        ((161, 91), 9 / 16 / (161 / 91), 1.0),
        ((180, 180), 9 / 16, 1.0),
        ((336, 144), 9 / 16 / (336 / 144), 1.0),
    ],
)
def test_the_middle(tmp_path: Path, size: tuple[int, int], width: float, height: float) -> None:
    shown = rendered(source(tmp_path, size), CENTRE_CROP)
    assert len(shown) == 5
    assert sides(shown[2]) == pytest.approx([0.5 - width / 2, 0.5 + width / 2], abs=0.02)
    shown = rendered(source(tmp_path, size, down=True), CENTRE_CROP)
    assert ends(shown[2]) == pytest.approx([0.5 - height / 2, 0.5 + height / 2], abs=0.02)


def test_a_fitted_picture_lies_on_black_or_on_its_blurred_copy(tmp_path: Path) -> None:
    path = source(tmp_path)
    # 90 x 50.6 in 90 x 160: rows 55 to 105
    on_black, on_blur = rendered(path, FIT)[2], rendered(path, BLUR)[2]
    assert sides(on_black[57:103]) == pytest.approx([0, 1], abs=0.03)
    assert sides(on_blur[57:103]) == pytest.approx([0, 1], abs=0.03)
    assert all(is_colour(on_black[row, 45], BLACK) for row in (0, 52, 108, 159))
    # behind it the middle of the picture, enlarged: its left edge is a third of the way across
    assert sides(on_blur[:40]) == pytest.approx([0.342, 0.658], abs=0.05)
    behind = rendered(source(tmp_path, down=True), BLUR)[2]
    assert [place(behind[row]) for row in (20, 140)] == pytest.approx([20 / 160, 140 / 160], abs=0.05)


def test_a_picture_of_the_frames_shape_fills_it(tmp_path: Path) -> None:
    path = source(tmp_path, (180, 320), down=True)
    for framing in (FIT, BLUR, CENTRE_CROP):
        assert ends(rendered(path, framing)[2]) == pytest.approx([0, 1], abs=0.02)


def test_a_crop_moves_along_its_path_and_jumps_at_a_cut(tmp_path: Path) -> None:
    path = source(tmp_path, seconds=3.0)
    keys = (CropKeyframe(1.0, 0.3), CropKeyframe(2.0, 0.7), CropKeyframe(2.4, 0.4, cut=True))
    seen = [middle(image) for image in rendered(path, Framing("crop", CropPath(keys)), start_s=0.8, end_s=2.8)]
    # the clip's frame n is at 0.8 + n / 25 s; all of this lies farther from the edges than half a crop, .158
    assert seen == pytest.approx([CropPath(keys).at(0.8 + n / 25)[0] for n in range(50)], abs=0.01)
    assert seen[39:41] == pytest.approx([0.7, 0.4], abs=0.01)  # before and at 2.4 s


def test_a_jump_is_at_the_first_frame_of_the_shot(tmp_path: Path) -> None:
    """Frames of the source lie between those of the result; each is shown at the nearest."""
    count = 30
    images = [media.plain("black", (320, 180))] * 15 + [ramp((320, 180))] * 15
    path = media.encode_frames(tmp_path / "a.mp4", images, [n / 25 for n in range(count)])
    keys = Framing("crop", CropPath((CropKeyframe(0.0, 0.3), CropKeyframe(15 / 25, 0.7, cut=True))))
    for start_s in (0.1, 0.11, 0.125, 0.13):
        shown = [middle(image) for image in rendered(path, keys, start_s=start_s, end_s=1.1)]
        first = next(n for n, value in enumerate(shown) if value > 0.1)
        assert shown[first] == pytest.approx(0.7, abs=0.02), start_s


def test_a_moving_crop_has_no_steps(tmp_path: Path) -> None:
    """An edge in the picture moves as it should, to a pixel of the result from frame to frame."""
    half = np.concatenate([media.plain("black", (320, 360)), media.plain("white", (320, 360))], axis=1)
    path = media.encode_frames(tmp_path / "edge.mkv", [half] * 50, [n / 25 for n in range(50)], codec="ffv1")
    keys = (CropKeyframe(0.0, 0.4), CropKeyframe(2.0, 0.6))
    shown = rendered(path, Framing("crop", CropPath(keys)), frame=(360, 640), end_s=2.0)
    # the whole picture would be 640 * 640 / 360 pixels wide
    expected = [180 + (0.5 - (0.4 + 0.2 * n / 50)) * 640 * 640 / 360 for n in range(50)]
    line = shown[:, 320, :, 0].astype(float)
    edges = 360 - (line / line.max()).sum(axis=1)
    wrong = edges - expected
    assert np.abs(wrong).max() < 2.0
    assert np.abs(np.diff(wrong)).max() < 1.1


def test_a_crop_above_and_below(tmp_path: Path) -> None:
    path = source(tmp_path, (90, 320), seconds=0.8, down=True)
    keys = (CropKeyframe(0.0, 0.5, 0.3), CropKeyframe(0.4, 0.5, 0.7, cut=True))
    seen = [middle(image) for image in rendered(path, Framing("crop", CropPath(keys)), end_s=0.8)]
    assert seen == pytest.approx([0.3] * 10 + [0.7] * 10, abs=0.01)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_source_is_cropped_as_it_is_shown(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "turned.mp4"
    for down in (False, True):
        plain = source(tmp_path, seconds=0.4, down=down, turns=degrees // 90)
        encoded = ["-c:v", "libx264", "-qp", "1", "-pix_fmt", "yuv420p"]
        media.ffmpeg("-i", plain, *encoded, tmp_path / "plain.mp4")
        media.ffmpeg("-display_rotation", str(-degrees), "-i", tmp_path / "plain.mp4", "-c", "copy", path)
        info = info_of(path)
        assert (info.width, info.height) == (320, 180)
        if down:
            assert ends(rendered(path, CENTRE_CROP)[2]) == pytest.approx([0, 1], abs=0.02)
            continue
        at = Framing("crop", CropPath((CropKeyframe(0.0, 0.3), CropKeyframe(0.2, 0.7, cut=True))))
        seen = [middle(image) for image in rendered(path, at, end_s=0.4)]
        assert seen == pytest.approx([0.3] * 5 + [0.7] * 5, abs=0.015)
        assert sides(rendered(path, BLUR)[2][57:103]) == pytest.approx([0, 1], abs=0.03)


def test_several_clips_with_different_framings(tmp_path: Path) -> None:
    path = source(tmp_path)
    info = info_of(path)
    framings = (BLUR, CENTRE_CROP, None, BLUR, Framing("crop", CropPath((CropKeyframe(0.0, 0.3),))))
    shown = render_clips([RenderClip(path, info, 0.0, 0.2, framing=f) for f in framings], tmp_path / "out.mp4")
    assert [middle(shown[n * 5 + 2]) for n in range(5)] == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.3], abs=0.01)
    assert [is_colour(shown[n * 5 + 2][10, 45], BLACK) for n in range(5)] == [False, False, True, False, False]


def test_a_path_with_a_keyframe_for_every_frame(tmp_path: Path) -> None:
    """More changes than ffmpeg's parser nests, and a longer graph than one argument can be."""
    keys = tuple(CropKeyframe(n / 50, 0.3 + 0.4 * (n % 2)) for n in range(9_000))
    seen = [middle(image) for image in rendered(source(tmp_path), Framing("crop", CropPath(keys)))]
    assert seen == pytest.approx([0.3] * 5, abs=0.01)


def test_an_anamorphic_source_keeps_its_shape(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    media.ffmpeg("-i", source(tmp_path, (160, 180)), "-vf", "setsar=2/1", "-c:v", "libx264", "-qp", "1", path)
    assert info_of(path).width == 320
    assert sides(rendered(path, CENTRE_CROP)[2]) == pytest.approx([0.342, 0.658], abs=0.02)
    assert sides(rendered(path, BLUR)[2][57:103]) == pytest.approx([0, 1], abs=0.03)


def test_an_interlaced_source(tmp_path: Path) -> None:
    path = source(tmp_path, (720, 576))
    info = info_of(path)
    assert info.treatment is not None
    interlaced = replace(info, treatment=replace(info.treatment, field_order="tff"))
    keys = (CropKeyframe(0.0, 0.4), CropKeyframe(0.2, 0.6, cut=True))
    clip = RenderClip(path, interlaced, 0.0, 0.4, framing=Framing("crop", CropPath(keys)))
    seen = [middle(image) for image in render_clips([clip], tmp_path / "out.mp4")]
    assert seen == pytest.approx([0.4] * 5 + [0.6] * 5, abs=0.01)


def test_frames_of_another_size_in_mid_stream(tmp_path: Path) -> None:
    """A smaller frame is enlarged before it is cropped: nothing beyond its end is read."""
    path = resized(tmp_path / "a.webm", ((160, 90), (80, 46), (90, 160)))
    shown = rendered(path, CENTRE_CROP, end_s=info_of(path).duration_s)
    # the red square of 40 pixels: as in the first size, and enlarged or reduced with its picture
    assert [square_sides(shown[n])[1] for n in (5, 20, 35)] == pytest.approx([71, 139, 40], abs=4)


def test_a_still_shows_what_is_rendered(tmp_path: Path) -> None:
    path = source(tmp_path)
    moving = Framing("crop", CropPath((CropKeyframe(0.0, 0.3), CropKeyframe(1.0, 0.7))))
    for framing in (FIT, BLUR, CENTRE_CROP, moving):
        still = framed_image(ramp((320, 180)), framing, width=90, height=160, time_s=0.08)
        assert np.abs(still.astype(int) - rendered(path, framing)[2]).mean() < 3, framing
