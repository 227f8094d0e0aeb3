"""What the pipeline relies on in every shot detector; each is run on frames that it is made for."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from heimdex_core.ingest.detectors import DETECTORS, ShotDetector
from heimdex_core.ingest.params import IngestParams
from heimdex_core.settings import DetectorName, Settings

Frames = list[npt.NDArray[np.uint8]]

FPS = 25.0
SIZE = (90, 160)
SHOT_S = 3.0
CUTS_S = (3.0, 6.0)


def detector(name: str, **changes: object) -> ShotDetector:
    return ShotDetector(IngestParams.from_settings(Settings(_env_file=None), detector=name, **changes), FPS)


def shot(seed: int, count: int) -> Frames:
    """A still picture of coarse blocks with a little noise, as a camera has it."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(60, 255, (9, 16, 3)).repeat(10, axis=0).repeat(10, axis=1)
    return [np.clip(blocks + rng.integers(-3, 4, blocks.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def faded(frames: Frames, length: int) -> Frames:
    """The shot, from black at its beginning and to black at its end."""
    light = np.minimum(1.0, np.minimum(np.arange(len(frames)), np.arange(len(frames))[::-1]) / length)
    return [(frame * factor).astype(np.uint8) for frame, factor in zip(frames, light, strict=True)]


def three_shots(name: str) -> Frames:
    """Three shots of SHOT_S: hard cuts, or fades through black for the detector of fades."""
    shots = [shot(seed, round(SHOT_S * FPS)) for seed in (1, 2, 3)]
    return [frame for one in shots for frame in (faded(one, 12) if name == "threshold" else one)]


def cuts_of(found: ShotDetector, frames: Frames) -> list[float]:
    cuts = [cut for n, frame in enumerate(frames) for cut in found.process(n / FPS, frame)]
    return [*cuts, *found.finish()]


def test_every_name_of_the_settings_is_registered() -> None:
    assert set(get_args(DetectorName)) == set(DETECTORS)


@pytest.mark.parametrize("name", DETECTORS)
def test_it_finds_the_cuts(name: str) -> None:
    assert cuts_of(detector(name), three_shots(name)) == pytest.approx(CUTS_S, abs=1 / FPS)


@pytest.mark.parametrize("name", DETECTORS)
def test_one_shot_has_no_cut(name: str) -> None:
    assert cuts_of(detector(name), shot(1, 100)) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_scenes_are_not_shorter_than_asked(name: str) -> None:
    cuts = cuts_of(detector(name, min_scene_s=4.0), three_shots(name))
    assert len(cuts) < len(CUTS_S)
    assert all(later - earlier >= 4.0 for earlier, later in zip(cuts, cuts[1:], strict=False))


@pytest.mark.parametrize("name", DETECTORS)
def test_no_frame_and_one_frame_have_no_cut(name: str) -> None:
    assert cuts_of(detector(name), []) == []
    assert cuts_of(detector(name), shot(1, 1)) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_a_stream_that_changes_its_size_is_one_shot(name: str) -> None:
    large = shot(1, 50)
    small = [frame[::2, ::2] for frame in shot(1, 50)]
    assert cuts_of(detector(name), large + small) == []
