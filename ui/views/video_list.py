"""Which videos the library page lists and in what order, who waits in the queue, and how long all of it will take."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from heimdex_core.library import Library
from heimdex_core.types import StageProgress, Video, VideoState, utc_now
from ui.i18n import duration, t, time_left, tn

RUNNING = frozenset({VideoState.UPLOADING, VideoState.VALIDATING, VideoState.PROCESSING})
FALLBACK_SORT = "newest"
TRUSTED_SHARE = 0.1
"""The share of a video's work that has to be done before it tells how much time is left."""
SHORT_S = 30.0
"""The work on shorter videos is over before its pace is known: most of it is starting up."""
STALE_AFTER_S = 30.0
"""Progress that is older does not tell how much time is left: the work may have been interrupted."""

SORTS: Mapping[str, tuple[Callable[[Video], Any], bool]] = {
    "newest": (lambda video: video.created_at, True),
    "oldest": (lambda video: video.created_at, False),
    "title": (lambda video: _plain(video.title), False),
    "longest": (lambda video: video.info.duration_s if video.info else 0.0, True),
}
"""By name: the key, and whether the order is reversed."""

FILTERS: Mapping[str, Callable[[Video], bool]] = {
    "all": lambda video: True,
    "ready": lambda video: video.state is VideoState.INDEXED,
    "working": lambda video: video.state in RUNNING,
    "failed": lambda video: video.state is VideoState.FAILED or (video.error is not None and is_settled(video)),
}
"""By name: whether a video is listed."""

OWNERS = ("mine", "shared")
"""Further names for a library that several users share."""


@dataclass(frozen=True, slots=True)
class ListChoice:
    """What the user has chosen to see of the list."""

    query: str = ""
    sort: str = FALLBACK_SORT
    show: str = "all"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ListChoice:
        """From foreign values; unknown ones are replaced by the defaults."""
        sort, show = str(given.get("sort", "")), str(given.get("show", ""))
        return cls(
            query=str(given.get("query", ""))[:200],
            sort=sort if sort in SORTS else FALLBACK_SORT,
            show=show if show in FILTERS or show in OWNERS else "all",
        )


def is_settled(video: Video) -> bool:
    """Whether no work on the video is in progress."""
    return video.state not in RUNNING


def listed(videos: Sequence[Video], choice: ListChoice, user_id: str | None = None) -> list[Video]:
    """The videos that contain all words of the query in their title, file name or description, filtered and sorted.

    `user_id` is who looks at the list of a shared library; None otherwise.
    """
    words = _plain(choice.query).split()
    keep = _filters(user_id).get(choice.show, FILTERS["all"])
    found = [
        video
        for video in videos
        if keep(video) and all(word in _plain(f"{video.title} {video.filename} {video.description}") for word in words)
    ]
    key, is_reversed = SORTS[choice.sort]
    return sorted(found, key=key, reverse=is_reversed)


def counts(videos: Sequence[Video], user_id: str | None = None) -> dict[str, int]:
    """How many videos each of FILTERS lists, and with a user each of OWNERS."""
    return {name: sum(map(keep, videos)) for name, keep in _filters(user_id).items()}


def _filters(user_id: str | None) -> dict[str, Callable[[Video], bool]]:
    if user_id is None:
        return dict(FILTERS)
    is_own = {video_of: partial(_is_owner, user_id, video_of == "mine") for video_of in OWNERS}
    return {**FILTERS, **is_own}


def _is_owner(user_id: str, expected: bool, video: Video) -> bool:
    return (video.user_id == user_id) == expected


def _plain(text: str) -> str:
    # macOS writes Korean names in decomposed form
    return unicodedata.normalize("NFC", text).casefold()


# --- the queue ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queue:
    """The videos that are worked on or wait for it.

    Attributes:
        progress: by video_id, of the videos whose work has begun.
        positions: by video_id, of the others: 1 is the next one.
        left_s: seconds until all are done; None if there is no telling.
    """

    progress: Mapping[str, StageProgress]
    positions: Mapping[str, int]
    left_s: float | None = None

    @classmethod
    def read(cls, library: Library, videos: Sequence[Video]) -> Queue:
        """The queue of the person's videos, in the order in which they were handed over."""
        running = [video for video in videos if video.state in RUNNING]
        found = {video.video_id: library.progress(video.video_id) for video in running}
        progress = {video_id: one for video_id, one in found.items() if one is not None}
        waiting = sorted((v for v in running if v.video_id not in progress), key=lambda v: (v.updated_at, v.video_id))
        positions = {video.video_id: n for n, video in enumerate(waiting, 1)}
        begun = [(one, progress[one.video_id]) for one in running if one.video_id in progress]
        return cls(progress, positions, _left_s(library, begun, waiting))

    def summary(self) -> str:
        """The queue as one line; "" if nothing is being done."""
        if not self.progress and not self.positions:
            return ""
        parts = [tn("queue.running", len(self.progress))] if self.progress else []
        parts += [tn("queue.waiting", len(self.positions))] if self.positions else []
        if self.left_s is not None and len(self.progress) + len(self.positions) > 1:
            parts.append(t("queue.left", left=time_left(self.left_s)))
        return " · ".join(parts)


def believable_left_s(progress: StageProgress) -> float | None:
    """Seconds left for a video; None while too little is done, for a short video, or if its progress is old."""
    is_short = progress.unit == "s" and 0 < progress.total < SHORT_S
    if progress.eta_s is None or is_short or progress.overall < TRUSTED_SHARE or _age_s(progress) > STALE_AFTER_S:
        return None
    return progress.eta_s


def _left_s(library: Library, begun: Sequence[tuple[Video, StageProgress]], waiting: Sequence[Video]) -> float | None:
    """The time for those that wait is worked out by size, from those that have begun."""
    lefts = {video.video_id: believable_left_s(progress) for video, progress in begun}
    if not begun or None in lefts.values():
        return None
    total_s = sum(left for left in lefts.values() if left is not None)
    if waiting:
        done_bytes = sum(_size_bytes(library, video) for video, _ in begun)
        whole_s = sum((lefts[video.video_id] or 0.0) / max(1.0 - progress.overall, 0.01) for video, progress in begun)
        if not done_bytes:
            return None
        total_s += whole_s / done_bytes * sum(_size_bytes(library, video) for video in waiting)
    return total_s / min(library.settings.ingest_concurrency, len(begun) + len(waiting))


def _size_bytes(library: Library, video: Video) -> int:
    if video.info is not None:
        return video.info.size_bytes
    path = library.playable_path(video, fetch=False)
    try:
        return path.stat().st_size if path is not None else 0
    except OSError:
        return 0


def _age_s(progress: StageProgress) -> float:
    try:
        return (utc_now() - datetime.fromisoformat(progress.updated_at)).total_seconds()
    except ValueError:  # written by another version
        return float("inf")


# --- deleted videos -------------------------------------------------------------------------------


def deleted_row(library: Library, video: Video) -> dict[str, str]:
    """A deleted video in the list of those that can be restored."""
    removed_at = video.updated_at + timedelta(seconds=library.settings.abandoned_after_s)
    left_s = (removed_at - utc_now()).total_seconds()
    text = t("library.deleted_for_good", time=duration(left_s, parts=1)) if left_s > 0 else t("library.deleted_soon")
    return {"id": video.video_id, "name": video.title, "text": text}
