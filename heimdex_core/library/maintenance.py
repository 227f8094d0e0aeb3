"""Clean-up: what is past its time goes, and only that."""

from __future__ import annotations

import shutil
import time

from heimdex_core.export.interrupted import end_interrupted, remove_abandoned
from heimdex_core.files import sweep
from heimdex_core.library import sprites
from heimdex_core.library.storage_uploads import StorageUploads
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import WorkContext, utc_now


def clean_up(store: Store, settings: Settings, work: WorkContext) -> dict[str, int]:
    """Remove failed and abandoned videos, stale uploads and expired export files, and merge indexes; counts by kind."""
    removed = {"videos": 0, "uploads": 0, "exports": 0, "work": 0}
    for video in store.abandoned(settings.abandoned_after_s):
        store.purge_video(video.video_id)
        removed["videos"] += 1
    end_interrupted(store)
    removed["exports"] = store.exports.remove_expired_files(utc_now())
    removed["uploads"] = sweep(store.paths.uploads, settings.abandoned_after_s, "*.part*")
    if store.catalog.mirror is not None:
        in_storage = StorageUploads(store.catalog.mirror.storage)
        removed["uploads"] += in_storage.remove_abandoned(settings.abandoned_after_s)
    removed["work"] = remove_abandoned(store) + _remove_orphaned_work(store, settings)
    removed["work"] += store.maintenance.remove_left_generations()
    sprites.remove_orphaned(store)
    return {**removed, **store.maintenance.clean_storage(), "merged": store.maintenance.merge_indexes(work)}


def _remove_orphaned_work(store: Store, settings: Settings) -> int:
    """Work folders and cancel marks whose video or export is no longer being worked on."""
    count = 0
    oldest = time.time() - settings.abandoned_after_s
    busy = store.busy_ids()
    if not store.paths.work_root.exists():
        return 0
    for entry in store.paths.work_root.iterdir():
        name = entry.name.removesuffix(".cancel").removeprefix("export-").split("-set")[0]
        if entry.name.startswith(".") or name in busy or entry.stat().st_mtime > oldest:
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
            count += 1
        elif entry.suffix == ".cancel":
            entry.unlink(missing_ok=True)
            count += 1
    return count
