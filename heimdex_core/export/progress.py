"""Progress of a render: a small file in its work folder, which any process can read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from heimdex_core.store import Store
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.types import Export, StageProgress, WorkContext, to_json, utc_now

WORK_PREFIX = "export-"
"""Before the export_id in the name of a work folder."""
STAGE_RENDER, STAGE_CHECK = "render", "check"
"""Stages of an export: its frames are encoded, and the written file is completed, measured and checked."""
_FILE = "progress.json"
_INTERVAL_S = 0.25
_ETA_AFTER_S = 1.0


def work_folder(paths: LibraryPaths, export_id: str) -> Path:
    """The folder that an export is rendered in; it is removed when the render ends."""
    return paths.work_root / f"{WORK_PREFIX}{check_uuid(export_id, 'export_id')}"


def read_export_progress(store: Store, export_id: str) -> StageProgress | None:
    """The last reported progress; None while the export is not being rendered."""
    found = store.progress(work_folder(store.paths, export_id) / _FILE).read()
    try:
        return StageProgress(**found) if found else None
    except TypeError:  # written by another version
        return None


def forget_export_progress(store: Store, export_id: str) -> None:
    """Drop the progress of an export that nobody renders any more."""
    store.progress(work_folder(store.paths, export_id) / _FILE).remove()


def export_context(
    store: Store,
    export: Export,
    on_progress: Callable[[StageProgress], None] | None,
    is_cancelled: Callable[[], bool],
) -> WorkContext:
    """A context that writes the render's progress, in seconds of the reel, at most four times a second.

    Args:
        store: of the library.
        export: the export that is rendered.
        on_progress: also called with each progress that is written.
        is_cancelled: called during the render; True stops it.
    """
    folder = work_folder(store.paths, export.export_id)
    record = store.progress(folder / _FILE)
    started = time.monotonic()
    last_write = -1.0

    def report(done: float, total: float) -> None:
        nonlocal last_write
        now = time.monotonic()
        if now - last_write < _INTERVAL_S and done < total:
            return
        last_write = now
        progress = _progress(done, total, now - started)
        if folder.is_dir():
            record.write(to_json(progress))
        if on_progress is not None:
            on_progress(progress)

    return WorkContext(report=report, is_cancelled=is_cancelled)


def _progress(done: float, total: float, elapsed_s: float) -> StageProgress:
    share = min(done / total, 1.0) if total > 0 else 0.0
    known = 0 < share < 1 and elapsed_s >= _ETA_AFTER_S
    return StageProgress(
        stage=STAGE_RENDER if share < 1 else STAGE_CHECK,
        stage_number=1,
        stage_count=1,
        done=done,
        total=total,
        eta_s=round(elapsed_s * (1 - share) / share, 1) if known else None,
        updated_at=utc_now().isoformat(),
        overall=share,
    )
