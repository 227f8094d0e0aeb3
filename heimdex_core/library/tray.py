"""Changing the tray: each change is one transaction on the tray as it is then, whoever else changes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from heimdex_core.errors import InvalidReel, TrayConflict
from heimdex_core.export.crop import strategy as find_strategy
from heimdex_core.export.plan import check_strategies, clip_of, too_many, within_video
from heimdex_core.library.arguments import Count, Names, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.tray_history import Edit, difference, make_change, next_copy, step
from heimdex_core.store.transaction import to_us
from heimdex_core.store.trays import TRAY
from heimdex_core.types import (
    InsertClips,
    MoveClip,
    PlacedClip,
    ReelClip,
    RemoveClips,
    SetStrategy,
    SetTitle,
    Tray,
    TrayOperation,
    TrimClip,
    VisibleVideo,
    utc_now,
)

Operations = tuple[TrayOperation, ...]


class TrayEdits:
    """Changes of one person's tray, or of a named reel, with undo and redo. Safe to share between threads.

    All methods return the tray after the change. They take

        made_on: the revision of the tray that the change was made on; None where it has just been read. Most changes
            also fit a newer tray. A trim, a strategy or a title that somebody else has changed since is refused
            (TrayConflict).
        author: who makes the change: the app names the open page. Each author undoes their own changes.
        since: the revision that this author saw first; changes up to it can be undone by the author, too. None stands
            for all changes.
        key: names the change, so that it is made once, however often it is sent; "" for none.
    """

    def __init__(self, context: LibraryContext, reel_id: str = TRAY) -> None:
        self._context = context
        self._reel_id = reel_id

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

        `duplicate` adds a further clip of a scene. Raises SceneNotFound, InvalidReel where the tray is full,
        UnknownName for the strategy of the clip.
        """
        if isinstance(clip, str):
            clip = clip_of(self._context.store.reader().view().scene(self._context.user_id, clip))
        added = replace(clip, copy=0)
        check_strategies([added])

        def operations(tray: Tray) -> Operations:
            is_new = all(one.scene_id != added.scene_id for one in tray.clips)
            return (InsertClips((PlacedClip(added),)),) if is_new else ()

        return self._change(operations, made_on, author, since, key)

    @checked
    def duplicate(
        self,
        clip_id: str,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Put a further clip of the same scene and times behind a clip.

        Raises TrayConflict if the clip has been removed, InvalidReel where the tray is full.
        """

        def operations(tray: Tray) -> Operations:
            clip = next((clip for clip in tray.clips if clip.clip_id == clip_id), None)
            if clip is None:
                raise TrayConflict(problem="tray_clip_removed")
            copy = replace(clip, copy=next_copy(tray, clip.scene_id))
            return (InsertClips((PlacedClip(copy, after=clip_id),)),)

        return self._change(operations, made_on, author, since, key)

    @checked
    def remove(
        self,
        clip_ids: Names,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Remove these clips; those that are not in the tray are ignored."""
        return self._change((RemoveClips(tuple(clip_ids)),), made_on, author, since, key)

    @checked
    def remove_scene(
        self,
        scene_id: str,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Remove all clips of a scene."""

        def operations(tray: Tray) -> Operations:
            return (RemoveClips(tuple(clip.clip_id for clip in tray.clips if clip.scene_id == scene_id)),)

        return self._change(operations, made_on, author, since, key)

    @checked
    def move(
        self,
        clip_id: str,
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
        return self._change((MoveClip(clip_id, after, before),), made_on, author, since, key)

    @checked
    def trim(
        self,
        clip_id: str,
        start_s: float,
        end_s: float,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Let a clip be [start_s, end_s), in seconds of the video; what lies outside the video is cut off.

        Raises InvalidValue if nothing of it lies in the video, TrayConflict.
        """
        ends = {video.video_id: video.duration_s for video in self._visible_videos()}

        def operations(tray: Tray) -> Operations:
            videos = [clip.video_id for clip in tray.clips if clip.clip_id == clip_id]
            video_end_s = ends.get(videos[0]) if videos else None
            return (TrimClip(clip_id, *within_video(start_s, end_s, video_end_s)),)

        return self._change(operations, made_on, author, since, key)

    @checked
    def set_strategy(
        self,
        clip_id: str,
        strategy: str | None,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Give a clip a crop strategy of its own (export.crop.STRATEGIES), or with None that of the reel.

        Raises UnknownName, TrayConflict.
        """
        if strategy is not None:
            find_strategy(strategy)
        return self._change((SetStrategy(clip_id, strategy),), made_on, author, since, key)

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
        clip_ids: Names | None = None,
        *,
        made_on: Count | None = None,
        author: str = "",
        since: Count | None = None,
        key: str = "",
    ) -> Tray:
        """Remove all clips and the title. With `clip_ids` only these: what was added elsewhere meanwhile stays."""

        def operations(tray: Tray) -> Operations:
            gone = [clip.clip_id for clip in tray.clips] if clip_ids is None else clip_ids
            return RemoveClips(tuple(gone)), SetTitle("")

        # a title that somebody else has given meanwhile does not keep the clips in
        return self._change(operations, None, author, since, key)

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
        clips = self._context.store.reels.edited(self._context.user_id, self._reel_id).clips
        return sum(clip.video_id in video_ids for clip in clips)

    def replace(self, clips: Sequence[ReelClip], title: str) -> Tray:
        """Make the tray equal to these clips, as one change; see Library.save_tray."""
        check_strategies(clips)

        def changed(tray: Tray) -> Tray:
            operations = difference(tray.title, tray.clips, title, tuple(clips))
            return make_change(tray, Edit(operations, now_us=_now_us()))

        return self._context.store.reels.change(self._context.user_id, self._reel_id, changed)

    def _visible_videos(self) -> list[VisibleVideo]:
        return self._context.store.reader().view().visible_videos(self._context.user_id)

    def _change(
        self,
        operations: Operations | Callable[[Tray], Operations],
        made_on: int | None,
        author: str,
        since: int | None,
        key: str,
    ) -> Tray:
        def changed(tray: Tray) -> Tray:
            if tray.has_handled(key):
                return tray
            wanted = operations(tray) if callable(operations) else operations
            return self._not_too_long(tray, make_change(tray, Edit(wanted, author, since, made_on, key, _now_us())))

        return self._context.store.reels.change(self._context.user_id, self._reel_id, changed)

    def _step(self, author: str, since: int | None, key: str, *, undone: bool) -> Tray:
        def stepped(tray: Tray) -> Tray:
            return self._not_too_long(tray, step(tray, author, since, undone=undone, key=key, now_us=_now_us()))

        return self._context.store.reels.change(self._context.user_id, self._reel_id, stepped)

    def _not_too_long(self, before: Tray, after: Tray) -> Tray:
        settings = self._context.settings
        reason = too_many(after.clips, settings)
        if reason is not None and len(after.clips) > len(before.clips):
            raise InvalidReel(
                reason=reason,
                max_scenes=settings.max_reel_scenes,
                max_title=settings.max_title_chars,
            )
        return after


def _now_us() -> int:
    return to_us(utc_now()) or 0
