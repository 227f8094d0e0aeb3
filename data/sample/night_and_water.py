"""Scenes by night, under water, on a bridge, and the title card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from paint import (
    ASPECT,
    Picture,
    X,
    Y,
    add,
    canvas,
    disc,
    ellipse,
    glow,
    lay,
    noise,
    over,
    points,
    ramp,
    rise,
    slide,
    smooth,
    sparkle,
    write,
)

FONTS = Path("/usr/share/fonts/truetype")
BOLD = FONTS / "nanum/NanumSquareRoundB.ttf"
REGULAR = FONTS / "nanum/NanumSquareRoundR.ttf"


def title(t: float) -> Picture:
    """The title card: soft lights behind a name."""
    scene = ramp(Y + 0.15 * (X / ASPECT - 0.5), [(0, "#0d1020"), (0.6, "#141a33"), (1, "#1d2450")])
    scene = add(scene, "#3b6cff", 0.38 * glow(0.45 + 0.05 * np.sin(0.5 * t), 0.9, 0.55))
    scene = add(scene, "#19c8a0", 0.26 * glow(1.45 + 0.06 * np.cos(0.4 * t), 0.15, 0.5))
    ribbon = np.exp(-(((Y - 0.5 - 0.16 * np.sin(2.1 * X + 0.5 * t)) / 0.13) ** 2))
    scene = add(scene, "#5a7dff", 0.20 * ribbon * (0.5 + slide(noise(71, cells=3, stretch=3, wide=1.3), 10 * t)))
    rng = np.random.default_rng(72)
    stars = np.stack(
        [
            (rng.uniform(0, ASPECT, 45) + 0.006 * t) % ASPECT,
            rng.uniform(0, 1, 45),
            rng.uniform(0.0015, 0.003, 45),
            0.35 + 0.3 * np.sin(1.4 * t + rng.uniform(0, 6, 45)),
        ],
        axis=1,
    )
    scene = sparkle(scene, stars, "#dfe6ff")
    shown = float(np.clip(t / 0.8, 0.25, 1))
    scene = write(scene, "A Day in Nine Scenes", ASPECT / 2, 0.45, 0.115, "#f4f6ff", BOLD, shown)
    scene = write(scene, "아홉 장면의 하루", ASPECT / 2, 0.585, 0.058, "#a9b8ff", REGULAR, shown)
    image, draw = canvas()
    half = 0.2 * shown
    draw.rectangle(points((ASPECT / 2 - half, 0.668), (ASPECT / 2 + half, 0.672)), fill="#5fc8a6")
    return lay(scene, image)


def city(t: float) -> Picture:
    """A city by night: small lights in dark towers, and their reflection in the river."""
    water = 0.72
    sky = ramp(Y, [(0, "#060a1c"), (0.5, "#111a3d"), (water, "#2b2a55")])
    sky = add(sky, "#f5efd8", disc(1.42, 0.17, 0.055))
    sky = add(sky, "#8fa0d8", 0.35 * glow(1.42, 0.17, 0.16))
    image, draw = canvas()
    rng = np.random.default_rng(81)
    for colour, low, high, lit in (("#1a2148", 0.3, 0.56, 0.28), ("#0b1026", 0.14, 0.42, 0.45)):
        x = -0.02
        while x < ASPECT:
            wide, tall = rng.uniform(0.07, 0.15), rng.uniform(low, high)
            top = water - tall
            draw.rectangle(points((x, top), (x + wide, water)), fill=colour)
            if rng.random() < 0.3:
                draw.rectangle(points((x + wide / 2 - 0.002, top - 0.06), (x + wide / 2 + 0.002, top)), fill=colour)
            for wy in np.arange(top + 0.02, water - 0.02, 0.026):
                for wx in np.arange(x + 0.012, x + wide - 0.014, 0.02):
                    phase, chance = rng.uniform(0, 6), rng.random()
                    tint = str(rng.choice(["#ffd27a", "#ffb84d", "#fff1c9", "#9fd0ff"]))
                    if chance < lit and not (chance < 0.03 and np.sin(0.8 * t + phase) > 0):
                        draw.rectangle(points((wx, wy), (wx + 0.009, wy + 0.012)), fill=tint)
            x += wide + rng.uniform(0, 0.012)
    shore = lay(sky, image)
    rng = np.random.default_rng(82)
    lane = (np.arange(16) * 0.125 + 0.07 * t) % (ASPECT + 0.2) - 0.1
    cars = np.stack([lane, np.full(16, water - 0.012), np.full(16, 0.010), np.full(16, 1.0)], axis=1)
    back = np.stack([ASPECT - lane, np.full(16, water - 0.004), np.full(16, 0.009), np.full(16, 1.0)], axis=1)
    shore = sparkle(sparkle(shore, cars, "#ffe9b0"), back, "#ff4a3a")
    # The river mirrors the shore upside down, pulled about by ripples.
    height = Y.shape[0]
    rows = np.arange(height)
    source = np.clip((2 * water * height - rows).astype(int), 0, height - 1)
    mirrored = shore[source]
    shift = (5 * np.sin(90 * np.sqrt(np.clip(Y[:, 0] - water, 0, 1)) - 2.6 * t) * (Y[:, 0] > water)).astype(int)
    for row in range(int(water * height), height):
        mirrored[row] = np.roll(mirrored[row], shift[row], axis=0)
    river = over(mirrored * 0.55, "#070b20", 0.75 * smooth(water, 1.0, Y))
    scene = over(shore, river, (water < Y).astype(np.float32))
    return add(scene, "#ff9d4d", 0.16 * np.exp(-(((Y - water) / 0.06) ** 2)))


def bridge(t: float) -> Picture:
    """A red car crosses a grey bridge in the mist."""
    scene = ramp(Y, [(0, "#c3ccd1"), (0.5, "#dfe4e4"), (0.75, "#aab6bb"), (1, "#7f8e95")])
    scene = over(scene, "#f2f4f3", 0.55 * smooth(0.4, 0.75, slide(noise(91, cells=3, stretch=4, wide=2), 14 * t)))
    image, draw = canvas()
    move = 0.16 * t
    for tower in np.arange(-1, 7):
        x = tower * 1.25 - move * 0.8 + 0.35
        for leg in (-0.05, 0.035):
            draw.polygon(
                points((x + leg, -0.05), (x + leg + 0.02, -0.05), (x + leg + 0.024, 0.72), (x + leg - 0.004, 0.72)),
                fill="#8b979d",
            )
        for beam in (0.06, 0.24, 0.46):
            draw.rectangle(points((x - 0.05, beam), (x + 0.056, beam + 0.022)), fill="#97a2a8")
        spans = np.linspace(0, 1.25, 40)
        sag = 0.05 + 0.5 * (1 - (2 * spans / 1.25 - 1) ** 2)
        cable = [(x + s, y) for s, y in zip(spans, sag, strict=True)]
        draw.line(points(*cable), fill="#75828a", width=8)
        for s, y in cable[::3]:
            draw.line(points((x + s, y), (x + s, 0.72)), fill="#9aa5ab", width=2)
    scene = lay(scene, image, 0.9)
    road = over(scene, ramp(Y, [(0.7, "#6c777d"), (0.74, "#53595e"), (1, "#3a3f44")]), (Y > 0.71).astype(np.float32))
    dashes = smooth(0.55, 0.6, ((X + 5 * move) / 0.42) % 1) * (np.abs(Y - 0.9) < 0.008)
    road = over(road, "#e6e3d8", 0.85 * dashes.astype(np.float32))
    image, draw = canvas()
    for post in np.arange(-1, 12):
        x = post * 0.2 - (5 * move) % 0.2
        draw.rectangle(points((x, 0.655), (x + 0.012, 0.715)), fill="#d9dcda")
    draw.rectangle(points((-0.1, 0.655), (ASPECT + 0.1, 0.667)), fill="#e7e9e7")
    return _car(lay(road, image), 0.62 + 0.055 * t, 0.8 + 0.003 * np.sin(7 * t), t)


def _car(scene: Picture, x: float, y: float, t: float) -> Picture:
    scene = over(scene, "#1d2023", 0.6 * smooth(1.1, 0.5, np.hypot((X - x) / 0.30, (Y - y - 0.075) / 0.032)))
    image, draw = canvas()
    body = ((-0.27, 0.02), (-0.262, -0.035), (-0.17, -0.052), (-0.1, -0.125), (0.06, -0.128), (0.14, -0.055))
    nose = ((0.25, -0.038), (0.275, 0.0), (0.272, 0.048), (-0.262, 0.05))
    draw.polygon(points(*((x + dx, y + dy) for dx, dy in body + nose)), fill="#d8141c")
    shade = ((-0.268, 0.02), (0.274, 0.012), (0.272, 0.048), (-0.262, 0.05))
    draw.polygon(points(*((x + dx, y + dy) for dx, dy in shade)), fill="#a50d16")
    for glass in (
        ((-0.148, -0.056), (-0.09, -0.112), (-0.022, -0.114), (-0.022, -0.056)),
        ((-0.006, -0.056), (-0.006, -0.114), (0.05, -0.114), (0.112, -0.056)),
    ):
        draw.polygon(points(*((x + dx, y + dy) for dx, dy in glass)), fill="#2b3a44")
    draw.polygon(ellipse(x + 0.262, y - 0.012, 0.012, 0.013), fill="#fff4c2")
    draw.rectangle(points((x - 0.27, y - 0.022), (x - 0.256, y + 0.004)), fill="#ff6a5e")
    draw.rectangle(points((x - 0.03, y - 0.036), (x - 0.004, y - 0.03)), fill="#f2b5b0")
    for wheel in (-0.165, 0.165):
        draw.polygon(ellipse(x + wheel, y + 0.048, 0.056, 0.056), fill="#16181a")
        draw.polygon(ellipse(x + wheel, y + 0.048, 0.032, 0.032), fill="#b9c0c4")
        for spoke in range(5):
            angle = 12 * t + spoke * 2 * np.pi / 5
            tip = (x + wheel + 0.028 * np.cos(angle), y + 0.048 + 0.028 * np.sin(angle))
            draw.line(points((x + wheel, y + 0.048), tip), fill="#565d61", width=6)
    return lay(scene, image)


def fish(t: float) -> Picture:
    """Orange fish swim in turquoise water."""
    scene = ramp(Y, [(0, "#8ff0ea"), (0.25, "#25bcc9"), (0.65, "#0b7f9f"), (1, "#06435f")])
    beams = np.zeros_like(X)
    angle = (X - 0.9) / (Y + 0.5)
    for number in range(7):
        middle = -1.3 + 0.42 * number + 0.04 * np.sin(0.7 * t + number)
        beams += (0.5 + 0.5 * np.sin(0.8 * t + 1.7 * number)) * np.exp(-(((angle - middle) / 0.08) ** 2))
    scene = add(scene, "#c9fff4", 0.32 * beams * smooth(0.9, 0.0, Y))
    sand = 0.88 + 0.02 * np.sin(5 * X + 1) + 0.02 * (noise(101, cells=6) - 0.5)
    scene = over(scene, ramp(Y, [(0.85, "#3f8f97"), (1, "#1f5a66")]), smooth(0.0, 0.02, Y - sand))
    net = np.abs(np.sin(14 * X + 2 * np.sin(9 * Y + t)) + np.sin(17 * Y - 1.2 * t + 2 * np.sin(7 * X)))
    scene = add(scene, "#bffdf0", 0.22 * smooth(0.35, 0.0, net) * smooth(0.35, 1, Y))
    image, draw = canvas()
    rng = np.random.default_rng(102)
    for root in np.concatenate([np.linspace(0.02, 0.4, 8), np.linspace(1.42, 1.76, 7)]):
        tall, phase = rng.uniform(0.16, 0.42), rng.uniform(0, 6)
        steps = np.linspace(0, 1, 14)
        bend = root + 0.05 * steps * np.sin(1.1 * t + phase + 3 * steps)
        width = 0.014 * (1 - steps) + 0.002
        left = list(zip(bend - width, 0.97 - tall * steps, strict=True))
        right = list(zip(bend + width, 0.97 - tall * steps, strict=True))[::-1]
        draw.polygon(points(*left, *right), fill=str(rng.choice(["#0f6b4f", "#17845c", "#0b5544"])))
    for number in range(8):
        phase, size = rng.uniform(0, 6), rng.uniform(0.055, 0.105)
        speed = 0.05 + 0.35 * size
        x = (rng.uniform(0, ASPECT + 0.6) + speed * t) % (ASPECT + 0.6) - 0.3
        y = 0.18 + 0.075 * number + 0.015 * np.sin(0.9 * t + phase)
        _fish(draw, x, y, size, 6 * t + phase)
    scene = lay(scene, image)
    bubbles = np.stack(
        [
            0.3 + 0.02 * np.sin(2 * t + np.arange(18)) + 0.06 * (np.arange(18) % 3) + 1.0 * (np.arange(18) % 2),
            1.02 - (np.arange(18) * 0.13 + 0.16 * t) % 1.1,
            0.004 + 0.0025 * (np.arange(18) % 4),
            np.full(18, 0.65),
        ],
        axis=1,
    )
    return sparkle(scene, bubbles, "#e8fffb")


def _fish(draw, x, y, size, swing) -> None:  # type: ignore[no-untyped-def]
    wag = 0.25 * size * np.sin(swing)
    tail = points(
        (x - 0.8 * size, y),
        (x - 1.45 * size, y - 0.42 * size + wag),
        (x - 1.25 * size, y + 0.3 * wag),
        (x - 1.45 * size, y + 0.42 * size + wag),
    )
    draw.polygon(tail, fill="#f2700f")
    draw.polygon(
        points((x - 0.45 * size, y - 0.3 * size), (x + 0.05 * size, y - 0.72 * size), (x + 0.4 * size, y - 0.3 * size)),
        fill="#f2700f",
    )
    draw.polygon(ellipse(x, y, size, 0.46 * size), fill="#ff8c1a")
    draw.polygon(ellipse(x + 0.05 * size, y + 0.16 * size, 0.8 * size, 0.26 * size), fill="#ffb04a")
    for band in (0.42, -0.28):
        draw.polygon(ellipse(x + band * size, y, 0.1 * size, 0.4 * size), fill="#fff6e6")
    draw.polygon(ellipse(x + 0.7 * size, y - 0.1 * size, 0.085 * size, 0.085 * size), fill="#fffdf5")
    draw.polygon(ellipse(x + 0.72 * size, y - 0.1 * size, 0.05 * size, 0.05 * size), fill="#20140c")


def fire(t: float) -> Picture:
    """A fire burns in the dark."""
    cx, foot = ASPECT / 2, 0.8
    scene = ramp(Y, [(0, "#050308"), (0.6, "#0a0507"), (1, "#120806")])
    flicker = 0.85 + 0.1 * np.sin(9 * t) + 0.06 * np.sin(23 * t)
    scene = add(scene, "#c2410c", 0.42 * flicker * glow(cx, 0.62, 0.5))
    ground = smooth(0.76, 0.82, Y) * np.exp(-(((X - cx) / 0.5) ** 2))
    scene = add(scene, "#b4531a", 0.4 * flicker * ground * noise(111, cells=30, stretch=3))
    up = (foot - Y) / 0.56
    tall = np.clip(up, 0, 1)
    swirl = rise(noise(112, cells=5, octaves=5, wide=1.2), 30 + 8 * np.sin(1.3 * t), t * 330) - 0.5
    detail = rise(noise(113, cells=11, octaves=4, wide=1.2), 20, t * 470) - 0.5
    place = (X - cx) + (0.34 * swirl + 0.1 * detail) * (0.25 + tall)
    body = 1 - np.abs(place) / (0.025 + 0.2 * (1 - tall) ** 0.75)
    heat = np.clip(body + 0.55 * swirl + 0.3 * detail - 0.55 * tall**1.6, 0, 1) * smooth(-0.05, 0.06, up)
    heat *= smooth(1.25, 0.7, up)
    flame = ramp(
        heat, [(0, "#000000"), (0.18, "#8a1a02"), (0.4, "#f2580a"), (0.65, "#ffa722"), (0.9, "#ffe680"), (1, "#fffbe0")]
    )
    scene = 1 - (1 - scene) * (1 - flame)
    image, draw = canvas()
    for dx, dy, turn, long in ((-0.1, 0.02, 0.16, 0.25), (0.1, 0.03, -0.18, 0.25), (0.0, 0.055, 0.02, 0.3)):
        draw.polygon(ellipse(cx + dx, foot + dy, long, 0.03, turn), fill="#1c0d07")
        draw.polygon(ellipse(cx + dx, foot + dy - 0.008, long * 0.9, 0.012, turn), fill="#5a2408")
    scene = lay(scene, image)
    rng = np.random.default_rng(114)
    age = (rng.random(46) + t * rng.uniform(0.2, 0.42, 46)) % 1
    sparks = np.stack(
        [
            cx
            + rng.normal(0, 0.09, 46)
            + (0.07 * np.sin(3 * t + rng.uniform(0, 6, 46)) + rng.normal(0, 0.12, 46)) * age,
            foot - 0.05 - 0.78 * age,
            rng.uniform(0.0022, 0.0042, 46),
            np.clip(1.5 * (1 - age), 0, 1),
        ],
        axis=1,
    )
    return sparkle(scene, sparks, "#ffab4a")
