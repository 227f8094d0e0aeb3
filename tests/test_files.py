"""heimdex_core.files: written whole or not at all, a full disk as DiskFull, hashes and signatures, removing."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from heimdex_core import files
from heimdex_core.errors import DiskFull


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def no_links(*_: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the names of what is synced."""
    found: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        found.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


# --- a full disk ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (RuntimeError("write failed: No space left on device (28)"), True),
        (RuntimeError("Disk quota exceeded"), True),
        (OSError(errno.EACCES, "x"), False),
        (ValueError("space"), False),
    ],
)
def test_which_errors_mean_a_full_disk(tmp_path: Path, error: Exception, is_full: bool) -> None:
    assert files.is_disk_full(error) is is_full
    with pytest.raises(DiskFull if is_full else type(error)) as caught, files.disk_errors("a thing", tmp_path, 7):
        raise error
    if is_full:
        assert isinstance(caught.value, DiskFull)
        assert (caught.value.details["what"], caught.value.details["needed_bytes"]) == ("a thing", 7)
        assert caught.value.details["free_bytes"] > 0
        assert caught.value.__cause__ is error
    else:
        assert caught.value is error


def test_an_inner_disk_full_keeps_its_details(tmp_path: Path) -> None:
    inner = DiskFull(what="inner", needed_bytes=1, free_bytes=2)
    with pytest.raises(DiskFull) as caught, files.disk_errors("outer", tmp_path):
        raise inner
    assert caught.value is inner


def test_free_bytes_of_a_path_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    real = shutil.disk_usage

    def disk_usage(path: Path) -> Any:
        asked.append(path)
        return real(path)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    assert files.free_bytes(tmp_path / "not" / "there") > 0
    assert asked == [tmp_path / "not" / "there", tmp_path / "not", tmp_path]
    monkeypatch.chdir(tmp_path)
    assert files.free_bytes(Path("not/there")) > 0


def test_free_bytes_are_0_if_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", no_space)
    assert files.free_bytes(tmp_path) == 0


def test_require_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda where: 1000)
    files.require_free_space(tmp_path, 900, keep_free_bytes=100, what="a video")
    with pytest.raises(DiskFull) as caught:
        files.require_free_space(tmp_path, 901, keep_free_bytes=100, what="a video")
    assert caught.value.details == {"what": "a video", "needed_bytes": 1001, "free_bytes": 1000}


# --- atomic_path ----------------------------------------------------------------------------------


def test_atomic_path_renames_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "film.mp4"
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.name.startswith(files.TEMPORARY_PREFIX)
        assert temporary.suffix == ".mp4"  # encoders choose the format by it
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["film.mp4"]


def test_atomic_path_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EACCES, "x"), KeyboardInterrupt()], ids=repr)
def test_a_failing_block_keeps_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half() -> None:
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)) as caught:
        write_half()
    assert caught.value is error
    assert (names(tmp_path), path.read_bytes()) == (["file"], b"old")


def test_a_block_that_writes_nothing_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), files.atomic_path(path):
        pass
    assert (names(tmp_path), path.read_bytes()) == (["file"], b"old")


def test_atomic_path_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_to_a_full_disk() -> None:
        with files.atomic_path(path, needed_bytes=5) as temporary:
            temporary.symlink_to("/dev/full")  # answers every write as a full disk does
            temporary.write_bytes(b"12345")

    with pytest.raises(DiskFull) as caught:
        write_to_a_full_disk()
    assert (caught.value.details["what"], caught.value.details["needed_bytes"]) == ("file", 5)
    assert (names(tmp_path), path.read_bytes()) == (["file"], b"old")


# --- atomic_write ---------------------------------------------------------------------------------


def write(path: Path, durable: bool) -> None:
    with files.atomic_write(path, durable=durable) as file:
        file.write(b"new")


def test_a_durable_write_syncs_the_content_and_then_the_name(tmp_path: Path, synced: list[str]) -> None:
    path = tmp_path / "folder" / "file"
    with files.atomic_write(path) as file:
        file.write(b"new")
        (temporary,) = names(path.parent)
        assert synced == []
    assert synced == [temporary, "folder"]
    assert (names(path.parent), path.read_bytes()) == (["file"], b"new")


def test_a_write_that_need_not_be_durable_syncs_nothing(tmp_path: Path, synced: list[str]) -> None:
    write(tmp_path / "file", durable=False)
    assert synced == []
    assert (names(tmp_path), (tmp_path / "file").read_bytes()) == (["file"], b"new")


@pytest.mark.parametrize("durable", [True, False])
def test_a_failing_write_keeps_the_old_file(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half() -> None:
        with files.atomic_write(path, durable=durable) as file:
            file.write(b"half")
            no_space()

    with pytest.raises(DiskFull, match="file"):
        write_half()
    assert (names(tmp_path), path.read_bytes()) == (["file"], b"old")


@pytest.mark.parametrize(
    ("name", "fails_at", "content"),
    [
        ("fsync", 0, b"old"),  # the content
        ("replace", 0, b"old"),
        ("fsync", 1, b"new"),  # the folder, after the rename
    ],
)
def test_a_disk_that_is_full_at_any_step_of_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fails_at: int, content: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    real: Callable[..., Any] = getattr(os, name)
    calls = 0

    def failing(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        return no_space() if calls == fails_at + 1 else real(*args)

    monkeypatch.setattr(os, name, failing)
    with pytest.raises(DiskFull, match="file"):
        write(path, durable=True)
    assert (names(tmp_path), path.read_bytes()) == (["file"], content)


# --- JSON -----------------------------------------------------------------------------------------


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    colour: Colour
    made_at: datetime
    parts: tuple[int, ...]


def test_values_are_written_as_json(tmp_path: Path, synced: list[str]) -> None:
    path = tmp_path / "folder" / "value.json"
    files.write_json(path, {"밤": Thing(Colour.RED, datetime(2026, 11, 26, tzinfo=UTC), (1, 2))})
    expected = {"밤": {"colour": "red", "made_at": "2026-11-26T00:00:00+00:00", "parts": [1, 2]}}
    assert files.read_json(path) == files.read_json_object(path) == expected
    assert path.read_text(encoding="utf-8").startswith('{"밤": {"colour"')
    assert synced[-1] == "folder"
    synced.clear()
    files.write_json(path, {"a": [1]}, durable=False, indent=1)
    assert path.read_text() == '{\n "a": [\n  1\n ]\n}'
    assert synced == []


@pytest.mark.parametrize("value", [float("nan"), object(), "\ud800"])
def test_what_is_not_json_leaves_the_old_file(tmp_path: Path, value: object) -> None:
    path = tmp_path / "value.json"
    files.write_json(path, {"old": True})
    with pytest.raises((TypeError, ValueError)):
        files.write_json(path, {"new": value})
    assert (names(tmp_path), files.read_json(path)) == (["value.json"], {"old": True})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'"text"'])
def test_only_objects_are_read_as_objects(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "value.json"
    path.write_bytes(content)
    assert files.read_json_object(path) is None


def test_reading_json_that_is_missing_or_broken(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    with pytest.raises(FileNotFoundError):
        files.read_json(path)
    assert files.read_json_object(path) is None
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="utf-8"):
        files.read_json(path)
    assert files.read_json_object(path / "below a file") is None


# --- links, hashes, signatures --------------------------------------------------------------------


def test_a_link_is_the_same_file(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")
    files.link_or_copy(source, target)
    assert source.samefile(target)


def test_a_copy_where_links_are_not_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")
    monkeypatch.setattr(os, "link", no_links)
    files.link_or_copy(source, target)
    assert not source.samefile(target)
    assert target.read_bytes() == b"content"
    assert names(tmp_path) == ["source", "target"]


def test_linking_replaces_what_is_there_and_needs_a_source(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    files.link_or_copy(source, target)
    assert target.read_bytes() == b"new"
    with pytest.raises(FileNotFoundError):
        files.link_or_copy(tmp_path / "missing", target)
    assert (names(tmp_path), target.read_bytes()) == (["source", "target"], b"new")


def test_a_copy_on_a_full_disk_leaves_no_half_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")

    def half(source: Path, target: Path) -> None:
        target.write_bytes(b"con")
        no_space()

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(shutil, "copy2", half)
    with pytest.raises(DiskFull, match="target"):
        files.link_or_copy(source, target)
    assert names(tmp_path) == ["source"]


@pytest.mark.parametrize("size_bytes", [0, 3, 3_000_000])
def test_sha256_of_a_file(tmp_path: Path, size_bytes: int) -> None:
    content = (b"0123456789abcdef" * (size_bytes // 16 + 1))[:size_bytes]
    path = tmp_path / "file"
    path.write_bytes(content)
    assert files.sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_sha256_of_known_bytes_and_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert files.sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(FileNotFoundError):
        files.sha256_of(tmp_path / "missing")


def test_a_signature_changes_when_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert files.file_signature(path) is None
    path.write_bytes(b"same")
    before = files.file_signature(path)
    assert before is not None
    assert files.file_signature(path) == before
    status = path.stat()
    assert before == (status.st_ino, status.st_mtime_ns, 4)
    replacement = tmp_path / "replacement"
    replacement.write_bytes(b"same")  # the same bytes, and the same times
    os.utime(replacement, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(replacement, path)
    assert files.file_signature(path) not in (None, before)


def test_tree_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"123")
    (tmp_path / "two").write_bytes(b"4567")
    assert files.tree_bytes(tmp_path) == 7
    assert files.tree_bytes(tmp_path / "missing") == 0
    real = os.lstat

    def lstat(path: str) -> os.stat_result:
        if path.endswith("two"):
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)  # removed while it is being counted
    assert files.tree_bytes(tmp_path) == 3


def test_a_tree_is_synced_from_the_leaves_up(tmp_path: Path, synced: list[str]) -> None:
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "leaf").write_bytes(b"x")
    (root / "top").write_bytes(b"x")
    files.fsync_tree(root)
    assert synced == ["leaf", "inner", "top", "root"]


# --- removing -------------------------------------------------------------------------------------


def test_a_folder_is_renamed_before_it_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    seen: list[str] = []
    real = shutil.rmtree

    def rmtree(path: Path, **options: Any) -> None:
        seen.extend(names(tmp_path))
        real(path, **options)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    files.remove_tree(folder)
    assert len(seen) == 1
    assert seen[0].startswith(files.TEMPORARY_PREFIX)
    assert names(tmp_path) == []
    files.remove_tree(folder)  # once more is fine


def test_sweep_removes_old_unfinished_files_only(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "folder"
    for path in (outside, folder, folder / ".tmp-old-folder", folder / "inner"):
        path.mkdir()
    for path in (outside / "kept", folder / ".tmp-old", folder / ".tmp-new", folder / "old", folder / "inner/.tmp-old"):
        path.write_bytes(b"x")
    (folder / ".tmp-old-folder" / "file").write_bytes(b"x")
    (folder / ".tmp-link").symlink_to(outside)
    for name in (".tmp-old", ".tmp-old-folder", "old", "inner/.tmp-old", ".tmp-link"):
        os.utime(folder / name, (0, 0), follow_symlinks=False)
    assert files.sweep(folder, older_than_s=3600) == 3
    assert names(folder) == [".tmp-new", "inner", "old"]
    assert names(outside) == ["kept"]
    assert names(folder / "inner") == [".tmp-old"]
    assert files.sweep(tmp_path / "missing") == 0


def test_no_more_folders_are_made_than_a_file_needs(tmp_path: Path) -> None:
    assert files.make_folder(tmp_path / "a" / "b" / "c", levels=3).is_dir()
    files.make_folder(tmp_path / "a" / "b" / "c")
    gone = tmp_path / "gone"
    for make in (
        lambda: files.make_folder(gone / "a"),
        lambda: files.make_folder(gone / "a" / "b", levels=2),
        lambda: files.write_json(gone / "a" / "b.json", 1),
        lambda: files.append_json_line(gone / "a" / "b.jsonl", 1),
    ):
        with pytest.raises(FileNotFoundError):
            make()
        assert not gone.exists()
