"""Files of the work folder: JSON written whole or not at all, vectors, second names."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from heimdex_core.errors import DiskFull
from heimdex_core.models.base import Vectors
from heimdex_core.types import Json, to_json


def read_json(path: Path) -> Json | None:
    """The object in a file; None if there is no such file or it holds none."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write whole or not at all; `durable` waits for the disk. Raises DiskFull."""
    text = json.dumps(to_json(value), ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with guard_disk(path, len(text)):
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def guard_disk(path: Path, needed_bytes: int) -> Iterator[None]:
    """Turn "no space left" into DiskFull with what is free."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = 0
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(path.parent).free
        raise DiskFull(what=path.name, needed_bytes=needed_bytes, free_bytes=free) from error


def save_vectors(path: Path, vectors: Vectors) -> None:
    """(n, d) float32 as .npy. Raises DiskFull."""
    with guard_disk(path, vectors.nbytes):
        np.save(path, vectors, allow_pickle=False)


def link_or_copy(source: str, target: str) -> str:
    """The work folder lies on the library's disk, so a second name costs nothing; neither file is changed later."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
