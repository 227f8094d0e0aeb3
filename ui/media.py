"""Links to the library's pictures and videos, and the few facts about scenes that pages ask for again and again."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Export, Keyframe, Scene, Video, VisibleVideo
from ui import resources


def picture(library: Library, scene: Scene, keyframe: Keyframe | None = None) -> str | None:
    """URL of a scene's thumbnail or keyframe."""
    path = library.frame_path(scene, keyframe.file if keyframe else None)
    return resources.links().file_url(path, library.user_id) if path else None


def playable(library: Library, video: Video) -> str | None:
    """URL of what a browser can play of a video; None when there is nothing yet."""
    path = library.playable_path(video)
    return resources.links().file_url(path, library.user_id) if path else None


def cover(library: Library, video: Video) -> str | None:
    """URL of a picture that stands for a video; None while it has no scenes."""
    if video.generation is None or not video.scene_count:
        return None
    scene = _cover_scene(library, video.video_id, video.generation)
    return picture(library, scene) if scene else None


@lru_cache(maxsize=4096)
def _cover_scene(library: Library, video_id: str, generation: int) -> Scene | None:
    # A generation never changes, so its scene is asked for once.
    try:
        scenes = library.scenes(video_id)
    except HeimdexError:
        return None
    # The first frames are often black or a title; the second scene tells more.
    return next((scene for scene in [*scenes[1:2], *scenes] if scene.thumbnail), None)


def visible_videos(library: Library) -> list[VisibleVideo]:
    """The videos that can be searched, newest first, without asking the catalog."""
    found = [video for video in library.searchable_videos() if video.scene_count]
    return sorted(found, key=lambda video: (video.created_at is not None, video.created_at), reverse=True)


def video_of(library: Library, video_id: str) -> Video:
    """A searchable video, asked for once per generation; VideoNotFound if it is not there."""
    for video in library.searchable_videos():
        if video.video_id == video_id:
            return _video(library, video_id, video.generation)
    return library.video(video_id)


@lru_cache(maxsize=4096)
def _video(library: Library, video_id: str, generation: int) -> Video:
    return library.video(video_id)


def export_file_name(export: Export) -> str:
    """What a download is called: the title without what file systems refuse."""
    allowed = "".join(c for c in export.title if c.isprintable() and c not in '|<>:"\\/?*').strip(" .")
    return unicodedata.normalize("NFC", allowed)[:80] + ".mp4" if allowed else "reel.mp4"


def export_urls(library: Library, export: Export) -> tuple[str, str] | None:
    """(URL to watch, URL to download) of a finished export; None when its file is gone."""
    try:
        path = library.exports.file(export)
    except HeimdexError:
        return None
    if not path.is_file():
        return None
    links = resources.links()
    name = export_file_name(export)
    return links.file_url(path, library.user_id), links.file_url(path, library.user_id, download_name=name)
