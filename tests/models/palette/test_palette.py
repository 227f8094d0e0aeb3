"""Palette as a whole: queries against scenes that were drawn to show what they ask for."""

from __future__ import annotations

import numpy as np
import pytest

from heimdex_core.models.palette.encoder import Palette
from tests.models.palette.drawn_scenes import ASKED, LEAF_ON_ROCK, SCENES

NAMES = list(SCENES)


@pytest.fixture(scope="module")
def palette() -> Palette:
    return Palette()


@pytest.fixture(scope="module")
def vectors(palette: Palette) -> np.ndarray:
    return palette.encode_images([draw() for draw in SCENES.values()])


def ranked(palette: Palette, vectors: np.ndarray, query: str) -> list[str]:
    found = palette.encode_query(query)
    assert found.vector is not None
    return [NAMES[n] for n in np.argsort(-(vectors @ found.vector), kind="stable")]


@pytest.mark.parametrize(("query", "wanted"), ASKED)
def test_the_scene_that_is_described_comes_first(
    palette: Palette, vectors: np.ndarray, query: str, wanted: str
) -> None:
    names = wanted.split("|")
    assert ranked(palette, vectors, query)[0] in names
    asked = palette.encode_query(query).vector
    assert asked is not None
    best = max(float(vectors[NAMES.index(name)] @ asked) for name in names)
    assert best > 0.05, "more than an ordinary image: the search drops what scores 0 or less"


@pytest.mark.parametrize("query", LEAF_ON_ROCK)
def test_a_little_orange_on_a_lot_of_rock(palette: Palette, vectors: np.ndarray, query: str) -> None:
    order = [name for name in ranked(palette, vectors, query) if name != "autumn_forest"]
    assert order[0] == "autumn_leaf_on_rock"


def test_dark_and_bright_are_opposites(palette: Palette, vectors: np.ndarray) -> None:
    dark, bright = ranked(palette, vectors, "dark"), ranked(palette, vectors, "bright")
    assert dark[0] in ("night_with_lights", "fire")
    assert bright[0] in ("snow_field", "text_card")
    assert dark.index("snow_field") > 8
    assert bright.index("night_with_lights") > 8


@pytest.mark.parametrize("grey", [0, 60, 128, 200, 255])
def test_a_plain_grey_image_scores_below_zero_for_coloured_things(palette: Palette, grey: int) -> None:
    vector = palette.encode_images([np.full((90, 160, 3), grey, np.uint8)])[0]
    for query in (
        "green meadow under a pink sky",
        "orange autumn leaves",
        "sunset",
        "forest",
        "fire",
        "blue sea",
        "rainbow",
    ):
        asked = palette.encode_query(query).vector
        assert asked is not None
        assert float(vector @ asked) < 0, query


def test_flipping_a_picture_changes_what_is_above(palette: Palette) -> None:
    picture = SCENES["meadow_under_pink_sky"]()
    upright, flipped = palette.encode_images([picture, picture[::-1]])
    asked = palette.encode_query("green meadow under a pink sky").vector
    assert asked is not None
    assert upright @ asked > flipped @ asked + 0.1


@pytest.mark.parametrize(
    ("scene", "tags"),
    [
        ("meadow_under_blue_sky", {"sky", "meadow", "green"}),
        ("meadow_under_pink_sky", {"pink", "meadow", "green"}),
        ("snow_field", {"white", "bright"}),
        ("night_with_lights", {"dark", "black"}),
        ("colour_bars", {"colour bars"}),
        ("summer_forest", {"forest", "green"}),
        ("autumn_forest", {"orange"}),
        ("text_card", {"white", "black and white"}),
        ("grey_rock", {"grey"}),
        ("blue_sea", {"blue"}),
    ],
)
def test_tags(palette: Palette, vectors: np.ndarray, scene: str, tags: set[str]) -> None:
    assert tags <= set(palette.tags(vectors[NAMES.index(scene)]))


@pytest.mark.parametrize(
    ("scene", "not_there"),
    [
        ("meadow_under_blue_sky", {"sunset", "dark", "sea", "pink", "black and white"}),
        ("grey_rock", {"sky", "sea", "meadow", "forest", "colourful"}),
        ("night_with_lights", {"bright", "sky", "meadow", "colourful"}),
        ("text_card", {"colour bars", "sky", "sea", "dark"}),
        ("fire", {"cold", "sky", "sea", "meadow", "bright"}),
    ],
)
def test_tags_that_would_be_wrong(palette: Palette, vectors: np.ndarray, scene: str, not_there: set[str]) -> None:
    assert not not_there & set(palette.tags(vectors[NAMES.index(scene)]))
