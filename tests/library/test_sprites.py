"""Sprites of a library: made once when they are asked for, for what a person sees, and removed with it.

The library is one of version 1: no stage has prepared anything for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heimdex_core.errors import FileUnreadable, SceneNotFound
from heimdex_core.library import Library
from heimdex_core.library.sprites import limit
from heimdex_core.settings import Settings
from heimdex_core.types import Keyframe
from tests.support.frozen import SPOKEN, SUBTITLED, WAITING, frozen_library

RED, YELLOW = f"{SUBTITLED}_0_1000", f"{SUBTITLED}_1000_2000"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = frozen_library(tmp_path_factory.mktemp("sprites") / "library")
    with Library.open(root, settings=Settings(profile="offline", min_free_bytes=0)) as opened:
        yield opened


def test_a_sprite_is_made_once(library: Library) -> None:
    path = library.sprites.path(RED)
    assert path.relative_to(library.path).as_posix() == f"cache/sprites/{SUBTITLED}/1/0-1000.sprite.webp"
    with Image.open(path) as image:
        assert image.size == (4 * 320, 180)  # four frames a second
        red, green, blue = np.asarray(image.convert("RGB")).reshape(-1, 3).mean(0)
    assert red > 150 > green + blue
    assert path.stat().st_mode & 0o077 == 0
    before = path.stat().st_mtime_ns
    assert library.sprites.path(RED).stat().st_mtime_ns == before


def test_a_sprite_is_for_who_sees_the_scene(library: Library) -> None:
    for scene_id in (f"{SUBTITLED}_0_999999", f"{WAITING}_0_1000", "../../etc/passwd", ""):
        with pytest.raises(SceneNotFound):
            library.sprites.path(scene_id)
    with pytest.raises(SceneNotFound):
        library.as_user("mina").sprites.path(RED)


def test_only_a_scene_without_a_bright_keyframe_needs_a_still(library: Library) -> None:
    scene = library.scene(RED)

    def has(*keyframes: tuple[float, float, float]) -> bool:
        """(brightness, sharpness, score) of each keyframe."""
        frames = tuple(Keyframe(0.5, *values, "0.webp") for values in keyframes)
        return library.sprites.needs_still(replace(scene, keyframes=frames))

    assert not library.sprites.needs_still(scene)
    assert has((3.0, 4.0, 0.012))
    assert not has((3.0, 4.0, 0.012), (60.0, 200.0, 0.31))
    assert not has((10.0, 900.0, 0.57))  # white titles on black
    assert not has((29.0, 0.0, 0.09))  # a plain dark blue
    assert not has()


def test_clean_up_removes_the_sprites_of_what_has_gone(library: Library) -> None:
    kept, gone = library.sprites.path(YELLOW), library.sprites.path(f"{SPOKEN}_0_1000")
    other = kept.parent.parent / "7" / kept.name
    other.parent.mkdir()
    other.write_bytes(kept.read_bytes())
    library.delete(SPOKEN)
    with pytest.raises(SceneNotFound):
        library.sprites.path(f"{SPOKEN}_0_1000")
    library.clean_up()
    assert kept.is_file()
    assert not other.exists()
    assert not gone.exists()
    library.restore(SPOKEN)
    assert library.sprites.path(f"{SPOKEN}_0_1000").is_file()


def test_a_video_whose_file_has_gone(library: Library) -> None:
    source = next((library.path / "videos" / SPOKEN).glob("source.*"))
    aside = source.rename(source.with_name("aside"))
    try:
        with pytest.raises(FileUnreadable):
            library.sprites.path(f"{SPOKEN}_1000_2000")
    finally:
        aside.rename(source)


def test_the_oldest_are_removed_above_the_limit(tmp_path: Path) -> None:
    for n in range(10):
        (tmp_path / f"{n}.webp").write_bytes(bytes(100))
        os.utime(tmp_path / f"{n}.webp", (n, n))
    assert limit(tmp_path, 1000, keep=tmp_path / "9.webp") == 0
    # to four fifths of 500 bytes; the one that is about to be sent stays, although it is the oldest
    assert limit(tmp_path, 500, keep=tmp_path / "0.webp") == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.webp", "7.webp", "8.webp", "9.webp"]
