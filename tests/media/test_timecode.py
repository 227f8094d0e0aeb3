"""The timecode that a file has of its own."""

from pathlib import Path

import pytest

from heimdex_core.media.child import ChildLimits
from heimdex_core.media.timecode import read_timecode, read_timecode_in_child
from heimdex_core.settings import Settings
from tests.support.clips import ffmpeg


def clip(path: Path, *args: str) -> Path:
    picture = ("-f", "lavfi", "-i", "color=s=64x48:r=30000/1001:d=0.2")
    ffmpeg(*picture, *args, "-c:v", "mpeg4", path)
    return path


@pytest.mark.parametrize(
    ("name", "timecode"), [("a.mov", "01:00:00;02"), ("a.mp4", "01:00:00;02"), ("a.mkv", "10:00:00:05")]
)
def test_tracks_and_tags_are_read(tmp_path: Path, name: str, timecode: str) -> None:
    assert read_timecode(clip(tmp_path / name, "-timecode", timecode), 0) == timecode


def test_a_file_without_timecode(tmp_path: Path) -> None:
    assert read_timecode(clip(tmp_path / "a.mp4"), 0) is None


def test_in_a_child(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mov", "-timecode", "01:00:00;02")
    limits = ChildLimits.of(Settings(_env_file=None))
    assert read_timecode_in_child(path, 0, limits=limits, filename="a.mov") == "01:00:00;02"
