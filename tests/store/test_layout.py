from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from heimdex_core.errors import InvalidValue, LibraryDamaged, VideoNotFound
from heimdex_core.store.layout import LibraryPaths, check_file_name, check_space_name

ID = "6f0a2c1e-0000-4000-8000-000000000001"


def test_places(tmp_path: Path) -> None:
    paths = LibraryPaths(tmp_path)
    assert paths.generation(ID, 3) == tmp_path / "videos" / ID / "gen" / "3"
    assert paths.vector_index("text/bge-m3") == tmp_path / "index" / "text" / "bge-m3"
    assert paths.export("local", ID) == tmp_path / "exports" / "local" / f"{ID}.mp4"


@pytest.mark.parametrize("bad", ["", "..", "../x", "a/b", ID.upper(), ID + "/..", ID.replace("-", ""), "%2e%2e", "\0"])
def test_video_ids_are_uuids(tmp_path: Path, bad: str) -> None:
    with pytest.raises(VideoNotFound):
        LibraryPaths(tmp_path).video(bad)


@pytest.mark.parametrize("bad", ["", "..", "a/b", ".hidden", "a\\b", "x" * 200])
def test_user_ids_are_folder_names(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InvalidValue):
        LibraryPaths(tmp_path).export(bad, str(uuid.uuid4()))


@pytest.mark.parametrize("bad", ["text", "text/../x", "/x", "text/", "text/a/b", "../text"])
def test_space_names_have_two_safe_parts(bad: str) -> None:
    with pytest.raises(InvalidValue):
        check_space_name(bad)


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "a\\b", "a\0"])
def test_file_names_are_plain(bad: str) -> None:
    with pytest.raises(InvalidValue):
        check_file_name(bad)


def test_paths_stay_inside(tmp_path: Path) -> None:
    root, outside = tmp_path / "library", tmp_path / "secret"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    paths = LibraryPaths(root)
    assert paths.inside("exports/local/x.mp4") == root / "exports" / "local" / "x.mp4"
    for bad in ("../secret/x", "/etc/passwd", "link/x", ".", "exports/../../secret"):
        with pytest.raises(InvalidValue):
            paths.inside(bad)


def test_source_by_its_extension(tmp_path: Path) -> None:
    paths = LibraryPaths(tmp_path)
    paths.video(ID).mkdir(parents=True)
    assert paths.source(ID, missing_ok=True) is None
    with pytest.raises(LibraryDamaged):
        paths.source(ID)
    paths.new_source(ID, ".MOV").touch()
    assert paths.source(ID).name == "source.mov"
    for other in ("source.MP4.away", "source.a.mov", "source.away"):
        (paths.video(ID) / other).touch()
    assert paths.source(ID).name == "source.mov"
    paths.source(ID).unlink()
    assert paths.source(ID, missing_ok=True) is None
    for bad in ("mov", ".", "./x", ".a/b", ""):
        with pytest.raises(InvalidValue):
            paths.new_source(ID, bad)
