"""Files on disk: written whole or not at all, hashed, removed; a full disk is reported as DiskFull.

A crash leaves the old content or the new one, never half of either.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from heimdex_core.errors import DiskFull, NotWritable
from heimdex_core.types.values import Json, to_json

TEMPORARY_PREFIX = ".tmp-"
"""Prefix of unfinished files and folders. Nobody reads them, and `sweep` may remove them."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


# --- a full disk ----------------------------------------------------------------------------------


@contextmanager
def disk_errors(what: str, where: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Turn "no space left" from any library (OSError, DuckDB, FAISS, tantivy) into DiskFull, and an OSError that says
    that a file in `where` may not be written into NotWritable.

    Args:
        what: what is being written, for the message.
        where: a path on the disk in question; it need not exist yet.
        needed_bytes: how much was to be written, 0 if not known.
    """
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise DiskFull(what=what, needed_bytes=needed_bytes, free_bytes=free_bytes(where)) from error
        if isinstance(error, OSError) and error.errno in _REFUSED and _is_below(error.filename, where):
            raise NotWritable(path=str(error.filename), reason=error.strerror or str(error)) from error
        raise


def _is_below(name: object, where: Path) -> bool:
    """Whether an error is about a file in `where`; others may be files that are read meanwhile."""
    return isinstance(name, str | os.PathLike) and Path(name).absolute().is_relative_to(where.absolute())


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means a full disk: by its number, or by its text for libraries that keep no number."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    text = str(error).lower()
    return "no space left on device" in text or "disk quota exceeded" in text


def free_bytes(where: Path) -> int:
    """Free bytes on the disk that holds `where` or its nearest existing parent; 0 if unknown."""
    for folder in (where, *where.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return 0


def require_free_space(folder: Path, needed_bytes: int, *, keep_free_bytes: int, what: str) -> None:
    """Raise DiskFull unless `needed_bytes` fit on the disk of `folder` and `keep_free_bytes` stay free."""
    free = free_bytes(folder)
    if free < needed_bytes + keep_free_bytes:
        raise DiskFull(what=what, needed_bytes=needed_bytes + keep_free_bytes, free_bytes=free)


# --- writing --------------------------------------------------------------------------------------


def make_folder(folder: Path, *, levels: int = 1) -> Path:
    """Create a folder and its parents where they are missing, but no more than `levels` folders; returns it.

    With the depth of the folder below the library as `levels`, a library that was moved away is not begun anew in its
    old place. Raises FileNotFoundError if more folders are missing.
    """
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        if levels <= 1:
            raise
        make_folder(folder.parent, levels=levels - 1)
        folder.mkdir(exist_ok=True)
    return folder


def allocate_file(path: Path, size_bytes: int) -> None:
    """Write a file of zeros that has its space on the disk, to be mapped into memory; raises OSError without room.

    A process that writes into a mapped hole of a file is killed (SIGBUS) when the disk is full.
    """
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, max(1, size_bytes))
        else:  # macOS
            for start in range(0, size_bytes, 1 << 20):
                file.write(bytes(min(1 << 20, size_bytes - start)))


@contextmanager
def atomic_path(path: Path, *, needed_bytes: int = 0) -> Iterator[Path]:
    """A temporary path beside `path` for code that opens files by name; renamed to `path` when the block succeeds.

    On failure the temporary file is removed and `path` keeps its old content. Nothing waits for the disk: after a
    power cut `path` may be empty. Raises DiskFull.

    Args:
        path: the file to write or replace; its folder is created if it is missing, but not the folder above that.
        needed_bytes: how much is to be written, for the message of DiskFull; 0 if not known.
    """
    make_folder(path.parent)
    # The extension stays last: encoders choose the format by it.
    temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}"
    with disk_errors(path.name, path.parent, needed_bytes):
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A binary file that replaces `path` when the block succeeds; on failure it is removed. Raises DiskFull.

    With `durable` the content and the name are on the disk when the block ends.
    """
    with disk_errors(path.name, path.parent):
        with atomic_path(path) as temporary, temporary.open("xb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if durable:
            fsync_folder(path.parent)


def write_json(path: Path, value: Any, *, durable: bool = True, indent: int | None = None) -> None:
    """Write `value` as UTF-8 JSON, atomically. Dataclasses, enums and datetimes are converted.

    Args:
        path: the file to write or replace.
        value: what `to_json` turns into JSON.
        durable: wait until content and name are on the disk.
        indent: spaces a level; None writes one line.

    Raises TypeError or ValueError (NaN and infinity) for a value that is not JSON, DiskFull.
    """
    text = json.dumps(to_json(value), ensure_ascii=False, allow_nan=False, indent=indent)
    with atomic_write(path, durable=durable) as file:
        file.write(text.encode())


def append_json_line(path: Path, value: Any) -> None:
    """Append `value` as one line of JSON, with a single write, so that lines of several writers do not mix.

    The file and its folder are created if they are missing. Raises DiskFull.
    """
    line = json.dumps(to_json(value), ensure_ascii=False) + "\n"
    make_folder(path.parent)
    with disk_errors(path.name, path.parent):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def read_json(path: Path) -> Any:
    """The JSON value of a file. Raises OSError or ValueError (also for text that is not UTF-8)."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_json_object(path: Path) -> Json | None:
    """The JSON object of a file; None if the file is missing or does not hold one. Raises OSError."""
    try:
        data = read_json(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where hard links are not possible; an existing `target` is replaced.

    Neither may be changed later: they may be the same file. Raises FileNotFoundError, DiskFull.
    """
    try:
        os.link(source, target)
    except OSError:
        with atomic_path(target) as temporary:
            shutil.copy2(source, temporary)


def crash_point(step: str) -> None:
    """A named point between two steps that write files; the crash tests replace it. Does nothing."""


# --- syncing --------------------------------------------------------------------------------------


def fsync_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def fsync_folder(path: Path) -> None:
    """Wait until a folder's names are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(root: Path) -> None:
    """Sync every file below `root`, then every folder, deepest first."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            fsync_file(Path(folder) / name)
        fsync_folder(Path(folder))


# --- reading --------------------------------------------------------------------------------------


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_signature(path: Path) -> tuple[int, int, int] | None:
    """(inode, mtime in ns, size): changes whenever the file is replaced. None if there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def tree_bytes(root: Path) -> int:
    """Bytes of all files below `root`; files that are removed meanwhile count as nothing."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


# --- removing -------------------------------------------------------------------------------------


def remove_tree(path: Path) -> None:
    """Remove a folder if it exists. It is renamed first, so that a crash leaves no half of it in place."""
    removed = path.parent / f"{TEMPORARY_PREFIX}gone-{uuid.uuid4().hex}"
    try:
        os.replace(path, removed)
    except FileNotFoundError:
        return
    shutil.rmtree(removed, ignore_errors=True)


def sweep(folder: Path, older_than_s: float = 86_400.0, pattern: str = f"{TEMPORARY_PREFIX}*") -> int:
    """Remove files and folders directly in `folder` whose last change is older than `older_than_s` seconds.

    `pattern` is a glob of their names; the default matches what is unfinished. Returns how many were removed.
    """
    oldest = time.time() - older_than_s
    count = 0
    for path in folder.glob(pattern):
        with suppress(OSError):
            if path.lstat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                count += 1
    return count
