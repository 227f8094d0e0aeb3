"""A video's folder is complete in itself: written so, and taken over from another library."""

from __future__ import annotations

from heimdex_core.store.files import write_json
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import Video, to_json


def write_video_json(paths: LibraryPaths, video: Video) -> None:
    """video.json: what the catalog knows of a video that its other files do not tell."""
    names = (
        "video_id user_id sha256 title filename description language created_at generation info transcript_source "
        "transcript_rough notes has_preview"
    ).split()
    value = {"format": 1, **{name: to_json(getattr(video, name)) for name in names}}
    write_json(paths.video_json(video.video_id), value)


def adopt(shelf, folder, user_id):
    raise NotImplementedError
