"""The file of a video before something is made of it: whether it is there, and still the one that was added."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.errors import SourceChanged, SourceMissing
from heimdex_core.files import sha256_of
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import Video

_SLACK_S = 60.0
"""How much later than the video's record its file may have been written."""


def require_source(paths: LibraryPaths, video: Video) -> Path:
    """The file of a video. Raises SourceMissing, SourceChanged.

    What costs little is looked at first: another size is another file. Bytes are compared where only the file's time
    says that somebody wrote to it.
    """
    path = paths.source(video.video_id, missing_ok=True)
    if path is None or not path.is_file():
        raise SourceMissing(title=video.title, video_id=video.video_id)
    found = path.stat()
    other_size = video.info is not None and found.st_size != video.info.size_bytes
    written_later = found.st_mtime > video.created_at.timestamp() + _SLACK_S
    if other_size or (written_later and sha256_of(path) != video.sha256):
        raise SourceChanged(title=video.title, video_id=video.video_id)
    return path
