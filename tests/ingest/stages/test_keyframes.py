"""Which candidates stand for a scene, and how good they are."""

from __future__ import annotations

import numpy as np
import pytest

from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages.keyframes import dominant_colours, pick, scene_motion, score
from heimdex_core.ingest.stages.picture import Candidate
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.settings import Settings

PARAMS = IngestParams.from_settings(Settings(_env_file=None))


def candidate(time_s: float, brightness: float = 120, sharpness: float = 500) -> Candidate:
    return Candidate(time_s, f"{time_s}.jpg", brightness, sharpness)


@pytest.mark.parametrize(
    ("brightness", "sharpness", "expected"),
    [(127.5, 1000, 1.0), (127.5, 5000, 1.0), (127.5, 0, 0.4), (0, 0, 0.0), (255, 500, 0.3), (63.75, 250, 0.35)],
)
def test_score_by_hand(brightness: float, sharpness: float, expected: float):
    assert score(brightness, sharpness) == pytest.approx(expected)


def test_three_frames_at_the_middles_of_the_thirds():
    chosen = pick(SceneSpan(0, 9), [candidate(t + 0.5) for t in range(9)], PARAMS)
    assert [c.time_s for c in chosen] == [1.5, 4.5, 7.5]


def test_a_short_scene_has_one_at_its_middle():
    chosen = pick(SceneSpan(10, 11.5), [candidate(10.2), candidate(10.8), candidate(11.3)], PARAMS)
    assert [c.time_s for c in chosen] == [10.8]


def test_dark_and_blurred_frames_are_rejected_when_there_is_a_better_one():
    inside = [candidate(1.5, brightness=5), candidate(2.5), candidate(4.5, sharpness=10), candidate(7.5)]
    assert [c.time_s for c in pick(SceneSpan(0, 9), inside, PARAMS)] == [2.5, 7.5]


def test_a_dark_scene_keeps_its_dark_frames():
    inside = [candidate(t + 0.5, brightness=3, sharpness=1) for t in range(9)]
    assert [c.time_s for c in pick(SceneSpan(0, 9), inside, PARAMS)] == [1.5, 4.5, 7.5]


def test_limits_are_inclusive():
    inside = [candidate(1.5, brightness=15, sharpness=50), candidate(4.5, brightness=14.9), candidate(7.5)]
    assert [c.time_s for c in pick(SceneSpan(0, 9), inside, PARAMS)] == [1.5, 7.5]


def test_motion_is_the_mean_of_the_pairs_inside():
    motion = [(0.0, 0.25, 2.0), (0.25, 0.5, 4.0), (0.75, 1.0, 90.0), (1.0, 1.25, 6.0)]
    assert scene_motion(SceneSpan(0.0, 1.0), motion) == 3.0  # the pair that reaches over the cut does not count
    assert scene_motion(SceneSpan(5.0, 6.0), motion) == 0.0


def test_dominant_colours_most_common_first():
    image = np.zeros((90, 160, 3), np.uint8)
    image[:, :100] = (255, 0, 0)
    image[:, 100:150] = (0, 0, 255)
    image[:, 150:] = (0, 255, 0)
    assert dominant_colours([image]) == ("#ff0000", "#0000ff", "#00ff00")


def test_a_colour_at_the_edge_of_two_cells_counts_once():
    image = np.full((90, 160, 3), 127, np.uint8)
    image[::2] = 129
    (colour,) = dominant_colours([image])
    assert colour in ("#7f7f7f", "#818181")
