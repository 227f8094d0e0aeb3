"""Bringing a file into the library: a safe name, a verified copy, and what to do when it is known already."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import DiskFull, FileUnreadable

_CHUNK_BYTES = 4 * 1024 * 1024
_MAX_NAME_BYTES = 255
_EXTENSIONS = {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"}


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that lies complete in the library's uploads folder under a temporary name."""

    path: Path
    sha256: str
    size_bytes: int


def safe_filename(name: str) -> str:
    """`name` as it may be kept: Unicode stays, separators and |<>: become -, ?* and control characters go.

    At most 255 bytes of UTF-8, shortened before the extension.
    """
    name = re.sub(r"[\x00-\x1f\x7f?*]", "", name)
    name = re.sub(r"[|<>:\\/]", "-", name).strip().strip(".") or "video"
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, suffix = name, ""
    room = _MAX_NAME_BYTES - len((dot + suffix).encode() if suffix else b"")
    stem = stem.encode()[:room].decode(errors="ignore")
    return f"{stem}.{suffix}" if suffix else stem


def source_extension(filename: str, container: str) -> str:
    """The extension to keep a source under: its own where it is one of ours, else by its container."""
    own = Path(filename).suffix.lower()
    if own in _EXTENSIONS:
        return own
    for part, extension in (("mp4", ".mp4"), ("mov", ".mov"), ("webm", ".webm"), ("matroska", ".mkv"), ("avi", ".avi")):
        if part in container:
            return extension
    return ".mp4"


def require_free_space(folder: Path, needed_bytes: int, *, keep_free_bytes: int, what: str) -> None:
    """Raise DiskFull unless `needed_bytes` fit and `keep_free_bytes` stay free."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + keep_free_bytes:
        raise DiskFull(what=what, needed_bytes=needed_bytes + keep_free_bytes, free_bytes=free)


def copy_in(
    source: Path, uploads: Path, *, what: str, report: Callable[[float, float], None] = lambda done, total: None
) -> Copied:
    """Copy `source` to a temporary name in `uploads`, hashing on the way; nothing stays behind on failure."""
    uploads.mkdir(parents=True, exist_ok=True)
    target = uploads / f"{uuid.uuid4()}.part"
    digest = hashlib.sha256()
    done = 0
    try:
        total = source.stat().st_size
        with source.open("rb") as reader, target.open("xb") as writer:
            while chunk := reader.read(_CHUNK_BYTES):
                digest.update(chunk)
                writer.write(chunk)
                done += len(chunk)
                report(done, total)
            writer.flush()
            os.fsync(writer.fileno())
    except OSError as error:
        target.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(uploads).free
            raise DiskFull(what=what, needed_bytes=source.stat().st_size, free_bytes=free) from error
        raise FileUnreadable(filename=what, reason=error.strerror or str(error)) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Copied(target, digest.hexdigest(), done)


def hash_file(path: Path) -> Copied:
    """The same facts of a file that already lies in the library (an upload)."""
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while chunk := reader.read(_CHUNK_BYTES):
            digest.update(chunk)
    return Copied(path, digest.hexdigest(), path.stat().st_size)


def require_readable(path: Path) -> None:
    """Raise FileUnreadable unless `path` is a file that opens."""
    try:
        with path.open("rb") as reader:
            reader.read(1)
    except OSError as error:
        raise FileUnreadable(filename=path.name, reason=error.strerror or str(error)) from error
