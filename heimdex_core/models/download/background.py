"""A download in a background thread, whose progress a page polls."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Literal

from heimdex_core.errors import Cancelled, DownloadRunning, HeimdexError
from heimdex_core.models.download.plan import PullProgress
from heimdex_core.models.download.pull import Puller

State = Literal["planning", "downloading", "done", "failed", "cancelled"]
SPEED_OVER_S = 10.0
"""The speed is averaged over this time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DownloadStatus:
    """State and progress of a download. `error` is the error as JSON if it failed."""

    names: tuple[str, ...]
    state: State
    folder: str
    repo: str = ""
    file: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_s: float | None = None
    seconds_left: float | None = None
    licences: tuple[str, ...] = ()
    error: dict[str, Any] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in ("planning", "downloading")

    @property
    def share(self) -> float:
        """Share of the bytes that are downloaded, 0 to 1."""
        if self.state == "done":
            return 1.0
        return min(1.0, self.bytes_done / self.bytes_total) if self.bytes_total else 0.0


class Download:
    """Plans and downloads in a thread of its own. Every method may be called from any thread."""

    def __init__(self, puller: Puller, *names: str, again: bool = False) -> None:
        self._puller, self._again = puller, again
        self._stop = threading.Event()
        self._status = DownloadStatus(names, "planning", str(puller.folder))
        self._arrived: deque[tuple[float, int]] = deque()
        """(time, bytes) over the last SPEED_OVER_S."""
        self._thread = threading.Thread(target=self._run, name="download-models", daemon=True)

    def start(self) -> Download:
        """Start the thread; returns this download."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Ask it to stop. What has arrived is kept, and another download of the same models resumes there."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> DownloadStatus:
        """The status when it has ended, or after `timeout_s`."""
        self._thread.join(timeout_s)
        return self.status()

    def status(self) -> DownloadStatus:
        """The present state and progress."""
        return self._status

    def _run(self) -> None:
        try:
            plan = self._puller.plan(*self._status.names, again=self._again)
            done = plan.bytes_total - plan.bytes_missing
            self._update(bytes_done=done, bytes_total=plan.bytes_total, licences=plan.licences)
            if self._stop.is_set():
                raise Cancelled
            self._update(state="downloading")
            self._puller.pull(plan, report=self._note, is_cancelled=self._stop.is_set)
        except Cancelled as error:
            self._end("cancelled", error)
        except HeimdexError as error:
            self._end("failed", error)
        except Exception as error:
            _log.exception("The download of %s failed", ", ".join(self._status.names))
            self._end("failed", HeimdexError(reason=f"{type(error).__name__}: {error}"))
        else:
            self._end("done")

    def _update(self, **changes: Any) -> None:
        self._status = replace(self._status, **changes)

    def _end(self, state: State, error: HeimdexError | None = None) -> None:
        details = error.to_dict() if error else None
        self._update(state=state, error=details, bytes_per_s=None, seconds_left=None)

    def _note(self, progress: PullProgress) -> None:
        now = time.monotonic()
        self._arrived.append((now, progress.bytes_done))
        while now - self._arrived[0][0] > SPEED_OVER_S:
            self._arrived.popleft()
        began, first = self._arrived[0]
        arrived = progress.bytes_done - first
        speed = arrived / (now - began) if now > began and arrived > 0 else None
        left_s = (progress.bytes_total - progress.bytes_done) / speed if speed else None
        self._update(**vars(progress), bytes_per_s=speed, seconds_left=left_s)


class Downloads:
    """A process runs one download at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: Download | None = None

    def start(self, puller: Puller, *names: str, again: bool = False) -> Download:
        """Start a download, or return the running one if it is of the same names.

        `again` compares complete files with the hub's too. Raises DownloadRunning while another download runs.
        """
        with self._lock:
            status = self._latest.status() if self._latest else None
            if self._latest and status and status.is_running:
                if status.names != names:
                    raise DownloadRunning(name=", ".join(status.names), folder=status.folder)
                return self._latest
            self._latest = Download(puller, *names, again=again).start()
            return self._latest

    @property
    def latest(self) -> Download | None:
        """The running download, or the last one that ended."""
        return self._latest
