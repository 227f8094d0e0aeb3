"""One video's way from a file to something that can be found.

    probe
    audio, transcript      beside      picture, preview
    scenes, keyframes, text_embedding, vision_embedding, tags, commit

Every stage can be run by itself, by any process, any number of times: what it needs and what it made lies in
the work folder under a fingerprint of everything it depends on, and an unchanged stage is skipped.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heimdex_core.errors import Cancelled, DiskFull, HeimdexError, UnknownName, ValidationError
from heimdex_core.ingest import recipe
from heimdex_core.ingest.commit import visible_provenance
from heimdex_core.ingest.fingerprint import file_fingerprint, fingerprint
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.progress import JOINED, PICTURE, SOUND, STAGES
from heimdex_core.ingest.recipe import Kitchen, Made
from heimdex_core.ingest.retry import in_words, may_pass
from heimdex_core.ingest.work import StageRecord, WorkFolder
from heimdex_core.settings import Settings
from heimdex_core.types import MediaInfo, StageProgress, Video, VideoState, WorkContext, utc_now

if TYPE_CHECKING:
    from heimdex_core.models.registry import Models
    from heimdex_core.store import Store

_log = logging.getLogger(__name__)
_WAIT_STEP_S = 0.2


@dataclass(frozen=True)
class StageOutcome:
    """How a stage went; `skipped` where an earlier result still holds."""

    stage: str
    fingerprint: str
    skipped: bool
    seconds: float


class IngestRun:
    """The stages of one video. State lies only in the work folder and the catalog; safe to make again at any time.

    `on_progress` gets what `read_progress` would say, at most some times a second; `on_stage` each outcome.
    """

    STAGES = STAGES
    SOUND = SOUND
    PICTURE = PICTURE
    JOINED = JOINED

    def __init__(
        self,
        store: Store,
        models: Models,
        settings: Settings,
        video: Video,
        *,
        params: IngestParams | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[StageProgress], None] | None = None,
        on_stage: Callable[[StageOutcome], None] | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.video_id, self.user_id = video.video_id, video.user_id
        self.params = params or IngestParams.from_settings(settings)
        self.work = WorkFolder(store.paths.work(video.video_id))
        self._kitchen = Kitchen(store, models, video, self.params, self.work)
        self._sha256 = video.sha256
        self._is_cancelled = is_cancelled
        self._abort = threading.Event()
        self._on_progress = on_progress
        self._on_stage = on_stage
        self._subtitles: str | None = None

    # --- all of it --------------------------------------------------------------------------------

    def run(self) -> Video:
        """Every stage in this process, sound beside picture. The indexed video.

        On failure the video is failed with the error, and the error is raised; what is finished stays for
        the next time.
        """
        stage = "probe"
        try:
            self.work.progress.begin()
            self._attempts("probe")
            self._branches()
            for stage in JOINED:
                self._attempts(stage)
        except Exception as error:
            told = self.fail(error, stage)
            if told is error:
                raise
            raise told from error
        return self.video()

    def video(self) -> Video:
        """The video as the catalog has it now."""
        return self.store.video(self.user_id, self.video_id)

    def fail(self, error: Exception, stage: str = "") -> HeimdexError:
        """Note in the catalog how the work ended; returns the error in words. A deleted video stays as it is."""
        told = in_words(error, stage)
        if told is not error:
            _log.error("%s of video %s failed", stage, self.video_id, exc_info=error)
        if isinstance(told, ValidationError | DiskFull):
            self.work.remove()  # the file will not get better; a full disk needs the room
        try:
            if self.video().state in (VideoState.UPLOADING, VideoState.VALIDATING, VideoState.PROCESSING):
                self.store.set_state(self.video_id, VideoState.FAILED, error=told.to_dict())
        except HeimdexError as second:  # the first error is the one to tell
            _log.error("video %s could not be marked as failed: %s", self.video_id, second)
        return told

    def _branches(self) -> None:
        """SOUND in a thread of its own, PICTURE in another; the first failure stops both."""
        self._abort.clear()
        with ThreadPoolExecutor(2, thread_name_prefix="ingest") as pool:
            futures = [pool.submit(self._branch, stages) for stages in (SOUND, PICTURE)]
            errors = [error for future in futures if (error := future.exception()) is not None]
        # one branch ends as Cancelled because the other failed: that one's error is the reason
        for error in sorted(errors, key=lambda e: isinstance(e, Cancelled)):
            raise error

    def _branch(self, stages: Sequence[str]) -> None:
        try:
            for stage in stages:
                self._attempts(stage)
        except BaseException:
            self._abort.set()
            raise

    def _attempts(self, stage: str) -> None:
        """Run a stage, again with growing pauses where the failure may pass."""
        for attempt in range(self.settings.stage_retries + 1):
            try:
                self.run_stage(stage)
                return
            except Exception as error:
                if attempt == self.settings.stage_retries or not may_pass(error):
                    raise in_words(error, stage) from error
                _log.warning("%s of video %s failed, to be tried again: %s", stage, self.video_id, error)
                self._pause(self.settings.retry_backoff_s * 2**attempt)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._context().check()
            self._abort.wait(min(left, _WAIT_STEP_S))

    # --- one stage --------------------------------------------------------------------------------

    def run_stage(self, name: str) -> StageOutcome:
        """Run one stage and what it still needs, or skip it. Raises what stopped it; sets no failed state."""
        if name not in STAGES:
            raise UnknownName(kind="stage", name=name, known=", ".join(STAGES))
        wanted = self.expected_fingerprint(name)
        if name == "commit" and self._is_committed(wanted):
            return self._finish(StageOutcome(name, wanted, skipped=True, seconds=0.0))
        self._enter(name)
        for needed in recipe.STEPS[name].needs:
            if self._record(needed) is None:
                self.run_stage(needed)
        outcome = self._run_or_skip(name, wanted)
        if name == "probe":
            self._leave_probe()
        return self._finish(outcome) if name == "commit" else self._told(outcome)

    def expected_fingerprint(self, name: str) -> str:
        """What a stage's result depends on, known before anything has run."""
        step = recipe.STEPS[name]
        inputs: dict[str, str | None] = {needed: self.expected_fingerprint(needed) for needed in step.needs}
        if not step.needs:
            inputs["source"] = self._sha256
        if name == "transcript":
            inputs["subtitles"] = self._subtitles_fingerprint()
        params = {**self.params.subset(*step.params), **self._kitchen.own_params(name)}
        return fingerprint(name, step.version, inputs=inputs, params=params, model=self._kitchen.model_name(name))

    def _run_or_skip(self, name: str, wanted: str) -> StageOutcome:
        started_at, began = utc_now(), time.perf_counter()
        book = self.work.progress
        context = self._context(name)
        context.check()
        if self._record(name) is not None:
            self._show(book.finish(name, skipped=True, seconds=0.0))
            self.work.log(stage=name, started_at=started_at, finished_at=utc_now(), skipped=True)
            return StageOutcome(name, wanted, skipped=True, seconds=0.0)
        self._check_disk()
        self._show(book.start(name, recipe.STEPS[name].unit))
        made: Made = recipe.STEPS[name].make(self._kitchen, context, self._provenance)
        seconds = time.perf_counter() - began
        self.work.write_record(StageRecord(name, wanted, made.result, made.files, round(seconds, 3)))
        self.work.log(stage=name, started_at=started_at, finished_at=utc_now(), skipped=False)
        self._show(book.finish(name, skipped=False, seconds=seconds))
        return StageOutcome(name, wanted, skipped=False, seconds=seconds)

    def _check_disk(self) -> None:
        """DiskFull while there is still room for the catalog to say so."""
        free = shutil.disk_usage(self.store.paths.root).free
        if free < self.settings.min_free_bytes:
            raise DiskFull(what="the work folder", needed_bytes=self.settings.min_free_bytes, free_bytes=free)

    def _record(self, name: str) -> StageRecord | None:
        """What a stage left, if it still holds."""
        record = self.work.record(name)
        return record if record is not None and record.fingerprint == self.expected_fingerprint(name) else None

    def _context(self, stage: str | None = None) -> WorkContext:
        def report(done: float, total: float) -> None:
            if stage is not None:
                self._show(self.work.progress.report(stage, float(done), float(total)))

        return WorkContext(report=report, is_cancelled=lambda: self._abort.is_set() or self._is_cancelled())

    def _show(self, progress: StageProgress | None) -> None:
        if progress is not None and self._on_progress is not None:
            self._on_progress(progress)

    def _told(self, outcome: StageOutcome) -> StageOutcome:
        if self._on_stage is not None:
            self._on_stage(outcome)
        return outcome

    def _subtitles_fingerprint(self) -> str | None:
        if self._subtitles is None:
            path = self.store.paths.subtitles(self.video_id)
            self._subtitles = file_fingerprint(path) if path is not None else ""
        return self._subtitles or None

    # --- the video's state ------------------------------------------------------------------------

    def _enter(self, name: str) -> None:
        """A video that is not being worked on becomes so."""
        state = self.video().state
        if state in (VideoState.UPLOADING, VideoState.FAILED):
            self.store.set_state(self.video_id, VideoState.VALIDATING)
        elif state == VideoState.INDEXED:
            self.store.set_state(self.video_id, VideoState.PROCESSING)
        if name != "probe" and state != VideoState.PROCESSING and self._record("probe") is not None:
            self._leave_probe()

    def _leave_probe(self) -> None:
        if self.video().state == VideoState.VALIDATING:
            info: MediaInfo = self._kitchen.info()
            self.store.set_state(self.video_id, VideoState.PROCESSING, info=info)

    # --- the end ----------------------------------------------------------------------------------

    def _is_committed(self, wanted: str) -> bool:
        """Whether readers see this very result already: the work was done, or a crash came right after it."""
        return visible_provenance(self.store, self.video()).get("fingerprint") == wanted

    def _finish(self, outcome: StageOutcome) -> StageOutcome:
        """The work folder goes; what is visible says itself how it was made."""
        video = self.video()
        if video.generation is not None and video.state == VideoState.PROCESSING:
            self.store.set_state(self.video_id, VideoState.INDEXED)
        self.work.remove()
        return self._told(outcome)

    def _provenance(self) -> dict[str, object]:
        """How the generation is made, kept beside it."""
        return {
            "fingerprint": self.expected_fingerprint("commit"),
            "fingerprints": {name: self.expected_fingerprint(name) for name in STAGES},
            "source_sha256": self._sha256,
            "params": self.params,
            "models": self._kitchen.models_described(),
            "stages": self.work.log_entries(),
            "created_at": utc_now(),
        }
