"""The maker of drawn videos: scenes, cuts and words are where it says."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.models_small.speech import RATE_HZ
from tests.support.drawn_video import SPEECH_AFTER_S, DrawnScene, make_drawn_video

SCENES = [
    ("green triangle above a red circle", None, 2.0),
    ("blue star", "the river opens the garden today", 4.0),
    ("yellow ring", None, 1.5),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[DrawnScene, ...]]:
    path = tmp_path_factory.mktemp("drawn") / "drawn.mp4"
    return path, make_drawn_video(path, SCENES)


def test_nothing_is_left_beside_the_video(made: tuple[Path, tuple[DrawnScene, ...]]) -> None:
    assert [file.name for file in made[0].parent.iterdir()] == ["drawn.mp4"]


def test_scenes_follow_one_another(made: tuple[Path, tuple[DrawnScene, ...]]) -> None:
    assert [(scene.start_s, scene.end_s) for scene in made[1]] == [(0, 2), (2, 6), (6, 7.5)]
    assert [scene.sentence for scene in made[1]] == ["", "the river opens the garden today", ""]


def test_the_picture_changes_at_the_cuts_and_nowhere_else(made: tuple[Path, tuple[DrawnScene, ...]]) -> None:
    with av.open(str(made[0])) as video:
        pictures = [frame.to_ndarray(format="rgb24").astype(float) for frame in video.decode(video=0)]
    assert len(pictures) == 75
    changes = [np.abs(b - a).mean() for a, b in zip(pictures, pictures[1:], strict=False)]
    assert [n + 1 for n, change in enumerate(changes) if change > 10] == [20, 60]


def test_words_are_where_sound_is(made: tuple[Path, tuple[DrawnScene, ...]]) -> None:
    with av.open(str(made[0])) as video:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in video.decode(audio=0)])
    words = made[1][1].words
    assert words[0].start_s == 2 + SPEECH_AFTER_S
    loud = np.flatnonzero(np.abs(sound) > 0.02) / RATE_HZ
    # the encoder begins with up to two of its frames of 1024 samples
    assert loud[0] == pytest.approx(words[0].start_s, abs=0.15)
    assert loud[-1] == pytest.approx(words[-1].end_s, abs=0.15)


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (("blue star", "the zebra opens the garden", 5.0), "never heard zebra"),
        (("blue star", "the river opens the garden today", 1.0), "takes"),
        (("blue star", None, 1.23), "whole number of frames"),
        (("blue zebra", None, 1.0), "no drawing"),
    ],
)
def test_impossible_scenes_are_refused(tmp_path: Path, scene: tuple[str, str | None, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_drawn_video(tmp_path / "drawn.mp4", [scene])
    assert not list(tmp_path.iterdir())
