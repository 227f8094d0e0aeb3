"""Ends exports whose rendering was killed together with its process, so that none is shown as being rendered for ever.

Exports of the queue are not among them: a worker takes those up again. Who renders one holds a lock, which the
operating system releases with the process.
"""

from __future__ import annotations

from datetime import timedelta

from heimdex_core.errors import LibraryBusy, NestedTransaction, RenderInterrupted
from heimdex_core.export.progress import work_folder
from heimdex_core.files import remove_tree
from heimdex_core.store import Store
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.store.locks import FileLock, video_lock
from heimdex_core.types import ExportState, utc_now

_BEGINS_WITHIN = timedelta(seconds=60)
"""So soon after its record is made, an export is either being rendered or has a job."""


def render_lock(paths: LibraryPaths, export_id: str) -> FileLock:
    """The lock that is held while an export is rendered."""
    name = f".export-{check_uuid(export_id, 'export_id')}.lock"
    return video_lock(paths.work_root / name, what="This export")


def end_interrupted(store: Store, user_id: str | None = None) -> int:
    """Mark exports as failed that nobody renders any more, and remove what is left of them; how many there were.

    Of all users if `user_id` is None.
    """
    ended = 0
    for export in store.exports.without_job(user_id):
        if export.state is ExportState.PENDING and utc_now() - export.created_at < _BEGINS_WITHIN:
            continue
        try:
            with render_lock(store.paths, export.export_id).hold(timeout_s=0.0):
                if store.exports.mark_failed(export.user_id, export.export_id, RenderInterrupted()):
                    remove_tree(work_folder(store.paths, export.export_id))
                    store.paths.export(export.user_id, export.export_id).unlink(missing_ok=True)
                    ended += 1
        except (LibraryBusy, NestedTransaction):
            continue  # it is being rendered, or this thread renders another one and asks meanwhile
    return ended
