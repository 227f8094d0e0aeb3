"""The store: everything that writes to a library folder or lists what is in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import (
    disk_errors,
    remove_tree,
    sweep,
    write_json,
)
from heimdex_core.settings import Settings, get_settings
from heimdex_core.store import adopt as adopting
from heimdex_core.store import commit, indexing, search_log, sets, users, videos
from heimdex_core.store import repair as repairing
from heimdex_core.store.account_records import AccountRecords
from heimdex_core.store.activity import ActivityRecords
from heimdex_core.store.bulk import BulkChanges
from heimdex_core.store.cancel_marks import CancelMarks, FileCancelMarks, TableCancelMarks
from heimdex_core.store.catalog import Catalog, StoreContext
from heimdex_core.store.catalog_place import engine_of, paths_of, share_over_machines
from heimdex_core.store.commit import CommitTarget, Outcome, StagedGeneration
from heimdex_core.store.exports import ExportRecords
from heimdex_core.store.faces import FaceFiles
from heimdex_core.store.judgements import JudgementRecords
from heimdex_core.store.layout import LibraryPaths, check_uuid, upload_prefix
from heimdex_core.store.library_json import CatalogPlace, LibraryManifest, format_version, read_manifest
from heimdex_core.store.locks import index_lock
from heimdex_core.store.maintenance import Maintenance
from heimdex_core.store.model_sets import ModelSets
from heimdex_core.store.people import PeopleRecords
from heimdex_core.store.permissions import restrict
from heimdex_core.store.progress_records import ProgressRecord, progress_record, watching_record
from heimdex_core.store.published import PublishedState, read_published_state
from heimdex_core.store.reader import Reader
from heimdex_core.store.reels import ReelRecords
from heimdex_core.store.repair import RepairReport
from heimdex_core.store.request_records import RequestRecords
from heimdex_core.store.runs import RunRecords, SweepRecords
from heimdex_core.store.scene_edits import SceneEditRecords
from heimdex_core.store.search_place import search_backend
from heimdex_core.store.share_records import ShareRecords
from heimdex_core.store.sql_process import SqlLimits
from heimdex_core.store.video_records import VideoRecords
from heimdex_core.store.watched import WatchedRecords
from heimdex_core.types import (
    Json,
    MediaInfo,
    ModelSet,
    Space,
    Video,
    utc_now,
)


class Store(VideoRecords):
    """An open library. Safe to share between threads. Calls on behalf of a user take the user_id."""

    def __init__(self, root: Path | str, manifest: LibraryManifest, settings: Settings | None = None) -> None:
        """`settings` limit waiting for locks and what `sql` may use; None is the environment's."""
        self.paths = paths_of(root, manifest)
        self.manifest = manifest
        settings = settings or get_settings()
        engine = engine_of(self.paths, manifest, settings)
        self.catalog = Catalog(self.paths, engine=engine, in_library=True)
        lock = share_over_machines(self.catalog, manifest, settings)
        search = search_backend(self.paths, manifest, settings)
        self.context = StoreContext(self.paths, self.catalog, lock, search)
        self.cancel_marks: CancelMarks = FileCancelMarks(self.paths.cancel_marker)
        if engine.shared is not None:
            self.cancel_marks = TableCancelMarks(engine.shared)
        self.search_log = search_log.search_log(engine.shared, self.paths.searches)
        self.activity = ActivityRecords(self.catalog)
        self.sets = ModelSets(self.context)
        self.exports = ExportRecords(self.paths, self.catalog)
        self.reels = ReelRecords(self.catalog)
        self.bulk = BulkChanges(self.catalog)
        self.accounts = AccountRecords(self.paths, self.catalog)
        self.requests = RequestRecords(self.catalog)
        self.shares = ShareRecords(self.catalog)
        self.watched = WatchedRecords(self.catalog)
        self.judgements = JudgementRecords(self.paths, self.catalog)
        self.runs = RunRecords(self.paths, self.catalog.share)
        self.sweeps = SweepRecords(self.paths, self.catalog.share, self.catalog.refresh)
        self.scene_edits = SceneEditRecords(self.context)
        faces = FaceFiles(self.context)
        self.people = PeopleRecords(self.context, faces)
        self.maintenance = Maintenance(self.context, self.sets)
        self._reader = Reader(self.paths, self.catalog, search, SqlLimits.of(settings), on_change=faces.forget_outdated)

    # --- opening ----------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        root: Path | str,
        *,
        profile: str,
        models: Json,
        spaces: Mapping[str, Space],
        settings: Settings | None = None,
        address: str | None = None,
    ) -> Store:
        """Create a library and open it; one that exists already is only opened.

        Args:
            root: the library folder; created if it is missing.
            profile: the profile's name.
            models: the ModelChoice as JSON.
            spaces: the spaces of its models, by role.
            settings: as for `open`.
            address: s3://bucket/prefix for a library in object storage, whose working folder `root` is.

        Raises DiskFull, and what `open` raises.
        """
        paths = LibraryPaths(root)
        settings = settings or get_settings()
        with disk_errors("the library", paths.root):
            paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            restrict(paths, group_readable=settings.group_readable)
        timeout_s = settings.lock_timeout_s
        with index_lock(paths.index_lock, timeout_s=timeout_s).hold():
            if not paths.manifest.exists():
                for folder in paths.folders:
                    folder.mkdir(parents=True, exist_ok=True)
                place: CatalogPlace = "file" if settings.database_url is None else "postgres"
                search = settings.search or ("local" if address is None else "lancedb")
                version, created_at = format_version(place, address, search), utc_now().isoformat()
                manifest = LibraryManifest(version, profile, models, spaces, created_at, place, address, search)
                write_json(paths.manifest, manifest, indent=1)
        store = cls.open(root, settings)
        if store.catalog.mirror is not None:
            store.catalog.mirror.put_manifest()  # last: without it there is no library at the address
        return store

    @classmethod
    def open(cls, root: Path | str, settings: Settings | None = None) -> Store:
        """Open a library, upgrade it, and repair what a crash left.

        `settings` limit waiting for locks and what `sql` may use; None is the environment's. Raises LibraryNotFound,
        LibraryVersion for a library of newer software, LibraryDamaged, LibraryBusy, DiskFull.
        """
        settings = settings or get_settings()
        store = cls(root, read_manifest(LibraryPaths(root)), settings)
        with disk_errors("the library", store.paths.root):
            restrict(store.paths, group_readable=settings.group_readable)
            for folder in store.paths.folders:
                if os.path.lexists(folder) and not folder.is_dir():
                    raise LibraryDamaged(what=f"The folder {folder.name}", reason="it is a file")
                folder.mkdir(exist_ok=True)  # one that was removed by hand
        store.catalog.prepare()
        with store.catalog.transaction() as transaction:
            users.ensure_user(transaction, users.LOCAL_USER)
            sets.ensure_first(transaction, store.manifest)
            active = sets.get(transaction, sets.active_id(transaction))
        store._write_manifest(active)
        paths = store.paths
        published = (paths.preferences_root, paths.trays_root, paths.people_root)
        for folder in (paths.root, paths.videos, paths.indexes, *published):
            sweep(folder)  # unfinished files that a crash left
        return store

    @classmethod
    def repair(cls, root: Path | str) -> RepairReport:
        """Rebuild the catalog of a library if it is missing or damaged, and bring the indexes to it; see repair.py.

        Raises LibraryNotFound, LibraryVersion, LibraryDamaged, LibraryBusy, DiskFull.
        """
        report = repairing.repair(root)
        context = cls.open(root).context
        with context.index_lock.hold():
            report.problems += indexing.sync(context)
        return report

    def close(self) -> None:
        """Release what the reader keeps in memory. The store can be used again."""
        self._reader.close()

    def reader(self) -> Reader:
        """The reader of this library, one for each store."""
        return self._reader

    # --- model sets ---

    def switch_set(self, set_id: int) -> ModelSet:
        """Make a set the active one for everybody, at once.

        Raises UnknownName, MoveIncomplete while videos are pending.
        """
        active = self.sets.switch(set_id)
        self._write_manifest(active)
        return active

    def _write_manifest(self, active: ModelSet) -> None:
        """Keep library.json equal to the catalog; after a switch a crash may have left the old content."""
        now = self.manifest
        wanted = replace(now, profile=active.profile, choice=active.choice, spaces=active.spaces)
        if now != wanted:
            write_json(self.paths.manifest, wanted, indent=1)
            self.manifest = wanted
            if self.catalog.mirror is not None:
                self.catalog.mirror.put_manifest()

    # --- generations ------------------------------------------------------------------------------

    def next_generation(self, video_id: str) -> int:
        """The number for a new generation: above all that exist or are recorded. Raises VideoNotFound."""
        with self.catalog.transaction() as transaction:
            current = videos.get(transaction, video_id).generation or 0
            recorded = [row.generation for row in sets.generations(transaction, video_id=video_id)]
        return max([current, *recorded, *self.paths.generation_numbers(video_id)]) + 1

    def new_staging(self, video_id: str) -> Path:
        """An empty folder to write a generation into (see sidecar.py), for `commit_generation`. Raises DiskFull."""
        return commit.new_staging(self.paths, video_id)

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
        stage_times: Mapping[str, float] | None = None,
    ) -> Video:
        """Publish a staged generation as the video's generation in a model set; may be repeated after a crash.

        In the active set it becomes visible at once; in another set nothing that users see changes.

        Args:
            video_id: the video.
            staged: a folder from `new_staging`, filled by sidecar.py.
            n: a number from `next_generation`.
            target: the model set; None is the active one.
            spaces: the spaces of the models that made the vectors.
            info, transcript_source, transcript_rough, notes, has_preview, language: fields of Video that change with
                the generation; None leaves info and language as they are.
            stage_times: seconds of work by stage, for the page of activity.

        Raises SpaceMismatch, InvalidFolder, InvalidValue, InvalidTransition, VideoNotFound, DiskFull; ModelsChanged if
        the set must be active and is not.
        """
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
        given = StagedGeneration(
            video_id, staged, n, changes, target or CommitTarget(), tuple(spaces), stage_times or {}
        )
        return commit.only_one(self.commit_generations([given]))

    def commit_generations(self, batch: Sequence[StagedGeneration]) -> list[Outcome]:
        """Publish staged generations together, at the price of one; see commit.commit_generations.

        Returns for each its video, or the error that `commit_generation` would have raised.
        """
        for given in batch:
            check_uuid(given.video_id)
        return commit.commit_generations(self.context, batch)

    def adopt(self, folder: Path, user_id: str, **limits: int) -> Video:
        """Copy a complete video folder of another library into this one; see adopt.adopt_all, also for `limits`.

        Raises InvalidFolder, SpaceMismatch, FileTooLarge, DiskFull.
        """
        return commit.only_one(self.adopt_all([folder], user_id, **limits))

    def adopt_all(self, folders: Iterable[Path], user_id: str, **limits: int) -> list[Outcome]:
        """Copy complete video folders, in batches; returns for each its video, or what `adopt` would have raised."""
        return adopting.adopt_all(self.context, folders, user_id, **limits)

    def progress(self, path: Path) -> ProgressRecord:
        """Where the work in a folder stands; `path` is its file in a library that keeps such things in files."""
        return progress_record(self.catalog.engine.shared, path)

    def watching_progress(self, folder_id: str) -> ProgressRecord:
        """Where looking at a watched folder stands."""
        return watching_record(self.catalog.engine.shared, self.paths.work_root, folder_id)

    def log_search(self, entry: Mapping[str, Any]) -> None:
        """Append a line to the query log, unless its user was deleted meanwhile. Raises DiskFull."""
        if entry.get("user_id") not in self.accounts.published().deleted:
            self.search_log.append(entry)

    def remove_files(self, user_id: str) -> None:
        """Remove a user's published files, vectors of photos, runs, exports, uploads and lines of the query log."""
        paths = self.paths
        for path in (paths.preferences(user_id), paths.tray(user_id), paths.people(user_id)):
            path.unlink(missing_ok=True)
        for folder in (
            paths.people_root / user_id,
            paths.cache / "pictures" / user_id,
            paths.runs(user_id).parent,
            paths.export(user_id, str(uuid.uuid4())).parent,
        ):
            remove_tree(folder)
        for part in paths.uploads.glob(f"{upload_prefix(user_id)}-*"):
            part.unlink(missing_ok=True)
        published = (f"{name}/{user_id}.json" for name in ("preferences", "trays", "people"))
        self.catalog.share(*published, f"evaluation/{user_id}/", f"people/{user_id}/")
        self.search_log.remove(user_id)

    def searches(self, user_id: str, *, limit: int = 200) -> list[dict[str, Any]]:
        """A user's last searches, newest first; search_log.py has the fields."""
        return self.search_log.last(user_id, limit)

    # --- what open pages look at ---

    def published_state(self, user_id: str) -> PublishedState:
        """What is published for a user now, and soon what other machines have published. Never waits for a writer."""
        if self.catalog.mirror is not None:
            self.catalog.mirror.pull()
        return read_published_state(self.paths, user_id)

    # --- preferences ---

    def preferences(self, user_id: str) -> dict[str, Any]:
        """A user's preferences by key. Read from the published file, so it never waits for a writer."""
        return users.read_preferences(self.paths, user_id)

    def change_preference(self, user_id: str, key: str, change: Callable[[Any], Any]) -> None:
        """Set one preference to what `change` makes of its value (None: it is not set), in one transaction.

        Raises what `change` raises, InvalidValue for a value that is not JSON, DiskFull.
        """
        with self.catalog.transaction() as transaction:
            value = users.preferences(transaction, user_id).get(key)
            users.set_preference(transaction, user_id, key, change(value))

    def set_preference(self, user_id: str, key: str, value: Any) -> None:
        """Set one preference; None removes it. Raises InvalidValue for a value that is not JSON, DiskFull."""
        with self.catalog.transaction() as transaction:
            users.set_preference(transaction, user_id, key, value)
