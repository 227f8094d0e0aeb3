"""Splitting and merging the scenes of a video by hand."""

from __future__ import annotations

from heimdex_core.errors import ScenesNotNeighbours
from heimdex_core.ingest.params import IngestParams
from heimdex_core.library.arguments import checked
from heimdex_core.library.context import LibraryContext, OnProgress
from heimdex_core.library.work import LibraryWork
from heimdex_core.types import SceneEdit, Video


class SceneEdits:
    """The edits of one person's videos.

    After each the video is indexed again, here or with `queue` by the worker; it stays searchable meanwhile. Edits are
    kept with the video and hold when it is indexed again. All that change something raise ScenesNotEditable while the
    video is not indexed or is being indexed, EditsDamaged, JobsUnavailable, and return the video.
    """

    def __init__(self, context: LibraryContext, work: LibraryWork) -> None:
        self._context = context
        self._store = context.store
        self._work = work

    @checked
    def split(self, video_id: str, at_s: float, *, queue: bool = False, progress: OnProgress | None = None) -> Video:
        """Split the scene that has `at_s` (seconds) in it.

        Raises SplitOutside, SplitTooShort for less than `min_scene_s` on either side, VideoNotFound.
        """
        user_id = self._context.user_id
        params = IngestParams.from_settings(self._context.settings, **self._store.video(user_id, video_id).params)
        self._require_queue(queue)
        video = self._store.scene_edits.split(user_id, video_id, at_s, minimum_s=params.min_scene_s)
        return self._work.start_ingest(video, queue=queue, progress=progress)

    @checked
    def merge(self, scene_id: str, other_id: str, *, queue: bool = False, progress: OnProgress | None = None) -> Video:
        """Make one scene of two that follow each other. Raises ScenesNotNeighbours, SceneNotFound."""
        user_id, view = self._context.user_id, self._store.reader().view()
        first, second = sorted(
            (view.scene(user_id, scene_id), view.scene(user_id, other_id)), key=lambda scene: scene.start_s
        )
        if first.video_id != second.video_id or second.index != first.index + 1:
            raise ScenesNotNeighbours()
        self._require_queue(queue)
        video = self._store.scene_edits.merge(user_id, first.video_id, second.start_s)
        return self._work.start_ingest(video, queue=queue, progress=progress)

    @checked
    def undo(
        self, video_id: str, edit_id: str | None = None, *, queue: bool = False, progress: OnProgress | None = None
    ) -> Video:
        """Take back an edit, None for the last one. Raises EditNotFound, VideoNotFound."""
        self._require_queue(queue)
        video = self._store.scene_edits.undo(self._context.user_id, video_id, edit_id)
        return self._work.start_ingest(video, queue=queue, progress=progress)

    @checked
    def list(self, video_id: str) -> list[SceneEdit]:
        """What was split and merged in a video, oldest first, and what became of each. Raises VideoNotFound."""
        return self._store.scene_edits.of_video(self._context.user_id, video_id)

    def _require_queue(self, queue: bool) -> None:
        """Refuse before anything is written what could not be handed to a worker."""
        if queue:
            self._context.require_queue()
