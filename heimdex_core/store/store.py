"""The store: everything that writes to a library folder or lists what is in it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heimdex_core.errors import HeimdexError, VideoNotFound
from heimdex_core.files import disk_errors, free_bytes, remove_tree, sweep, tree_bytes, write_json
from heimdex_core.store import adopt as adopting
from heimdex_core.store import commit, generation, indexing, sets, users, videos
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.commit import CommitTarget
from heimdex_core.store.context import StoreContext
from heimdex_core.store.exports import ExportRecords
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.store.library_json import LibraryManifest, manifest_json, read_manifest
from heimdex_core.store.locks import OnWait, index_lock, log_wait
from heimdex_core.store.model_sets import ModelSets
from heimdex_core.store.reader import Reader
from heimdex_core.store.reels import ReelRecords
from heimdex_core.types import (
    Json,
    MediaInfo,
    ModelSet,
    Space,
    Video,
    VideoState,
    WorkContext,
    to_json,
    utc_now,
)

UNFINISHED_VIDEO = (VideoState.UPLOADING, VideoState.VALIDATING, VideoState.PROCESSING)


class Store:
    """An open library. Any thread may use it; every call that reads for a person takes their user_id."""

    def __init__(self, root: Path | str, manifest: LibraryManifest, *, on_wait: OnWait = log_wait) -> None:
        self.paths = LibraryPaths(root)
        self.manifest = manifest
        self.catalog = Catalog(self.paths, on_wait)
        lock = index_lock(self.paths.index_lock, on_wait)
        self.context = StoreContext(self.paths, self.catalog, lock)
        self.sets = ModelSets(self.context)
        self.exports = ExportRecords(self.paths, self.catalog)
        self.reels = ReelRecords(self.catalog)
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
                for folder in paths.folders:
                    folder.mkdir(parents=True, exist_ok=True)
                write_json(paths.manifest, value, indent=1)
        return cls.open(root, on_wait=on_wait)

    @classmethod
    def open(cls, root: Path | str, *, on_wait: OnWait = log_wait) -> Store:
        """Open, migrate and mend. LibraryNotFound, LibraryVersion, LibraryDamaged."""
        store = cls(root, read_manifest(LibraryPaths(root)), on_wait=on_wait)
        store.catalog.prepare()
        with store.catalog.transaction() as transaction:
            users.ensure_user(transaction, users.LOCAL_USER)
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

    def set_state(self, video_id: str, state: VideoState, **changes: Any) -> Video:
        """Change a video's state, and with it fields of Video by name (error, job_id, info, notes, language).

        Setting the same state again is fine. Raises InvalidTransition.
        """
        with self.catalog.transaction() as transaction:
            video = videos.set_state(transaction, video_id, VideoState(state), changes)
        if "info" in changes:
            self._write_video_json(video)
        return video

    def mark_video_failed(self, user_id: str, video_id: str, error: HeimdexError) -> bool:
        """End unfinished work on a video with `error`; False if there was nothing to end.

        A video that was never indexed becomes failed. One that is indexed stays so and only keeps the error of the
        attempt to index it again. A video that is deleted or finished stays as it is.
        """
        changes = {"error": error.to_dict()}
        try:
            # One transaction: a video deleted between looking and writing would come back.
            with self.catalog.transaction() as transaction:
                video = videos.get(transaction, video_id, user_id)
                if video.state not in UNFINISHED_VIDEO:
                    return False
                if video.generation is None:
                    videos.set_state(transaction, video_id, VideoState.FAILED, changes)
                    return True
                if video.state == VideoState.UPLOADING:
                    videos.set_state(transaction, video_id, VideoState.VALIDATING, {})
                videos.set_state(transaction, video_id, VideoState.PROCESSING, {})
                videos.set_state(transaction, video_id, VideoState.INDEXED, changes)
        except VideoNotFound:
            return False
        return True

    def unfinished_videos(self, unchanged_for_s: float) -> list[tuple[str, str]]:
        """(user_id, video_id) of videos whose state says that they are worked on, unchanged for so many seconds."""
        with self.catalog.transaction() as transaction:
            return videos.unfinished(transaction, videos.older_than(unchanged_for_s))

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
        commit.purge(self.context, check_uuid(video_id))

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

    # --- model sets ---

    def switch_set(self, set_id: int) -> ModelSet:
        """Make a set the active one for everybody, at once. Raises MoveIncomplete while videos are pending."""
        active = self.sets.switch(set_id)
        self._write_manifest(active)
        with self.catalog.transaction() as transaction:
            indexed = videos.with_generation(transaction)
        for video in indexed:
            adopting.write_video_json(self.paths, video)
        return active

    def _write_manifest(self, active: ModelSet) -> None:
        """library.json follows the catalog; a crash after a switch may have left it behind."""
        now = self.manifest
        if (now.profile, now.choice, dict(now.spaces)) != (active.profile, active.choice, dict(active.spaces)):
            value = manifest_json(active.profile, active.choice, active.spaces, created_at=now.created_at)
            write_json(self.paths.manifest, value, indent=1)
            self.manifest = read_manifest(self.paths)

    # --- generations ------------------------------------------------------------------------------

    def next_generation(self, video_id: str) -> int:
        """The number for a new generation: above every one that there is or was."""
        with self.catalog.transaction() as transaction:
            current = videos.get(transaction, video_id).generation or 0
            made = [one.generation for one in sets.generations(transaction, video_id=video_id)]
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
        target: CommitTarget | None = None,
        spaces: Iterable[Space] = (),
        info: MediaInfo | None = None,
        transcript_source: str | None = None,
        transcript_rough: bool = False,
        notes: Sequence[str] = (),
        has_preview: bool = False,
        language: str | None = None,
    ) -> Video:
        """Make the staged generation its video's one in a model set; may be repeated after a crash.

        In the active set everybody sees it at once; in another one nothing changes for anybody.

        Args:
            staged: a folder from `new_staging`, filled by sidecar.py.
            n: a number from `next_generation`.
            target: the model set (None: the active one).
            spaces: those of the models that made the vectors.

        Raises SpaceMismatch, InvalidFolder, InvalidTransition, VideoNotFound, DiskFull; ModelsChanged where the set
        must be active and is not.
        """
        target = target or CommitTarget()
        self.sets.check_spaces(spaces, target.set_id)
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
        video = commit.commit_generation(self.context, check_uuid(video_id), staged, n, changes, target)
        self._write_video_json(video)
        return video

    # --- preferences ---

    def preferences(self, user_id: str) -> dict[str, Any]:
        """A person's preferences by key. Read from a file, so it never waits for a writer."""
        return users.read_preferences(self.paths, user_id)

    def set_preference(self, user_id: str, key: str, value: Any) -> None:
        """Set a JSON value; None removes it."""
        with self.catalog.transaction() as transaction:
            users.set_preference(transaction, user_id, key, value)

    # --- maintenance -----------------------------------------------------------------------------------

    def rebuild_indexes(self, work: WorkContext | None = None, index_type: str | None = None) -> indexing.RebuildReport:
        """Make all indexes again from the sidecars. Searches go on meanwhile. Progress is counted in indexes."""
        return indexing.rebuild(self.context, work or WorkContext(), index_type)

    def check_indexes(self) -> list[str]:
        """What is wrong with the indexes and the sidecars of visible videos, as messages; empty when all is well."""
        return indexing.check(self.context)

    def adopt(self, folder: Path, user_id: str) -> Video:
        """Take a complete video folder of another library into this one. InvalidFolder, SpaceMismatch."""
        return adopting.adopt(self.context, folder, user_id)

    def disk_usage(self) -> dict[str, int]:
        """Bytes: videos (with all that was derived), index, exports, work, other, total, and free on the disk."""
        paths = self.paths
        parts = {
            "videos": tree_bytes(paths.videos),
            "index": tree_bytes(paths.indexes),
            "exports": tree_bytes(paths.exports),
            "work": tree_bytes(paths.work_root) + tree_bytes(paths.uploads),
        }
        total = tree_bytes(paths.root)
        return {**parts, "other": max(0, total - sum(parts.values())), "total": total, "free": free_bytes(paths.root)}

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
