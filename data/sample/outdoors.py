"""Scenes of land and sea. Each takes the seconds since its start and gives a picture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from paint import (
    ASPECT,
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
    slide,
    smooth,
    sparkle,
)


def sunset(t: float) -> Picture:
    """A red sun goes down over a dark sea; a small boat passes."""
    horizon, sun_x, sun_y = 0.6, 1.0, 0.44 + 0.011 * t
    sky = ramp(Y, [(0, "#2a0f3d"), (0.28, "#7a1f3f"), (0.48, "#d9431f"), (0.6, "#ff8a2a")])
    sky = add(sky, "#ff5a1e", 0.75 * glow(sun_x, sun_y, 0.42))
    sky = over(sky, "#ff3418", disc(sun_x, sun_y, 0.135))
    sky = add(sky, "#ffb347", 0.5 * disc(sun_x, sun_y, 0.135) * smooth(sun_y - 0.14, sun_y + 0.14, Y))
    clouds = smooth(0.52, 0.78, slide(noise(11, cells=7, stretch=7, wide=1.5), 5 * t))
    sky = over(sky, "#4a1233", 0.75 * clouds * smooth(0.02, 0.3, Y) * smooth(0.62, 0.5, Y))

    depth = np.maximum(Y - horizon, 1e-4)
    sea = ramp(Y, [(horizon, "#7d2430"), (0.68, "#35132f"), (1, "#0a0a1e")])
    waves = np.sin(34 * np.sqrt(depth) * 6 - 2.2 * t + 3 * np.sin(5 * X + 0.5 * t)) * np.sin(
        9 * X / np.sqrt(depth + 0.02) + 1.6 * t + 9 * noise(12, cells=5)
    )
    lane = np.exp(-(((X - sun_x) / (0.1 + 0.5 * depth)) ** 2))
    sea = add(sea, "#ff6a2a", 0.9 * lane * smooth(-0.35, 0.8, waves) * (1 - 0.9 * depth))
    sea = add(sea, "#a8415a", 0.18 * smooth(0.2, 1.0, waves))
    scene = over(sky, sea, smooth(horizon - 0.001, horizon + 0.002, Y))

    boat_x, bob = 0.42 + 0.022 * t, 0.004 * np.sin(1.7 * t)
    image, draw = canvas()
    hull = ((-0.075, 0.0), (0.085, -0.006), (0.06, 0.03), (-0.055, 0.03))
    draw.polygon(points(*((boat_x + x, 0.655 + bob + y) for x, y in hull)), fill="#12071a")
    sail = ((0.0, -0.17), (0.07, -0.012), (0.0, -0.012))
    jib = ((-0.008, -0.15), (-0.06, -0.012), (-0.008, -0.012))
    for shape in (sail, jib):
        draw.polygon(points(*((boat_x + x, 0.655 + bob + y) for x, y in shape)), fill="#1b0a22")
    return lay(scene, image)


def snow(t: float) -> Picture:
    """Snow falls on blue mountains and dark firs."""
    scene = ramp(Y, [(0, "#5f86b8"), (0.35, "#9fbcdc"), (0.62, "#dbe7f3"), (1, "#eef4fa")])
    layers = ((21, 0.36, 0.34, "#5d86c2", "#e8f0fa"), (22, 0.50, 0.24, "#2f5c9e", "#dfeaf7"))
    for seed, base, rough, rock, cap in layers:
        line = ridge(seed, base, rough)
        shape = below_line(line)
        body = ramp(noise(seed + 40, cells=9, stretch=0.5), [(0.25, rock), (0.75, "#7ea3d6")])
        scene = over(scene, body, shape)
        white = shape * smooth(0.13, 0.01, Y - line[None, :] + 0.12 * (noise(seed + 5, cells=16) - 0.5))
        scene = over(scene, cap, 0.95 * white)
        scene = over(scene, "#c9daee", 0.28 * shape * smooth(line.mean(), 0.75, Y))
    hill = below_line(0.78 - 0.05 * np.sin(np.linspace(0.4, 3.4, WIDTH)))
    scene = over(scene, ramp(Y, [(0.7, "#cfdff1"), (1, "#f6fafe")]), hill)
    image, draw = canvas()
    rng = np.random.default_rng(3)
    for x in np.sort(rng.uniform(-0.05, ASPECT + 0.05, 26)):
        if 0.62 < x < 1.15:
            continue
        foot, tall = rng.uniform(0.8, 0.95), rng.uniform(0.16, 0.3)
        for level in range(5):
            top, half = foot - tall * (1 - level * 0.17), tall * (0.09 + 0.055 * level)
            fir = points((x, top), (x + half, top + tall * 0.3), (x - half, top + tall * 0.3))
            draw.polygon(fir, fill="#1d3557" if level % 2 else "#24426b")
            snowy = points((x, top), (x + half * 0.45, top + tall * 0.12), (x - half * 0.5, top + tall * 0.14))
            draw.polygon(snowy, fill="#eaf2fb")
    return sparkle(lay(scene, image), _flakes(t), "#ffffff")


def _flakes(t: float) -> np.ndarray:
    rng = np.random.default_rng(9)
    near = rng.uniform(0.25, 1, 210) ** 1.6
    fall = (rng.random(210) + t * (0.06 + 0.16 * near)) % 1.06 - 0.03
    drift = rng.uniform(0, ASPECT + 0.2, 210) + 0.03 * np.sin(1.3 * t + rng.uniform(0, 6, 210)) + 0.025 * t
    return np.stack([drift % (ASPECT + 0.1) - 0.05, fall, 0.0025 + 0.0075 * near, 0.35 + 0.6 * near], axis=1)


def field(t: float) -> Picture:
    """A yellow field waves under a blue sky with white clouds."""
    horizon = 0.56
    scene = ramp(Y, [(0, "#1763c4"), (0.35, "#4596e6"), (horizon, "#b5dcf7")])
    puffs = slide(noise(35, cells=3.6, octaves=7, stretch=1.7, wide=1.6), 9 * t)
    cover = smooth(0.55, 0.72, puffs) * smooth(0.6, 0.3, Y)
    scene = over(scene, ramp(puffs, [(0.5, "#dfeaf5"), (0.75, "#ffffff")]), cover)
    far = below_line(ridge(32, 0.545, 0.035, cells=2))
    scene = over(scene, "#5f8f55", far * (Y < 0.62))

    depth = np.maximum(Y - horizon, 0)
    near = depth / (1 - horizon)
    grain = ramp(near, [(0, "#f3d25a"), (0.4, "#f5c326"), (1, "#c98a0b")])
    rows = np.sin((X - ASPECT * 0.42) / (depth + 0.06) * 9 + 0.6 * np.sin(6 * X + 1.1 * t))
    grain = over(grain, "#a86f08", 0.30 * smooth(0.1, 1.0, rows) * smooth(0.02, 0.25, near))
    stalks = noise(33, cells=55, octaves=2, stretch=0.16, wide=1.2)
    grain = over(grain, "#ffe68a", 0.55 * smooth(0.5, 0.85, slide(stalks, 5 * np.sin(1.2 * t))) * near)
    gust = slide(noise(34, cells=3, octaves=3, stretch=2.5, wide=1.6), 60 * t)
    grain = over(grain, "#fff0a6", 0.45 * smooth(0.55, 0.8, gust))
    scene = over(scene, grain, below_line(np.full(WIDTH, horizon)))

    image, draw = canvas()
    draw.rectangle(points((0.31, 0.515), (0.42, 0.575)), fill="#f4efe4")
    draw.polygon(points((0.295, 0.52), (0.33, 0.475), (0.40, 0.475), (0.435, 0.52)), fill="#b5482f")
    for window in (0.33, 0.375):
        draw.rectangle(points((window, 0.533), (window + 0.02, 0.553)), fill="#5d7f99")
    sway = 0.004 * np.sin(1.1 * t)
    draw.polygon(points((1.385, 0.58), (1.395, 0.44), (1.405, 0.44), (1.418, 0.58)), fill="#5a3f22")
    for cx, cy, size in ((1.36, 0.42, 0.06), (1.44, 0.42, 0.06), (1.4, 0.36, 0.075), (1.41, 0.44, 0.06)):
        draw.polygon(ellipse(cx + sway, cy, size, size * 0.85), fill="#2f6b2c")
    for cx, cy, size in ((1.37, 0.38, 0.045), (1.42, 0.335, 0.045)):
        draw.polygon(ellipse(cx + sway, cy, size, size * 0.75), fill="#4b8d3b")
    return lay(scene, image)


def forest(t: float) -> Picture:
    """Light moves through a green forest."""
    scene = ramp(Y, [(0, "#5fae3f"), (0.45, "#cdeb8b"), (0.72, "#79b64a"), (1, "#2c5f1f")])
    scene = add(scene, "#f6ffc0", 0.85 * glow(1.05, 0.36, 0.42))
    leaves = slide(noise(41, cells=9, octaves=5, wide=1.3), 4 * np.sin(0.5 * t) + 8)
    scene = over(scene, "#3f8a2d", 0.8 * smooth(0.5, 0.62, leaves) * smooth(0.42, 0.12, Y))
    rng = np.random.default_rng(42)
    for layer, (count, colour, half) in enumerate(
        ((16, "#6fa352", 0.012), (11, "#3f7a35", 0.022), (6, "#17361a", 0.05))
    ):
        image, draw = canvas()
        for place in np.linspace(-0.05, ASPECT + 0.05, count) + rng.uniform(-0.05, 0.05, count):
            x = place - (2 + 5 * layer) * 0.0016 * t
            if layer == 2 and abs(x - 1.0) < 0.25:
                continue
            lean = rng.uniform(-0.04, 0.04)
            foot = 0.74 + 0.1 * layer
            trunk = ((x - half * 0.7 + lean, -0.02), (x + half * 0.7 + lean, -0.02), (x + half, foot), (x - half, foot))
            draw.polygon(points(*trunk), fill=colour)
        scene = lay(scene, image)
        ground = below_line(ridge(43 + layer, 0.72 + 0.09 * layer, 0.03))
        moss = ramp(noise(46 + layer, cells=22, stretch=2), [(0.3, colour), (0.8, "#8fc24e")])
        scene = over(scene, moss, ground)
        scene = over(scene, "#e4f5ae", (0.30 - 0.13 * layer) * np.ones_like(X))
    beams = np.zeros_like(X)
    angle = (X - 1.02) / (Y + 0.42)
    for number in range(6):
        middle = -0.75 + 0.27 * number + 0.05 * np.sin(0.5 * t + number)
        beams += (0.55 + 0.45 * np.sin(0.9 * t + 2.1 * number)) * np.exp(-(((angle - middle) / 0.045) ** 2))
    scene = add(scene, "#f8ffc9", 0.5 * beams * smooth(0.95, 0.1, Y))
    front = slide(noise(50, cells=5, octaves=6, wide=1.2), 10 + 6 * np.sin(0.6 * t))
    scene = over(scene, "#12381a", smooth(0.56, 0.64, front + 0.42 * np.abs(X / ASPECT - 0.5) - 1.1 * Y + 0.05))
    rng = np.random.default_rng(51)
    motes = np.stack(
        [
            (rng.uniform(0, ASPECT, 40) + 0.012 * t) % ASPECT,
            (rng.uniform(0.1, 0.9, 40) - 0.02 * t + 0.02 * np.sin(t + rng.uniform(0, 6, 40))) % 1,
            rng.uniform(0.002, 0.005, 40),
            0.4 + 0.4 * np.sin(2 * t + rng.uniform(0, 6, 40)),
        ],
        axis=1,
    )
    return sparkle(scene, motes, "#fbffd0")


def blossom(t: float) -> Picture:
    """Pink cherry blossom; petals drift down."""
    image, draw = canvas()
    rng = np.random.default_rng(63)
    for _ in range(60):
        speed, phase, size = rng.uniform(0.07, 0.14), rng.uniform(0, 6), rng.uniform(0.006, 0.014)
        y = (rng.random() + speed * t) % 1.1 - 0.05
        x = (rng.uniform(0, ASPECT) + 0.05 * t + 0.05 * np.sin(1.2 * t + phase)) % (ASPECT + 0.1) - 0.05
        petal = ellipse(x, y, size, size * (0.35 + 0.3 * abs(np.sin(1.5 * t + phase))), 1.3 * t + phase)
        draw.polygon(petal, fill=str(rng.choice(["#f48fb4", "#fbb9d0", "#ffe3ec"])))
    return lay(_blossoming(), image)


@lru_cache(maxsize=1)
def _blossoming() -> Picture:
    """What stands still: soft lights far away, and the branches."""
    scene = ramp(Y, [(0, "#f7c1d7"), (0.5, "#fde6ec"), (0.8, "#f8d3de"), (1, "#eda6c2")])
    rng = np.random.default_rng(61)
    for _ in range(34):
        x, y, r = rng.uniform(0, ASPECT), rng.uniform(0, 1), rng.uniform(0.05, 0.13)
        tint = rng.choice(["#f7a8c6", "#fff3f7", "#f08fb6", "#fbd3e1"])
        scene = over(scene, str(tint), 0.3 * disc(x, y, r, 0.035))
    image, draw = canvas()
    blooms: list[tuple[float, float]] = []
    for seed, start, angle, length, thick in (
        (62, (-0.05, 0.30), 0.2, 0.62, 0.034),
        (64, (ASPECT + 0.05, 0.10), 2.72, 0.5, 0.028),
        (67, (ASPECT + 0.05, 0.86), 3.5, 0.5, 0.03),
    ):
        _branch(draw, blooms, start, angle, length, thick, 0, np.random.default_rng(seed))
    rng = np.random.default_rng(65)
    for x, y in blooms:
        for _ in range(4):
            _flower(draw, x + rng.normal(0, 0.03), y + rng.normal(0, 0.025), rng.uniform(0.017, 0.031), rng)
    return lay(scene, image)


def _branch(draw, blooms, start, angle, length, thick, level, rng) -> None:  # type: ignore[no-untyped-def]
    """A branch drawn as a row of short pieces, and the places of its blossoms."""
    x, y = start
    pieces = 7
    for piece in range(pieces):
        angle += rng.normal(0, 0.10)
        nx, ny = x + length / pieces * np.cos(angle), y + length / pieces * np.sin(angle)
        now = thick * (1 - 0.6 * piece / pieces)
        draw.line(points((x, y), (nx, ny)), fill="#4a2a2f", width=max(2, int(now * 1080)))
        draw.polygon(ellipse(nx, ny, now / 2, now / 2), fill="#4a2a2f")
        x, y = nx, ny
        if level >= 1 or piece > 3:
            blooms.append((x, y))
        if level < 2 and piece in (2, 4, 6):
            turn = rng.choice([-1, 1]) * rng.uniform(0.4, 0.85)
            _branch(draw, blooms, (x, y), angle + turn, length * 0.5, thick * 0.5, level + 1, rng)


def _flower(draw, x, y, size, rng) -> None:  # type: ignore[no-untyped-def]
    tint = str(rng.choice(["#fbb4cd", "#f893b8", "#fdd5e2"]))
    turn = rng.uniform(0, 6)
    for petal in range(5):
        angle = turn + petal * 2 * np.pi / 5
        shape = ellipse(x + size * 0.6 * np.cos(angle), y + size * 0.6 * np.sin(angle), size * 0.55, size * 0.42, angle)
        draw.polygon(shape, fill=tint)
    draw.polygon(ellipse(x, y, size * 0.24, size * 0.24), fill="#d23f74")
