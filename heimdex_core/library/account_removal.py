"""Giving a user their data in a folder, and removing a user with all that is theirs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from heimdex_core.errors import InvalidValue
from heimdex_core.files import disk_errors, write_json
from heimdex_core.library.bulk import BulkOperations
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.exports import Exports
from heimdex_core.library.face_scan_jobs import forget_scan, last_scan
from heimdex_core.library.storage_uploads import StorageUploads
from heimdex_core.library.sweeps import unfinished as unfinished_sweeps
from heimdex_core.store import Store
from heimdex_core.store.exports import UNFINISHED as UNFINISHED_EXPORT
from heimdex_core.store.layout import source_files
from heimdex_core.store.video_records import UNFINISHED_VIDEO
from heimdex_core.types import Json, Video, to_json


def export_data(store: Store, user_id: str, folder: Path) -> Json:
    """Copy what is a user's into a new or empty folder; {"videos", "exports", "records", "searches"}: how many.

        records/<table>.json       the rows of the catalog: users, videos, reels, judgements, preferences, shares ...
        searches.json              the query log
        videos/<video_id>/         the file, its subtitles, video.json, edits.json; scenes.json and transcript.json
        exports/<export_id>.mp4
        evaluation/                runs and sweeps

    Raises InvalidValue for a folder that has something in it, DiskFull.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidValue(name="folder", value=str(folder)[:200], reason="a new or empty folder is needed")
    counts = {"videos": 0, "exports": 0, "records": 0, "searches": 0}
    with disk_errors("the exported data", folder.parent):
        for name in ("records", "videos", "exports"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for table, rows in store.accounts.rows(user_id).items():
            write_json(folder / "records" / f"{table}.json", to_json(rows), indent=1)
            counts["records"] += len(rows)
        searches = store.search_log.all(user_id)
        write_json(folder / "searches.json", searches, indent=1)
        counts["searches"] = len(searches)
        for video in store.videos(user_id, include_deleted=True):
            _export_video(store, video, folder / "videos" / video.video_id)
            counts["videos"] += 1
        for export in store.exports.of_user(user_id):
            if export.path is not None and (file := store.paths.fetched(store.paths.inside(export.path))) is not None:
                shutil.copy2(file, folder / "exports" / file.name)
                counts["exports"] += 1
        if (runs := store.paths.runs(user_id).parent).is_dir():
            shutil.copytree(runs, folder / "evaluation")
    return counts


def _export_video(store: Store, video: Video, folder: Path) -> None:
    folder.mkdir()
    place = store.paths.video(video.video_id)
    store.paths.source(video.video_id, missing_ok=True)  # fetched, where the library is in object storage
    subtitles = store.paths.subtitles(video.video_id)
    for file in (*source_files(place), *([subtitles] if subtitles else []), place / "video.json", place / "edits.json"):
        if file.is_file():
            shutil.copy2(file, folder / file.name)
    view = store.reader().view()
    if video.video_id in view.snapshot.loaded:
        write_json(folder / "scenes.json", to_json(view.scenes(video.user_id, video.video_id)), indent=1)
        write_json(folder / "transcript.json", to_json(view.words(video.user_id, video.video_id)), indent=1)


def remove_user(context: LibraryContext, user: str) -> str:
    """Remove a user (id or e-mail) and all that is theirs; the user_id. May be repeated after a crash.

    The first transaction is the one that counts: after it nobody is the user, what they have shared is not shared any
    more, and nothing of theirs can be added, so that work in progress ends without leaving anything. The last one notes
    that it is done; until then a clean-up goes on with it. Raises UserNotFound.
    """
    store = context.store
    user_id = store.accounts.delete(user)
    _cancel_work(replace(context, user_id=user_id))
    store.purge_video(*(video.video_id for video in store.videos(user_id, include_deleted=True)))
    for export in store.exports.of_user(user_id):
        store.exports.remove_file(user_id, export.export_id, export.created_at)
    store.people.remove_user(user_id)
    forget_scan(store, user_id)
    for folder in store.watched.folders(user_id):
        store.watched.remove(folder.folder_id)
        store.watching_progress(folder.folder_id).remove()
    store.accounts.remove_rows(user_id)
    if store.catalog.mirror is not None:
        uploads = StorageUploads(store.catalog.mirror.storage)
        for upload in uploads.of_user(user_id):
            uploads.discard(upload)
    store.remove_files(user_id)
    store.accounts.finish_removal(user_id)
    return user_id


def _cancel_work(context: LibraryContext) -> None:
    store, user_id = context.store, context.user_id
    videos = [one.video_id for one in store.videos(user_id) if one.state in UNFINISHED_VIDEO]
    if videos:
        BulkOperations(context).cancel(videos)
    exports = Exports(context)
    for export in store.exports.of_user(user_id):
        if export.state in UNFINISHED_EXPORT:
            exports.cancel(export.export_id)
    jobs: list[tuple[str, str | None]] = [
        (sweep_id, job_id) for owner, sweep_id, job_id in unfinished_sweeps(store) if owner == user_id
    ]
    scan = last_scan(store, user_id)
    if scan is not None and not scan.is_over:
        jobs.append((scan.scan_id, scan.job_id))
    context.cancel(jobs, lambda: None)
