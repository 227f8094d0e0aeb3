"""A search for faces as a job: the last one of each user, kept where every machine can see how far it is.

It lies in work/.faces/<user_id>.json, or in a row. Without it nothing is lost but the knowledge that somebody asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from heimdex_core.errors import Cancelled, HeimdexError
from heimdex_core.files import make_folder
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.face_scan import begin, look_at
from heimdex_core.store import Store
from heimdex_core.store.progress_records import FileProgress, ProgressRecord, TableProgress
from heimdex_core.types import FaceScan, Json, VisibleVideo, to_json

_PREFIX = "faces-"


def last_scan(store: Store, user_id: str) -> FaceScan | None:
    """The user's last scan; None where there is none, or it was written by another version."""
    return _scan_from(_record(store, user_id).read())


def write_scan(store: Store, user_id: str, scan: FaceScan) -> None:
    """Keep a scan in place of the user's last one. Raises DiskFull, DatabaseUnavailable."""
    if store.catalog.engine.shared is None:
        make_folder(_folder(store))
    _record(store, user_id).write(to_json(scan))


def forget_scan(store: Store, user_id: str) -> None:
    """Remove what is kept of the user's last scan."""
    _record(store, user_id).remove()


def unfinished_scans(store: Store) -> list[tuple[str, FaceScan]]:
    """(user_id, scan) of those that wait for a job."""
    shared = store.catalog.engine.shared
    if shared is None:
        user_ids = [path.stem for path in sorted(_folder(store).glob("*.json"))]
    else:
        rows = shared.rows("select name from shared.progress where starts_with(name, %s)", [_PREFIX])
        user_ids = sorted(name.removeprefix(_PREFIX) for (name,) in rows)
    found = ((user_id, last_scan(store, user_id)) for user_id in user_ids)
    return [(user_id, scan) for user_id, scan in found if scan is not None and not scan.is_over]


def end_scan(store: Store, user_id: str, scan_id: str, job_id: str | None, error: HeimdexError) -> bool:
    """Say how the job of a scan ended, where its last step never ran; False if there was nothing to end."""
    scan = last_scan(store, user_id)
    if scan is None or scan.is_over or scan.scan_id != scan_id or scan.job_id not in (None, job_id):
        return False
    write_scan(store, user_id, replace(scan, **_ended_with(error)))
    return True


def replace_scan_job(store: Store, scan_id: str, old: str | None, new: str) -> bool:
    """Name another job of an unfinished scan; False if it has ended, is gone or names another job than `old`.

    `old` None stands for any job.
    """
    for user_id, scan in unfinished_scans(store):
        if scan.scan_id == scan_id and (old is None or scan.job_id in (old, new)):
            write_scan(store, user_id, replace(scan, state="waiting", job_id=new))
            return True
    return False


class FaceScanWork:
    """The work on one scan, for whoever does it step by step: a step is a video.

    Args:
        context: of the user.
        scan_id: of the user's last scan; one that another has replaced is cancelled.
        own_videos: the user's own videos. Raises PeopleOff.
        job_id: of the job whose steps these are.
        is_cancelled: whether to stop.
    """

    def __init__(
        self,
        context: LibraryContext,
        scan_id: str,
        own_videos: Callable[[], list[VisibleVideo]],
        *,
        job_id: str | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._context = context
        self._scan_id = scan_id
        self._own_videos = own_videos
        self._job_id = job_id
        self._is_cancelled = is_cancelled or context.store.cancel_marks.asked(scan_id)

    def pending(self) -> list[str]:
        """The ids of the videos that are to be looked through. The scan is running from now on."""
        scan, found = begin(self._context, self._unfinished(), self._own_videos())
        write_scan(self._context.store, self._context.user_id, replace(scan, job_id=self._job_id))
        return [video.video_id for video in found]

    def look_at(self, video_id: str) -> None:
        """Look through a video; nothing happens if it is gone."""
        scan = self._unfinished()
        video = next((one for one in self._own_videos() if one.video_id == video_id), None)
        if video is None:
            found = replace(scan, skipped=scan.skipped + 1)
        else:
            found = look_at(self._context, scan, video, self._check)
        self._unfinished()  # cancelled meanwhile, it does not come back to life
        write_scan(self._context.store, self._context.user_id, found)

    def note_problem(self, video_id: str, error: HeimdexError) -> None:
        """Leave out a video that workers kept dying of."""
        scan = self._unfinished()
        found = replace(scan, problems={**scan.problems, video_id: error.to_dict()})
        write_scan(self._context.store, self._context.user_id, found)

    def finish(self, error: HeimdexError | None) -> None:
        """Record how the scan ended; nothing happens if that is known."""
        store, user_id = self._context.store, self._context.user_id
        if error is not None:
            end_scan(store, user_id, self._scan_id, self._job_id, error)
        elif (scan := last_scan(store, user_id)) and scan.scan_id == self._scan_id and not scan.is_over:
            write_scan(store, user_id, replace(scan, state="done"))

    def _unfinished(self) -> FaceScan:
        self._check()
        scan = last_scan(self._context.store, self._context.user_id)
        if scan is None or scan.scan_id != self._scan_id or scan.is_over:
            raise Cancelled()
        return scan

    def _check(self) -> None:
        if self._is_cancelled():
            raise Cancelled()


def _record(store: Store, user_id: str) -> ProgressRecord:
    shared = store.catalog.engine.shared
    if shared is not None:
        return TableProgress(shared, _PREFIX + user_id, is_strict=True)
    # a name with a dot: clean-up leaves those alone
    return FileProgress(_folder(store) / store.paths.preferences(user_id).name)


def _folder(store: Store) -> Path:
    return store.paths.work_root / ".faces"


def _scan_from(found: Json | None) -> FaceScan | None:
    try:
        return FaceScan(**_typed(found)) if found is not None else None
    except (TypeError, ValueError, KeyError):
        return None


def _typed(found: Mapping[str, Any]) -> dict[str, Any]:
    video_ids = found["video_ids"]
    return {
        **found,
        "created_at": datetime.fromisoformat(found["created_at"]),
        "video_ids": None if video_ids is None else tuple(video_ids),
    }


def _ended_with(error: HeimdexError) -> dict[str, Any]:
    return {"state": "cancelled" if isinstance(error, Cancelled) else "failed", "error": error.to_dict()}
