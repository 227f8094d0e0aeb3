"""The store: the one door to a library folder for everything that writes or lists."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from heimdex_core.errors import ExportNotFound
from heimdex_core.store import adopt as adopting
from heimdex_core.store import commit, exports, generation, preferences, reels, reindex, sets, usage, videos
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.commit import Shelf, Target
from heimdex_core.store.files import disk_errors, remove_tree, sweep, write_json
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.store.library_json import LibraryManifest, manifest_json, read_manifest
from heimdex_core.store.locks import OnWait, index_lock, log_wait
from heimdex_core.store.reader import Reader
from heimdex_core.store.set_door import SetDoor
from heimdex_core.types import (
    Export,
    Json,
    MediaInfo,
    Reel,
    ReelClip,
    Space,
    Video,
    VideoState,
    WorkContext,
    to_json,
    utc_now,
)


class _Unset:
    """Left as it is."""


UNSET = _Unset()


class Store(SetDoor):
    """An open library. Any thread may use it; every call that reads for a person takes their user_id."""

    def __init__(self, root: Path | str, manifest: LibraryManifest, *, on_wait: OnWait = log_wait) -> None:
        self.paths = LibraryPaths(root)
        self.manifest = manifest
        self.catalog = Catalog(self.paths, on_wait)
        lock = index_lock(self.paths.index_lock, on_wait)
        self.shelf = Shelf(self.paths, self.catalog, lock)
        self._reader: Reader | None = None
        self._reader_lock = threading.Lock()

    # --- opening ----------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, root: Path | str, *, profile: str, models: Json, spaces: Mapping[str, Space], on_wait: OnWait = log_wait
    ) -> Store:
        """A new library; one that another process has made meanwhile is opened. DiskFull."""
        paths = LibraryPaths(root)
        with disk_errors("the library", paths.root):
            paths.root.mkdir(parents=True, exist_ok=True)
        with index_lock(paths.index_lock, on_wait).hold():
            if not paths.manifest.exists():
                value = manifest_json(profile, models, spaces, created_at=utc_now().isoformat())
                for folder in (paths.videos, paths.indexes, paths.work_root, paths.exports, paths.logs, paths.uploads):
                    folder.mkdir(parents=True, exist_ok=True)
                write_json(paths.manifest, value)
        return cls.open(root, on_wait=on_wait)

    @classmethod
    def open(cls, root: Path | str, *, on_wait: OnWait = log_wait) -> Store:
        """Open, migrate and mend. LibraryNotFound, LibraryVersion, LibraryDamaged."""
        store = cls(root, read_manifest(LibraryPaths(root)), on_wait=on_wait)
        store.catalog.prepare()
        with store.catalog.transaction() as transaction:
            videos.ensure_user(transaction, videos.LOCAL_USER)
            sets.ensure_first(transaction, store.manifest)
            active = sets.get(transaction, sets.active_id(transaction))
        store._write_manifest(active)
        for folder in (store.paths.root, store.paths.videos, store.paths.indexes):
            sweep(folder)  # what a crash left behind long ago
        return store

    def close(self) -> None:
        """Give back what the reader holds."""
        with self._reader_lock:
            if self._reader is not None:
                self._reader.close()

    def reader(self) -> Reader:
        """The process's reader of this library."""
        with self._reader_lock:
            if self._reader is None:
                self._reader = Reader(self.paths, self.manifest.spaces, self.catalog)
            return self._reader

    # --- videos -----------------------------------------------------------------------------------

    def register_video(
        self,
        user_id: str,
        sha256: str,
        title: str,
        filename: str,
        description: str = "",
        language: str = "auto",
        notes: Sequence[str] = (),
    ) -> tuple[Video, bool]:
        """(the owner's video of these bytes, whether it was made now). A known one may be in any state."""
        with self.catalog.transaction() as transaction:
            video, created = videos.register(
                transaction,
                user_id,
                sha256,
                title=title,
                filename=filename,
                description=description,
                language=language,
                notes=notes,
            )
        if created:
            try:
                self._write_video_json(video)
            except BaseException:
                with self.catalog.transaction() as transaction:
                    videos.remove(transaction, video.video_id)
                remove_tree(self.paths.video(video.video_id))
                raise
        return video, created

    def video(self, user_id: str, video_id: str) -> Video:
        """VideoNotFound where it is not there or not this person's."""
        check_uuid(video_id)
        with self.catalog.transaction() as transaction:
            return videos.get(transaction, video_id, user_id)

    def videos(
        self, user_id: str, *, include_deleted: bool = False, limit: int | None = None, offset: int = 0
    ) -> list[Video]:
        """A person's videos, newest first."""
        with self.catalog.transaction() as transaction:
            return videos.of_user(transaction, user_id, include_deleted=include_deleted, limit=limit, offset=offset)

    def set_state(
        self,
        video_id: str,
        state: VideoState,
        *,
        error: Json | None | _Unset = UNSET,
        job_id: str | None | _Unset = UNSET,
        info: MediaInfo | None | _Unset = UNSET,
        notes: Sequence[str] | _Unset = UNSET,
        language: str | _Unset = UNSET,
    ) -> Video:
        """Change a video's state and what comes with it; the same state again is fine. InvalidTransition."""
        given = {"error": error, "job_id": job_id, "info": info, "notes": notes, "language": language}
        changes = {name: value for name, value in given.items() if not isinstance(value, _Unset)}
        with self.catalog.transaction() as transaction:
            video = videos.set_state(transaction, video_id, VideoState(state), changes)
        if "info" in changes:
            self._write_video_json(video)
        return video

    def set_job(self, video_id: str, job_id: str | None) -> Video:
        """Name the job that works on a video."""
        with self.catalog.transaction() as transaction:
            return videos.change(transaction, video_id, {"job_id": job_id})

    def delete_video(self, user_id: str, video_id: str) -> Video:
        """Hide a video from everybody; `restore_video` brings it back until it is purged."""
        check_uuid(video_id)
        with self.catalog.transaction() as transaction:
            videos.get(transaction, video_id, user_id)
            return videos.set_state(transaction, video_id, VideoState.DELETED, {})

    def restore_video(self, user_id: str, video_id: str) -> Video:
        """Undo a deletion."""
        check_uuid(video_id)
        with self.catalog.transaction() as transaction:
            return videos.restore(transaction, user_id, video_id)

    def purge_video(self, video_id: str) -> None:
        """Remove a video for good: its rows in the indexes, its folders, its record. Repeatable."""
        commit.purge(self.shelf, check_uuid(video_id))

    def abandoned(self, older_than_s: float) -> list[Video]:
        """What clean-up may purge: deleted, failed and never indexed, or half uploaded, and untouched so long."""
        with self.catalog.transaction() as transaction:
            return videos.abandoned(transaction, videos.older_than(older_than_s))

    def busy_ids(self) -> set[str]:
        """Ids of the videos and exports that are being worked on or wait for it."""
        with self.catalog.transaction() as transaction:
            return videos.busy_ids(transaction)

    def set_params(self, video_id: str, *, params: Json | None = None, language: str | None = None) -> Video:
        """Change what a video's next indexing goes by; what is indexed stays as it is until then."""
        given = {"params": params, "language": language}
        with self.catalog.transaction() as transaction:
            return videos.change(transaction, check_uuid(video_id), {k: v for k, v in given.items() if v is not None})

    def _write_video_json(self, video: Video) -> None:
        """What makes the folder complete in itself, so that another library can adopt it."""
        adopting.write_video_json(self.paths, video)

    # --- generations ------------------------------------------------------------------------------

    def next_generation(self, video_id: str) -> int:
        """The number for a new generation: above every one that there is or was."""
        with self.catalog.transaction() as transaction:
            current = videos.get(transaction, video_id).generation or 0
            made = [one.generation for one in sets.made(transaction, video_id=video_id)]
        return max([current, *made, *generation.numbers(self.paths, video_id)]) + 1

    def new_staging(self, video_id: str) -> Path:
        """An empty folder to write a generation into (see sidecar.py); hand it to `commit_generation`."""
        return generation.new_staging(self.paths, video_id)

    def commit_generation(
        self,
        video_id: str,
        staged: Path,
        *,
        n: int,
        set_id: int | None = None,
        must_be_active: bool = False,
        inputs: str | None = None,
        spaces: Mapping[str, Space] | Iterable[Space] | None = None,
        info: MediaInfo | None = None,
        transcript_source: str | None = None,
        transcript_rough: bool = False,
        notes: Sequence[str] = (),
        has_preview: bool = False,
        language: str | None = None,
    ) -> Video:
        """Make the staged generation its video's one in a set of models; repeat it after a crash.

        In the active set (also for None) everybody sees it at once; in another one nothing changes for
        anybody. `spaces` are those of the models that made the vectors. Raises SpaceMismatch, InvalidFolder,
        InvalidTransition, VideoNotFound, DiskFull; ModelsChanged where the set `must_be_active` and is not.
        """
        self.check_spaces(spaces, set_id)
        changes: Json = {
            "transcript_source": transcript_source,
            "transcript_rough": transcript_rough,
            "notes": tuple(notes),
            "has_preview": has_preview,
        }
        if info is not None:
            changes["info"] = info
        if language is not None:
            changes["language"] = language
        target = Target(set_id, must_be_active, inputs)
        video = commit.commit_generation(self.shelf, check_uuid(video_id), staged, n, changes, target)
        self._write_video_json(video)
        return video

    # --- exports ----------------------------------------------------------------------------------

    def create_export(self, export: Export) -> Export:
        with self.catalog.transaction() as transaction:
            return exports.create(transaction, export)

    def update_export(self, export_id: str, **changes: Any) -> Export:
        """Change fields of an Export by their names."""
        if changes.get("path") is not None:
            changes["path"] = self.paths.relative(Path(self.paths.root / changes["path"]))
        with self.catalog.transaction() as transaction:
            return exports.update(transaction, export_id, changes)

    def export(self, user_id: str, export_id: str) -> Export:
        """ExportNotFound where it is not there or not this person's."""
        with self.catalog.transaction() as transaction:
            return exports.get(transaction, export_id, user_id)

    def exports(self, user_id: str, limit: int | None = None) -> list[Export]:
        """A person's exports, newest first, with those whose file has gone."""
        with self.catalog.transaction() as transaction:
            return exports.of_user(transaction, user_id, limit)

    def export_path(self, export: Export) -> Path:
        """The rendered file; ExportNotFound where it has gone or is not there yet."""
        path = self.paths.inside(export.path) if export.path else None
        if path is None or not path.is_file():
            raise ExportNotFound(export_id=export.export_id)
        return path

    def expired_exports(self, now: datetime) -> list[Export]:
        """Exports past their time whose file is still kept."""
        with self.catalog.transaction() as transaction:
            return exports.expired(transaction, now)

    def purge_expired_exports(self, now: datetime) -> int:
        """Remove the files of expired exports, keep the records; how many."""
        expired = self.expired_exports(now)
        for export in expired:
            if export.path:
                self.paths.inside(export.path).unlink(missing_ok=True)
            self.update_export(export.export_id, path=None)
        return len(expired)

    # --- reels and preferences --------------------------------------------------------------------

    def save_reel(self, reel: Reel) -> Reel:
        with self.catalog.transaction() as transaction:
            return reels.save(transaction, reel)

    def reel(self, user_id: str, reel_id: str) -> Reel:
        """ReelNotFound where it is not there or not this person's."""
        with self.catalog.transaction() as transaction:
            return reels.get(transaction, user_id, reel_id)

    def reels(self, user_id: str) -> list[Reel]:
        """A person's named reels."""
        with self.catalog.transaction() as transaction:
            return reels.of_user(transaction, user_id)

    def delete_reel(self, user_id: str, reel_id: str) -> None:
        with self.catalog.transaction() as transaction:
            reels.delete(transaction, user_id, reel_id)

    def tray(self, user_id: str) -> Reel:
        """The person's tray; an empty one if there is none yet."""
        with self.catalog.transaction() as transaction:
            return reels.tray(transaction, user_id)

    def save_tray(self, user_id: str, title: str, clips: Sequence[ReelClip]) -> Reel:
        """Keep the tray as it is now."""
        return self.save_reel(Reel(reels.TRAY, user_id, title, tuple(clips), utc_now()))

    def preferences(self, user_id: str) -> dict[str, Any]:
        with self.catalog.transaction() as transaction:
            return preferences.of_user(transaction, user_id)

    def set_preference(self, user_id: str, key: str, value: Any) -> None:
        """Set a JSON value; None removes it."""
        with self.catalog.transaction() as transaction:
            preferences.put(transaction, user_id, key, value)

    # --- upkeep -----------------------------------------------------------------------------------

    def reindex(
        self,
        *,
        on_progress: Callable[[float, float], None] | None = None,
        context: WorkContext | None = None,
        index_type: str | None = None,
    ) -> reindex.ReindexReport:
        """Make all indexes again from the sidecars. Searches go on meanwhile."""
        context = context or (WorkContext(report=on_progress) if on_progress else WorkContext())
        return reindex.reindex(self.shelf, context, index_type)

    def check_indexes(self) -> list[str]:
        """What is wrong with the indexes and the sidecars of visible videos, in words; empty when all is well."""
        return reindex.check(self.shelf)

    def adopt(self, folder: Path, user_id: str) -> Video:
        """Take a complete video folder of another library into this one. InvalidFolder, SpaceMismatch."""
        return adopting.adopt(self.shelf, folder, user_id)

    def disk_usage(self) -> dict[str, int]:
        """Bytes by part of the library, "total", and "free" on its disk."""
        return usage.disk_usage(self.paths)

    def log_search(self, entry: Mapping[str, Any]) -> None:
        """Append one line to the query log, whole even when several processes write."""
        line = json.dumps(to_json(entry), ensure_ascii=False) + "\n"
        self.paths.logs.mkdir(parents=True, exist_ok=True)
        with disk_errors("the query log", self.paths.logs):
            descriptor = os.open(self.paths.searches, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)


__all__ = ["LibraryManifest", "Store"]
