"""jobs.sqlite as a file: whether it can be used, and what is done with one that is damaged.

A damaged file is never deleted: it is moved aside under a dated name, and a new one is made. No work is lost by that,
because the catalog names what is unfinished, and a worker queues it again (reconcile.py).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import uuid
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from heimdex_core.errors import JobsFileUnusable
from heimdex_core.files import crash_point, fsync_folder
from heimdex_core.store.lock_holder import find_holder
from heimdex_core.store.locks import FileLock, busy
from heimdex_core.types import utc_now

logger = logging.getLogger(__name__)

DAMAGED_PREFIX = "jobs.damaged-"
"""The names of files that were moved aside begin with it."""

_COMPANIONS = ("-journal", "-wal", "-shm")
"""Endings of the files that SQLite keeps beside a database while it is written."""

WHAT = "The job database of the library"

FileId = tuple[int, int]
"""(device, inode): changes when a file is replaced, not when it is written."""


def file_id(path: Path) -> FileId | None:
    """What tells a file from another one of the same name; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def find_damage(path: Path, *, timeout_s: float, thorough: bool = False) -> str | None:
    """What is wrong with the file; None where it can be used, is empty or is missing.

    Args:
        path: the SQLite database.
        timeout_s: how long another process that has it locked is awaited.
        thorough: read all of it, some 0.2 s for 100 MB; otherwise only its beginning.

    Raises LibraryBusy where it stays locked; JobsFileUnusable for a fault that a new file would not mend, such as
    missing permissions.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JobsFileUnusable(path=str(path), reason=error.strerror or str(error)) from error
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if not stat.S_ISREG(mode) and not path.is_file():
        return "it is not a file"
    if not os.access(path, os.R_OK | os.W_OK):
        # SQLite takes such a file for one that is only read, and does not say so before the first change.
        raise JobsFileUnusable(path=str(path), reason="it may not be read and written")
    try:
        # Never opened in another way: closing any descriptor of a file drops the locks that SQLite has on it.
        uri = f"file:{quote(str(path))}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            connection.execute("rollback")
            if thorough:
                found = connection.execute("pragma quick_check(1)").fetchone()
                return None if found == ("ok",) else str(found[0])
    except sqlite3.Error as error:
        return _damage(path, error, timeout_s)
    return None


def is_damage(error: BaseException | None) -> bool:
    """Whether an error of sqlite3 says that the file is damaged, and not only that it cannot be opened now."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_lost(error: BaseException | None) -> bool:
    """Whether an error of sqlite3 is what a worker meets whose file was damaged, deleted or replaced."""
    return is_damage(error) or _code(error) == sqlite3.SQLITE_READONLY or "no such table" in str(error)


def _code(error: BaseException | None) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _damage(path: Path, error: sqlite3.Error, timeout_s: float) -> str:
    if is_damage(error):
        return str(error)
    if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise busy(WHAT, find_holder(path), timeout_s) from error
    raise JobsFileUnusable(path=str(path), reason=str(error)) from error


def put_aside_if_damaged(path: Path, *, timeout_s: float, thorough: bool = False) -> Path | None:
    """Move a damaged file away; its new path, None where it was not damaged. See `find_damage` for the arguments.

    Several processes may notice at once, so it is looked at again under a lock. Raises what `find_damage` raises, and
    JobsFileUnusable where it cannot be moved.
    """
    if find_damage(path, timeout_s=timeout_s, thorough=thorough) is None:
        return None
    lock = FileLock(path.with_name("jobs.lock"), rank=1, what=WHAT, timeout_s=timeout_s)
    with lock.hold():
        damage = find_damage(path, timeout_s=timeout_s, thorough=thorough)
        if damage is None:
            return None
        try:
            aside = _move_aside(path)
        except OSError as error:
            reason = f"{damage}; it cannot be moved aside either: {error.strerror or error}"
            raise JobsFileUnusable(path=str(path), reason=reason) from error
    logger.warning(
        "%s was damaged (%s) and has been moved to %s; unfinished work is queued again", path.name, damage, aside.name
    )
    return aside


def _move_aside(path: Path) -> Path:
    moment = utc_now().strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{DAMAGED_PREFIX}{moment}{path.suffix}")
    if aside.exists():
        aside = path.with_name(f"{DAMAGED_PREFIX}{moment}-{uuid.uuid4().hex[:6]}{path.suffix}")
    # The file itself comes last: after a crash in between it is found damaged again. The other way round, SQLite would
    # play an old journal back into the new file.
    for ending in _COMPANIONS:
        with suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")
    crash_point("jobs-journal-moved")
    os.replace(path, aside)
    fsync_folder(path.parent)
    return aside


def damaged_files(folder: Path) -> list[Path]:
    """Job databases of a library that were moved aside, oldest first."""
    return sorted(path for path in folder.glob(f"{DAMAGED_PREFIX}*") if not path.name.endswith(_COMPANIONS))
