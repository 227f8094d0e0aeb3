"""A crop path that is worked out beside an open page, which shows how far that is and can end it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from heimdex_core.errors import Cancelled, HeimdexError
from heimdex_core.types import CropPath, Json, ReportProgress

Work = Callable[[ReportProgress, Callable[[], bool]], CropPath]
"""Works out a path; gets what it reports (done, total) to, and what says whether it shall stop."""


class CropPlanning:
    """One path while it is worked out, in a thread. It ends with the app."""

    def __init__(self, scene_id: str, work: Work) -> None:
        self.scene_id = scene_id
        self.fraction = 0.0
        """Share that is done, 0 to 1."""
        self.path: CropPath | None = None
        self.error: Json | None = None
        self._work = work
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crop-planning", daemon=True)

    def start(self) -> CropPlanning:
        """Begin; returns itself."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """End it without a result, as soon as it looks."""
        self._cancelled.set()

    @property
    def is_running(self) -> bool:
        """Whether it is still to be waited for."""
        return self._thread.is_alive() and not self._cancelled.is_set()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self) -> None:
        try:
            path = self._work(self._report, self._cancelled.is_set)
        except Cancelled:
            return
        except HeimdexError as error:
            self.error = error.to_dict()
        except Exception as error:  # nobody else would see it
            self.error = HeimdexError(reason=f"{type(error).__name__}: {error}").to_dict()
        else:
            self.path = None if self._cancelled.is_set() else path

    def _report(self, done: float, total: float) -> None:
        self.fraction = min(1.0, done / total) if total > 0 else 0.0
