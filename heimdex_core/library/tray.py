"""Changing the tray: each change is one transaction on the tray as it is then, whoever else changes it."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.errors import InvalidReel
from heimdex_core.export.plan import clip_of
from heimdex_core.library.arguments import Count, Names, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.tray_history import Edit, difference, make_change, step
from heimdex_core.store.transaction import to_us
from heimdex_core.types import (
    InsertClips,
    MoveClip,
    PlacedClip,
    ReelClip,
    RemoveClips,
    SetTitle,
    Tray,
    TrayOperation,
    TrimClip,
    utc_now,
)


class TrayEdits:
    """Changes of one person's tray, with undo and redo. Safe to share between threads.

    All methods return the tray after the change. They take

        made_on: the revision of the tray that the change was made on; None where it has just been read. Most changes
            also fit a newer tray. A trim or a title that somebody else has changed since is refused (TrayConflict).
        author: who makes the change: the app names the open page. Each author undoes their own changes.
        since: the revision that this author saw first; changes up to it can be undone by the author, too. None stands
            for all changes.
        key: names the change, so that it is made once, however often it is sent; "" for none.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context

    @checked
    def add(
        self,
        clip: ReelClip | str,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Add a clip, or a whole scene by its id, at the end; nothing where its scene is in the tray already.

        Raises SceneNotFound, InvalidReel where the tray is full.
        """
        if isinstance(clip, str):
            clip = clip_of(self._context.store.reader().view().scene(self._context.user_id, clip))
        return self._change((InsertClips((PlacedClip(clip),)),), made_on, author, since, key)

    @checked
    def remove(
        self,
        scene_ids: Names,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Remove the clips of these scenes; those that are not in the tray are ignored."""
        return self._change((RemoveClips(tuple(scene_ids)),), made_on, author, since, key)

    @checked
    def move(
        self,
        scene_id: str,
        *,
        after: str | None = None,
        before: str | None = None,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Move a clip behind the clip `after`, or else before the clip `before`.

        Where neither is in the tray, it becomes the first clip if `after` is None, else the last one. Raises
        TrayConflict if the clip itself has been removed.
        """
        return self._change((MoveClip(scene_id, after, before),), made_on, author, since, key)

    @checked
    def trim(
        self,
        scene_id: str,
        start_s: float,
        end_s: float,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Use [start_s, end_s) of a clip's scene, in seconds of the video.

        Raises InvalidValue if nothing of it lies in the scene, TrayConflict.
        """
        return self._change((TrimClip(scene_id, start_s, end_s),), made_on, author, since, key)

    @checked
    def rename(
        self, title: str, *, made_on: Count | None = None, author: str = "", since: Count | None = None, key: str = ""
    ) -> Tray:
        """Name the reel; at most HEIMDEX_MAX_TITLE_CHARS are kept. Raises TrayConflict."""
        title = title.strip()[: self._context.settings.max_title_chars]
        return self._change((SetTitle(title),), made_on, author, since, key)

    @checked
    def clear(
        self,
        scene_ids: Names | None = None,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Remove all clips and the title. With `scene_ids` only these: what was added elsewhere meanwhile stays."""
        if scene_ids is None:
            scene_ids = tuple(clip.scene_id for clip in self._context.store.reels.tray(self._context.user_id).clips)
        # a title that somebody else has given meanwhile does not keep the clips in
        return self._change((RemoveClips(tuple(scene_ids)), SetTitle("")), None, author, since, key)

    @checked
    def undo(self, *, author: str = "", since: Count | None = None, key: str = "") -> Tray:
        """Undo the author's last change that can be undone; what others changed stays."""
        return self._step(author, since, key, undone=False)

    @checked
    def redo(self, *, author: str = "", since: Count | None = None, key: str = "") -> Tray:
        """Make the change again that the author undid last."""
        return self._step(author, since, key, undone=True)

    @checked
    def clip_count(self, *video_ids: str) -> int:
        """How many clips of these videos are in the tray, also while the videos are deleted."""
        clips = self._context.store.reels.tray(self._context.user_id).clips
        return sum(clip.video_id in video_ids for clip in clips)

    def replace(self, clips: Sequence[ReelClip], title: str) -> Tray:
        """Make the tray equal to these clips, as one change; see Library.save_tray."""

        def changed(tray: Tray) -> Tray:
            operations = difference(tray.title, tray.clips, title, tuple(clips))
            return make_change(tray, Edit(operations, now_us=_now_us()))

        return self._context.store.reels.change_tray(self._context.user_id, changed)

    def _change(
        self, operations: tuple[TrayOperation, ...], made_on: int | None, author: str, since: int | None, key: str
    ) -> Tray:
        edit = Edit(operations, author, since, made_on, key, _now_us())
        return self._context.store.reels.change_tray(
            self._context.user_id, lambda tray: self._not_too_long(tray, make_change(tray, edit))
        )

    def _step(self, author: str, since: int | None, key: str, *, undone: bool) -> Tray:
        def stepped(tray: Tray) -> Tray:
            return self._not_too_long(tray, step(tray, author, since, undone=undone, key=key, now_us=_now_us()))

        return self._context.store.reels.change_tray(self._context.user_id, stepped)

    def _not_too_long(self, before: Tray, after: Tray) -> Tray:
        settings = self._context.settings
        if len(after.clips) > max(settings.max_reel_scenes, len(before.clips)):
            raise InvalidReel(
                reason=f"it would have {len(after.clips)} scenes",
                max_scenes=settings.max_reel_scenes,
                max_title=settings.max_title_chars,
            )
        return after


def _now_us() -> int:
    return to_us(utc_now()) or 0
