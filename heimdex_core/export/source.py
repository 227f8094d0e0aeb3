"""The file of a video before something is made of it: whether it is there, and still the one that was added."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from heimdex_core.errors import FileUnreadable, SourceChanged, SourceMissing
from heimdex_core.files import sha256_of
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import Video

_SLACK_S = 60.0
"""How much later than the video's record its file may have been written: it is put in its place after that."""


def require_source(paths: LibraryPaths, video: Video, *, compare: bool = True) -> Path:
    """The file of a video. Raises SourceMissing, SourceChanged, FileUnreadable.

    Without `compare` only its presence and its size are looked at.
    """
    path = paths.source(video.video_id, missing_ok=True)
    if path is None or not path.is_file():
        raise SourceMissing(title=video.title, video_id=video.video_id)
    if _has_changed(path, video, compare=compare):
        raise SourceChanged(title=video.title, video_id=video.video_id)
    return path


def _has_changed(path: Path, video: Video, *, compare: bool) -> bool:
    """Whether a file that is there is another one than the video's. Raises FileUnreadable.

    What costs little is looked at first: another size is another file. Bytes are compared where the file was written,
    renamed or copied after the video was added. The time of the last change of its record (ctime) counts, too: unlike
    the time of the last writing, no program sets it back.
    """
    found = path.stat()
    if video.info is not None and found.st_size != video.info.size_bytes:
        return True
    if not compare or max(found.st_mtime, found.st_ctime) <= video.created_at.timestamp() + _SLACK_S:
        return False
    try:
        return _sha256(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)) != video.sha256
    except OSError as error:
        raise FileUnreadable(filename=video.filename, reason=error.strerror or str(error)) from error


@lru_cache(maxsize=1024)
def _sha256(path: Path, _signature: tuple[int, int, int, int]) -> str:
    """The SHA-256 of a file, read once per process as long as the file is the same."""
    return sha256_of(path)
