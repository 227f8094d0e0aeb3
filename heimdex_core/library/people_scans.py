"""Looking for faces: at once, or as a job of the worker that can be followed and cancelled."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace

from heimdex_core.errors import Cancelled, HeimdexError, UnknownName
from heimdex_core.library import face_scan_jobs
from heimdex_core.library.arguments import Names, checked
from heimdex_core.library.face_scan import begin, look_at
from heimdex_core.library.face_scan_jobs import FaceScanWork
from heimdex_core.library.people_base import PeopleBase
from heimdex_core.types import FaceScan, VisibleVideo, WorkContext, utc_now

log = logging.getLogger(__name__)


class PeopleScans(PeopleBase):
    """Part of People."""

    @checked
    def find_faces(
        self,
        video_ids: Names | None = None,
        *,
        again: bool = False,
        queue: bool = False,
        progress: Callable[[float, float], None] | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> FaceScan:
        """Look for faces in the keyframes of the user's own videos.

        Args:
            video_ids: of the videos; default all.
            again: look through those as well that have been looked through as they are now.
            queue: leave it to the worker and return at once. While a scan of the user is unfinished, it is that one.
            progress: called with (done, total) in videos.
            is_cancelled: asked before each keyframe.

        Raises PeopleOff, VideoNotFound; FaceModelsMissing, ModelBroken, Cancelled, with which a queued scan ends;
        JobsUnavailable.
        """
        self._require_on()
        wanted = None if video_ids is None else tuple(dict.fromkeys(video_ids))
        for video_id in wanted or ():
            self._store.video(self._user_id, video_id, "owner")
        scan = FaceScan(str(uuid.uuid4()), "waiting", utc_now(), video_ids=wanted, again=again)
        if queue:
            return self._queue_scan(scan)
        work = WorkContext(report=progress or (lambda done, total: None), is_cancelled=is_cancelled)
        scan, videos = begin(self._context, scan, self._own_videos())
        for video in videos:
            work.check()
            work.report(scan.done, scan.total)
            scan = look_at(self._context, scan, video, work.check)
        work.report(scan.done, scan.total)
        return replace(scan, state="done")

    @checked
    def look_at_new(
        self,
        video_id: str | None = None,
        *,
        queue: bool = False,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> int | None:
        """Look for faces in a video that has just been indexed, where people are on and the models are here.

        Args:
            video_id: of the video; None for all, whose keyframes are others now.
            queue: leave it to the worker.
            is_cancelled: asked before each keyframe.

        Returns how many faces were found; None where nobody looked, also where that failed, which is logged.
        """
        if not self.is_on or not self.has_models:
            return None
        video_ids = None if video_id is None else [video_id]
        try:
            scan = self.find_faces(video_ids, queue=queue, is_cancelled=is_cancelled)
        except HeimdexError as error:
            log.warning("no faces were looked for in %s: %s", video_id or "the videos", error)
            return None
        for one, problem in scan.problems.items():
            log.warning("no faces were looked for in video %s: %s", one, problem["message"])
        return scan.faces

    def last_scan(self) -> FaceScan | None:
        """The last scan that the user, or a move to other models, has left to the worker; None where there is none."""
        return face_scan_jobs.last_scan(self._store, self._user_id)

    @checked
    def get_scan(self, scan_id: str) -> FaceScan:
        """The user's last scan, by its id. Raises UnknownName for any other."""
        scan = self.last_scan()
        if scan is None or scan.scan_id != scan_id:
            raise UnknownName(kind="scan", name=scan_id[:80], known=scan.scan_id if scan else "")
        return scan

    @checked
    def cancel_scan(self, scan_id: str) -> FaceScan:
        """Stop a scan; what was found stays. Nothing happens to one that is over. Raises UnknownName."""
        scan = self.get_scan(scan_id)
        if not scan.is_over:
            self._context.cancel([(scan_id, scan.job_id)], lambda: self._end_scan(scan, Cancelled()))
        return self.get_scan(scan_id)

    def scan_work(
        self, scan_id: str, *, job_id: str | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> FaceScanWork:
        """The steps of a scan, for whoever runs them one by one."""
        return FaceScanWork(self._context, scan_id, self._videos_to_scan, job_id=job_id, is_cancelled=is_cancelled)

    def _queue_scan(self, scan: FaceScan) -> FaceScan:
        last = self.last_scan()
        if last is not None and not last.is_over:
            return last
        queue = self._context.require_queue()
        face_scan_jobs.write_scan(self._store, self._user_id, scan)
        try:
            job_id = queue.enqueue_faces(scan.scan_id)
        except HeimdexError as error:
            self._end_scan(scan, error)  # nobody would ever do it
            raise
        now = self.get_scan(scan.scan_id)
        if now.job_id is None and not now.is_over:  # else its job has begun already
            face_scan_jobs.write_scan(self._store, self._user_id, replace(now, job_id=job_id))
        return self.get_scan(scan.scan_id)

    def _end_scan(self, scan: FaceScan, error: HeimdexError) -> None:
        face_scan_jobs.end_scan(self._store, self._user_id, scan.scan_id, scan.job_id, error)

    def _videos_to_scan(self) -> list[VisibleVideo]:
        self._require_on()
        return self._own_videos()
