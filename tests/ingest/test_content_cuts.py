"""The detector `content` with gradual transitions: what it finds, and what it must not take for a cut.

Every expectation is the time at which the clip was made to change. The whole labelled set is in the long test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest

from heimdex_core.ingest.detectors import ShotDetector
from heimdex_core.ingest.params import IngestParams
from heimdex_core.settings import Settings
from tests.support import labelled_cuts
from tests.support.labelled_cuts import labelled_set
from tests.support.transitions import HEIGHT, WIDTH, Frame, Image, Shot, dissolve, mixed, through

Frames = Iterable[tuple[float, Frame]]


def cuts_of(frames: Frames, fps: float = 25.0, **changes: object) -> list[float]:
    detector = ShotDetector(IngestParams.from_settings(Settings(_env_file=None), **changes), fps)
    cuts = [cut for time_s, image in frames for cut in detector.process(time_s, image)]
    return [*cuts, *detector.finish()]


def timed(images: Iterable[Image], fps: float = 25.0) -> Iterator[tuple[float, Frame]]:
    for n, image in enumerate(images):
        yield n / fps, np.clip(image + 0.5, 0, 255).astype(np.uint8)


def shots(seed: int, camera: str = "still") -> tuple[Shot, Shot]:
    rng = np.random.default_rng([7, seed])
    return Shot(rng, camera=camera), Shot(rng, camera=camera)


def dissolved(
    seed: int, length: int, *, fps: float = 25.0, gamma: float = 1.0, at_s: float = 2.8, total_s: float = 5.6
) -> Iterator[tuple[float, Frame]]:
    a, b = shots(seed, "pan" if seed % 2 else "still")
    return timed(dissolve(a, b, at_s=at_s, length=length, total_s=total_s, fps=fps, gamma=gamma), fps)


# --- dissolves ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "fps", "gamma"),
    [(8, 25.0, 1.0), (20, 30.0, 1.0), (20, 24.0, 2.2), (50, 25.0, 1.0), (8, 10.0, 1.0), (40, 60.0, 1.0)],
)
def test_a_dissolve_is_one_boundary_at_its_middle(length: int, fps: float, gamma: float) -> None:
    assert cuts_of(dissolved(length, length, fps=fps, gamma=gamma), fps) == pytest.approx(
        [2.8], abs=0.15 * length / fps
    )


def test_it_can_be_turned_off() -> None:
    assert cuts_of(dissolved(1, 20), gradual_transitions=False) == []


@pytest.mark.parametrize("bars", ["letterbox", "pillars"])
def test_black_bars_do_not_hide_a_dissolve(bars: str) -> None:
    rows, columns = ((36, 0), (0, 88))[bars == "pillars"]

    def barred() -> Iterator[tuple[float, Frame]]:
        for time_s, frame in dissolved(2, 20):
            framed = np.zeros_like(frame)
            inside = np.s_[rows // 2 : HEIGHT - rows // 2, columns // 2 : WIDTH - columns // 2]
            framed[inside] = frame[inside]
            yield time_s, framed

    assert cuts_of(barred()) == pytest.approx([2.8], abs=0.12)


@pytest.mark.parametrize("shape", [(256, 144), (24, 32), (144, 62)])
def test_any_shape_of_picture(shape: tuple[int, int]) -> None:
    import cv2

    frames = (
        (t, np.asarray(cv2.resize(f, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)) for t, f in dissolved(4, 20)
    )
    assert cuts_of(frames) == pytest.approx([2.8], abs=0.12)


def test_frames_come_when_something_changes() -> None:
    """As a screen recording has them: none while the picture stands still."""
    a, b = (shot.frame(0.0) for shot in shots(3))
    mix = [(10.0 + n * 0.05, mixed(a, b, n / 12)) for n in range(13)]
    images = [(0.0, a), (4.0, a), *mix, (18.0, b), (25.0, b)]
    frames = [(t, np.clip(image, 0, 255).astype(np.uint8)) for t, image in images]
    assert cuts_of(frames) == pytest.approx([10.3], abs=0.1)


def test_two_dissolves_and_a_cut_are_told_in_order() -> None:
    rng = np.random.default_rng(5)
    four = [Shot(rng, mean=mean) for mean in (60.0, 170.0, 90.0, 200.0)]

    def images() -> Iterator[Image]:
        for n in range(300):
            t = n / 25
            share = [np.clip((t - at) / length, 0, 1) for at, length in ((2.6, 0.8), (6.0, 0.001), (8.6, 0.8))]
            now = int(t >= 3.0) + int(t >= 6.0) + int(t >= 9.0)
            of = {0: (0, 1, share[0]), 1: (0, 1, share[0]), 2: (2, 3, share[2]), 3: (2, 3, share[2])}[now]
            yield mixed(four[of[0]].frame(t), four[of[1]].frame(t), float(of[2]))

    assert cuts_of(timed(images())) == pytest.approx([3.0, 6.0, 9.0], abs=0.1)


def test_a_cut_within_the_shortest_scene_wins() -> None:
    """One shot ends in a dissolve, and 0.6 s after its middle there is a cut."""
    rng = np.random.default_rng(6)
    a, b, c = (Shot(rng, mean=mean) for mean in (60.0, 120.0, 210.0))

    def images() -> Iterator[Image]:
        for n in range(150):
            t = n / 25
            yield c.frame(t) if t >= 3.4 else mixed(a.frame(t), b.frame(t), float(np.clip((t - 2.6) / 0.4, 0, 1)))

    assert cuts_of(timed(images())) == pytest.approx([3.4], abs=0.01)


# --- fades ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colour", "held_s"), [(0.0, 0.0), (0.0, 1.5), pytest.param(0.0, 9.0, marks=pytest.mark.long), (250.0, 0.4)]
)
def test_a_fade_out_and_in_is_one_boundary_at_its_plainest(colour: float, held_s: float) -> None:
    a, b = shots(8)
    in_s = 3.3 + held_s
    frames = timed(through(a, b, out_s=(2.5, 3.3), in_s=(in_s, in_s + 0.8), total_s=in_s + 3, fps=25.0, colour=colour))
    assert cuts_of(frames) == pytest.approx([3.3 + held_s / 2], abs=0.1)


@pytest.mark.parametrize("at_start", [True, False])
def test_a_fade_at_an_end_is_no_boundary(at_start: bool) -> None:
    shot, _ = shots(9)
    if at_start:
        images = through(None, shot, out_s=(-2.0, -1.0), in_s=(1.4, 2.2), total_s=5.0, fps=25.0, colour=0.0)
    else:
        images = through(shot, None, out_s=(2.6, 3.4), in_s=(99.0, 100.0), total_s=5.0, fps=25.0, colour=0.0)
    assert cuts_of(timed(images)) == []


# --- sudden changes -------------------------------------------------------------------------------


def test_a_cut_between_colours_of_equal_brightness() -> None:
    magenta, cyan = (
        np.broadcast_to(np.array(c, np.float32), (HEIGHT, WIDTH, 3)) for c in ((255, 0, 255), (255, 255, 0))
    )
    frames = list(timed([magenta] * 50 + [cyan] * 50))
    assert cuts_of(frames) == [2.0]
    assert cuts_of(frames, gradual_transitions=False) == []  # ContentDetector does not see it


def test_a_rounding_error_is_no_detail_that_two_plain_pictures_share() -> None:
    red, white = (np.full((HEIGHT, WIDTH, 3), c, np.float32) for c in ((0, 0, 253), (255, 255, 255)))
    for picture in (red, white):
        picture[-HEIGHT // 36 :, :, 2] -= 3.0  # the last line of the sample is one level darker
    assert cuts_of(timed([red] * 50 + [white] * 50)) == [2.0]


def test_hard_cuts_are_those_of_content_detector_alone() -> None:
    rng = np.random.default_rng(10)
    seen = [Shot(rng, mean=mean, camera="pan") for mean in (50.0, 130.0, 200.0, 90.0, 180.0)]
    frames = list(timed(shot.frame(n / 25) for shot in seen for n in range(36)))
    cuts = cuts_of(frames, gradual_transitions=False)
    assert cuts == pytest.approx([1.44, 2.88, 4.32, 5.76], abs=0.001)
    assert cuts_of(frames) == pytest.approx(cuts, abs=0.001)


@pytest.mark.parametrize("lasts_s", [0.04, 0.2, 0.4])
def test_a_flash_is_no_cut(lasts_s: float) -> None:
    shot, _ = shots(11, "shake")
    white = np.full((HEIGHT, WIDTH, 3), 250, np.float32)
    images = [mixed(shot.frame(n / 25), white, 0.9 * (2.0 <= n / 25 < 2.0 + lasts_s)) for n in range(125)]
    assert cuts_of(timed(images), gradual_transitions=False)  # it would be one
    assert cuts_of(timed(images)) == []


def test_a_picture_that_comes_back_after_half_a_second_was_a_scene_of_its_own() -> None:
    a, b = shots(12)
    images = [(b if 2.0 <= n / 25 < 3.2 else a).frame(n / 25) for n in range(125)]
    expected = cuts_of(timed(images), gradual_transitions=False)
    assert len(expected) == 2
    assert cuts_of(timed(images)) == pytest.approx(expected, abs=0.001)


def test_coloured_light_on_the_same_things_is_no_cut() -> None:
    shot, _ = shots(13)
    light = np.array([[0.5, 0.9, 0.5], [0.9, 0.5, 0.9]], np.float32)
    images = [shot.frame(n / 25) * light[int(n >= 60)] for n in range(125)]
    assert cuts_of(timed(images)) == []


@pytest.mark.parametrize(
    "change",
    [labelled_cuts.lamp, labelled_cuts.title, labelled_cuts.exposure, labelled_cuts.passing],
)
def test_a_change_in_the_picture_is_no_cut(change: Callable[[np.random.Generator, int], labelled_cuts.Change]) -> None:
    shot, _ = shots(14)
    done = change(np.random.default_rng(1), 2)
    assert cuts_of(timed(done(shot.frame(n / 25), n / 25) for n in range(175))) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 41])
def test_the_labelled_set(seed: int) -> None:
    """As benchmarks/cuts.py reports it."""
    missed, wrong = Counter[str](), Counter[str]()
    for kind, clips in labelled_set(seed).items():
        for clip in clips:
            frames = list(clip.frames())
            cuts = [cut for cut in cuts_of(frames, clip.fps) if 1.0 <= cut <= frames[-1][0] - 1.0]
            hits = sum(any(abs(cut - at) <= off + 1e-3 for cut in cuts) for at, off in clip.boundaries)
            missed[kind] += len(clip.boundaries) - hits
            wrong[kind] += len(cuts) - hits
    assert {kind: n for kind, n in wrong.items() if n} == {}
    assert missed["dissolve, 8 frames"] + missed["dissolve, 20 frames"] <= 2
    assert missed["dissolve, gamma 2.2"] <= 2
    assert missed["dissolve, 50 frames"] <= 2
    assert missed["fade out and in"] + missed["hard cut"] + missed["hard cut, equal brightness"] == 0
