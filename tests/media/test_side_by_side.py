"""Two parts of one work at the same time."""

import threading

import pytest

from heimdex_core.errors import Cancelled, RenderFailed
from heimdex_core.media.side_by_side import side_by_side
from heimdex_core.types import WorkContext

WAIT_S = 20


def until_stopped(context: WorkContext, stopped: threading.Event) -> None:
    """Runs until it is cancelled."""
    for _ in range(WAIT_S * 100):
        if context.is_cancelled():
            stopped.set()
            raise Cancelled()
        threading.Event().wait(0.01)


def fail(_: WorkContext) -> None:
    raise RenderFailed(reason="no encoder")


def test_both_run_at_once_and_only_the_first_reports() -> None:
    met, reported = threading.Barrier(2), list[tuple[float, float]]()

    def part(context: WorkContext, name: str, done: float) -> str:
        met.wait(WAIT_S)
        context.report(done, 2)
        return name

    context = WorkContext(report=lambda done, total: reported.append((done, total)))
    found = side_by_side(lambda work: part(work, "picture", 1), lambda work: part(work, "sound", 2), context)
    assert found == ("picture", "sound")
    assert reported == [(1, 2)]


def test_a_failing_second_part_stops_the_first() -> None:
    stopped = threading.Event()
    with pytest.raises(RenderFailed, match="no encoder"):
        side_by_side(lambda work: until_stopped(work, stopped), fail, WorkContext())
    assert stopped.is_set()


def test_a_failing_first_part_stops_the_second() -> None:
    stopped = threading.Event()
    with pytest.raises(RenderFailed, match="no encoder"):
        side_by_side(fail, lambda work: until_stopped(work, stopped), WorkContext())
    assert stopped.is_set()


def test_a_second_part_that_fails_last_is_not_lost() -> None:
    with pytest.raises(RenderFailed, match="no encoder"):
        side_by_side(lambda _: None, fail, WorkContext())


def test_cancelling_stops_both_and_is_asked_for_in_one_thread() -> None:
    first, second, asked = threading.Event(), threading.Event(), set[int]()

    def is_cancelled() -> bool:
        asked.add(threading.get_ident())
        return True

    with pytest.raises(Cancelled):
        side_by_side(
            lambda work: until_stopped(work, first),
            lambda work: until_stopped(work, second),
            WorkContext(is_cancelled=is_cancelled),
        )
    assert first.is_set()
    assert second.is_set()
    assert asked == {threading.get_ident()}


def test_cancelling_while_only_the_second_part_runs() -> None:
    stopped = threading.Event()
    with pytest.raises(Cancelled):
        side_by_side(lambda _: None, lambda work: until_stopped(work, stopped), WorkContext(is_cancelled=lambda: True))
    assert stopped.is_set()
