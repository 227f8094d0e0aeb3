"""Pictures of the further clips (make_clips.py), each drawn once: a camera moves over it."""

from __future__ import annotations

import numpy as np
from paint import (
    ASPECT,
    HEIGHT,
    WIDTH,
    Picture,
    X,
    Y,
    add,
    below_line,
    canvas,
    disc,
    ellipse,
    glow,
    lay,
    noise,
    over,
    points,
    ramp,
    ridge,
    smooth,
    sparkle,
)


def blue_sea() -> Picture:
    """White sails on a blue sea by day."""
    scene = ramp(Y, [(0, "#2f7fd6"), (0.4, "#a9d6f5")])
    sea = ramp(Y, [(0.4, "#2a73bd"), (1, "#0b3f86")])
    sea = add(sea, "#bfe2ff", 0.3 * smooth(0.55, 0.8, noise(201, cells=14, stretch=6)))
    scene = over(scene, sea, smooth(0.399, 0.402, Y))
    image, draw = canvas()
    for x, y, size in ((0.45, 0.55, 0.2), (1.0, 0.47, 0.12), (1.35, 0.68, 0.28)):
        draw.polygon(points((x, y - size), (x + 0.5 * size, y), (x, y)), fill="#ffffff")
        draw.polygon(points((x - 0.02, y - 0.9 * size), (x - 0.35 * size, y), (x - 0.02, y)), fill="#f4f8fc")
        draw.polygon(points((x - 0.4 * size, y), (x + 0.55 * size, y), (x + 0.4 * size, y + 0.04)), fill="#7a3b22")
    return lay(scene, image)


def beach() -> Picture:
    """Yellow sand and turquoise water."""
    scene = ramp(Y, [(0, "#7cc4ee"), (0.25, "#d5eefa"), (0.26, "#1aa7b8"), (0.55, "#7fe0d6")])
    shore = 0.56 + 0.05 * np.sin(np.linspace(0, 5, WIDTH))
    scene = over(scene, "#ffffff", below_line(shore - 0.012))
    sand = over(ramp(Y, [(0.5, "#f3dfa6"), (1, "#e0bd72")]), "#c79f55", 0.3 * noise(203, cells=40))
    return over(scene, sand, below_line(shore))


def night_sea() -> Picture:
    """The moon over a black sea, and its light on the water."""
    scene = ramp(Y, [(0, "#05091c"), (0.5, "#10204a"), (0.501, "#081028"), (1, "#02040c")])
    scene = add(scene, "#9db8ff", 0.4 * glow(0.9, 0.2, 0.25))
    scene = over(scene, "#f3f1df", disc(0.9, 0.2, 0.07))
    lane = np.exp(-(((X - 0.9) / (0.06 + 0.3 * np.maximum(Y - 0.5, 0))) ** 2)) * (Y > 0.5)
    return add(scene, "#cfdcff", 0.8 * lane * smooth(0.45, 0.7, noise(204, cells=22, stretch=5)))


def fog() -> Picture:
    """White fog over a grey lake; hardly anything is seen."""
    scene = ramp(Y, [(0, "#e9ecee"), (0.55, "#dde1e4"), (1, "#c3c9cd")])
    scene = over(scene, "#b4bcc2", 0.3 * below_line(ridge(205, 0.6, 0.05)))
    return over(scene, "#f5f6f7", 0.5 * smooth(0.35, 0.75, noise(206, cells=3, stretch=4)))


def lighthouse() -> Picture:
    """A red and white lighthouse on a rock under a grey sky."""
    scene = ramp(Y, [(0, "#7e8b96"), (0.7, "#c2cad0"), (0.71, "#4c6472"), (1, "#2f434f")])
    scene = over(scene, "#97a2ab", 0.6 * smooth(0.45, 0.7, noise(207, cells=4, stretch=3)) * (Y < 0.7))
    image, draw = canvas()
    draw.polygon(points((0.55, 0.95), (0.7, 0.74), (1.1, 0.72), (1.3, 0.95)), fill="#3b3a38")
    for number in range(6):
        top, half = 0.2 + 0.09 * number, 0.055 + 0.006 * number
        colour = "#c3202a" if number % 2 == 0 else "#f6f4ee"
        draw.polygon(
            points((0.9 - half, top), (0.9 + half, top), (0.9 + half, top + 0.09), (0.9 - half, top + 0.09)),
            fill=colour,
        )
    draw.rectangle(points((0.86, 0.14), (0.94, 0.2)), fill="#ffe9a0")
    draw.polygon(points((0.84, 0.14), (0.9, 0.08), (0.96, 0.14)), fill="#7d1219")
    return lay(scene, image)


def _rows(colours: list[str], seed: int, sky: list[tuple[float, str]]) -> Picture:
    """Rows of flowers that run together at the horizon, in each of `colours` in turn."""
    horizon = 0.38
    depth = np.maximum(Y - horizon, 1e-3)
    row = ((X - ASPECT / 2) / (depth + 0.05) * 1.1 + 40) % len(colours)
    scene = ramp(Y, sky)
    for number, colour in enumerate(colours):
        inside = ((row >= number) & (row < number + 1) & (horizon < Y)).astype(np.float32)
        scene = over(scene, colour, inside)
    return over(scene, "#1d2f16", 0.35 * smooth(0.45, 0.8, noise(seed, cells=60, octaves=2)) * (horizon < Y))


def lavender() -> Picture:
    """Rows of purple lavender under a pale sky."""
    return _rows(["#7b4bb5", "#5c3394", "#9a6fd0", "#46307a"], 211, [(0, "#b8cbe6"), (0.38, "#f3e6ee")])


def tulips() -> Picture:
    """Rows of red tulips between green leaves."""
    return _rows(["#d3182a", "#2f7a2b", "#ee3344", "#3f8f35"], 212, [(0, "#5fa6e6"), (0.38, "#d8ecf8")])


def autumn() -> Picture:
    """Orange and red leaves of a wood in autumn."""
    leaves = noise(213, cells=26, octaves=4)
    scene = ramp(leaves, [(0.2, "#5a2d12"), (0.4, "#b5471a"), (0.6, "#e8842a"), (0.85, "#f7bf45")])
    image, draw = canvas()
    for x in (0.15, 0.5, 0.82, 1.2, 1.55):
        draw.polygon(points((x, -0.02), (x + 0.05, -0.02), (x + 0.07, 1.02), (x - 0.02, 1.02)), fill="#33200f")
    return lay(scene, image, 0.9)


def waterfall() -> Picture:
    """White water falls between green rocks into a pool."""
    rocks = ramp(noise(214, cells=10), [(0.2, "#1f3d1d"), (0.6, "#4f7f3a"), (0.9, "#7d8f6a")])
    water = ramp(noise(215, cells=30, stretch=0.06), [(0.2, "#b9d5e2"), (0.7, "#ffffff")])
    scene = over(rocks, water, smooth(0.2, 0.16, np.abs(X - 0.9)) * (Y < 0.8))
    return over(scene, ramp(Y, [(0.78, "#cfe6ea"), (1, "#3d7f86")]), smooth(0.76, 0.82, Y))


def pond() -> Picture:
    """Green leaves and pink lilies on a dark pond."""
    scene = ramp(Y, [(0, "#1d4a3c"), (1, "#0d2b2a")])
    image, draw = canvas()
    rng = np.random.default_rng(216)
    for _ in range(70):
        x, y = rng.uniform(0, ASPECT), rng.uniform(0, 1)
        draw.polygon(ellipse(x, y, 0.09, 0.045), fill=str(rng.choice(["#4d9a45", "#3a7f3a", "#6bb35a"])))
        if rng.random() < 0.3:
            for turn in range(6):
                draw.polygon(
                    ellipse(x + 0.02 * np.cos(turn), y - 0.02 + 0.012 * np.sin(turn), 0.03, 0.014, turn), fill="#f49ac0"
                )
    return lay(scene, image)


def aurora() -> Picture:
    """Green northern lights over snow at night."""
    scene = ramp(Y, [(0, "#030818"), (0.7, "#0d2440")])
    for middle, colour, strength in ((0.3, "#2ee88a", 0.9), (0.42, "#53f0b0", 0.6), (0.2, "#7a5cff", 0.35)):
        wave = middle + 0.09 * np.sin(3.2 * X + 7 * middle) + 0.04 * np.sin(9 * X)
        curtain = np.exp(-(((Y - wave) / 0.1) ** 2)) * (0.5 + 0.5 * noise(217, cells=20, stretch=0.1))
        scene = add(scene, colour, strength * curtain)
    rng = np.random.default_rng(218)
    stars = np.stack([rng.uniform(0, ASPECT, 90), rng.uniform(0, 0.6, 90), np.full(90, 0.002), rng.random(90)], axis=1)
    scene = sparkle(scene, stars, "#ffffff")
    return over(scene, ramp(Y, [(0.7, "#9fc3d6"), (1, "#dfeef5")]), below_line(ridge(219, 0.76, 0.05)))


def snow_forest() -> Picture:
    """White firs in deep snow."""
    scene = ramp(Y, [(0, "#cfd9e3"), (0.6, "#eef3f7"), (1, "#ffffff")])
    image, draw = canvas()
    rng = np.random.default_rng(220)
    for x in rng.uniform(-0.05, ASPECT + 0.05, 34):
        foot, tall = rng.uniform(0.7, 0.98), rng.uniform(0.3, 0.6)
        for level in range(6):
            top, half = foot - tall * (1 - 0.15 * level), tall * (0.06 + 0.035 * level)
            fir = points((x, top), (x + half, top + 0.24 * tall), (x - half, top + 0.24 * tall))
            draw.polygon(fir, fill="#f7fafc" if level % 2 else "#7d93a3")
    return lay(scene, image)


def stage() -> Picture:
    """Blue light falls on an empty dark stage."""
    scene = ramp(Y, [(0, "#020308"), (0.75, "#05081a"), (1, "#0a1030")])
    for x in (0.4, 0.9, 1.4):
        cone = smooth(0.05 + 0.25 * 0.9, 0.0, np.abs(X - x) / (0.15 + Y)) * (Y < 0.85)
        scene = add(scene, "#2a5bff", 0.5 * cone)
        scene = add(scene, "#5f8cff", 0.7 * np.exp(-(((X - x) / 0.2) ** 2) - ((Y - 0.85) / 0.04) ** 2))
    return scene


def dusk() -> Picture:
    """An orange evening sky over black mountains."""
    scene = ramp(Y, [(0, "#5b2a5e"), (0.35, "#d9622b"), (0.65, "#ffc15a")])
    for seed, base, colour in ((221, 0.62, "#4a2330"), (222, 0.72, "#27131d"), (223, 0.84, "#0d070b")):
        scene = over(scene, colour, below_line(ridge(seed, base, 0.2)))
    return scene


def library() -> Picture:
    """Brown shelves full of coloured books."""
    scene = np.full((HEIGHT, WIDTH, 3), (0.32, 0.2, 0.11), dtype=np.float32)
    image, draw = canvas()
    rng = np.random.default_rng(224)
    spines = ["#8c2f26", "#2f5d4a", "#28466e", "#b58a3c", "#6a3d5a", "#cbb894", "#7a5230"]
    for shelf in range(5):
        x, foot = 0.03, 0.19 * (shelf + 1)
        while x < ASPECT - 0.03:
            wide, tall = rng.uniform(0.018, 0.045), rng.uniform(0.11, 0.165)
            draw.rectangle(points((x, foot - tall), (x + wide, foot)), fill=str(rng.choice(spines)))
            x += wide + 0.003
        draw.rectangle(points((0, foot), (ASPECT, foot + 0.02)), fill="#7b4f2b")
    return lay(scene, image)


def _writing(draw, colour: str, seed: int, left: float, right: float) -> None:  # type: ignore[no-untyped-def]
    """Lines that look like handwriting from a distance."""
    rng = np.random.default_rng(seed)
    for line in range(8):
        x, y = left, 0.16 + 0.09 * line
        while x < right:
            long = rng.uniform(0.03, 0.12)
            steps = np.linspace(x, x + long, 8)
            draw.line(points(*((s, y + rng.uniform(-0.012, 0.012)) for s in steps)), fill=colour, width=7)
            x += long + 0.03


def chalkboard() -> Picture:
    """White writing on a green board in a wooden frame."""
    scene = ramp(noise(225, cells=3), [(0, "#1d4034"), (1, "#2f5a4a")])
    image, draw = canvas()
    for box in (
        ((0, 0), (ASPECT, 0.05)),
        ((0, 0.95), (ASPECT, 1)),
        ((0, 0), (0.05, 1)),
        ((ASPECT - 0.05, 0), (ASPECT, 1)),
    ):
        draw.rectangle(points(*box), fill="#8a5a2c")
    _writing(draw, "#f2f2ea", 226, 0.2, 1.5)
    return lay(scene, image)


def page() -> Picture:
    """Black writing on a white page."""
    scene = np.full((HEIGHT, WIDTH, 3), (0.97, 0.97, 0.95), dtype=np.float32)
    image, draw = canvas()
    _writing(draw, "#1c1c1c", 227, 0.25, 1.45)
    return lay(scene, image)


def apples() -> Picture:
    """Red apples on a white table."""
    scene = ramp(Y, [(0, "#cfd6d8"), (0.4, "#e6eaea"), (0.41, "#f7f7f4"), (1, "#e2e2dc")])
    image, draw = canvas()
    for x, y, size in (
        (0.55, 0.62, 0.13),
        (0.85, 0.66, 0.15),
        (1.17, 0.6, 0.12),
        (0.72, 0.82, 0.14),
        (1.05, 0.84, 0.15),
    ):
        draw.polygon(ellipse(x + 0.02, y + 0.9 * size, size, 0.2 * size), fill="#b9b9b2")
        draw.polygon(ellipse(x, y, size, 0.95 * size), fill="#c8141e")
        draw.polygon(ellipse(x - 0.35 * size, y - 0.35 * size, 0.22 * size, 0.16 * size), fill="#f0757a")
        draw.line(points((x, y - 0.85 * size), (x + 0.03, y - 1.25 * size)), fill="#4a2f17", width=10)
    return lay(scene, image)


def rain() -> Picture:
    """Rain on a grey street with coloured umbrellas."""
    scene = ramp(Y, [(0, "#6d757b"), (0.5, "#8f979c"), (0.51, "#4d5459"), (1, "#33393d")])
    image, draw = canvas()
    for x in np.arange(0, ASPECT, 0.22):
        draw.rectangle(points((x, 0.1 + 0.1 * np.sin(9 * x)), (x + 0.2, 0.51)), fill="#5c656b")
    for x, y, colour in (
        (0.3, 0.55, "#d8312f"),
        (0.7, 0.62, "#e8b52b"),
        (1.1, 0.56, "#2c6fb5"),
        (1.5, 0.64, "#3a8f4d"),
    ):
        draw.pieslice([*points((x - 0.13, y - 0.11))[0], *points((x + 0.13, y + 0.15))[0]], 180, 360, fill=colour)
        draw.rectangle(points((x - 0.03, y + 0.02), (x + 0.03, y + 0.25)), fill="#20252a")
    rng = np.random.default_rng(228)
    for _ in range(420):
        x, y = rng.uniform(-0.1, ASPECT), rng.uniform(0, 1)
        draw.line(points((x, y), (x + 0.012, y + 0.05)), fill=(220, 228, 235, 120), width=2)
    return lay(scene, image)


def balloons() -> Picture:
    """Colourful hot-air balloons in a blue sky."""
    scene = ramp(Y, [(0, "#2f86e0"), (0.85, "#bfe0f7"), (0.86, "#6c9a4f"), (1, "#4d7f3a")])
    image, draw = canvas()
    for x, y, size, stripes in (
        (0.45, 0.35, 0.17, ("#e23b2e", "#f7c92e")),
        (0.95, 0.5, 0.11, ("#7b3fb5", "#f2f2f2")),
        (1.35, 0.28, 0.2, ("#f28a1e", "#2a9d8f")),
    ):
        for number, part in enumerate((1.0, 0.72, 0.44, 0.16)):
            draw.polygon(ellipse(x, y, part * size, 1.1 * size), fill=stripes[number % 2])
        draw.rectangle(points((x - 0.2 * size, y + 1.35 * size), (x + 0.2 * size, y + 1.6 * size)), fill="#6b4423")
        for side in (-1, 1):
            draw.line(
                points((x + 0.4 * side * size, y + size), (x + 0.2 * side * size, y + 1.35 * size)),
                fill="#3a2a1a",
                width=3,
            )
    return lay(scene, image)


def desert() -> Picture:
    """Sand dunes under a pale blue sky."""
    scene = ramp(Y, [(0, "#7fb2dd"), (0.45, "#e7e4d2")])
    for seed, base, colour in ((231, 0.48, "#dca863"), (232, 0.6, "#c98d47"), (233, 0.78, "#e0b070")):
        line = base + 0.07 * np.sin(np.linspace(seed, seed + 4, WIDTH))
        sand = ramp(noise(seed, cells=50, stretch=4), [(0, colour), (1, "#efcf95")])
        scene = over(scene, sand, below_line(line))
    return scene


def volcano() -> Picture:
    """Red lava flows down a black mountain at night."""
    scene = ramp(Y, [(0, "#12060a"), (0.5, "#2a0c0c")])
    scene = add(scene, "#ff4a12", 0.8 * glow(0.9, 0.3, 0.25))
    slope = 0.32 + 0.75 * np.abs(np.linspace(0, ASPECT, WIDTH) - 0.9)
    scene = over(scene, "#0b0708", below_line(slope))
    for place in (-0.22, 0.02, 0.3):
        stream = 0.9 + place * np.maximum(Y - 0.32, 0) * 1.6 + 0.02 * np.sin(14 * Y + 9 * place)
        flow = smooth(0.04, 0.0, np.abs(X - stream)) * (Y > 0.32)
        scene = add(scene, "#ff5a16", flow)
        scene = add(scene, "#ffd27a", 0.6 * flow**3)
    return scene


def bars() -> Picture:
    """The colour bars of a test picture."""
    colours = ["#bfbfbf", "#bfbf00", "#00bfbf", "#00bf00", "#bf00bf", "#bf0000", "#0000bf"]
    scene = np.zeros((HEIGHT, WIDTH, 3), dtype=np.float32)
    for number, colour in enumerate(colours):
        inside = np.floor(X * 7 / ASPECT) == number
        scene = over(scene, colour, inside.astype(np.float32))
    return scene
