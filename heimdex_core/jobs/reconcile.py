"""Ends what its job can no longer end by itself, and takes over what a dead worker left.

A workflow that DBOS gave up (too many recoveries), that somebody cancelled in DBOS, or that broke
outside a step, never reaches its last step; without this its video would show as processing for ever.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import HeimdexError
from heimdex_core.jobs.client import describe, enqueue_ingest
from heimdex_core.jobs.old_versions import queue_old_jobs_anew
from heimdex_core.jobs.outcome import settle_export, settle_video
from heimdex_core.jobs.place import Place, dead_places
from heimdex_core.moves import settle_move
from heimdex_core.store.catalog import to_us
from heimdex_core.types import VideoState, utc_now

if TYPE_CHECKING:
    from dbos import DBOSClient

    from heimdex_core.store.store import Store

logger = logging.getLogger(__name__)

_GIVEN_UP = ["CANCELLED", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_LOOK_BACK = 200

STRANDED_AFTER_S = 600.0
"""No stage is silent for so long: they report several times a second, and loading models takes seconds."""

KEEP_DAYS = 30
"""How long an ended job can be asked after."""


def settle_lost_jobs(client: DBOSClient, store: Store) -> int:
    """Give videos and exports of given-up jobs their final state; how many there were."""
    settled = 0
    workflows = client.list_workflows(
        status=_GIVEN_UP, name=["ingest", "export", "move"], sort_desc=True, limit=_LOOK_BACK, load_output=False
    )
    for workflow in workflows:
        job = describe(workflow)
        if job.kind == "move":
            settled += settle_move(store.paths, job.job_id, HeimdexError.from_dict(job.error or {}))
            continue
        args = list((workflow.input or {}).get("args") or ()) if isinstance(workflow.input, dict) else []
        if job.subject is None or job.error is None or _has_another(client, job.job_id, job.kind, job.subject):
            continue
        settle = settle_export if job.kind == "export" else settle_video
        # args: the owner, then the video or export
        if settle(store, str(args[0]), job.subject, HeimdexError.from_dict(job.error)):
            logger.warning("the job %s was given up: %s", job.job_id, job.error["message"])
            settled += 1
    return settled


def queue_stranded_videos(client: DBOSClient, store: Store, *, silent_s: float = STRANDED_AFTER_S) -> int:
    """Queue videos that nobody works on though their state says so; how many.

    The app may be killed between registering an upload and queueing it, an `add` in the middle of its
    stages. One whose progress was written lately is worked on by a process without a queue.
    """
    queued = 0
    for row in _unfinished(store, older_than=utc_now() - timedelta(seconds=silent_s)):
        user_id, video_id = str(row["user_id"]), str(row["video_id"])
        progress = store.paths.work(video_id) / "progress.json"
        is_busy = progress.exists() and time.time() - progress.stat().st_mtime < silent_s
        if is_busy or store.paths.source(video_id, missing_ok=True) is None:
            continue
        if _has_another(client, "", "ingest", video_id):
            continue
        store.set_job(video_id, enqueue_ingest(client, user_id, video_id))
        logger.warning("the video %s had no job and was queued again", video_id)
        queued += 1
    return queued


def _unfinished(store: Store, *, older_than: datetime) -> list[dict[str, Any]]:
    with store.catalog.transaction() as transaction:
        return transaction.rows(
            "select user_id, video_id from videos where state in (?, ?) and updated_us < ? order by created_us",
            [str(VideoState.VALIDATING), str(VideoState.PROCESSING), to_us(older_than)],
        )


def _has_another(client: DBOSClient, job_id: str, kind: str, subject: str) -> bool:
    """Whether a later job of the same subject is under way: then its state is that one's to set."""
    active = client.list_workflows(
        status=["ENQUEUED", "PENDING", "DELAYED"],
        workflow_id_prefix=f"{kind}-{subject}-",
        has_parent=False,
        load_input=False,
        load_output=False,
    )
    return any(other.workflow_id != job_id for other in active)


def forget_old_jobs(client: DBOSClient, place: Place) -> int:
    """Remove what is kept of jobs that ended long ago; how many jobs that were."""
    before = datetime.now(UTC) - timedelta(days=KEEP_DAYS)
    old = client.list_workflows(
        status=[*_GIVEN_UP, "SUCCESS"],
        completed_before=before.isoformat(),
        has_parent=False,
        limit=_LOOK_BACK,
        load_input=False,
        load_output=False,
    )
    if old:
        client.delete_workflows([workflow.workflow_id for workflow in old], delete_children=True)
    for name in ("cancelled", "running"):
        for mark in (place.folder / name).glob("*"):
            if mark.stat().st_mtime < before.timestamp():
                mark.unlink(missing_ok=True)
    return len(old)


def take_over(client: DBOSClient, store: Store, place: Place) -> int:
    """Queue again what dead workers of other places of this library left; how many workflows that were."""
    from dbos import DBOS

    with dead_places(place.folder, place) as executor_ids:
        if not executor_ids:
            return 0
        # DBOS has no public name for this; it is what it does itself on launch for its own id.
        handles = DBOS._recover_pending_workflows(executor_ids)
        older = queue_old_jobs_anew(client, store, executor_ids)
    if handles:
        logger.warning("took over %d workflows of %s", len(handles), ", ".join(executor_ids))
    return len(handles) + older
