"""A file that is missing or has changed is found again by its size and its content, and nothing is indexed again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import ClipsFailed, InvalidValue, RelinkRefused, SourceChanged, SourceMissing, VideoNotFound
from heimdex_core.export import source as source_module
from heimdex_core.library import Library, folder_scan, relinking
from heimdex_core.settings import Settings
from heimdex_core.types import ReelClip, Video
from tests.support import media
from tests.support.frozen import SUBTITLED, WAITING, frozen_library

SETTINGS = Settings(
    _env_file=None, min_free_bytes=0, profile="offline", short_preset="ultrafast", render_preset="ultrafast"
)
KOREAN = "바다 여행 🌊 (최종).mp4"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen library without its video that waits, and the file of one of its videos beside it."""
    root = tmp_path_factory.mktemp("relinking")
    with Library.open(frozen_library(root / "library"), settings=SETTINGS) as made:
        made.delete(WAITING)
        shutil.copy(made._store.paths.source(SUBTITLED), root / KOREAN)
    return root


@pytest.fixture
def lib(template: Path, tmp_path: Path) -> Iterator[Library]:
    with Library.open(shutil.copytree(template / "library", tmp_path / "library"), settings=SETTINGS) as opened:
        yield opened


@pytest.fixture
def video(lib: Library) -> Video:
    return lib.video(SUBTITLED)


@pytest.fixture
def source(lib: Library, video: Video) -> Path:
    return lib._store.paths.source(video.video_id)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a name as people give it."""
    folder = tmp_path / "촬영 원본 🎬" / "2026"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the candidates that were read."""
    names: list[str] = []
    real = relinking.sha256_of

    def noted(path: Path) -> str:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(relinking, "sha256_of", noted)
    return names


def same_size(path: Path, original: Path) -> Path:
    """Another file of the same size."""
    content = bytearray(original.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    return path


def indexed_as(lib: Library) -> object:
    """What changes when anything is indexed: the records, and the files of all generations."""
    folder = lib._store.paths.videos
    made = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("source.")]
    files = {path: path.stat().st_mtime_ns for path in made}
    return lib.videos(), lib.scenes(SUBTITLED), files


# --- the whole way --------------------------------------------------------------------------------


def test_a_moved_file_is_found_and_exported_from_without_indexing(
    lib: Library, video: Video, source: Path, place: Path, tmp_path: Path
) -> None:
    scene = lib.scenes(video.video_id)[0]
    before = indexed_as(lib)
    shutil.move(source, place / "영상 🌊.mp4")
    with pytest.raises(SourceMissing) as missing:
        lib.short(scene.scene_id, strategy="letterbox")
    assert video.video_id in missing.value.hint
    assert "relink" in missing.value.hint

    report = lib.relink(folder=tmp_path / "촬영 원본 🎬")
    assert [(v.video_id, v.state, v.path) for v in report.videos] == [
        (video.video_id, "found", str(place / "영상 🌊.mp4"))
    ]
    assert report.is_complete
    assert report.searched == (str(tmp_path / "촬영 원본 🎬"),)
    assert indexed_as(lib) == before
    assert (place / "영상 🌊.mp4").is_file()  # it is only read

    export = lib.short(scene.scene_id, strategy="letterbox")
    assert export.state == "completed"
    assert lib.relink().videos == ()


def test_a_reel_names_the_clip_whose_file_has_changed(lib: Library, video: Video, source: Path) -> None:
    scene = lib.scenes(video.video_id)[0]
    source.write_bytes(source.read_bytes() + b"more")
    with pytest.raises(ClipsFailed) as failed:
        lib.reel([ReelClip(video.video_id, 0.0, 0.4, scene.start_s, scene.end_s)], title="R")
    assert failed.value.details["clips"][0]["problem"] == "clip_file_changed"


# --- what is read, and what is taken --------------------------------------------------------------


def test_of_two_files_of_the_same_size_the_one_of_the_same_content_is_taken(
    lib: Library, video: Video, source: Path, place: Path, read: list[str]
) -> None:
    same_size(place / video.filename, source)  # of the same name: read first
    (place / "small.mp4").write_bytes(b"1234")
    (place / "deeper").mkdir()
    original = Path(shutil.move(source, place / "deeper" / "x.mp4"))
    [found] = lib.relink(video.video_id, folder=place).videos
    assert (found.state, found.path) == ("found", str(original))
    assert read == [video.filename, "x.mp4"]
    lib.require_source(video)


def test_only_a_wrong_candidate_is_not_found(lib: Library, video: Video, source: Path, place: Path) -> None:
    same_size(place / "a.mp4", source)
    source.unlink()
    report = lib.relink(video.video_id, folder=place)
    assert (report.videos[0].state, report.is_complete) == ("not_found", False)
    assert not source.exists()


def test_a_video_that_has_its_file_is_left_as_it_is(lib: Library, video: Video, place: Path, read: list[str]) -> None:
    assert lib.relink(video.video_id, folder=place).videos[0].state == "present"
    assert lib.relink(video.video_id, path=shutil.copy(lib._store.paths.source(video.video_id), place)).is_complete
    assert read == []


def test_watched_folders_are_searched_without_being_asked_for(
    lib: Library, video: Video, source: Path, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    lib.watched.add(place)
    lib.watched.add(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    shutil.move(source, place / "a.mp4")
    report = lib.relink()
    assert [v.state for v in report.videos] == ["found"]
    assert report.unreadable == (str(tmp_path / "gone"),)


@pytest.mark.parametrize("where", ["videos/{id}/source-old.mp4", "videos/{id}/renamed", "videos/a.mp4", "b.bin"])
def test_a_file_moved_within_the_library_is_moved_back(lib: Library, video: Video, source: Path, where: str) -> None:
    moved = Path(shutil.move(source, lib.path / where.format(id=video.video_id)))
    report = lib.relink()
    assert (report.videos[0].state, report.videos[0].path) == ("found", str(moved))
    assert source.is_file()
    assert not moved.exists()


def test_a_file_in_a_folder_of_the_library_is_copied(lib: Library, video: Video, source: Path) -> None:
    moved = Path(shutil.move(source, lib._store.paths.exports / "a.mp4"))
    assert lib.relink(video.video_id, path=moved).is_complete
    assert source.is_file()
    assert moved.is_file()


def test_a_link_that_was_put_in_the_place_of_the_file(lib: Library, video: Video, source: Path, place: Path) -> None:
    target = Path(shutil.move(source, place / "a.mp4"))
    source.symlink_to(target)
    lib.require_source(video)  # a link does as well
    target.rename(place / "b.mp4")
    assert lib.relink(folder=place).is_complete
    assert source.is_file()
    assert not source.is_symlink()


def test_links_in_a_folder_are_not_followed_but_one_that_is_named_is(
    lib: Library, video: Video, source: Path, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.move(source, tmp_path / "elsewhere" / "a.mp4")
    (place / "folder").symlink_to(tmp_path / "elsewhere")
    (place / "file.mp4").symlink_to(tmp_path / "elsewhere" / "a.mp4")
    assert not lib.relink(folder=place).is_complete
    assert lib.relink(video.video_id, path=place / "file.mp4").is_complete


def test_folders_and_files_that_cannot_be_read_are_named(
    lib: Library, video: Video, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "닫힘").mkdir()
    same_size(place / "locked.mp4", source)
    shutil.move(source, place / "a.mp4")
    scandir, sha256_of = os.scandir, relinking.sha256_of

    def refuse_folder(path: str) -> object:
        if str(path).endswith("닫힘"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    def refuse_file(path: Path) -> str:
        if path.name == "locked.mp4":
            raise PermissionError(13, "Permission denied", str(path))
        return sha256_of(path)

    monkeypatch.setattr(folder_scan.os, "scandir", refuse_folder)
    monkeypatch.setattr(relinking, "sha256_of", refuse_file)
    report = lib.relink(folder=place)
    assert report.is_complete
    assert set(report.unreadable) <= {str(place / "닫힘"), str(place / "locked.mp4")}
    assert str(place / "닫힘") in report.unreadable


def test_a_candidate_that_changes_while_it_is_copied_is_not_taken(
    lib: Library, video: Video, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_size(place / "a.mp4", source)
    source.unlink()
    monkeypatch.setattr(relinking, "sha256_of", lambda _: video.sha256)
    assert not lib.relink(folder=place).is_complete
    assert not source.exists()
    assert list(lib.uploads_folder.iterdir()) == []


# --- what is refused ------------------------------------------------------------------------------


def test_a_file_of_another_content_is_refused(lib: Library, video: Video, source: Path, place: Path) -> None:
    wrong = same_size(place / "a.mp4", source)
    source.unlink()
    for path in (wrong, media.colour_clips(place / "b.mp4", [("green", 0.2)], size=(64, 36))):
        with pytest.raises(RelinkRefused) as refused:
            lib.relink(video.video_id, path=path)
        assert refused.value.details["problem"] == "file_other_content"
        assert video.title in refused.value.message
        assert "add FILE" in refused.value.hint
    assert not source.exists()


def test_places_that_cannot_be_used(lib: Library, video: Video, source: Path, place: Path) -> None:
    source.unlink()
    (place / "a.txt").write_text("text")
    for folder, problem in (
        (place / "none", "folder_not_there"),
        (place / "a.txt", "folder_is_file"),
        (lib.path, "folder_in_library"),
    ):
        with pytest.raises(RelinkRefused) as refused:
            lib.relink(folder=folder)
        assert refused.value.details["problem"] == problem
    os.mkfifo(place / "pipe.mp4")
    for path in (place / "none.mp4", place / "pipe.mp4"):
        with pytest.raises(RelinkRefused) as refused:
            lib.relink(video.video_id, path=path)
        assert refused.value.details["problem"] == "file_not_there"
    assert not lib.relink(video.video_id, path=place).is_complete  # a folder is searched
    with pytest.raises(InvalidValue):
        lib.relink(path=place / "a.txt")
    with pytest.raises(InvalidValue):
        lib.relink(video.video_id, path=place / "a.txt", folder=place)
    with pytest.raises(VideoNotFound):
        lib.relink("none")


def test_with_allowed_folders_nothing_outside_them_is_read(
    lib: Library, video: Video, source: Path, place: Path, tmp_path: Path, read: list[str]
) -> None:
    (tmp_path / "secret").mkdir()
    original = Path(shutil.move(source, tmp_path / "secret" / "a.mp4"))
    (place / "link.mp4").symlink_to(original)
    (place / "link").symlink_to(tmp_path / "secret")
    for path in (
        original,
        tmp_path / "none",
        place / "link.mp4",
        place / ".." / ".." / "secret" / "a.mp4",
        place / "link" / "a.mp4",
    ):
        with pytest.raises(RelinkRefused) as refused:
            lib.relink(video.video_id, path=path, below=[place])
        assert refused.value.details["problem"] == "path_outside_roots"
    for folder in (tmp_path, place / "link"):
        with pytest.raises(RelinkRefused):
            lib.relink(folder=folder, below=[place])
    with pytest.raises(RelinkRefused) as refused:
        lib.relink(video.video_id, path=lib._store.paths.catalog, below=[tmp_path])
    assert refused.value.details["problem"] == "folder_in_library"
    assert read == []
    shutil.move(original, place / "a.mp4")
    assert lib.relink(video.video_id, path=place / "a.mp4", below=[place]).is_complete


def test_nobody_relinks_the_videos_of_others(lib: Library, video: Video, source: Path, place: Path) -> None:
    shutil.move(source, place / "a.mp4")
    other = lib.as_user("other")
    assert other.relink(folder=place).videos == ()
    with pytest.raises(VideoNotFound):
        other.relink(video.video_id, path=place / "a.mp4")


# --- what is noticed ------------------------------------------------------------------------------


def test_other_bytes_of_the_same_size_are_noticed_though_their_time_is_kept(
    lib: Library, video: Video, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "_SLACK_S", 0.0)  # as if the video had been added a minute earlier
    times = source.stat()
    same_size(source, source)
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    lib.require_source(video, compare=False)
    with pytest.raises(SourceChanged):
        lib.require_source(video)
    with pytest.raises(SourceChanged):
        lib.short(lib.scenes(video.video_id)[0].scene_id)


def test_a_file_is_read_once_as_long_as_it_is_the_same(
    lib: Library, video: Video, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    real = source_module.sha256_of
    monkeypatch.setattr(source_module, "_SLACK_S", 0.0)

    def noted(path: Path) -> str:
        read.append(path)
        return real(path)

    monkeypatch.setattr(source_module, "sha256_of", noted)
    lib.require_source(video)
    lib.require_source(video)
    assert len(read) == 1


def test_adding_the_file_again_repairs_one_that_changed_but_kept_its_size(
    lib: Library, video: Video, source: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "_SLACK_S", 0.0)
    same_size(source, source)
    assert lib.add_known(video.sha256) is None
    lib.add(template / KOREAN)
    lib.require_source(video)
