"""Writing files whole or not at all, and saying so when the disk is full."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from heimdex_core.errors import DiskFull


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written under `folder`."""
    return shutil.disk_usage(folder).free


@contextlib.contextmanager
def written_whole(path: Path, *, needed_bytes: int) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to it at the end; removed when anything goes wrong. Raises DiskFull."""
    partial = path.with_name(path.name + ".part")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = free_bytes(path.parent)
            raise DiskFull(what=path.name, needed_bytes=needed_bytes, free_bytes=free) from error
        raise
    finally:
        partial.unlink(missing_ok=True)
