"""Scenes drawn with numpy, each with what anybody would say it shows. Deterministic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Picture = np.ndarray
WIDTH, HEIGHT = 320, 180


def _gradient(
    top: tuple[int, int, int], bottom: tuple[int, int, int], width: int = WIDTH, height: int = HEIGHT
) -> Picture:
    part = np.linspace(0, 1, height)[:, None, None]
    return ((1 - part) * np.array(top) + part * np.array(bottom)) * np.ones((1, width, 1))


def _grain(picture: Picture, amount: float, seed: int) -> Picture:
    noise = np.random.default_rng(seed).normal(0, amount, (*picture.shape[:2], 1))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _layers(
    sky: tuple, horizon: tuple, near: tuple, far: tuple, *, at: float = 0.5, grain: float = 8, seed: int = 1
) -> Picture:
    """A sky above `at`, land or water below it."""
    split = int(HEIGHT * at)
    upper = _gradient(sky, horizon, height=split)
    lower = _grain(_gradient(far, near, height=HEIGHT - split), grain, seed)
    return np.concatenate([_grain(upper, 1.5, seed + 1), lower])


def _blobs(
    base: tuple[int, int, int], colours: list[tuple[int, int, int]], count: int, radius: tuple[int, int], seed: int
) -> Picture:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (WIDTH, HEIGHT), base)
    draw = ImageDraw.Draw(image)
    for _ in range(count):
        x, y, r = (int(rng.integers(*limits)) for limits in ((0, WIDTH), (0, HEIGHT), radius))
        draw.ellipse((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=colours[rng.integers(len(colours))])
    return _grain(np.asarray(image, dtype=float), 6, seed)


def sunset_over_sea() -> Picture:
    picture = _layers((120, 40, 60), (245, 120, 40), (10, 14, 30), (60, 30, 40), at=0.6, grain=5, seed=3)
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).ellipse((145, 75, 175, 105), fill=(255, 200, 90))
    return np.asarray(image)


def meadow_under_blue_sky() -> Picture:
    return _layers((70, 140, 220), (170, 210, 240), (60, 130, 35), (110, 170, 60), at=0.5, grain=14, seed=5)


def meadow_under_pink_sky() -> Picture:
    return _layers((235, 130, 180), (248, 205, 215), (60, 130, 35), (110, 170, 60), at=0.5, grain=14, seed=7)


def snow_field() -> Picture:
    return _layers((180, 200, 220), (215, 225, 235), (250, 250, 255), (228, 234, 244), at=0.35, grain=3, seed=9)


def night_with_lights() -> Picture:
    rng = np.random.default_rng(11)
    picture = _gradient((4, 6, 16), (14, 14, 24))
    for _ in range(90):
        x, y = rng.integers(0, WIDTH - 3), rng.integers(HEIGHT // 2, HEIGHT - 3)
        picture[y : y + 3, x : x + 3] = [(255, 220, 140), (255, 170, 80), (220, 230, 255)][rng.integers(3)]
    return _grain(picture, 2, 12)


def colour_bars() -> Picture:
    bars = [(192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192), (192, 0, 0), (0, 0, 192)]
    edges = np.linspace(0, WIDTH, len(bars) + 1).astype(int)
    picture = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    for colour, a, b in zip(bars, edges[:-1], edges[1:], strict=True):
        picture[:, a:b] = colour
    return picture


def autumn_forest() -> Picture:
    leaves = [(224, 120, 30), (190, 80, 25), (236, 170, 50), (170, 50, 25), (120, 75, 35)]
    return _blobs((70, 45, 25), leaves, 900, (3, 9), seed=13)


def summer_forest() -> Picture:
    leaves = [(30, 80, 30), (50, 110, 40), (80, 140, 50), (25, 55, 25), (70, 60, 35)]
    return _blobs((20, 40, 18), leaves, 900, (3, 9), seed=14)


def text_card() -> Picture:
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    for n in range(6):
        draw.text((50, 35 + 20 * n), "these are the words of a title, line by line", fill="black")
    return np.asarray(image)


def desert() -> Picture:
    return _layers((150, 190, 225), (225, 220, 205), (205, 160, 105), (222, 185, 135), at=0.4, grain=5, seed=17)


def blue_sea() -> Picture:
    picture = _layers(
        (190, 215, 240), (215, 230, 240), (15, 60, 120), (40, 110, 170), at=0.35, grain=0, seed=19
    ).astype(float)
    waves = np.random.default_rng(20).normal(0, 14, (HEIGHT - 63, 1, 1)) + np.zeros((1, WIDTH, 1))
    picture[63:] += waves
    return np.clip(picture, 0, 255).astype(np.uint8)


def fire() -> Picture:
    image = Image.new("RGB", (WIDTH, HEIGHT), (12, 6, 4))
    draw = ImageDraw.Draw(image)
    for colour, size in (((190, 50, 10), 60), ((240, 120, 20), 42), ((255, 210, 80), 22)):
        draw.polygon([(160 - size, 175), (160, 175 - 2.4 * size), (160 + size, 175)], fill=colour)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(6)))


def grey_rock() -> Picture:
    stone = _blobs(
        (120, 116, 110), [(105, 102, 98), (140, 136, 130), (85, 82, 80), (128, 120, 108)], 900, (3, 14), seed=23
    )
    return _grain(stone.astype(float), 14, 24)


def autumn_leaf_on_rock() -> Picture:
    image = Image.fromarray(grey_rock())
    draw = ImageDraw.Draw(image)
    for x, y, r in ((150, 80, 28), (185, 105, 22), (128, 112, 18)):
        draw.ellipse((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=(205, 95, 25))
        draw.line((x - r, y, x + r, y), fill=(120, 50, 15), width=2)
    return np.asarray(image)


SCENES: dict[str, Callable[[], Picture]] = {
    scene.__name__: scene
    for scene in (
        sunset_over_sea,
        meadow_under_blue_sky,
        meadow_under_pink_sky,
        snow_field,
        night_with_lights,
        colour_bars,
        autumn_forest,
        summer_forest,
        text_card,
        desert,
        blue_sea,
        fire,
        grey_rock,
        autumn_leaf_on_rock,
    )
}

ASKED: tuple[tuple[str, str], ...] = (
    ("sunset over the sea", "sunset_over_sea"),
    ("red evening sky above dark water", "sunset_over_sea"),
    ("바다 위의 붉은 노을", "sunset_over_sea"),
    ("green meadow under a blue sky", "meadow_under_blue_sky"),
    ("파란 하늘 아래 초록 들판", "meadow_under_blue_sky"),
    ("green meadow under a pink sky", "meadow_under_pink_sky"),
    ("분홍빛 하늘 아래의 초원", "meadow_under_pink_sky"),
    ("snow", "snow_field"),
    ("a white winter landscape", "snow_field"),
    ("눈 덮인 들판", "snow_field"),
    ("city lights at night", "night_with_lights"),
    ("밤의 도시 불빛", "night_with_lights"),
    ("colour bars", "colour_bars"),
    ("화면 조정 컬러바", "colour_bars"),
    ("autumn forest", "autumn_forest"),
    ("단풍이 물든 가을 숲", "autumn_forest"),
    ("green forest", "summer_forest"),
    ("초록 나무가 많은 숲", "summer_forest"),
    ("title card with text", "text_card"),
    ("하얀 종이에 쓴 글자", "text_card"),
    ("sand dunes in the desert", "desert"),
    ("모래 사막", "desert"),
    ("blue ocean waves", "blue_sea"),
    ("푸른 바다", "blue_sea"),
    ("fire burning in the dark", "fire"),
    ("모닥불", "fire"),
    ("grey rocks", "grey_rock|autumn_leaf_on_rock"),
    ("회색 바위", "grey_rock|autumn_leaf_on_rock"),
)
"""(query, the scene that must come first; `a|b` where both show it)."""

LEAF_ON_ROCK = ("orange autumn leaves on a rock", "바위 위의 주황색 단풍잎")
"""A little orange on a lot of rock. Leaves without any rock may come before it (docs/palette.md says why)."""
