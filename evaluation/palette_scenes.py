"""Drawn scenes to measure palette: four variants of each kind, which differ in colours, positions and grain.

They were written after palette and were not used to choose its values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Picture = npt.NDArray[np.uint8]
Rng = np.random.Generator
Colour = tuple[int, int, int]

WIDTH, HEIGHT = 384, 216
VARIANTS = 4


def _near(rng: Rng, colour: Colour, spread: int = 14) -> Colour:
    """A colour whose channels differ from those of `colour` by at most `spread`."""
    shifted = np.clip(np.array(colour) + rng.integers(-spread, spread + 1, 3), 0, 255)
    return int(shifted[0]), int(shifted[1]), int(shifted[2])


def _smooth_noise(rng: Rng, scale_px: int) -> npt.NDArray[np.float64]:
    """(HEIGHT, WIDTH) noise with mean 0, standard deviation 1 and features of about `scale_px`."""
    small = rng.normal(size=(HEIGHT // scale_px + 2, WIDTH // scale_px + 2)).astype(np.float32)
    large = np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=float)
    return (large - large.mean()) / (large.std() + 1e-9)


def _textured(rng: Rng, colours: list[Colour], scale_px: int, grain: float) -> npt.NDArray[np.float64]:
    """A surface that varies smoothly between `colours`, with noise of standard deviation `grain`."""
    stack = np.stack([_smooth_noise(rng, scale_px) for _ in colours])
    weights = np.exp(2.5 * stack)
    weights /= weights.sum(axis=0)
    picture = np.tensordot(weights, np.array(colours, dtype=float), axes=(0, 0))
    return np.asarray(picture + rng.normal(0, grain, (HEIGHT, WIDTH, 1)))


def _sky(rng: Rng, high: Colour, low: Colour, clouds: float = 0.0) -> npt.NDArray[np.float64]:
    part = np.linspace(0, 1, HEIGHT)[:, None, None]
    picture = (1 - part) * np.array(high) + part * np.array(low) + np.zeros((1, WIDTH, 1))
    return np.asarray(picture + clouds * np.maximum(_smooth_noise(rng, 30), 0)[:, :, None])


def _join(rng: Rng, upper: npt.NDArray[np.float64], lower: npt.NDArray[np.float64], at: float, hills: float) -> Picture:
    """`upper` above an uneven horizon at `at` of the height, `lower` below it."""
    line = at * HEIGHT + hills * _smooth_noise(rng, 60)[0]
    below = np.arange(HEIGHT)[:, None] > line[None, :]
    return _bytes(np.where(below[:, :, None], lower, upper))


def _bytes(picture: npt.NDArray[np.float64]) -> Picture:
    return np.clip(picture, 0, 255).astype(np.uint8)


def green_hills_blue_sky(rng: Rng) -> Picture:
    sky = _sky(rng, _near(rng, (60, 130, 215)), _near(rng, (180, 210, 235)), clouds=30)
    return _join(rng, sky, _textured(rng, [(70, 130, 45), (110, 160, 60), (50, 95, 35)], 12, 9), 0.45, 8)


def pink_dawn_over_grass(rng: Rng) -> Picture:
    sky = _sky(rng, _near(rng, (225, 140, 190)), _near(rng, (250, 210, 205)), clouds=12)
    return _join(rng, sky, _textured(rng, [(80, 135, 50), (120, 165, 70), (60, 100, 40)], 10, 9), 0.5, 6)


def wheat_under_blue_sky(rng: Rng) -> Picture:
    sky = _sky(rng, _near(rng, (70, 135, 210)), _near(rng, (175, 205, 230)))
    return _join(rng, sky, _textured(rng, [(210, 170, 80), (190, 145, 60), (225, 190, 110)], 6, 12), 0.4, 3)


def sunset_sea(rng: Rng) -> Picture:
    sky = _sky(rng, _near(rng, (90, 50, 90)), _near(rng, (250, 140, 60)), clouds=10)
    sea = _textured(rng, [(30, 30, 50), (60, 45, 55), (140, 80, 50)], 5, 5)
    return _join(rng, sky, sea, 0.58, 0.5)


def snowy_mountains(rng: Rng) -> Picture:
    sky = _sky(rng, _near(rng, (110, 160, 215)), _near(rng, (200, 218, 235)))
    return _join(rng, sky, _textured(rng, [(240, 244, 250), (215, 225, 238), (150, 160, 180)], 16, 5), 0.4, 22)


def night_city(rng: Rng) -> Picture:
    picture = _sky(rng, (6, 8, 20), (24, 20, 30))
    lights: list[Colour] = [(255, 210, 130), (255, 170, 70), (210, 225, 255), (255, 90, 70)]
    for _ in range(40):
        x, width, top = int(rng.integers(0, WIDTH)), int(rng.integers(12, 40)), int(rng.integers(70, 170))
        picture[top:, x : x + width] = 14
        for _ in range(7):
            wx, wy = x + int(rng.integers(0, width)), top + int(rng.integers(2, HEIGHT - top))
            picture[wy : wy + 3, wx : wx + 3] = lights[int(rng.integers(len(lights)))]
    return _bytes(picture + rng.normal(0, 2, (HEIGHT, WIDTH, 1)))


def campfire(rng: Rng) -> Picture:
    image = Image.new("RGB", (WIDTH, HEIGHT), (10, 8, 10))
    draw = ImageDraw.Draw(image)
    centre = WIDTH // 2 + int(rng.integers(-40, 40))
    for colour, reach in (((150, 40, 10), 90), ((230, 100, 20), 65), ((255, 180, 50), 42), ((255, 240, 170), 20)):
        for _ in range(9):
            x, y = centre + rng.normal(0, reach / 3), HEIGHT - abs(rng.normal(0, reach)) - 10
            r = rng.uniform(0.3, 0.8) * reach / 2
            draw.ellipse((x - r / 2, y - r, x + r / 2, y + r), fill=colour)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(5)))


def maple_wood(rng: Rng) -> Picture:
    leaves: list[Colour] = [(215, 100, 30), (185, 60, 25), (235, 165, 45), (120, 70, 35), (70, 50, 30)]
    return _bytes(_textured(rng, [_near(rng, c) for c in leaves], 7, 14))


def pine_wood(rng: Rng) -> Picture:
    picture = _textured(rng, [(30, 65, 35), (50, 95, 45), (20, 40, 25), (80, 110, 50)], 7, 10)
    for _ in range(9):
        x, width = int(rng.integers(0, WIDTH - 12)), int(rng.integers(4, 12))
        picture[:, x : x + width] = np.array(_near(rng, (60, 45, 32))) + rng.normal(0, 8, (HEIGHT, 1, 1))
    return _bytes(picture)


def leaves_on_stone(rng: Rng) -> Picture:
    stone = _textured(rng, [(125, 122, 118), (95, 93, 92), (150, 146, 140), (110, 100, 90)], 9, 13)
    image = Image.fromarray(_bytes(stone))
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y, r = rng.normal(WIDTH / 2, 35), rng.normal(HEIGHT / 2, 22), rng.uniform(16, 30)
        around = [(x + r * rng.uniform(0.5, 1) * np.cos(t), y + 0.7 * r * np.sin(t)) for t in np.linspace(0, 6.1, 11)]
        draw.polygon(around, fill=_near(rng, (205, 95, 30)))
    return np.asarray(image)


def bare_stone(rng: Rng) -> Picture:
    return _bytes(_textured(rng, [(130, 128, 124), (90, 88, 88), (155, 150, 144), (70, 68, 66)], 9, 13))


def dunes(rng: Rng) -> Picture:
    sky = _sky(rng, _near(rng, (120, 170, 220)), _near(rng, (225, 222, 210)))
    return _join(rng, sky, _textured(rng, [(210, 165, 110), (190, 140, 85), (228, 190, 140)], 40, 4), 0.38, 14)


def open_sea(rng: Rng) -> Picture:
    sea = _textured(rng, [(20, 70, 130), (35, 100, 165), (15, 50, 100)], 8, 6)
    return _join(rng, _sky(rng, _near(rng, (120, 175, 225)), (215, 228, 238)), sea, 0.33, 0.4)


def under_water(rng: Rng) -> Picture:
    return _bytes(
        _sky(rng, _near(rng, (60, 170, 190)), _near(rng, (10, 60, 110))) + 10 * _smooth_noise(rng, 25)[:, :, None]
    )


def flower_bed(rng: Rng) -> Picture:
    image = Image.fromarray(_bytes(_textured(rng, [(60, 115, 45), (85, 140, 60), (45, 90, 40)], 8, 9)))
    draw = ImageDraw.Draw(image)
    petals: list[Colour] = [(235, 80, 150), (225, 45, 60), (250, 215, 60), (180, 90, 210), (250, 245, 245)]
    for _ in range(70):
        x, y, r = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.uniform(5, 12)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=petals[int(rng.integers(len(petals)))])
    return np.asarray(image)


def test_pattern(rng: Rng) -> Picture:
    colours: list[Colour] = [
        (191, 191, 191),
        (191, 191, 0),
        (0, 191, 191),
        (0, 191, 0),
        (191, 0, 191),
        (191, 0, 0),
        (0, 0, 191),
    ]
    picture = np.zeros((HEIGHT, WIDTH, 3))
    upper = int(HEIGHT * rng.uniform(0.65, 1.0))
    for n, colour in enumerate(colours):
        picture[:upper, n * WIDTH // 7 : (n + 1) * WIDTH // 7] = colour
    picture[upper:, : WIDTH // 3] = (0, 0, 90)
    picture[upper:, WIDTH // 2 : WIDTH // 2 + 60] = 235
    return _bytes(picture)


def title_card(rng: Rng) -> Picture:
    papers: list[tuple[Colour, Colour]] = [((0, 0, 0), (240, 240, 240)), ((250, 250, 248), (20, 20, 20))]
    papers += [((20, 30, 70), (235, 235, 220)), ((245, 238, 215), (60, 40, 30))]
    ground, ink = papers[int(rng.integers(len(papers)))]
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(image)
    for n in range(int(rng.integers(3, 7))):
        draw.text((70, 60 + 18 * n), "a line of words to be read on the screen", fill=ink)
    return np.asarray(image)


def black_frame(rng: Rng) -> Picture:
    return _bytes(rng.normal(4, 2, (HEIGHT, WIDTH, 1)) + np.zeros((1, 1, 3)))


def grey_office(rng: Rng) -> Picture:
    """A distractor that no query describes: a wall, a table and some objects."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _near(rng, (190, 185, 175)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 150, WIDTH, HEIGHT), fill=_near(rng, (120, 95, 75)))
    for _ in range(8):
        x, y = int(rng.integers(0, WIDTH)), int(rng.integers(60, 170))
        draw.rectangle(
            (x, y, x + int(rng.integers(15, 60)), y + int(rng.integers(15, 50))), fill=_near(rng, (110, 110, 115), 60)
        )
    return _bytes(np.asarray(image, dtype=float) + rng.normal(0, 5, (HEIGHT, WIDTH, 1)))


KINDS: dict[str, Callable[[Rng], Picture]] = {
    kind.__name__: kind
    for kind in (
        green_hills_blue_sky,
        pink_dawn_over_grass,
        wheat_under_blue_sky,
        sunset_sea,
        snowy_mountains,
        night_city,
        campfire,
        maple_wood,
        pine_wood,
        leaves_on_stone,
        bare_stone,
        dunes,
        open_sea,
        under_water,
        flower_bed,
        test_pattern,
        title_card,
        black_frame,
        grey_office,
    )
}

QUERIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("en", "green hills under a blue sky", ("green_hills_blue_sky",)),
    ("ko", "파란 하늘 아래 초록 언덕", ("green_hills_blue_sky",)),
    ("en", "pink sky over green grass", ("pink_dawn_over_grass",)),
    ("ko", "분홍색 하늘과 푸르른 풀밭", ("pink_dawn_over_grass",)),
    ("en", "golden wheat field", ("wheat_under_blue_sky",)),
    ("ko", "황금빛 보리밭", ("wheat_under_blue_sky",)),
    ("en", "orange sunset above dark water", ("sunset_sea",)),
    ("ko", "노을 지는 바다", ("sunset_sea",)),
    ("en", "snowy mountains", ("snowy_mountains",)),
    ("ko", "눈 덮인 산", ("snowy_mountains",)),
    ("en", "city at night", ("night_city",)),
    ("ko", "도시의 야경", ("night_city",)),
    ("en", "campfire in the dark", ("campfire",)),
    ("ko", "어둠 속의 모닥불", ("campfire",)),
    ("en", "autumn forest with orange leaves", ("maple_wood",)),
    ("ko", "가을 단풍 숲", ("maple_wood",)),
    ("en", "dark green pine forest", ("pine_wood",)),
    ("ko", "초록 나무숲", ("pine_wood",)),
    ("en", "orange leaves on a grey stone", ("leaves_on_stone",)),
    ("ko", "회색 돌 위의 주황색 낙엽", ("leaves_on_stone",)),
    ("en", "rocks", ("bare_stone", "leaves_on_stone")),
    ("ko", "바위", ("bare_stone", "leaves_on_stone")),
    ("en", "desert dunes", ("dunes",)),
    ("ko", "사막의 모래언덕", ("dunes",)),
    ("en", "the blue ocean", ("open_sea",)),
    ("ko", "푸른 바다의 파도", ("open_sea",)),
    ("en", "underwater", ("under_water",)),
    ("ko", "바닷속", ("under_water",)),
    ("en", "colourful flowers in a garden", ("flower_bed",)),
    ("ko", "알록달록한 꽃밭", ("flower_bed",)),
    ("en", "colour bars", ("test_pattern",)),
    ("ko", "컬러바", ("test_pattern",)),
    ("en", "text on the screen", ("title_card",)),
    ("ko", "자막 글자", ("title_card",)),
    ("en", "black screen", ("black_frame",)),
    ("ko", "검은 화면", ("black_frame",)),
)
"""(language, query, the kinds that match it)."""


def draw(kinds: dict[str, Callable[[Rng], Picture]], seed: int = 2026) -> dict[str, list[Picture]]:
    """VARIANTS pictures of each kind: {name: pictures}. The same seed draws the same pictures."""
    return {
        name: [kind(np.random.default_rng([seed, n, variant])) for variant in range(VARIANTS)]
        for n, (name, kind) in enumerate(kinds.items())
    }
