"""Which files of a folder are videos to take, and which of them are certainly not complete."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from heimdex_core.library import folder_scan
from heimdex_core.library.folder_scan import FolderScan, is_open_for_writing, mount_point, scan_folder


def put(folder: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def scan(folder: Path, **options: object) -> FolderScan:
    return scan_folder(folder, **{"max_entries": 10_000, **options})  # type: ignore[arg-type]


def names(folder: Path, *, unfinished: bool) -> list[str]:
    return [file.path for file in scan(folder).files if file.is_unfinished == unfinished]


def test_videos_of_all_subfolders_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, "b.mp4", "a/deep/er/A.MKV", "c.webm", "d.mov", "e.avi", "f.3gp")
    put(tmp_path, "notes.txt", "photo.jpg", "b.srt", "mp4", "archive.zip", ".hidden.mp4", "._b.mp4", ".Trash/g.mp4")
    put(tmp_path, "@eaDir/b.mp4/SYNOVIDEO.mp4", "$RECYCLE.BIN/h.mp4", "#recycle/i.mp4", "lost+found/j.mp4")
    assert names(tmp_path, unfinished=False) == ["a/deep/er/A.MKV", "b.mp4", "c.webm", "d.mov", "e.avi", "f.3gp"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    put(outside, "secret.mp4")
    put(folder, "own.mp4")
    (folder / "file.mp4").symlink_to(outside / "secret.mp4")
    (folder / "inner.mp4").symlink_to(folder / "own.mp4")
    (folder / "out").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "dead.mp4").symlink_to(tmp_path / "none")
    assert names(folder, unfinished=False) == ["own.mp4"]


def test_what_is_not_a_regular_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    put(tmp_path, "folder.mp4/inside.mp4")
    assert names(tmp_path, unfinished=False) == ["folder.mp4/inside.mp4"]


@pytest.mark.parametrize(
    "beside",
    [
        "Talk.mp4.part",  # Firefox, curl, yt-dlp
        "Talk.Ab3x.mp4.part",  # Firefox of today, beside an empty Talk.mp4
        "Talk.mp4.crdownload",
        "Talk.mp4.download/Talk.mp4",  # Safari's folder
        "Talk.mp4.aria2",  # aria2 gives the file its full size at once
        "talk.mp4.!qB",
        "Talk.f137.mp4.part",
    ],
)
def test_a_video_waits_for_the_download_beside_it(tmp_path: Path, beside: str) -> None:
    put(tmp_path, "Talk.mp4", "Talk 2.mp4", beside)
    assert names(tmp_path, unfinished=True) == ["Talk.mp4"]
    assert names(tmp_path, unfinished=False) == ["Talk 2.mp4"]


def test_a_video_does_not_wait_for_an_abandoned_download(tmp_path: Path) -> None:
    put(tmp_path, "Talk.mp4", "Talk.mp4.part")
    yesterday = os.stat(tmp_path / "Talk.mp4").st_mtime - folder_scan._STALE_AFTER_S - 60
    os.utime(tmp_path / "Talk.mp4.part", (yesterday, yesterday))
    assert names(tmp_path, unfinished=False) == ["Talk.mp4"]


@pytest.mark.parametrize("name", ["Talk.f137.mp4", "Talk.f251-1.webm", "Talk.temp.mp4"])
def test_what_is_going_to_be_merged_or_renamed_waits(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    assert names(tmp_path, unfinished=True) == [name]


def test_libraries_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "own.mp4", "library/library.json", "library/videos/1/source.mp4", "library/exports/reel.mp4")
    put(tmp_path, "here/videos/1/source.mp4")
    assert names(tmp_path, unfinished=False) == ["here/videos/1/source.mp4", "own.mp4"]
    assert [file.path for file in scan(tmp_path, excluded=[tmp_path / "here"]).files] == ["own.mp4"]


def test_a_subfolder_that_may_not_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.mp4", "locked/b.mp4")
    really = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):  # chmod does not stop root
            raise PermissionError(13, "Permission denied")
        return really(path)

    monkeypatch.setattr(folder_scan.os, "scandir", scandir)
    found = scan(tmp_path)
    assert ([file.path for file in found.files], found.unreadable) == (["a.mp4"], ["locked"])


def test_a_drive_that_breaks_off_is_an_error_and_not_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.mp4", "b/c.mp4")
    really = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("b"):
            raise OSError(5, "Input/output error")
        return really(path)

    monkeypatch.setattr(folder_scan.os, "scandir", scandir)
    with pytest.raises(OSError, match="Input/output"):
        scan(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "none")


def test_the_number_of_entries_is_limited(tmp_path: Path) -> None:
    put(tmp_path, *(f"{n:02d}.mp4" for n in range(30)))
    found = scan(tmp_path, max_entries=20)
    assert (found.entries, found.is_partial, len(found.files)) == (20, True, 20)
    assert not scan(tmp_path, max_entries=30).is_partial


def test_subtitles_are_part_of_a_video(tmp_path: Path) -> None:
    def marks() -> dict[str, str]:
        return {file.path: file.subtitles for file in scan(tmp_path).files}

    put(tmp_path, "a/Talk.mp4", "a/Talk 2.mp4", "b/Film.mkv")
    assert set(marks().values()) == {""}
    for name in ("a/talk.ko.srt", "a/Talk (English).vtt", "a/Subs/Talk/2_English.srt", "b/subs/English.ass"):
        before = marks()
        put(tmp_path, name)
        video = "b/Film.mkv" if name.startswith("b") else "a/Talk.mp4"
        assert {path for path, mark in marks().items() if mark != before[path]} == {video}, name
    before = marks()
    put(tmp_path, "a/Talk 2.srt")
    assert {path for path, mark in marks().items() if mark != before[path]} == {"a/Talk 2.mp4"}
    before = marks()
    put(tmp_path, "a/talk.ko.srt", content=b"more lines")
    assert {path for path, mark in marks().items() if mark != before[path]} == {"a/Talk.mp4"}


def test_a_name_that_is_not_utf_8_can_be_stored(tmp_path: Path) -> None:
    raw = os.fsdecode(b"\xb0\xa1.mp4")
    put(tmp_path, raw)
    (found,) = scan(tmp_path).files
    assert (found.path, found.key) == (raw, "\\xb0\\xa1.mp4")


def test_a_file_that_is_being_recorded_is_open(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    assert not is_open_for_writing(tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("ab"):
        assert is_open_for_writing(tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("rb"):
        assert not is_open_for_writing(tmp_path / "a.mp4")
    assert not is_open_for_writing(tmp_path / "none.mp4")


def test_the_mount_point_is_that_of_the_file_system() -> None:
    assert mount_point(Path("/")) == "/"
    found = mount_point(Path("/proc/self/fd"))
    assert found == "/proc"
    assert stat.S_ISDIR(os.stat(found).st_mode)
