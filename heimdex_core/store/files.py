"""Writing files so that a crash leaves the old content or the new, and a full disk leaves nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from heimdex_core.errors import DiskFull

TEMPORARY_PREFIX = ".tmp-"
"""Names that begin so are unfinished; nobody reads them and `sweep` may remove them."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_errors(what: str, where: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Turn "no space left" of any library (OSError, DuckDB, FAISS, tantivy) into DiskFull."""
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise DiskFull(what=what, needed_bytes=needed_bytes, free_bytes=free_bytes(where)) from error


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, by number or (for libraries that keep no number) by its words, means a full disk."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    words = str(error).lower()
    return "no space left on device" in words or "disk quota exceeded" in words


def free_bytes(where: Path) -> int:
    """Free space of the disk that holds `where` or its nearest existing parent; 0 if unknown."""
    for folder in (where, *where.parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return 0


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well, synced; else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-{path.name}"
    with disk_errors(path.name, path.parent):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fsync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """`value` as UTF-8 JSON, atomically."""
    with atomic_write(path) as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=1).encode())


def read_json(path: Path) -> Any:
    """The JSON value of a file; FileNotFoundError or ValueError as they come."""
    return json.loads(path.read_text(encoding="utf-8"))


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


def remove_tree(path: Path) -> None:
    """Remove a folder whole if it is there. It is renamed first, so a crash leaves no half of it in place."""
    doomed = path.parent / f"{TEMPORARY_PREFIX}gone-{uuid.uuid4().hex}"
    try:
        os.replace(path, doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def tree_bytes(root: Path) -> int:
    """Bytes of all files below `root`; files that vanish meanwhile count as nothing."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def sweep(folder: Path, older_than_s: float = 86_400.0) -> int:
    """Remove unfinished files and folders directly in `folder` that nobody has touched so long; how many."""
    oldest = time.time() - older_than_s
    count = 0
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(OSError):
            if path.lstat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                count += 1
    return count
