from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from heimdex_core.errors import InvalidValue
from heimdex_core.models.palette.colours import FAMILY_NAMES, FAMILY_OF_NAME, NAMES, name_shares, presence, srgb_to_lab
from heimdex_core.models.palette.descriptor import describe
from heimdex_core.models.palette.layout import BLOCKS, DIM, ORIENTATIONS, SLICES
from tests.models.palette.drawn_scenes import SCENES


def feature(vector: np.ndarray, block: str, part: str) -> float:
    found = next(b for b in BLOCKS if b.name == block)
    return float(vector[SLICES[block]][found.parts.index(part)])


def plain(rgb: tuple[int, int, int], size: tuple[int, int] = (90, 160)) -> np.ndarray:
    return np.full((*size, 3), rgb, np.uint8)


def test_lab_of_known_colours() -> None:
    """Values of the sRGB primaries under D65, from any colour table."""
    rgb = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    expected: list[list[float]] = [
        [100, 0, 0],
        [0, 0, 0],
        [53.24, 80.09, 67.20],
        [87.73, -86.18, 83.18],
        [32.30, 79.19, -107.86],
    ]
    np.testing.assert_allclose(srgb_to_lab(rgb), expected, atol=0.05)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((220, 25, 25), "red"),
        ((245, 130, 32), "orange"),
        ((250, 225, 40), "yellow"),
        ((45, 155, 50), "green"),
        ((30, 80, 200), "blue"),
        ((110, 180, 235), "sky blue"),
        ((15, 28, 80), "navy"),
        ((120, 75, 38), "brown"),
        ((244, 128, 176), "pink"),
        ((224, 172, 138), "skin"),
        ((110, 106, 34), "olive"),
    ],
)
def test_the_nearest_name(rgb: tuple[int, int, int], name: str) -> None:
    shares = name_shares(srgb_to_lab(np.array([rgb], dtype=np.float32) / np.float32(255)))[0]
    assert NAMES[int(np.argmax(shares))] == name
    assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_every_name_belongs_to_families_that_sum_to_one() -> None:
    assert FAMILY_OF_NAME.shape == (len(NAMES), len(FAMILY_NAMES))
    np.testing.assert_allclose(FAMILY_OF_NAME.sum(axis=1), 1, atol=1e-6)


def test_presence_is_half_at_its_half() -> None:
    np.testing.assert_allclose(presence([0, 0.08, 1], 0.08), [0, 0.5, 1 / 1.08], atol=1e-6)


@pytest.mark.parametrize("scene", ["sunset_over_sea", "night_with_lights", "colour_bars", "autumn_forest"])
def test_the_same_picture_in_another_size_is_nearly_the_same(scene: str) -> None:
    picture = SCENES[scene]()
    larger = np.asarray(Image.fromarray(picture).resize((1280, 720), Image.Resampling.BICUBIC))
    assert float(describe(picture) @ describe(larger)) > 0.97


def test_grey_pictures_of_one_channel() -> None:
    ramp = np.tile(np.arange(160, dtype=np.uint8), (90, 1))
    as_rgb = np.repeat(ramp[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(describe(ramp), describe(as_rgb))
    np.testing.assert_array_equal(describe(ramp[:, :, None]), describe(as_rgb))


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InvalidValue, match="RGB uint8"):
        describe(bad)


def test_black_bars_are_left_out() -> None:
    picture = SCENES["meadow_under_blue_sky"]()
    framed = np.zeros((240, 320, 3), np.uint8)
    framed[30:210] = picture
    pillared = np.zeros((180, 440, 3), np.uint8)
    pillared[:, 60:380] = picture
    np.testing.assert_array_equal(describe(framed), describe(picture))
    np.testing.assert_array_equal(describe(pillared), describe(picture))


def test_a_dark_half_is_not_a_bar() -> None:
    picture = plain((200, 200, 200))
    picture[:45] = 0
    assert feature(describe(picture), "cell", "black@top centre") > 0


def test_where_a_colour_is() -> None:
    picture = plain((40, 160, 50))
    picture[:30] = (235, 130, 180)
    vector = describe(picture)
    assert feature(vector, "cell", "pink@top left") > 0 > feature(vector, "cell", "pink@bottom left")
    assert feature(vector, "cell", "green@bottom right") > 0 > feature(vector, "cell", "green@top right")


def test_light_and_warmth() -> None:
    dark, bright = describe(plain((12, 12, 14))), describe(plain((240, 240, 240)))
    assert feature(dark, "scalar", "lightness") < 0 < feature(bright, "scalar", "lightness")
    assert feature(dark, "scalar", "dark_share") > 0 > feature(bright, "scalar", "dark_share")
    warm, cold = describe(plain((230, 150, 60))), describe(plain((60, 120, 220)))
    assert feature(warm, "scalar", "warmth") > 0 > feature(cold, "scalar", "warmth")


@pytest.mark.parametrize(
    ("line", "direction"),
    [
        ((0, 80, 160, 80), "horizontal"),
        ((80, 0, 80, 160), "vertical"),
        ((0, 160, 160, 0), "rising"),
        ((0, 0, 160, 160), "falling"),
    ],
)
def test_which_way_edges_run(line: tuple[int, int, int, int], direction: str) -> None:
    image = Image.new("RGB", (160, 160), "white")
    ImageDraw.Draw(image).line(line, fill="black", width=20)
    found = describe(np.asarray(image))[SLICES["orientation"]]
    assert ORIENTATIONS[int(np.argmax(found))] == direction


def test_fine_grain_is_finer_than_large_squares() -> None:
    rng = np.random.default_rng(2)
    grain = rng.integers(0, 2, (160, 160), dtype=np.uint8) * 255
    squares = np.kron(rng.integers(0, 2, (10, 10), dtype=np.uint8) * 255, np.ones((16, 16), np.uint8))
    fine, coarse = describe(grain), describe(squares)
    assert feature(fine, "scalar", "edges") > feature(coarse, "scalar", "edges")
    assert feature(fine, "scalar", "smooth") < 0 < feature(coarse, "scalar", "smooth")


def test_columns_explain_bars_and_rows_explain_layers() -> None:
    bars = describe(SCENES["colour_bars"]())
    layers = describe(SCENES["snow_field"]())
    assert feature(bars, "scalar", "columns") > 0 > feature(bars, "scalar", "rows")
    assert feature(layers, "scalar", "rows") > 0 > feature(layers, "scalar", "columns")


def test_grey_pictures_have_no_accents() -> None:
    picture = plain((120, 120, 120))
    accents = describe(picture)[SLICES["accent"]]
    assert (accents < 0).all()
    picture[40:50, 70:90] = (230, 120, 30)
    with_orange = describe(picture)[SLICES["accent"]]
    assert FAMILY_NAMES[int(np.argmax(with_orange))] == "orange"
    assert with_orange.max() > 0


def test_the_last_dimension_makes_images_equally_long() -> None:
    vector = describe(plain((128, 128, 128)))
    assert vector.shape == (DIM,)
    assert vector[-1] >= 0
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)
