"""Ends what its job can no longer end by itself, and takes over what a dead worker left.

A workflow that DBOS gave up (too many recoveries), that somebody cancelled in DBOS, or that broke
outside a step, never reaches its last step; without this its video would show as processing for ever.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from heimdex_core.errors import HeimdexError
from heimdex_core.jobs.client import describe
from heimdex_core.jobs.outcome import settle_export, settle_video
from heimdex_core.jobs.place import Place, dead_places

if TYPE_CHECKING:
    from dbos import DBOSClient

    from heimdex_core.store.store import Store

logger = logging.getLogger(__name__)

_GIVEN_UP = ["CANCELLED", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_LOOK_BACK = 200


def settle_lost_jobs(client: DBOSClient, store: Store) -> int:
    """Give videos and exports of given-up jobs their final state; how many there were."""
    settled = 0
    workflows = client.list_workflows(
        status=_GIVEN_UP, name=["ingest", "export"], sort_desc=True, limit=_LOOK_BACK, load_output=False
    )
    for workflow in workflows:
        job = describe(workflow)
        args = list((workflow.input or {}).get("args") or ()) if isinstance(workflow.input, dict) else []
        if job.subject is None or job.error is None or _has_another(client, job.job_id, job.kind, job.subject):
            continue
        settle = settle_export if job.kind == "export" else settle_video
        if settle(store, str(args[0]), job.subject, HeimdexError.from_dict(job.error)):
            logger.warning("the job %s was given up: %s", job.job_id, job.error["message"])
            settled += 1
    return settled


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


def take_over(place: Place) -> int:
    """Queue again what dead workers of other places of this library left; how many workflows that were."""
    from dbos import DBOS

    with dead_places(place.folder, place) as executor_ids:
        if not executor_ids:
            return 0
        # DBOS has no public name for this; it is what it does itself on launch for its own id.
        handles = DBOS._recover_pending_workflows(executor_ids)
    if handles:
        logger.warning("took over %d workflows of %s", len(handles), ", ".join(executor_ids))
    return len(handles)
