"""How a job's end shows on the video or export that it was for.

Every function only ends what is still being worked on: a video deleted meanwhile stays deleted, and
one that came to its end stays as it is. They may run twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heimdex_core.errors import Cancelled, ExportNotFound, HeimdexError
from heimdex_core.ingest.ending import settle_video
from heimdex_core.types import ExportState

if TYPE_CHECKING:
    from heimdex_core.store.store import Store

__all__ = ["settle_export", "settle_video"]

RENDERING = (ExportState.PENDING, ExportState.PROCESSING)


def settle_export(store: Store, user_id: str, export_id: str, error: HeimdexError) -> bool:
    """Let an unfinished export fail (or be cancelled) with `error`; false if there was nothing to end."""
    try:
        if store.export(user_id, export_id).state not in RENDERING:
            return False
        state = ExportState.CANCELLED if isinstance(error, Cancelled) else ExportState.FAILED
        store.update_export(export_id, state=state, error=error.to_dict())
    except ExportNotFound:
        return False
    return True
