"""One thing done with several videos: as often as the method of Library for one of them, but much faster."""

from __future__ import annotations

from heimdex_core.errors import Cancelled
from heimdex_core.library.arguments import Names, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.types import Video, VideoState

RUNNING = (VideoState.VALIDATING, VideoState.PROCESSING)


class BulkOperations:
    """Operations on several of a person's videos.

    Every method raises VideoNotFound, before anything is changed, if one of them is not there or not seen by this
    person, and NotAllowed if it is shared with them for less: deleting and restoring is the owner's.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._bulk = context.store.bulk

    @checked
    def cancel(self, video_ids: Names) -> None:
        """Stop the work on videos; see Library.cancel."""
        user_id = self._context.user_id
        found = self._bulk.get(user_id, list(video_ids), "write")
        ids = [video.video_id for video in found]
        works = [(video.video_id, video.job_id) for video in found]
        self._context.cancel(works, lambda: self._bulk.end_work(user_id, ids, Cancelled()))

    @checked
    def delete(self, video_ids: Names) -> list[Video]:
        """Hide videos; see Library.delete."""
        found = self._bulk.get(self._context.user_id, list(video_ids))
        running = [video.video_id for video in found if video.state in RUNNING]
        if running:
            self.cancel(running)
        return self._bulk.delete(self._context.user_id, [video.video_id for video in found])

    @checked
    def restore(self, video_ids: Names) -> list[Video]:
        """Undo `delete`."""
        return self._bulk.restore(self._context.user_id, list(video_ids))
