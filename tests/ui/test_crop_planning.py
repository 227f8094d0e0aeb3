"""A crop path that is worked out in a thread beside its page."""

from __future__ import annotations

import threading
from collections.abc import Callable

from heimdex_core.errors import Cancelled, SourceMissing
from heimdex_core.types import CropKeyframe, CropPath, ReportProgress
from ui.crop_planning import CropPlanning

PATH = CropPath((CropKeyframe(1.0, 0.4),))


def test_it_reports_and_has_its_path_in_the_end() -> None:
    reported, go_on = threading.Event(), threading.Event()

    def work(report: ReportProgress, is_cancelled: Callable[[], bool]) -> CropPath:
        report(3.0, 12.0)
        reported.set()
        go_on.wait(30)
        return PATH

    planning = CropPlanning("s", work).start()
    assert reported.wait(30)
    assert (planning.is_running, planning.fraction, planning.path) == (True, 0.25, None)
    go_on.set()
    planning.join()
    assert (planning.is_running, planning.path, planning.error) == (False, PATH, None)


def test_one_that_is_cancelled_is_not_waited_for_and_has_no_result() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def work(report: ReportProgress, is_cancelled: Callable[[], bool]) -> CropPath:
        asked.set()
        go_on.wait(30)
        if is_cancelled():
            raise Cancelled()
        return PATH

    planning = CropPlanning("s", work).start()
    assert asked.wait(30)
    planning.cancel()
    assert not planning.is_running
    go_on.set()
    planning.join()
    assert (planning.path, planning.error) == (None, None)


def test_what_goes_wrong_is_kept_for_the_page() -> None:
    def missing(report: ReportProgress, is_cancelled: Callable[[], bool]) -> CropPath:
        raise SourceMissing(title="t", video_id="v")

    def broken(report: ReportProgress, is_cancelled: Callable[[], bool]) -> CropPath:
        raise ZeroDivisionError("x")

    found = [CropPlanning("s", work).start() for work in (missing, broken)]
    for one in found:
        one.join()
    assert [(one.error or {}).get("code") for one in found] == ["SOURCE_MISSING", "INTERNAL"]
