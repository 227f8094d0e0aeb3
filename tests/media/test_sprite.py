"""Sprites and stills: which frames they show, at which size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heimdex_core import errors
from heimdex_core.media.child import ChildLimits
from heimdex_core.media.decode import frame_at, frames_at
from heimdex_core.media.images import Image as Picture
from heimdex_core.media.sprite import TILE_PX, frame_count, make_sprite, make_still
from heimdex_core.types import Interval
from tests.media.conftest import Shared
from tests.support import media
from tests.support.decoding import info_of

LIMITS = ChildLimits(600_000_000, 20.0)
FOUR = [("red", 1.0), ("green", 1.0), ("blue", 1.0), ("white", 1.0)]


def pixels(path: Path) -> Picture:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def colour_of(image: Picture) -> str:
    """The name of the nearest plain colour."""
    mean = image.reshape(-1, 3).mean(0)
    return min(media.RGB, key=lambda name: float(np.abs(mean - media.RGB[name]).max()))


@pytest.mark.parametrize(("duration_s", "frames"), [(0.1, 2), (1.0, 4), (2.6, 10), (3.0, 12), (45.0, 12)])
def test_how_many_frames(duration_s: float, frames: int) -> None:
    assert frame_count(duration_s) == frames


@pytest.mark.parametrize("key_every", [10, 250])
def test_frames_at_several_times_are_those_on_screen(shared: Shared, key_every: int) -> None:
    path = shared(media.colour_clips, f"{key_every}.mp4", FOUR, key_every=key_every)
    info = info_of(path)
    near = [0.5, 0.99, 1.0, 1.0, 3.99, 9.0]
    far = [0.2, 3.9]  # further apart than frames are read one by one: each is looked for
    for times_s in (near, far * 1, [0.2, 8.5]):
        found = [frame.time_s for frame in frames_at(path, info, times_s, max_side_px=64)]
        assert found == [frame_at(path, info, time_s).time_s for time_s in times_s]


def test_a_sprite_has_the_frames_of_the_scene_side_by_side(shared: Shared, tmp_path: Path) -> None:
    path = shared(media.colour_clips, "four.mp4", FOUR)
    out = tmp_path / "sprite.webp"
    make_sprite(path, info_of(path), Interval(0.5, 3.5), out, filename="four.mp4", limits=LIMITS)
    image = pixels(out)
    width_px, height_px = TILE_PX
    assert image.shape == (height_px, 12 * width_px, 3)
    # parts of a quarter of a second, from 0.5 to 3.5: 2 of red, 4 of green, 4 of blue, 2 of white
    tiles = [colour_of(image[:, n * width_px : (n + 1) * width_px]) for n in range(12)]
    assert tiles == ["red"] * 2 + ["green"] * 4 + ["blue"] * 4 + ["white"] * 2


def test_an_upright_video_fills_its_tiles(shared: Shared, tmp_path: Path) -> None:
    path = shared(media.colour_clips, "tall.mp4", [("green", 0.5)], size=(90, 160))
    make_sprite(path, None, Interval(0.0, 0.5), tmp_path / "s.webp", filename="tall.mp4", limits=LIMITS)
    assert np.abs(pixels(tmp_path / "s.webp").astype(int) - media.RGB["green"]).max() < 12


def test_a_still_is_the_frame_that_shows_most(shared: Shared, tmp_path: Path) -> None:
    """A scene that is black for most of its time."""
    path = shared(media.colour_clips, "fade.mp4", [("black", 1.6), ("gray", 0.4)], noise=20)
    make_still(path, info_of(path), Interval(0.0, 2.0), tmp_path / "still.webp", filename="fade.mp4", limits=LIMITS)
    assert 100 < pixels(tmp_path / "still.webp").mean() < 155


def test_a_file_that_is_no_video_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(errors.HeimdexError):
        make_sprite(path, None, Interval(0, 1), tmp_path / "s.webp", filename="text.mp4", limits=LIMITS)
    assert not (tmp_path / "s.webp").exists()
