"""The labelled set for the detectors of cuts: what must be found, and what must not be taken for a cut.

One `seed` gives one set; a set with another seed has other shots of the same kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from tests.support.transitions import HEIGHT, WIDTH, Camera, Clip, Image, Shot, dissolve, mixed, through

RATES = (24.0, 25.0, 30.0)
CAMERAS: tuple[Camera, ...] = ("still", "still", "pan", "zoom", "shake")
Change = Callable[[Image, float], Image]
"""What is done to the picture at a time in seconds."""


def labelled_set(seed: int) -> dict[str, list[Clip]]:
    """The clips by kind."""
    return {
        "dissolve, 8 frames": [_dissolve(seed, n, 8) for n in range(13)],
        "dissolve, 20 frames": [_dissolve(seed, n, 20) for n in range(13)],
        "dissolve, gamma 2.2": [_dissolve(seed, n, (8, 20)[n % 2], gamma=2.2) for n in range(10)],
        "dissolve, 50 frames": [_dissolve(seed, n, 50) for n in range(10)],
        "fade out and in": [_fade(seed, n) for n in range(8)],
        "hard cut": [_cut(seed, n) for n in range(8)],
        "hard cut, equal brightness": [_hue_cut(seed, n) for n in range(6)],
        "take": [_take(seed, n, CAMERAS[n % 5]) for n in range(10)],
        "pan": [_take(seed, n, ("pan", "fast pan")[n % 2]) for n in range(8)],
        "zoom": [_take(seed, n, ("zoom", "fast zoom")[n % 2]) for n in range(8)],
        "flash": [_changed(seed, "flash", n, flash) for n in range(14)],
        "lamp": [_changed(seed, "lamp", n, lamp) for n in range(12)],
        "exposure": [_changed(seed, "exposure", n, exposure) for n in range(6)],
        "title": [_changed(seed, "title", n, title) for n in range(8)],
        "title on black": [_title_on_black(seed, n) for n in range(4)],
        "fade in at the start": [_edge_fade(seed, n, at_start=True) for n in range(4)],
        "fade out at the end": [_edge_fade(seed, n, at_start=False) for n in range(4)],
        "passing object": [_changed(seed, "passing", n, passing) for n in range(6)],
        "focus": [_changed(seed, "focus", n, focus) for n in range(4)],
    }


def _rng(seed: int, kind: str, n: int) -> np.random.Generator:
    return np.random.default_rng([seed, n, *kind.encode()])


def _shot(rng: np.random.Generator) -> Shot:
    return Shot(rng, camera=str(rng.choice(CAMERAS)), objects=int(rng.integers(0, 4)))


def _clip(
    seed: int,
    kind: str,
    n: int,
    make: Callable[[np.random.Generator, float], tuple[Callable[[], Iterator[Image]], list]],
) -> Clip:
    rng = _rng(seed, kind, n)
    fps = float(rng.choice(RATES))
    frames, boundaries = make(rng, fps)
    return Clip(f"{kind} {n}", fps, frames, tuple(boundaries))


# --- to be found ----------------------------------------------------------------------------------


def _dissolve(seed: int, n: int, length: int, gamma: float = 1.0) -> Clip:
    def make(rng: np.random.Generator, fps: float):
        a, b = _shot(rng), _shot(rng)
        at_s = float(rng.uniform(2.5, 4.0)) + length / fps / 2
        at_s = round(at_s * fps) / fps
        total_s = at_s + length / fps / 2 + float(rng.uniform(2.5, 4.0))

        def frames() -> Iterator[Image]:
            return dissolve(a, b, at_s=at_s, length=length, total_s=total_s, fps=fps, gamma=gamma)

        return frames, [(at_s, 0.1 + 0.15 * length / fps)]

    return _clip(seed, f"dissolve {length} {gamma}", n, make)


def _fade(seed: int, n: int) -> Clip:
    def make(rng: np.random.Generator, fps: float):
        a, b = _shot(rng), _shot(rng)
        start = float(rng.uniform(2.5, 4.0))
        out, held, back = (
            float(rng.uniform(0.3, 1.5)),
            float(rng.choice([0.0, 0.1, 0.5, 1.5])),
            float(rng.uniform(0.3, 1.5)),
        )
        spans = {"out_s": (start, start + out), "in_s": (start + out + held, start + out + held + back)}
        total_s = start + out + held + back + 2.5
        colour = 250.0 if n % 4 == 3 else float(rng.uniform(0, 12))
        middle = start + out + held / 2
        return lambda: through(a, b, **spans, total_s=total_s, fps=fps, colour=colour), [(middle, 0.12 + held / 2)]

    return _clip(seed, "fade", n, make)


def _cut(seed: int, n: int) -> Clip:
    def make(rng: np.random.Generator, fps: float):
        shots = [_shot(rng) for _ in range(3)]
        # as far apart in brightness as shots that anybody tells apart
        for shot, mean in zip(shots, rng.permutation([60.0, 120.0, 190.0]), strict=True):
            shot.__init__(rng, camera=shot.camera, objects=shot.objects, mean=mean)  # type: ignore[misc]
        lengths = [round(s * fps) for s in rng.uniform(1.5, 3.0, 3)]

        def frames() -> Iterator[Image]:
            for shot, length in zip(shots, lengths, strict=True):
                for k in range(length):
                    yield shot.frame(k / fps)

        edges = np.cumsum(lengths)[:2] / fps
        return frames, [(float(edge), 0.5 / fps) for edge in edges]

    return _clip(seed, "cut", n, make)


def _hue_cut(seed: int, n: int) -> Clip:
    """Between two colours of one brightness, plain as a slide or with the texture of a coloured wall."""
    # BGR; equal in saturation and value, then equal in luma
    pairs = [((255, 0, 255), (255, 255, 0)), ((40, 40, 200), (40, 200, 40)), ((40, 40, 190), (170, 75, 55))]

    def make(rng: np.random.Generator, fps: float):
        at = round(float(rng.uniform(2.0, 3.0)) * fps)
        one, other = (np.array(c, np.float32) for c in pairs[n % 3])
        walls = [np.zeros((HEIGHT, WIDTH, 1), np.float32)] * 2
        if n % 2:
            shots = [Shot(rng, objects=0, contrast=12.0, mean=128.0, grain=1.0) for _ in range(2)]
            walls = [shot.frame(0.0).mean(axis=2, keepdims=True) - 128 for shot in shots]

        def frames() -> Iterator[Image]:
            for k in range(2 * at):
                yield np.clip(walls[0] + one if k < at else walls[1] + other, 0, 255)

        return frames, [(at / fps, 0.5 / fps)]

    return _clip(seed, "hue", n, make)


# --- not to be found ------------------------------------------------------------------------------


def _take(seed: int, n: int, camera: Camera) -> Clip:
    def make(rng: np.random.Generator, fps: float):
        shot = Shot(rng, camera=camera, objects=int(rng.integers(0, 4)))
        return lambda: (shot.frame(k / fps) for k in range(round(8 * fps))), []

    return _clip(seed, f"take {camera}", n, make)


def _changed(seed: int, kind: str, n: int, change: Callable[[np.random.Generator, int], Change]) -> Clip:
    def make(rng: np.random.Generator, fps: float):
        shot = _shot(rng)
        done = change(rng, n)
        return lambda: (done(shot.frame(k / fps), k / fps) for k in range(round(7 * fps))), []

    return _clip(seed, kind, n, make)


def _ramp(t: float, start: float, length: float) -> float:
    return float(np.clip((t - start) / max(length, 1e-6), 0, 1))


def _soft_spot(rng: np.random.Generator, share: float) -> Image:
    """1 in a round part of about this share of the picture, with a soft edge; (height, width, 1)."""
    radius = np.sqrt(share * WIDTH * HEIGHT / np.pi)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    at = rng.uniform([0.2 * WIDTH, 0.2 * HEIGHT], [0.8 * WIDTH, 0.8 * HEIGHT])
    far = np.hypot(x - at[0], (y - at[1]) * 1.2) / radius
    return np.clip(1.6 - far, 0, 1).astype(np.float32)[..., None]


def flash(rng: np.random.Generator, n: int) -> Change:
    """One to three flashes of a camera: at once, gone within a few frames; over all of the picture or most of it."""
    times = np.sort(rng.uniform(1.5, 5.5, 1 + n % 3))
    strength = rng.uniform(0.6, 1.0)
    lasts = rng.uniform(0.03, 0.2)
    fall = rng.choice([0.0, 0.08])
    where = 1.0 if n % 2 else 0.4 + 0.6 * _soft_spot(rng, 0.5)

    def done(image: Image, t: float) -> Image:
        light = 0.0
        for at in times:
            if t >= at:
                past = t - at - lasts
                light = max(light, strength * (1.0 if past < 0 else (np.exp(-past / fall) if fall else 0.0)))
        return image + np.float32(light) * where * (255 - image) if light > 0.01 else image

    return done


def lamp(rng: np.random.Generator, n: int) -> Change:
    """A lamp in part of the picture: on or off, at once or within up to two seconds, white or coloured."""
    spot = _soft_spot(rng, rng.uniform(0.1, 0.6))
    colour = np.array([rng.uniform(0.6, 1.0), rng.uniform(0.8, 1.0), 1.0], np.float32)
    gain, lift = rng.uniform(0.5, 1.8), rng.uniform(10, 60)
    length = (0.0, 0.15, 0.35, 0.8, 1.5, 2.0)[n % 6]
    start, off = rng.uniform(2.0, 3.5), n % 4 == 3
    dark = rng.uniform(0.35, 1.0)

    def done(image: Image, t: float) -> Image:
        light = _ramp(t, start, length)
        light = 1 - light if off else light
        return np.clip(dark * image + light * spot * colour * (gain * dark * image + lift), 0, 255)

    return done


def exposure(rng: np.random.Generator, n: int) -> Change:
    """The camera or the sun changes the brightness of all of the picture."""
    to, start, length = rng.choice([0.45, 0.6, 1.5, 1.9]), rng.uniform(2, 3.5), (0.3, 0.8, 2.0)[n % 3]
    return lambda image, t: np.clip(image * np.float32(1 + (to - 1) * _ramp(t, start, length)), 0, 255)


def title(rng: np.random.Generator, n: int) -> Change:
    """Words over the picture, some on a dark band, that come and go; at once or softly."""
    layer, alpha = _words(rng, band=n % 2 == 0, lines=1 + n % 3)
    start, length, end = rng.uniform(1.5, 2.5), (0.0, 0.3, 0.8)[n % 3], rng.uniform(4.5, 5.5)

    def done(image: Image, t: float) -> Image:
        seen = _ramp(t, start, length) * (1 - _ramp(t, end, length))
        return image + np.float32(seen) * alpha * (layer - image)

    return done


def passing(rng: np.random.Generator, n: int) -> Change:
    """Something large passes close to the camera."""
    other = Shot(rng, objects=0)
    start, speed = rng.uniform(2, 3), rng.uniform(0.5, 2.5) * WIDTH
    width = rng.uniform(0.3, 0.9) * WIDTH

    def done(image: Image, t: float) -> Image:
        right = (t - start) * speed
        left, right = int(np.clip(right - width, 0, WIDTH)), int(np.clip(right, 0, WIDTH))
        found = image.copy()
        if right > left:
            found[:, left:right] = other.frame(0.0)[:, left:right]
        return found

    return done


def focus(rng: np.random.Generator, n: int) -> Change:
    """The camera loses focus and finds it again."""
    start, length, most = rng.uniform(1.5, 2.5), rng.uniform(0.4, 1.5), rng.uniform(4, 12)

    def done(image: Image, t: float) -> Image:
        sigma = most * np.sin(np.pi * _ramp(t, start, 2 * length))
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32) if sigma > 0.3 else image

    return done


def _words(rng: np.random.Generator, *, band: bool, lines: int) -> tuple[Image, Image]:
    layer = np.full((HEIGHT, WIDTH, 3), 240.0, np.float32)
    alpha = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    top = int(rng.integers(25, HEIGHT - 25 * lines))
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    for line in range(lines):
        text = "".join(rng.choice(list("ABEGHKMNRSTUW "), 12))
        cv2.putText(drawn, text, (12, top + 25 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2)
    if band:
        alpha[top - 22 : top + 25 * (lines - 1) + 6] = 0.7
        layer[top - 22 : top + 25 * (lines - 1) + 6] = 20.0
    layer[drawn > 0] = 240.0
    alpha[drawn > 0] = 1.0
    return layer, alpha


def _title_on_black(seed: int, n: int) -> Clip:
    def make(rng: np.random.Generator, fps: float):
        layer, alpha = _words(rng, band=False, lines=2)
        black = np.full((HEIGHT, WIDTH, 3), 6.0, np.float32)

        def frames() -> Iterator[Image]:
            for k in range(round(6 * fps)):
                seen = _ramp(k / fps, 1.5, 0.5) * (1 - _ramp(k / fps, 4.0, 0.5))
                yield mixed(black, black + alpha * (layer - black), seen)

        return frames, []

    return _clip(seed, "title on black", n, make)


def _edge_fade(seed: int, n: int, *, at_start: bool) -> Clip:
    def make(rng: np.random.Generator, fps: float):
        shot, held, length = _shot(rng), float(rng.choice([0.0, 0.6])), float(rng.uniform(0.3, 1.6))
        if at_start:
            in_s = (held, held + length)
            return lambda: through(None, shot, out_s=(-2.0, -1.0), in_s=in_s, total_s=5.0, fps=fps), []
        out_s = (5.0 - held - length, 5.0 - held)
        return lambda: through(shot, None, out_s=out_s, in_s=(99.0, 100.0), total_s=5.0, fps=fps), []

    return _clip(seed, f"edge fade {at_start}", n, make)
