"""Unfinished uploads: what has arrived of a file stays in uploads/, so that the upload can be continued later.

The name of such a file tells whose it is and of which file it is a part. Clean-up removes those that nothing was added
to for HEIMDEX_ABANDONED_AFTER_S.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from heimdex_core.errors import LinkInvalid, UploadConflict

_READ_BYTES = 4 * 1024 * 1024
_NAME = re.compile(r"([0-9a-f]{16})-[0-9a-f]{16}\.part\.([0-9]+)\.(.+)", re.DOTALL)

STALLED_AFTER_S = 10.0
"""A request that has sent nothing for so long no longer keeps others from continuing its upload."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What has arrived of one file.

    Attributes:
        path: in the folder uploads/ of the library.
        filename: of the complete file, shortened as by `part_name`.
        size_bytes: of the complete file.
    """

    path: Path
    filename: str
    size_bytes: int

    @property
    def upload_id(self) -> str:
        """What names it among the uploads of its user."""
        return self.path.name[17:33]

    @property
    def received_bytes(self) -> int:
        """How much has arrived; 0 if the file has been removed."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def sha256(self, length: int) -> str:
        """SHA-256 of its first `length` bytes, in hexadecimal digits."""
        digest = hashlib.sha256()
        with self.path.open("rb") as reader:
            while length > 0 and (chunk := reader.read(min(length, _READ_BYTES))):
                digest.update(chunk)
                length -= len(chunk)
        return digest.hexdigest()


def part_name(name: str) -> str:
    """A file's name as part of a temporary name: without separators and control characters, at most 160 bytes."""
    plain = re.sub(r"[\x00-\x1f\x7f/\\:]", "-", name)
    return plain.encode(errors="replace")[-160:].decode(errors="ignore")


def create(uploads: Path, user_id: str, name: str, size_bytes: int) -> Partial:
    """A new, empty one for a file of this name and size."""
    path = uploads / f"{_owner(user_id)}-{uuid.uuid4().hex[:16]}.part.{size_bytes}.{part_name(name)}"
    path.touch(exist_ok=False)
    return Partial(path, part_name(name), size_bytes)


def of_user(uploads: Path, user_id: str) -> list[Partial]:
    """A user's unfinished uploads, the longest first."""
    if not uploads.is_dir():
        return []
    found = [_parse(path) for path in uploads.glob(f"{_owner(user_id)}-*.part.*")]
    return sorted((one for one in found if one), key=lambda one: (-one.received_bytes, one.path.name))


def matching(uploads: Path, user_id: str, name: str, size_bytes: int) -> list[Partial]:
    """The user's unfinished uploads of a file of this name and size, the longest first."""
    wanted = (part_name(name), size_bytes)
    return [one for one in of_user(uploads, user_id) if (one.filename, one.size_bytes) == wanted]


def named(uploads: Path, user_id: str, file_name: str) -> Partial:
    """The user's unfinished upload with that name in the folder. Raises LinkInvalid if there is none."""
    found = _parse(uploads / file_name)
    if found is None or not file_name.startswith(f"{_owner(user_id)}-") or not found.path.is_file():
        raise LinkInvalid()
    return found


def _owner(user_id: str) -> str:
    return hashlib.sha256(user_id.encode()).hexdigest()[:16]


def _parse(path: Path) -> Partial | None:
    match = _NAME.fullmatch(path.name)
    return Partial(path, match[3], int(match[2])) if match else None


class Writers:
    """Which request writes to which file: one at a time. Safe to share between threads.

    Args:
        now: a clock in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._by_path: dict[Path, Writer] = {}

    def is_busy(self, path: Path) -> bool:
        """Whether a request writes to the file, and has not stalled."""
        with self._lock:
            return self._is_busy(path)

    @contextmanager
    def writing(self, path: Path) -> Iterator[Writer]:
        """Be the one that writes to the file during the block. Raises UploadConflict while another one does."""
        with self._lock:
            if self._is_busy(path):
                raise UploadConflict(filename=_shown(path))
            writer = self._by_path[path] = Writer(self, path, self._now())
        try:
            yield writer
        finally:
            with self._lock:
                if self._by_path.get(path) is writer:
                    del self._by_path[path]

    def _is_busy(self, path: Path) -> bool:
        writer = self._by_path.get(path)
        return writer is not None and (writer.is_finishing or self._now() - writer.active_at < STALLED_AFTER_S)

    def note(self, writer: Writer, *, is_finishing: bool) -> None:
        """Remember that a request is at work. Raises UploadConflict if another one has taken over."""
        with self._lock:
            if self._by_path.get(writer.path) is not writer:
                raise UploadConflict(filename=_shown(writer.path))
            writer.active_at = self._now()
            writer.is_finishing = is_finishing


@dataclass(slots=True, eq=False)
class Writer:
    """One request that writes to a file."""

    writers: Writers
    path: Path
    active_at: float
    is_finishing: bool = False

    def note_activity(self) -> None:
        """Bytes arrived. Raises UploadConflict if another request has taken over since the last time."""
        self.writers.note(self, is_finishing=False)

    def finish(self) -> None:
        """Everything arrived: nobody takes over while the library checks the file. Raises UploadConflict."""
        self.writers.note(self, is_finishing=True)


def _shown(path: Path) -> str:
    found = _parse(path)
    return found.filename if found else path.name


WRITERS = Writers()
"""The requests of this process that write to unfinished uploads."""
