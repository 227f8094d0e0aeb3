"""Ends exports whose rendering was killed together with its process, so that none is shown as being rendered for ever.

Exports of the queue are not among them: a worker takes those up again. Who renders one holds a lock, which the
operating system releases with the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

from heimdex_core.errors import HeimdexError, LibraryBusy, NestedTransaction, RenderInterrupted
from heimdex_core.export.progress import WORK_PREFIX
from heimdex_core.export.render import remove_rest
from heimdex_core.files import remove_tree
from heimdex_core.store import Store
from heimdex_core.store.layout import LibraryPaths, check_user, check_uuid
from heimdex_core.store.locks import FileLock, video_lock
from heimdex_core.types import Export, ExportState, utc_now

_BEGINS_WITHIN = timedelta(seconds=60)
"""So soon after its record is made, an export is either being rendered or has a job."""


def render_lock(paths: LibraryPaths, export_id: str) -> FileLock:
    """The lock that is held while an export is rendered."""
    name = f".export-{check_uuid(export_id, 'export_id')}.lock"
    return video_lock(paths.work_root / name, what="This export")


def batch_lock(paths: LibraryPaths, export: Export) -> FileLock:
    """The lock that is held while exports that were made together are rendered one after the other."""
    name = f".exports-{check_user(export.user_id)}-{export.created_at.timestamp():.6f}.lock"
    return FileLock(paths.work_root / name, rank=-1, what="This batch of exports", keep_file=False, is_held_long=True)


def end_interrupted(store: Store, user_id: str | None = None) -> int:
    """Mark exports as failed that nobody renders any more, and remove what is left of them; how many there were.

    Of all users if `user_id` is None.
    """
    ended = 0
    for export in store.exports.without_job(user_id):
        if export.state is ExportState.PENDING and utc_now() - export.created_at < _BEGINS_WITHIN:
            continue
        with unless_rendered(store, export) as is_free:
            if is_free and store.exports.mark_failed(export.user_id, export.export_id, RenderInterrupted()):
                remove_rest(store, export)
                ended += 1
    return ended


def end_export(store: Store, user_id: str, export_id: str, error: HeimdexError) -> bool:
    """End an unfinished export with `error`; False if it is unknown, another user's or has ended already.

    What is left of its rendering is removed, by the one who renders it if there is one.
    """
    if not store.exports.mark_failed(user_id, export_id, error):
        return False
    export = store.exports.get(user_id, export_id)
    with unless_rendered(store, export) as is_free:
        if is_free:
            remove_rest(store, export)
    return True


def remove_abandoned(store: Store) -> int:
    """Remove the work folders of exports that have ended, left by processes that were killed; how many there were."""
    count = 0
    for folder in store.paths.work_root.glob(f"{WORK_PREFIX}*"):
        export_id = folder.name.removeprefix(WORK_PREFIX)
        with suppress(LibraryBusy, NestedTransaction), render_lock(store.paths, export_id).hold(timeout_s=0.0):
            if export_id not in store.busy_ids():
                remove_tree(folder)
                count += 1
    return count


@contextmanager
def unless_rendered(store: Store, export: Export) -> Iterator[bool]:
    """Whether nobody renders an export, or its batch; then nobody begins to in the block."""
    with ExitStack() as locks:
        try:
            locks.enter_context(batch_lock(store.paths, export).hold(timeout_s=0.0))
            locks.enter_context(render_lock(store.paths, export.export_id).hold(timeout_s=0.0))
            is_free = True
        except (LibraryBusy, NestedTransaction):
            is_free = False  # it is being rendered, or this thread renders and asks meanwhile
        yield is_free
