"""In which order stages run, what is tried again, and how a run ends. Decided here, once.

    start stages, one after the other
    speech stages beside picture stages
    end stages

`IngestRun.run` follows this plan in its own process, the worker as recorded steps of a durable job: both give
`run_plan` a StageRunner. Also shared are which errors are worth another attempt, and with which pauses.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Protocol, TypeVar

from heimdex_core.errors import (
    Cancelled,
    DatabaseInterrupted,
    DatabaseUnavailable,
    DiskFull,
    HeimdexError,
    IndexLockLost,
    LibraryBusy,
    ModelsChanged,
    ObjectStorageFailed,
    ObjectStorageUnavailable,
    StageFailed,
)
from heimdex_core.ingest import stages
from heimdex_core.settings import Settings

_log = logging.getLogger(__name__)

T = TypeVar("T")

BACKOFF_RATE = 2.0
PASSES = (LibraryBusy, DatabaseUnavailable, DatabaseInterrupted, IndexLockLost, ObjectStorageUnavailable)
"""What says nothing about the work, and is over some time."""
_RETRYABLE = (StageFailed, DiskFull, ObjectStorageFailed, *PASSES)


def is_retryable(error: Exception) -> bool:
    """True for a busy library, a database that is away, a full disk, or a fault that nobody foresaw.

    False where the answer is final.
    """
    return isinstance(error, _RETRYABLE) or not isinstance(error, HeimdexError)


def wrap_error(error: Exception, stage: str) -> HeimdexError:
    """`error` itself; for one from outside the tree StageFailed with its type and message, and its traceback logged."""
    if isinstance(error, HeimdexError):
        return error
    _log.error("%s failed", stage, exc_info=error)
    message = str(error).strip()
    name = type(error).__name__
    return StageFailed(stage=stage, reason=f"{name}: {message}"[:500] if message else name)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a stage is tried, and how long to wait before the next attempt: doubled each time."""

    attempts: int
    first_pause_s: float

    @staticmethod
    def of(settings: Settings) -> RetryPolicy:
        return RetryPolicy(1 + settings.stage_retries, settings.retry_backoff_s)

    def pause_s(self, attempt: int) -> float:
        """Seconds to wait after attempt number `attempt`, from 1."""
        return self.first_pause_s * BACKOFF_RATE ** (attempt - 1)


def try_repeatedly(
    work: Callable[[], T], *, name: str, policy: RetryPolicy, wait: Callable[[float], None] = time.sleep
) -> T:
    """The result of `work`, tried again with growing pauses where the failure may pass.

    Raises the error of the last attempt (wrap_error), and what `wait` raises.

    Args:
        name: what is tried, for the log and for StageFailed.
        wait: called with the seconds before the next attempt; it raises Cancelled to give up.
    """
    for attempt in range(1, policy.attempts + 1):
        try:
            return work()
        except Exception as error:
            if attempt == policy.attempts or not is_retryable(error):
                if isinstance(error, HeimdexError):
                    raise
                raise wrap_error(error, name) from error
            _log.warning("%s failed, trying again: %s", name, error)
        wait(policy.pause_s(attempt))
    raise AssertionError("a policy has at least one attempt")


@dataclass(frozen=True)
class StageOutcome:
    """How a stage went; `skipped` where an earlier result still holds, or these models have no such stage."""

    stage: str
    fingerprint: str
    skipped: bool
    seconds: float


class StageRun(Protocol):
    """The stages of one video, run one by one; pipeline.IngestRun is one."""

    video_id: str
    settings: Settings
    abort: Event
    """Set to stop all stages of the run: one of its branches has failed."""

    def run_stage(self, name: str) -> StageOutcome: ...
    def renew(self) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def finish(self, error: HeimdexError | None) -> None: ...


class StageRunner(Protocol):
    """Runs stages, with their further attempts; an error is returned and not raised."""

    def sequence(self, names: Sequence[str]) -> HeimdexError | None:
        """Run stages one after the other; the error of the first that failed for good."""
        ...

    def branches(self, names: Mapping[str, Sequence[str]]) -> list[HeimdexError | None]:
        """Run sequences beside each other; where one fails the others are stopped. An error for each."""
        ...

    def finish(self, error: HeimdexError | None) -> None:
        """Record how the run ended."""
        ...


def run_plan(runner: StageRunner) -> HeimdexError | None:
    """All stages of a video; the error that ended the run, None where it was completed."""
    error = runner.sequence(stages.names("start"))
    if error is None:
        error = first_error(runner.branches({name: stages.names(name) for name in ("speech", "picture")}))
    if error is None:
        error = runner.sequence(stages.names("end"))
    runner.finish(error)
    return error


def first_error(errors: Iterable[HeimdexError | None]) -> HeimdexError | None:
    """The error to report of several branches: the first that is not just the echo of another (Cancelled)."""
    found = [error for error in errors if error is not None]
    return min(found, key=lambda error: isinstance(error, Cancelled), default=None)


def run_stage(run: StageRun, name: str) -> StageOutcome:
    """One attempt at one stage.

    Where the library has moved to other models meanwhile, the run is prepared again for those: the commit then
    runs what does not hold any more within its own step. An error has the name of the stage in its details.
    """
    while True:
        try:
            return run.run_stage(name)
        except ModelsChanged as error:
            _log.info("video %s goes on with other models: %s", run.video_id, error)
            run.renew()
        except HeimdexError as error:
            error.details.setdefault("stage", name)
            raise


class LocalRunner:
    """Runs the stages in this process, speech and picture in a thread each."""

    def __init__(self, run: StageRun) -> None:
        self._run = run
        self._policy = RetryPolicy.of(run.settings)

    def sequence(self, names: Sequence[str]) -> HeimdexError | None:
        for name in names:
            error = self._attempts(name)
            if error is not None:
                return error
        return None

    def branches(self, names: Mapping[str, Sequence[str]]) -> list[HeimdexError | None]:
        with ThreadPoolExecutor(len(names), thread_name_prefix="ingest") as pool:
            futures = [pool.submit(self._branch, sequence) for sequence in names.values()]
            try:
                return [future.result() for future in futures]
            except BaseException:
                self._run.abort.set()  # the pool waits for its threads
                raise

    def finish(self, error: HeimdexError | None) -> None:
        try:
            self._run.finish(error)
        except HeimdexError as second:  # the first error is the one to report
            _log.error("video %s could not be marked as failed: %s", self._run.video_id, second)

    def _branch(self, names: Sequence[str]) -> HeimdexError | None:
        error = self.sequence(names)
        if error is not None:
            self._run.abort.set()
        return error

    def _attempts(self, name: str) -> HeimdexError | None:
        try:
            try_repeatedly(lambda: run_stage(self._run, name), name=name, policy=self._policy, wait=self._run.wait)
        except HeimdexError as error:
            return error
        return None
