"""A second set of drawn scenes with other subjects, written after palette's values were last changed.

Palette was changed after it was measured on the first set (palette_scenes.py), but not after it was measured on this
one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from evaluation.palette_scenes import (
    HEIGHT,
    WIDTH,
    Colour,
    Picture,
    Rng,
    _bytes,
    _join,
    _near,
    _sky,
    _smooth_noise,
    _textured,
)


def evening_over_hills(rng: Rng) -> Picture:
    part = np.clip(np.linspace(0, 2, HEIGHT), 0, 1)[:, None, None]
    sky = (1 - part) * np.array(_near(rng, (120, 70, 110))) + part * np.array(_near(rng, (252, 165, 70)))
    return _join(rng, sky + np.zeros((1, WIDTH, 1)), _textured(rng, [(25, 22, 28), (40, 32, 34)], 10, 3), 0.62, 12)


def sandy_beach(rng: Rng) -> Picture:
    sea = _textured(rng, [(60, 150, 190), (90, 180, 205), (40, 120, 170)], 6, 5)
    picture = _join(rng, _sky(rng, _near(rng, (90, 160, 225)), (205, 225, 240)), sea, 0.35, 0.3).astype(float)
    sand = _textured(rng, [(225, 200, 155), (210, 180, 135)], 8, 5)
    below = np.arange(HEIGHT)[:, None] > (0.62 * HEIGHT + 6 * _smooth_noise(rng, 50)[0])[None, :]
    return _bytes(np.where(below[:, :, None], sand, picture))


def foggy_field(rng: Rng) -> Picture:
    return _bytes(
        _sky(rng, _near(rng, (205, 208, 212), 6), _near(rng, (165, 172, 170), 6))
        + 5 * _smooth_noise(rng, 40)[:, :, None]
    )


def sunflower_field(rng: Rng) -> Picture:
    image = Image.fromarray(
        _join(
            rng,
            _sky(rng, (80, 145, 220), (180, 210, 235)),
            _textured(rng, [(70, 115, 40), (90, 140, 50)], 8, 8),
            0.35,
            3,
        )
    )
    draw = ImageDraw.Draw(image)
    for _ in range(110):
        y = rng.uniform(0.38, 1) * HEIGHT
        x, r = rng.uniform(0, WIDTH), 2 + 9 * (y / HEIGHT - 0.3)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_near(rng, (245, 205, 45)))
        draw.ellipse((x - r / 3, y - r / 3, x + r / 3, y + r / 3), fill=(90, 55, 20))
    return np.asarray(image)


def lavender_rows(rng: Rng) -> Picture:
    rows = _textured(rng, [(125, 90, 170), (150, 115, 195), (95, 70, 140)], 5, 9)
    rows[::14] = rows[1::14][: len(rows[::14])] * 0.4 + np.array([50, 80, 40]) * 0.6
    return _join(rng, _sky(rng, (120, 165, 220), (215, 225, 235)), rows, 0.4, 4)


def cherry_trees(rng: Rng) -> Picture:
    blossom = _textured(rng, [(250, 200, 215), (240, 170, 195), (255, 228, 235)], 6, 8)
    lower = _textured(rng, [(120, 150, 80), (140, 165, 95)], 10, 8)
    return _join(rng, blossom, lower, 0.68, 10)


def red_rose(rng: Rng) -> Picture:
    image = Image.fromarray(_bytes(_textured(rng, [(35, 70, 35), (25, 50, 28), (50, 85, 45)], 30, 4)))
    draw = ImageDraw.Draw(image)
    for n in range(14):
        r, turn = 75 - 5 * n, rng.uniform(0, 6.3)
        x, y = WIDTH / 2 + 8 * np.cos(turn), HEIGHT / 2 + 8 * np.sin(turn)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_near(rng, (200 - 5 * n, 20, 40), 10))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1)))


def ice_floes(rng: Rng) -> Picture:
    water = _textured(rng, [(70, 120, 150), (50, 95, 130)], 20, 3)
    image = Image.fromarray(_bytes(water))
    draw = ImageDraw.Draw(image)
    for _ in range(26):
        x, y, r = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(14, 38)
        draw.polygon(
            [(x + r * np.cos(t) * rng.uniform(0.7, 1), y + 0.6 * r * np.sin(t)) for t in np.linspace(0, 6, 8)],
            fill=_near(rng, (222, 238, 246), 8),
        )
    return np.asarray(image)


def concert(rng: Rng) -> Picture:
    glow = np.zeros((HEIGHT, WIDTH, 3))
    beams: list[Colour] = [(150, 40, 210), (40, 70, 230), (220, 40, 160)]
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    for _ in range(5):
        x, lean, colour = rng.uniform(0, WIDTH), rng.uniform(-0.8, 0.8), beams[int(rng.integers(3))]
        beam = np.exp(-(((xs - x - lean * ys) / (8 + ys * 0.12)) ** 2)) * (1 - ys / HEIGHT)
        glow += beam[:, :, None] * np.array(colour)
    glow[170:] = 6
    return _bytes(glow + rng.normal(0, 2, (HEIGHT, WIDTH, 1)))


def football_pitch(rng: Rng) -> Picture:
    stripes = np.where(
        (np.arange(WIDTH) // 48 % 2)[None, :, None] == 0, np.array([70, 150, 60.0]), np.array([60, 135, 52.0])
    )
    image = Image.fromarray(_bytes(stripes + rng.normal(0, 4, (HEIGHT, WIDTH, 1))))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, WIDTH, 40), fill=_near(rng, (90, 90, 100)))
    draw.line((0, 60, WIDTH, 60), fill=(240, 240, 240), width=3)
    draw.ellipse((130, 90, 260, 180), outline=(240, 240, 240), width=3)
    return np.asarray(image)


def black_and_white_portrait(rng: Rng) -> Picture:
    image = Image.new("L", (WIDTH, HEIGHT), int(rng.integers(40, 90)))
    draw = ImageDraw.Draw(image)
    draw.ellipse((140, 25, 245, 165), fill=int(rng.integers(165, 205)))
    draw.rectangle((110, 160, 275, HEIGHT), fill=int(rng.integers(20, 50)))
    for x in (172, 213):
        draw.ellipse((x - 8, 80, x + 8, 90), fill=40)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(3)), dtype=float)[:, :, None]
    return _bytes(soft + rng.normal(0, 9, (HEIGHT, WIDTH, 1)) + np.zeros((1, 1, 3)))


def brick_wall(rng: Rng) -> Picture:
    image = Image.new("RGB", (WIDTH, HEIGHT), (170, 160, 150))
    draw = ImageDraw.Draw(image)
    for row in range(15):
        for n in range(-1, 11):
            x = n * 40 + (20 if row % 2 else 0)
            draw.rectangle((x, row * 15, x + 37, row * 15 + 12), fill=_near(rng, (160, 75, 50), 22))
    return _bytes(np.asarray(image, dtype=float) + rng.normal(0, 5, (HEIGHT, WIDTH, 1)))


def starry_night(rng: Rng) -> Picture:
    picture = _sky(rng, (4, 6, 22), (16, 18, 40))
    for _ in range(160):
        picture[int(rng.integers(0, HEIGHT)), int(rng.integers(0, WIDTH))] = rng.integers(150, 256)
    return _bytes(picture)


def lava_flow(rng: Rng) -> Picture:
    cracks = np.abs(_smooth_noise(rng, 22))[:, :, None]
    glow = np.exp(-((cracks / 0.22) ** 2))
    return _bytes(
        glow * np.array([255, 110, 20]) + (1 - glow) * np.array([25, 14, 12]) + rng.normal(0, 5, (HEIGHT, WIDTH, 1))
    )


def plain_room(rng: Rng) -> Picture:
    """A distractor that no query describes: a wall and a floor."""
    wall = _sky(rng, _near(rng, (205, 198, 188)), _near(rng, (180, 172, 162)))
    return _join(rng, wall, _textured(rng, [(135, 105, 80), (120, 92, 70)], 30, 3), 0.75, 0.1)


KINDS: dict[str, Callable[[Rng], Picture]] = {
    kind.__name__: kind
    for kind in (
        evening_over_hills,
        sandy_beach,
        foggy_field,
        sunflower_field,
        lavender_rows,
        cherry_trees,
        red_rose,
        ice_floes,
        concert,
        football_pitch,
        black_and_white_portrait,
        brick_wall,
        starry_night,
        lava_flow,
        plain_room,
    )
}

QUERIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("en", "an orange evening sky over dark hills", ("evening_over_hills",)),
    ("ko", "어두운 언덕 위의 노을", ("evening_over_hills",)),
    ("en", "sandy beach with blue sea", ("sandy_beach",)),
    ("ko", "모래 해변과 푸른 바다", ("sandy_beach",)),
    ("en", "thick fog", ("foggy_field",)),
    ("ko", "안개 낀 아침", ("foggy_field",)),
    ("en", "sunflowers under a blue sky", ("sunflower_field",)),
    ("ko", "파란 하늘 아래 해바라기", ("sunflower_field",)),
    ("en", "purple lavender field", ("lavender_rows",)),
    ("ko", "보라색 라벤더 밭", ("lavender_rows",)),
    ("en", "pink cherry blossoms", ("cherry_trees",)),
    ("ko", "분홍 벚꽃", ("cherry_trees",)),
    ("en", "a red rose", ("red_rose",)),
    ("ko", "빨간 장미", ("red_rose",)),
    ("en", "ice floating on cold water", ("ice_floes",)),
    ("ko", "차가운 얼음", ("ice_floes",)),
    ("en", "purple stage lights at a concert", ("concert",)),
    ("ko", "콘서트 무대 조명", ("concert",)),
    ("en", "soccer field", ("football_pitch",)),
    ("ko", "축구장 잔디", ("football_pitch",)),
    ("en", "black and white portrait", ("black_and_white_portrait",)),
    ("ko", "흑백 인물 사진", ("black_and_white_portrait",)),
    ("en", "red brick wall", ("brick_wall",)),
    ("ko", "붉은 벽돌", ("brick_wall",)),
    ("en", "stars in the night sky", ("starry_night",)),
    ("ko", "별이 빛나는 밤하늘", ("starry_night",)),
    ("en", "glowing lava", ("lava_flow",)),
    ("ko", "흐르는 용암", ("lava_flow",)),
)
"""(language, query, the kinds that match it)."""
