"""One watched folder, looked at again and again by the worker.

A look compares what is in the folder with what is known of it. A new or changed video is taken when it has not changed
between two looks at least HEIMDEX_WATCH_SETTLE_S apart, and when there is room in the queue. What became of a file is
in the catalog, so a restart goes on where the last worker stopped. Nothing in the library changes because a file or
its folder disappears.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from heimdex_core.errors import (
    DecoderFailed,
    FileUnreadable,
    HeimdexError,
    JobsUnavailable,
    StorageError,
    ValidationError,
    WatchedFolderMissing,
    WatchedFolderPartlyUnreadable,
    WatchedFolderTooLarge,
    WatchedFolderUnreadable,
)
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.folder_scan import FolderScan, FoundFile, is_open_for_writing, mount_point, scan_folder
from heimdex_core.store.progress_records import ProgressRecord
from heimdex_core.types import WaitingFile, WatchedFile, WatchedFolder, WatchOutcome, WatchStatus, to_json, utc_now

logger = logging.getLogger(__name__)

WAITING_SHOWN = 5
MAX_TRIES = 2
"""How often a file is tried whose failure may have another cause than the file."""
FORGET_AFTER = 1000
"""Records of files that are gone are removed when there are so many more than files."""

_IDLE_FACTOR, _BUSY_FACTOR = 300.0, 20.0
"""The pause between two looks is at least so many times the CPU time of one: 0.3 % of a core, however many files there
are; 5 % while files are about to be taken."""
_TIME_FACTOR = 10.0
"""And so many times its duration, which spares slow network drives."""

Signature = tuple[int, int, str]
"""Size, time of the last change in ns, subtitles."""


class FolderWatch:
    """One folder, as one worker sees it from look to look. For one thread."""

    def __init__(
        self,
        context: LibraryContext,
        folder: WatchedFolder,
        take: Callable[[Path, FoundFile], tuple[WatchOutcome, str] | None],
        record: ProgressRecord,
    ) -> None:
        """`take` adds a file; the status is written to `record`."""
        self.folder = folder
        self._store = context.store
        self._settings = context.settings
        self._take_file = take
        self._record = record
        self._known: dict[str, tuple[Signature, int | None]] = {}
        """By path: its signature, and for a refused file the time of the last change of its inode."""
        self._load()
        self._unchanged_since: dict[str, tuple[Signature, float]] = {}
        self._tries: dict[str, int] = {}
        self._last: WatchStatus | None = None
        self.pause_s = 0.0
        """How long not to look again, so that looking stays cheap for this machine and for the drive."""

    def _load(self) -> None:
        for file in self._store.watched.files(self.folder.folder_id):
            self._remember(file)

    def _remember(self, file: WatchedFile) -> None:
        ctime_ns = file.ctime_ns if file.outcome == "refused" else None
        self._known[file.path] = ((file.size_bytes, file.mtime_ns, file.subtitles), ctime_ns)

    def look(self, is_stopped: Callable[[], bool] = lambda: False) -> WatchStatus:
        """Look at the folder once and take what is ready; the status is also written for others to read."""
        try:
            status = self._look(is_stopped)
        except OSError as error:
            is_gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)
            reason = error.strerror or str(error)
            problem: HeimdexError = (
                WatchedFolderMissing(path=self.folder.path)
                if is_gone
                else WatchedFolderUnreadable(path=self.folder.path, reason=reason)
            )
            status = WatchStatus("missing" if is_gone else "failed", utc_now(), error=problem.to_dict())
        except (StorageError, JobsUnavailable) as error:
            status = WatchStatus("failed", utc_now(), error=error.to_dict())
        self._tell(status)
        return status

    def _look(self, is_stopped: Callable[[], bool]) -> WatchStatus:
        root = Path(self.folder.path)
        started, cpu = time.monotonic(), time.thread_time()
        scan = scan_folder(root, max_entries=self._settings.watch_max_entries, excluded=(self._store.paths.root,))
        new = list(self._new_files(scan))
        took_s, cpu_s = time.monotonic() - started, time.thread_time() - cpu
        is_busy = any(reason != "unfinished" for _, reason in new)
        self.pause_s = max((_BUSY_FACTOR if is_busy else _IDLE_FACTOR) * cpu_s, _TIME_FACTOR * took_s)
        if not scan.entries and mount_point(root) != self.folder.mount_point:
            # what is left of an unmounted drive is an empty folder
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        waiting: list[WaitingFile] = []
        ready: list[FoundFile] = []
        for file, reason in new:
            if reason is None:
                ready.append(file)
            else:
                waiting.append(WaitingFile(file.key, reason))
        waiting += self._take_ready(root, ready, is_stopped)
        if not scan.is_partial:
            self._forget_gone(scan)
        return WatchStatus(
            "watching",
            utc_now(),
            files=len(scan.files),
            waiting=len(waiting),
            next_files=tuple(waiting[:WAITING_SHOWN]),
            error=self._shortcoming(scan),
        )

    def _shortcoming(self, scan: FolderScan) -> dict[str, Any] | None:
        if scan.is_partial:
            limit = self._settings.watch_max_entries
            return WatchedFolderTooLarge(path=self.folder.path, limit=limit).to_dict()
        if scan.unreadable:
            example = os.fsencode(scan.unreadable[0]).decode(errors="backslashreplace")
            return WatchedFolderPartlyUnreadable(count=len(scan.unreadable), example=example).to_dict()
        return None

    def _new_files(self, scan: FolderScan) -> Iterator[tuple[FoundFile, Any]]:
        """Each file that is not known as it is now, and why it has to wait; None if it need not."""
        now = time.monotonic()
        before, self._unchanged_since = self._unchanged_since, {}
        for file in scan.files:
            if self._is_known(file):
                continue
            signature = _signature(file)
            seen, since = before.get(file.key, (None, now))
            since = since if seen == signature else now
            self._unchanged_since[file.key] = (signature, since)
            if file.is_unfinished:
                yield file, "unfinished"
            elif now - since < self._settings.watch_settle_s or seen != signature:
                yield file, "settling"
            elif is_open_for_writing(Path(self.folder.path) / file.path):
                yield file, "unfinished"
            else:
                yield file, None

    def _is_known(self, file: FoundFile) -> bool:
        (size_bytes, mtime_ns, subtitles), ctime_ns = self._known.get(file.key, ((-1, -1, ""), None))
        if (size_bytes, mtime_ns) != (file.size_bytes, file.mtime_ns):
            return False
        if ctime_ns is not None and ctime_ns != file.ctime_ns:
            return False
        return file.subtitles in ("", subtitles)

    def _take_ready(self, root: Path, ready: list[FoundFile], is_stopped: Callable[[], bool]) -> list[WaitingFile]:
        """Take files while there is room in the queue; those that have to wait."""
        waiting: list[WaitingFile] = []
        room = self._settings.watch_ahead - self._store.count_unfinished_videos() if ready else 0
        for number, file in enumerate(ready):
            if room <= 0 or is_stopped():
                return waiting + [WaitingFile(later.key, "queue") for later in ready[number:]]
            noted = self._take(root, file)
            if noted is None:
                self._unchanged_since.pop(file.key, None)
                waiting.append(WaitingFile(file.key, "settling"))
                continue
            if not self._store.watched.note(self.folder.folder_id, noted):
                return []  # it is not watched any more
            self._remember(noted)
            self._tries.pop(file.key, None)
            room -= noted.outcome in ("added", "duplicate")
        return waiting

    def _take(self, root: Path, file: FoundFile) -> WatchedFile | None:
        """What became of a file; None if it is to be tried again. Raises StorageError, JobsUnavailable, OSError."""
        path = root / file.path
        try:
            if path.resolve() != path:
                return None  # a link has taken its place since the look
            taken = self._take_file(path, file)
            return None if taken is None else _noted(file, taken[0], video_id=taken[1])
        except (StorageError, JobsUnavailable):
            raise
        except FileUnreadable as error:
            cause = error.__cause__
            if not os.path.lexists(path):
                return None
            if isinstance(cause, OSError) and cause.errno not in (errno.EACCES, errno.EPERM):
                raise cause from error  # the drive or the network, not the file
            return self._refused(file, error)
        except (ValidationError, DecoderFailed) as error:
            return self._refused(file, error)
        except Exception as error:
            self._tries[file.key] = self._tries.get(file.key, 0) + 1
            logger.warning("%s could not be added: %s", path, error)
            if self._tries[file.key] < MAX_TRIES:
                return None
            if not isinstance(error, HeimdexError):
                error = HeimdexError(reason=f"{type(error).__name__}: {error}")
            return self._refused(file, error)

    def _refused(self, file: FoundFile, error: HeimdexError) -> WatchedFile:
        logger.warning("%s in the watched folder %s is not added: %s", file.key, self.folder.path, error.message)
        return _noted(file, "refused", error=error.to_dict())

    def _forget_gone(self, scan: FolderScan) -> None:
        """Keep the records from growing for ever where files come and go."""
        if len(self._known) <= 2 * len(scan.files) + FORGET_AFTER:
            return
        gone = sorted(set(self._known) - {file.key for file in scan.files})
        self._store.watched.forget_files(self.folder.folder_id, gone)
        for path in gone:
            del self._known[path]

    def _tell(self, status: WatchStatus) -> None:
        before, self._last = self._last, status
        if status.error and (before is None or before.error != status.error):
            logger.warning("%s", status.error["message"])
        elif before is not None and before.state != status.state:
            logger.info("the watched folder %s is read again", self.folder.path)
        with suppress(OSError, StorageError):  # a full disk must not end the watching
            self._record.write(to_json(status))


def _signature(file: FoundFile) -> Signature:
    return (file.size_bytes, file.mtime_ns, file.subtitles)


def _noted(file: FoundFile, outcome: WatchOutcome, **more: Any) -> WatchedFile:
    return WatchedFile(
        path=file.key,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        ctime_ns=file.ctime_ns,
        subtitles=file.subtitles,
        outcome=outcome,
        noted_at=utc_now(),
        **more,
    )
