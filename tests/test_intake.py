"""File names and copies."""

import errno
import hashlib
from pathlib import Path

import pytest
from heimdex_core.library.intake import copy_in, require_free_space, safe_filename, source_extension

from heimdex_core.errors import DiskFull, FileUnreadable


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("talk.mp4", "talk.mp4"),
        ("지난 여름 부산 🌊.mp4", "지난 여름 부산 🌊.mp4"),
        ("a/b\\c:d|e<f>g.mov", "a-b-c-d-e-f-g.mov"),
        ("what?*.mkv", "what.mkv"),
        ("bell\x07\n.avi", "bell.avi"),
        ("..", "video"),
        ("", "video"),
    ],
)
def test_names(given: str, kept: str) -> None:
    assert safe_filename(given) == kept


def test_long_name_keeps_its_extension_and_whole_characters() -> None:
    name = safe_filename("한" * 200 + ".webm")
    assert len(name.encode()) <= 255
    assert name == "한" * 83 + ".webm"  # 83 x 3 bytes + 5 = 254


@pytest.mark.parametrize(
    ("filename", "container", "extension"),
    [
        ("a.MP4", "mov,mp4,m4a,3gp,3g2,mj2", ".mp4"),
        ("a.txt", "matroska,webm", ".webm"),
        ("a", "avi", ".avi"),
    ],
)
def test_extensions(filename: str, container: str, extension: str) -> None:
    assert source_extension(filename, container) == extension


def test_copy_hashes_and_leaves_the_source(tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"x" * 5_000_000)
    copied = copy_in(source, tmp_path / "uploads", what="a.bin")
    assert copied.sha256 == hashlib.sha256(b"x" * 5_000_000).hexdigest()
    assert copied.size_bytes == 5_000_000
    assert copied.path.read_bytes() == source.read_bytes()


def test_full_disk_while_copying_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"x" * 100)

    def fail(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("heimdex_core.library.intake.os.fsync", fail)
    with pytest.raises(DiskFull):
        copy_in(source, tmp_path / "uploads", what="a.bin")
    assert list((tmp_path / "uploads").iterdir()) == []


def test_missing_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="No such file"):
        copy_in(tmp_path / "none", tmp_path / "uploads", what="none")


def test_space_is_kept_free(tmp_path: Path) -> None:
    require_free_space(tmp_path, 1, keep_free_bytes=0, what="a")
    with pytest.raises(DiskFull, match="writing a"):
        require_free_space(tmp_path, 1, keep_free_bytes=10**18, what="a")
