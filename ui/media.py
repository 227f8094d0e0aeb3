"""URLs of the library's frames, videos and exports, and the video facts that pages read often."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Export, Keyframe, Scene, Video, VisibleVideo
from ui import resources


def frame_url(library: Library, scene: Scene, keyframe: Keyframe | None = None) -> str | None:
    """URL of a keyframe of a scene, by default of its thumbnail; None if there is no file.

    A scene whose keyframes are all dark, because it fades in, has a brighter frame for its thumbnail.
    """
    if keyframe is None and library.sprites.needs_still(scene):
        return _sprite_url(library, scene, "still")
    path = library.frame_path(scene, keyframe.file if keyframe else None)
    return resources.links().file_url(path, library.user_id) if path else None


def hit_url(library: Library, scene: Scene, file: str | None) -> str | None:
    """URL of the keyframe of that name, else of the thumbnail."""
    keyframe = next((one for one in scene.keyframes if one.file == file), None)
    return frame_url(library, scene, keyframe) if keyframe is not None else frame_url(library, scene)


def start_text(scene: Scene) -> str:
    """Where a scene begins in its video, to a tenth of a second."""
    return fmt.precise(scene.start_s)


def sprite(library: Library, scene: Scene) -> dict[str, Any]:
    """The frames that a card shows while the pointer moves over it: {"url", "count"}. They are made when asked for."""
    return {"url": _sprite_url(library, scene, "sprite"), "count": library.sprites.frame_count(scene)}


def sound_url(library: Library, scene: Scene) -> str:
    """URL of the waveform of a scene, {"peaks": [0 to 1]}. It is made when it is asked for."""
    return _sprite_url(library, scene, "sound")


def _sprite_url(library: Library, scene: Scene, kind: str) -> str:
    made = int(scene.created_at.timestamp()) if scene.created_at else 0
    return resources.links().sprite_url(scene.scene_id, made, library.user_id, kind)


def face_url(library: Library, face_id: str) -> str:
    """URL of the picture of a face. It is made when it is asked for."""
    return resources.links().face_url(face_id, library.user_id)


def video_url(library: Library, video: Video) -> str | None:
    """URL of a file of the video that browsers can play; None while there is none."""
    path = library.playable_path(video, fetch=False)
    return resources.links().file_url(path, library.user_id) if path else None


def cover_url(library: Library, video: Video) -> str | None:
    """URL of the thumbnail of a video; None while it has no scenes."""
    if video.generation is None or not video.scene_count:
        return None
    scene = _cover_scene(library, video.video_id, video.generation)
    return frame_url(library, scene) if scene else None


@lru_cache(maxsize=4096)
def _cover_scene(library: Library, video_id: str, generation: int) -> Scene | None:
    # `generation` is part of the cache key: a generation never changes
    try:
        scenes = library.scenes(video_id)
    except HeimdexError:
        return None
    # the first scene is often black or a title
    return next((scene for scene in [*scenes[1:2], *scenes] if scene.thumbnail), None)


def visible_videos(library: Library) -> list[VisibleVideo]:
    """The searchable videos that have scenes, newest first. Does not open the catalog."""
    found = [video for video in library.searchable_videos() if video.scene_count]
    return sorted(found, key=lambda video: (video.created_at is not None, video.created_at), reverse=True)


def video_of(library: Library, video_id: str) -> Video:
    """A searchable video, read once per generation. Raises VideoNotFound."""
    for video in library.searchable_videos():
        if video.video_id == video_id:
            return _video(library, video_id, video.generation)
    return library.video(video_id)


@lru_cache(maxsize=4096)
def _video(library: Library, video_id: str, generation: int) -> Video:
    return library.video(video_id)


def export_file_name(export: Export) -> str:
    """The name of a download: the title without characters that file systems do not allow."""
    return f"{file_stem(export.title)}.mp4"


def file_stem(title: str) -> str:
    """The name of a file for a reel of this title."""
    allowed = "".join(c for c in title if c.isprintable() and c not in '|<>:"\\/?*').strip(" .")
    return unicodedata.normalize("NFC", allowed)[:80] if allowed else "reel"


def export_urls(library: Library, export: Export) -> tuple[str, str] | None:
    """(URL to watch, URL to download) of a completed export; None if its file has been removed."""
    try:
        path = library.exports.file(export, fetch=False)
    except HeimdexError:
        return None
    links = resources.links()
    name = export_file_name(export)
    until = export.expires_at
    return (
        links.file_url(path, library.user_id, usable_until=until),
        links.file_url(path, library.user_id, download_name=name, usable_until=until),
    )
