"""Images of scenes that are made when they are asked for: sprites, and stills of scenes whose keyframes are all dark.

They lie in the library's cache folder, below the generation they were made of, and can be removed at any time. Videos
of older libraries have them as well, since no stage makes them (docs/decisions/sprites.md).
"""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from heimdex_core.errors import FileUnreadable, SceneNotFound
from heimdex_core.files import make_folder, remove_tree, require_free_space
from heimdex_core.library.arguments import checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.media import sprite
from heimdex_core.media.child import ChildLimits
from heimdex_core.store import Store
from heimdex_core.types import Interval, Scene, VisibleVideo

_log = logging.getLogger(__name__)

SpriteKind = Literal["sprite", "still"]
_MAKERS = {"sprite": sprite.make_sprite, "still": sprite.make_still}
_DARK_SCORE = 0.2
"""A keyframe below this score that is also too dark to have been preferred shows next to nothing."""
_STALL_S = 20.0
_MEASURED_EVERY = 32
_KEPT_SHARE = 0.8
"""What is left of the cache when it has become too large, so that it is not tidied up at every new file."""


class Sprites:
    """The sprites of one library, as one person sees it. Safe to share between threads."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._made = 0

    def frame_count(self, scene: Scene) -> int:
        """How many frames the sprite of a scene has, side by side."""
        return sprite.frame_count(scene.duration_s)

    def needs_still(self, scene: Scene) -> bool:
        """Whether the thumbnail of a scene shows next to nothing, for example because the scene fades in from black."""
        best = max(scene.keyframes, key=lambda keyframe: keyframe.score, default=None)
        least = self._context.settings.keyframe_min_brightness
        return best is not None and best.brightness < least and best.score < _DARK_SCORE

    @checked
    def find(self, scene_id: str, kind: SpriteKind = "sprite") -> Path | None:
        """The file with the sprite or the still of a scene; None if it has not been made. Raises SceneNotFound."""
        path = self._place(scene_id, kind)[2]
        return path if path.is_file() else None

    @checked
    def path(self, scene_id: str, kind: SpriteKind = "sprite") -> Path:
        """The file with the sprite or the still of a scene, made if it is not there yet: WebP.

        Raises SceneNotFound for a scene that this person does not see, FileUnreadable where the video has gone,
        UndecodableVideo, NotAVideo, DecoderFailed, DiskFull.
        """
        scene, video, path = self._place(scene_id, kind)
        if not path.is_file():
            self._make(scene, video, kind, path)
        return path

    def _place(self, scene_id: str, kind: SpriteKind) -> tuple[Scene, VisibleVideo, Path]:
        view = self._context.store.reader().view()
        scene = view.scene(self._context.user_id, scene_id)
        videos = view.snapshot.of_user(self._context.user_id, (scene.video_id,))
        if not videos:
            raise SceneNotFound(scene_id=scene_id)
        _, start_ms, end_ms = scene.scene_id.rsplit("_", 2)
        folder = self._context.store.paths.sprites(scene.video_id, videos[0].generation)
        return scene, videos[0], folder / f"{start_ms}-{end_ms}.{kind}.webp"

    def _make(self, scene: Scene, video: VisibleVideo, kind: SpriteKind, path: Path) -> None:
        paths, settings = self._context.store.paths, self._context.settings
        preview = paths.preview(video.video_id)
        source = preview if preview.is_file() else paths.source(video.video_id, missing_ok=True)
        if source is None:
            raise FileUnreadable(filename=video.filename, reason="the file is missing")
        # a preview has its own colours and turns
        info = None if source == preview else self._context.store.video(video.user_id, video.video_id).info
        require_free_space(paths.cache, 0, keep_free_bytes=settings.min_free_bytes, what="a sprite")
        make_folder(path.parent, levels=4)
        limits = ChildLimits.of(settings)
        limits = replace(limits, stall_s=min(limits.stall_s, _STALL_S))
        part = Interval(scene.start_s, scene.end_s)
        _MAKERS[kind](source, info, part, path, filename=video.filename, limits=limits)
        if self._made % _MEASURED_EVERY == 0:
            limit(paths.sprites_root, settings.sprite_cache_bytes, keep=path)
        self._made += 1


def limit(root: Path, most_bytes: int, *, keep: Path) -> int:
    """Remove the oldest files below `root` if all of them together are larger than `most_bytes`; how many were.

    `keep` is not removed: it is about to be sent.
    """
    found = []
    for path in (*root.rglob("*.webp"), *root.rglob("*.json")):
        with suppress(OSError):
            about = path.stat()
            found.append((about.st_mtime, about.st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= most_bytes:
        return 0
    removed = 0
    for _, size, path in sorted(found):
        if total <= most_bytes * _KEPT_SHARE:
            break
        if path != keep:
            with suppress(OSError):
                path.unlink()
                total -= size
                removed += 1
    return removed


def remove_orphaned(store: Store) -> int:
    """Remove the sprites of videos and generations that are not visible any more; the number of folders removed."""
    root = store.paths.sprites_root
    if not root.is_dir():
        return 0
    visible = store.reader().view().snapshot.visible
    removed = 0
    for folder in root.iterdir():
        video = visible.get(folder.name)
        if video is None:
            remove_tree(folder)
            removed += 1
            continue
        for generation in folder.iterdir():
            if generation.name != str(video.generation):
                shutil.rmtree(generation, ignore_errors=True)
                removed += 1
    return removed
