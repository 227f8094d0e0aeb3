"""What smart crop takes for the subject: faces, then what moves, then what stands out; and where it jumps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from heimdex_core.export.clips import known_cuts
from heimdex_core.export.crop.motion import best_place, interest, moving
from heimdex_core.export.crop.smart import plan_crop
from heimdex_core.media.images import Image
from heimdex_core.types import Scene
from heimdex_core.types.crop import CropPath
from tests.support.decoding import info_of
from tests.support.moving_target import Places, draw_ellipse, make_clip, score
from tests.support.small_yunet import BOX_PX, write_small_yunet

SHARE = 81 / 256
SIZE = (320, 180)
LEFT, RIGHT = 68 / SIZE[0], 244 / SIZE[0]
"""Middles of squares whose edges are multiples of 8 pixels, as the small detector finds them."""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_yunet(tmp_path_factory.mktemp("yunet") / "small.onnx")


def draw_face(image: Image, x: float, number: int) -> None:
    """A "face" for the small detector; every second target is an ellipse."""
    if number % 2:
        draw_ellipse(image, x, number)
    else:
        left = round(x * image.shape[1]) - BOX_PX // 2
        image[64 : 64 + BOX_PX, left : left + BOX_PX] = (255, 0, 0)


def planned(path: Path, places: Places, seconds: float, **options: Any) -> CropPath:
    make_clip(path, places, seconds=seconds, size=SIZE, draw=draw_face)
    return plan_crop(path, info_of(path), 0.0, seconds, width=1080, height=1920, **options)


def test_a_face_is_followed_and_not_what_moves_beside_it(tmp_path: Path, detector: Path) -> None:
    def face_and_mover(time_s: float) -> list[float]:
        return [LEFT, 0.55 + 0.15 * time_s]

    path = planned(tmp_path / "a.mp4", face_and_mover, 2.0, faces=detector)
    assert score(path, lambda time_s: [LEFT], seconds=2.0, share=SHARE).inside == 1.0
    without = planned(tmp_path / "a.mp4", face_and_mover, 2.0)
    assert score(without, lambda time_s: [LEFT], seconds=2.0, share=SHARE).inside == 0.0


def test_without_a_face_what_moves_is_followed(tmp_path: Path, detector: Path) -> None:
    def mover(time_s: float) -> list[float]:
        return [0.6 + 0.1 * time_s]

    make_clip(tmp_path / "a.mp4", mover, seconds=2.0, size=SIZE)
    info = info_of(tmp_path / "a.mp4")
    path = plan_crop(tmp_path / "a.mp4", info, 0.0, 2.0, width=1080, height=1920, faces=detector)
    assert score(path, mover, seconds=2.0, share=SHARE).inside >= 0.98


def test_it_jumps_where_a_scene_is_known_to_begin(tmp_path: Path, detector: Path) -> None:
    def other_side(time_s: float) -> list[float]:
        return [LEFT] if time_s < 1.2 else [RIGHT]

    # the background stays, so the cut cannot be seen in the picture as a whole
    path = planned(tmp_path / "a.mp4", other_side, 2.0, faces=detector, boundaries_s=[1.2])
    assert [keyframe.time_s for keyframe in path.keyframes if keyframe.cut] == pytest.approx([1.2])
    assert score(path, other_side, seconds=2.0, share=SHARE).inside == 1.0
    unknown = planned(tmp_path / "a.mp4", other_side, 2.0, faces=detector)
    assert not any(keyframe.cut for keyframe in unknown.keyframes)


def test_scenes_begin_with_cuts_but_for_the_pieces_of_a_long_take() -> None:
    spans = [(0.0, 4.0, False), (4.0, 9.0, True), (9.0, 14.0, True), (14.0, 20.0, False), (20.0, 25.0, False)]
    scenes = [Scene(f"s{n}", "v", n, start, end, divided) for n, (start, end, divided) in enumerate(spans)]
    view = SimpleNamespace(scenes=lambda user_id, video_id: scenes)
    store: Any = SimpleNamespace(reader=lambda: SimpleNamespace(ask=lambda question: question(view)))
    assert known_cuts(store, "local", "v") == (4.0, 14.0, 20.0)


def with_text(left: int) -> Image:
    """Three lines of text of about 85 pixels on a ground that becomes brighter to the other side."""
    row = np.linspace(70, 110, SIZE[0])[:: 1 if left < 160 else -1]
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[:] = row.astype(np.uint8)[:, None]
    for line, words in enumerate(("OPEN TODAY", "from 9 to 5", "free entry")):
        cv2.putText(
            image, words, (left, 60 + 28 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA
        )
    return image


@pytest.mark.parametrize("left", [10, 220])
def test_text_is_kept_where_nothing_moves(tmp_path: Path, left: int) -> None:
    ends = left / SIZE[0], (left + 85) / SIZE[0]
    place = best_place(interest(with_text(left)).sum(axis=0), SHARE)
    assert place - SHARE / 2 <= ends[0] < ends[1] <= place + SHARE / 2

    def text(image: Image, x: float, number: int) -> None:
        image[:] = with_text(left)

    make_clip(tmp_path / "a.mp4", still, seconds=0.6, size=SIZE, draw=text)
    path = plan_crop(tmp_path / "a.mp4", info_of(tmp_path / "a.mp4"), 0.0, 0.6, width=1080, height=1920)
    assert all(abs(keyframe.x - np.mean(ends)) < (SHARE - 85 / SIZE[0]) / 2 + 0.01 for keyframe in path.keyframes)


def still(time_s: float) -> list[float]:
    return [0.5]


def test_a_fade_is_not_taken_for_something_that_moves() -> None:
    dark, fully = (np.full((180, 320, 3), level, np.uint8) for level in (20, 120))
    band = dark.copy()
    band[60:100] = fully[60:100]  # less than half of the picture, over its whole width
    assert moving(dark, fully, down=False) == moving(dark, band, down=False) == []
    part = dark.copy()
    part[60:100, 200:240] = 120
    (found,) = moving(dark, part, down=False)
    assert (found.low, found.high) == pytest.approx((200 / 320, 240 / 320), abs=0.03)


def test_what_stands_out_is_kept_where_there_is_no_text() -> None:
    image = np.full((180, 320, 3), 90, np.uint8)
    image[70:110, 250:290] = (240, 190, 40)
    place = best_place(interest(image).sum(axis=0), SHARE)
    assert place - SHARE / 2 <= 250 / 320 < 290 / 320 <= place + SHARE / 2
    assert best_place(interest(np.full((180, 320, 3), 90, np.uint8)).sum(axis=0), SHARE) == pytest.approx(0.5, abs=0.01)
