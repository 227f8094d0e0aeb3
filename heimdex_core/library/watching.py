"""The list of watched folders: adding, removing and reporting them. folder_watch.py looks at one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from heimdex_core.errors import FolderNotWatchable, FolderNotWatched, printable
from heimdex_core.library import importing
from heimdex_core.library.accounts import require_admin_of_shared
from heimdex_core.library.arguments import AnyPath, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.folder_scan import FoundFile, is_library, mount_point
from heimdex_core.library.folder_watch import FolderWatch
from heimdex_core.library.work import LibraryWork
from heimdex_core.store.progress_records import ProgressRecord
from heimdex_core.types import FolderReport, VideoState, WaitingFile, WatchedFolder, WatchOutcome, WatchStatus

REFUSED_SHOWN = 20
"""How many refused files of a folder a report lists."""


class WatchedFolders:
    """The watched folders of one person. Safe to share between threads."""

    def __init__(self, context: LibraryContext, work: LibraryWork) -> None:
        self._context = context
        self._work = work
        self._records = context.store.watched
        self._all: tuple[object, Sequence[WatchedFolder]] = (None, ())

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders of HEIMDEX_WATCH_ROOTS: those below which the app may watch folders."""
        given = self._context.settings.watch_roots or ""
        return tuple(Path(part).expanduser().resolve() for part in given.split(os.pathsep) if part.strip())

    @checked
    def add(self, path: AnyPath, *, below: Sequence[Path] | None = None) -> WatchedFolder:
        """Have the videos in a folder and its subfolders added to the library, now and as they arrive.

        Args:
            path: the folder. One that is watched already is returned.
            below: the only folders in which it may lie, or which it may be; None allows every folder.

        Raises FolderNotWatchable. In a shared library for admins, as the server reads the folder; raises NotAllowed.
        """
        require_admin_of_shared(self._context)
        folder = self._checked(Path(path).expanduser(), below)
        return self._records.add(self._context.user_id, str(folder), mount_point(folder))

    def list(self) -> list[FolderReport]:
        """The person's watched folders and what became of their files, in the order in which they were added."""
        return [self._report(folder) for folder in self._records.folders(self._context.user_id)]

    @checked
    def stop(self, folder: AnyPath) -> WatchedFolder:
        """Stop watching a folder, given by its path or folder_id. Its videos stay. Raises FolderNotWatched."""
        found = self._find(folder)
        self._records.remove(found.folder_id)
        self._status(found.folder_id).remove()
        return found

    @checked
    def retry(self, folder: AnyPath) -> int:
        """Have the refused files of a folder tried again; how many there are. Raises FolderNotWatched."""
        return self._records.forget_refused(self._find(folder).folder_id)

    # --- for the worker ---------------------------------------------------------------------------

    def of_all_users(self) -> Sequence[WatchedFolder]:
        """Every watched folder of the library. The catalog is opened only if it has changed since the last call."""
        signature = self._context.store.catalog.engine.signature()
        if signature != self._all[0]:
            self._all = (signature, self._records.folders())
        return self._all[1]

    def watch(self, folder: WatchedFolder) -> FolderWatch:
        """What looks at one of this person's folders."""
        return FolderWatch(self._context, folder, self._take, self._status(folder.folder_id))

    def _take(self, path: Path, found: FoundFile) -> tuple[WatchOutcome, str] | None:
        """Add a file as `Library.add` does; None if it changed meanwhile. A video that was deleted stays deleted."""
        incoming = importing.read_file(self._context.store, self._context.settings, path, None)
        try:
            status = path.lstat()
            if (status.st_size, status.st_mtime_ns) != (found.size_bytes, found.mtime_ns):
                return None
            known = self._context.store.find_video(self._context.user_id, incoming.sha256)
            if known is not None and known.state == VideoState.DELETED:
                return "deleted", known.video_id
            video = self._work.import_file(incoming, queue=True, progress=None, is_awaited=False)
            return "added" if known is None else "duplicate", video.video_id
        finally:
            incoming.path.unlink(missing_ok=True)

    # --- parts ------------------------------------------------------------------------------------

    def _checked(self, path: Path, below: Sequence[Path] | None) -> Path:
        try:
            folder = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a null character
            raise FolderNotWatchable(path=str(path), problem="folder_not_there") from error
        if not folder.is_dir():
            raise FolderNotWatchable(path=str(path), problem="folder_is_file")
        if printable(str(folder)) != str(folder):
            raise FolderNotWatchable(path=str(path), problem="folder_not_utf8")
        if below is not None and not any(folder.is_relative_to(root) for root in below):
            raise FolderNotWatchable(path=str(path), problem="folder_outside_roots")
        try:
            with os.scandir(folder):
                pass
        except OSError as error:
            raise FolderNotWatchable(path=str(path), problem="folder_unreadable") from error
        if any(is_library(parent) for parent in (folder, *folder.parents)):
            raise FolderNotWatchable(path=str(path), problem="folder_in_library")
        for other in self._records.folders(self._context.user_id):
            watched = Path(other.path)
            if folder != watched and (folder.is_relative_to(watched) or watched.is_relative_to(folder)):
                raise FolderNotWatchable(path=str(path), problem="folder_overlaps", other=other.path)
        return folder

    def _find(self, folder: str | Path) -> WatchedFolder:
        wanted = {str(folder), str(Path(folder).expanduser().absolute()), str(Path(folder).expanduser().resolve())}
        for found in self._records.folders(self._context.user_id):
            if wanted & {found.folder_id, found.path}:
                return found
        raise FolderNotWatched(path=str(folder))

    def _report(self, folder: WatchedFolder) -> FolderReport:
        counts, refused = self._records.summary(folder.folder_id, REFUSED_SHOWN)
        return FolderReport(folder, read_watch_status(self._status(folder.folder_id)), counts, tuple(refused))

    def _status(self, folder_id: str) -> ProgressRecord:
        return self._context.store.watching_progress(folder_id)


def read_watch_status(record: ProgressRecord) -> WatchStatus | None:
    """The status that a look wrote; None if there is none that can be read."""
    try:
        data = record.read()
        return _status_from(data) if data else None
    except (OSError, TypeError, ValueError, KeyError):
        return None


def _status_from(data: dict[str, Any]) -> WatchStatus:
    waiting = tuple(WaitingFile(**item) for item in data["next_files"])
    return WatchStatus(**{**data, "looked_at": datetime.fromisoformat(data["looked_at"]), "next_files": waiting})
