"""Looking for faces in the background of the app's process: one scan a user, which pages look at."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Json, ScanReport


@dataclass
class FaceScan:
    """Where a scan stands."""

    done: int = 0
    total: int = 0
    report: ScanReport | None = None
    error: Json | None = None

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.report is None and self.error is None


_scans: dict[tuple[str, str], FaceScan] = {}
_threads: dict[tuple[str, str], threading.Thread] = {}
_lock = threading.Lock()


def start(library: Library) -> threading.Thread:
    """Look through all videos of the library's user that have not been looked through, unless that goes on already.

    Returns the thread that does it.
    """
    key = (str(library.path), library.user_id)
    with _lock:
        if key in _scans and _scans[key].is_running:
            return _threads[key]
        scan = _scans[key] = FaceScan()
        thread = _threads[key] = threading.Thread(target=_run, args=(library, scan), name="find-faces", daemon=True)
    thread.start()
    return thread


def last(library: Library) -> FaceScan | None:
    """The last scan of the library's user in this process."""
    with _lock:
        return _scans.get((str(library.path), library.user_id))


def _run(library: Library, scan: FaceScan) -> None:
    def progress(done: float, total: float) -> None:
        scan.done, scan.total = int(done), int(total)

    try:
        scan.report = library.people.find_faces(progress=progress)
    except HeimdexError as error:
        scan.error = error.to_dict()
    finally:
        if scan.is_running:  # a defect: its traceback is in the log
            scan.error = HeimdexError(reason="find-faces").to_dict()
