"""Strategies, crop paths as files, and crops that follow something."""

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import FileUnreadable, InvalidValue, UnknownName
from heimdex_core.export.crop import STRATEGIES, framing_of
from heimdex_core.export.crop.files import read_crop_path, write_crop_path
from heimdex_core.export.crop.smart import plan_crop
from heimdex_core.export.crop.tracks import Extent, followed, join_tracks
from heimdex_core.export.crop.tube import calmest_path, positions, reversals
from heimdex_core.media.child import ChildLimits
from heimdex_core.settings import Settings
from heimdex_core.types.crop import CropKeyframe, CropPath
from tests.support import media
from tests.support.decoding import info_of
from tests.support.moving_target import CLIPS, make_clip, score

PATH = CropPath((CropKeyframe(0.0, 0.25), CropKeyframe(2.5, 0.5, 0.4), CropKeyframe(4.0, 0.75, cut=True)))


def test_strategies() -> None:
    assert list(STRATEGIES) == ["center_crop", "letterbox", "blur_pad", "smart_crop"]
    assert framing_of("letterbox").kind == "fit"
    assert framing_of("smart_crop", PATH).path == PATH
    with pytest.raises(InvalidValue):
        framing_of("smart_crop")
    with pytest.raises(InvalidValue):
        framing_of("blur_pad", PATH)
    with pytest.raises(UnknownName):
        framing_of("zoom")


@pytest.mark.parametrize("name", ["path.json", "path.CSV"])
def test_a_path_is_written_and_read(tmp_path: Path, name: str) -> None:
    write_crop_path(tmp_path / name, PATH)
    assert read_crop_path(tmp_path / name) == PATH


def test_what_people_write(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufefftime_s,x\n0,0.5\n1,.7\n", encoding="utf-8")
    assert read_crop_path(tmp_path / "a.csv") == CropPath((CropKeyframe(0, 0.5), CropKeyframe(1, 0.7)))
    (tmp_path / "a.json").write_text('[{"time_s": 1, "x": 0.2}]', encoding="utf-8")
    assert read_crop_path(tmp_path / "a.json") == CropPath((CropKeyframe(1, 0.2),))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", "[1]"),
        ("a.json", "{}"),
        ("a.json", '[{"time_s": 0}]'),
        ("a.json", '[{"time_s": 0, "x": 2}]'),
        ("a.csv", ""),
        ("a.csv", "time_s,x\n1,.5\n0,.5\n"),
        ("a.txt", "0 .5"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidValue):
        read_crop_path(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable):
        read_crop_path(tmp_path / "a.json")


# --- the calmest path -----------------------------------------------------------------------------


def through(low: list[float], high: list[float], preferred: float = 0.5) -> list[float]:
    times_s = np.arange(len(low), dtype=float)
    corners = calmest_path(times_s, np.array(low), np.array(high), preferred)
    return [round(float(x), 6) for x in positions(corners, times_s)]


def test_it_stays_where_it_can() -> None:
    assert through([0.1, 0.3, 0.2], [0.6, 0.7, 0.5]) == [0.5, 0.5, 0.5]
    assert through([0.1, 0.3, 0.2], [0.6, 0.7, 0.5], preferred=0.0) == [0.3, 0.3, 0.3]


def test_it_moves_as_little_as_it_must() -> None:
    # up to 0.3 is allowed until moment 2, from 0.5 on at moment 4; then it stays
    assert through([0, 0, 0, 0, 0.5, 0.5], [0.3, 0.3, 0.3, 1, 1, 1]) == [0.3, 0.3, 0.3, 0.4, 0.5, 0.5]
    assert through([0.7, 0.7, 0, 0], [1, 1, 0.5, 0.5]) == [0.7, 0.7, 0.5, 0.5]


def test_it_turns_only_where_it_must() -> None:
    rng = np.random.default_rng(3)
    middle = 0.5 + 0.3 * np.sin(np.arange(160) / 40) + rng.uniform(-0.03, 0.03, 160)
    path = np.array(through((middle - 0.1).tolist(), (middle + 0.1).tolist()))
    assert (path >= middle - 0.1 - 1e-6).all()
    assert (path <= middle + 0.1 + 1e-6).all()
    assert reversals(path, 1e-4) == 1  # 4 rad of a sine: up and down


def test_reversals_by_hand() -> None:
    assert reversals(np.array([0, 0.1, 0.2, 0.1, 0.3]), 0.01) == 2
    assert reversals(np.array([0, 0.1, 0.095, 0.2]), 0.01) == 0
    assert reversals(np.array([0.5, 0.5]), 0.01) == 0


def test_one_thing_at_a_time_is_followed() -> None:
    left, right = Extent(0.1, 0.2, 1.0), Extent(0.7, 0.8, 2.0)
    moments = [[left]] * 8 + [[left, right]] * 16 + [[right]] * 40
    chosen = followed(join_tracks(moments, 8.0), 64, 8.0)
    seen = [None if track is None else track.seen[min(track.seen)] for track in chosen]
    assert seen[23] == left  # twice the weight is not enough
    assert seen[-1] == right  # but the first one is gone


# --- following ------------------------------------------------------------------------------------


def followed_in(folder: Path, name: str, seconds: float, limits: ChildLimits | None = None) -> CropPath:
    path = make_clip(folder / "a.mp4", CLIPS[name], seconds=seconds, size=(320, 180))
    return plan_crop(path, info_of(path), 0.0, seconds, width=1080, height=1920, limits=limits)


def test_a_target_is_kept_through_a_cut(tmp_path: Path) -> None:
    limits = ChildLimits.of(Settings(_env_file=None))
    path = followed_in(tmp_path, "cuts", 8.0, limits)
    found = score(path, CLIPS["cuts"], seconds=8.0, share=81 / 256)
    assert found.inside >= 0.98
    assert found.reversals_per_s <= 0.13
    assert [k.time_s for k in path.keyframes if k.cut] == pytest.approx([4.0], abs=0.001)


@pytest.mark.long
@pytest.mark.parametrize("name", list(CLIPS))
def test_every_target_is_kept(tmp_path: Path, name: str) -> None:
    found = score(followed_in(tmp_path, name, 16.0), CLIPS[name], seconds=16.0, share=81 / 256)
    assert found.inside >= 0.98
    assert found.empty <= 0.03
    assert found.reversals_per_s <= 0.13


def test_nothing_to_decide(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 1.0)], size=(90, 160))
    info = info_of(path)
    assert plan_crop(path, info, 0.0, 1.0, width=1080, height=1920) == CropPath((CropKeyframe(0.0, 0.5),))
    # a square of one colour: the middle, and up and down it is the whole picture
    (only,) = plan_crop(path, info, 0.2, 0.8, width=1080, height=1080).keyframes
    assert (only.time_s, only.x, only.y) == (0.2, 0.5, pytest.approx(0.5, abs=0.01))


def test_a_picture_of_which_one_column_is_left(tmp_path: Path) -> None:
    path = media.odd_size(tmp_path / "a.mkv", (2, 640))
    assert len(plan_crop(path, info_of(path), 0.0, 0.4, width=1080, height=1920).keyframes) == 1
