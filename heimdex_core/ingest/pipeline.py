"""One video's way from a file to something that can be found.

    probe, audio, subtitles
    transcript      beside      picture, scenes, keyframes, vision_embedding, tags, captions, preview
    text_embedding, extra_embedding, commit

Every stage can be run by itself, by any process, any number of times: what it needs and what it made lies in
the work folder under a fingerprint of everything it depends on, and an unchanged stage is skipped. What a
stage of an earlier generation made counts as well (kept.py).

An ordinary run is for the library's active set of models, and where another set becomes the active one
meanwhile the run is made anew for that. A run for a set that is not active leaves the video as it is for
everybody: no state, error or job of it changes, and the generation is seen only after the switch.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.errors import Cancelled, DiskFull, HeimdexError, ModelsChanged, UnknownName, ValidationError
from heimdex_core.ingest import preview, recipe
from heimdex_core.ingest.commit import Target, provenance_of
from heimdex_core.ingest.ending import settle_video
from heimdex_core.ingest.held import Held, vector_files
from heimdex_core.ingest.kept import Kept
from heimdex_core.ingest.kitchen import Kitchen, Made, stages_for
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.progress import EARLY, JOINED, PICTURE, SOUND, STAGES
from heimdex_core.ingest.retry import in_words, may_pass
from heimdex_core.ingest.work import StageRecord, WorkFolder
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.settings import Settings
from heimdex_core.store.generation import numbers
from heimdex_core.types import MediaInfo, ModelSet, StageProgress, Video, VideoState, WorkContext, utc_now

if TYPE_CHECKING:
    from heimdex_core.store import Store

_log = logging.getLogger(__name__)
_WAIT_STEP_S = 0.2

ModelsOf = Callable[[ModelSet], Models]


@dataclass(frozen=True)
class StageOutcome:
    """How a stage went; `skipped` where an earlier result still holds, or these models have no such stage."""

    stage: str
    fingerprint: str
    skipped: bool
    seconds: float


class IngestRun:
    """The stages of one video. State lies only in the work folder and the catalog; safe to make again at any time.

    `on_progress` gets what `read_progress` would say, at most some times a second; `on_stage` each outcome.
    """

    STAGES = STAGES
    EARLY = EARLY
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
        model_set: ModelSet | None = None,
        models_of: ModelsOf | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[StageProgress], None] | None = None,
        on_stage: Callable[[StageOutcome], None] | None = None,
    ) -> None:
        """`models` are those of `model_set` (None: the active one); `models_of` finds those of another set where
        the active one has changed. `params` None are the settings with the video's own choices.

        Raises UnknownName or InvalidValue for choices that are none.
        """
        self.store = store
        self.settings = settings
        self.video_id, self.user_id = video.video_id, video.user_id
        self._given_params = params
        self._given_set = model_set
        self._models_of = models_of or (lambda one: Models(ModelChoice.from_dict(one.choice), settings))
        self._is_cancelled = is_cancelled
        self._abort = threading.Event()
        self._on_progress = on_progress
        self._on_stage = on_stage
        self._prepare(models, video)

    def _prepare(self, models: Models, video: Video) -> None:
        """Everything that depends on the models and on what the video is like now."""
        active = self.store.active_set()
        self.model_set = self._given_set or active
        self.is_visible = self.model_set.set_id == active.set_id
        self.models = models if _are_of(models, self.model_set) else self._models_of(self.model_set)
        self.params = self._given_params or IngestParams.from_settings(self.settings, **video.params)
        self.stages = stages_for(self.models)
        place = None if self.is_visible else self.model_set.set_id
        self.work = WorkFolder(self.store.paths.work(self.video_id, place), self.stages)
        self._kitchen = Kitchen(self.store, self.models, self.settings, video, self.params, self.work)
        self._kitchen.target = Target(self.model_set.set_id, self.is_visible, self.store.inputs_of(video))
        kept = Kept(
            self.work,
            self._generations,
            vector_files=vector_files(self._kitchen),
            beside={preview.FILE: self.store.paths.preview(self.video_id)},
        )
        self._held = self._kitchen.held = Held(self._kitchen, self.stages, kept)

    def _generations(self) -> list[Path]:
        """The folders of the video's generations, newest first."""
        paths = self.store.paths
        return [paths.generation(self.video_id, n) for n in reversed(numbers(paths, self.video_id))]

    # --- all of it --------------------------------------------------------------------------------

    def run(self) -> Video:
        """Every stage in this process, sound beside picture. The indexed video.

        On failure the video is ended with the error, and the error is raised; what is finished stays for
        the next time.
        """
        while True:
            stage = EARLY[0]
            try:
                self.work.progress.begin()
                for stage in EARLY:
                    self._attempts(stage)
                self._branches()
                for stage in JOINED:
                    self._attempts(stage)
                return self.video()
            except ModelsChanged as error:
                _log.info("video %s goes on with other models: %s", self.video_id, error)
                self.renew()
            except Exception as error:
                told = self.fail(error, stage)
                if told is error:
                    raise
                raise told from error

    def renew(self) -> None:
        """Go on for the set that is active now, with the video as it is now. What is finished is kept."""
        self._prepare(self.models, self.video())

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
        if self.is_visible:
            try:
                settle_video(self.store, self.user_id, self.video_id, told)
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
        """Run one stage and what it still needs, or skip it. Raises what stopped it; sets no failed state.

        ModelsChanged at the commit: another set of models is the active one now, `renew` and go on.
        """
        if name not in STAGES:
            raise UnknownName(kind="stage", name=name, known=", ".join(STAGES))
        if name not in self.stages:
            return self._told(StageOutcome(name, "", skipped=True, seconds=0.0))
        if name == "commit" and self._is_committed():
            return self._finish(StageOutcome(name, self.expected_fingerprint(name), skipped=True, seconds=0.0))
        self._enter(name)
        for needed in self._held.needs(name):
            if self._held.record(needed) is None:
                self.run_stage(needed)
        record = self._held.record(name)
        outcome = self._make(name) if record is None else self._skip(name)
        if name == "probe":
            self._leave_probe()
        return self._finish(outcome) if name == "commit" else self._told(outcome)

    def expected_fingerprint(self, name: str) -> str:
        """What a stage's result depends on, known before it has run."""
        return self._held.fingerprint(name)

    def _skip(self, name: str) -> StageOutcome:
        now = utc_now()
        self._context(name).check()
        self._show(self.work.progress.finish(name, skipped=True, seconds=0.0))
        self.work.log(stage=name, started_at=now, finished_at=now, skipped=True)
        return StageOutcome(name, self.expected_fingerprint(name), skipped=True, seconds=0.0)

    def _make(self, name: str) -> StageOutcome:
        """Run a stage, after those that it needs: their results, and their files where it reads these too."""
        for needed in self._held.needs(name):
            record = self._held.record(needed)
            if record is None or (not record.has_files and needed in self._held.needs_files(name)):
                self._make(needed)
        started_at, began = utc_now(), time.perf_counter()
        wanted = self.expected_fingerprint(name)
        book = self.work.progress
        context = self._context(name)
        context.check()
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

    # --- the video's state ------------------------------------------------------------------------

    def _enter(self, name: str) -> None:
        """A video that is not being worked on becomes so."""
        if not self.is_visible:
            return
        state = self.video().state
        if state in (VideoState.UPLOADING, VideoState.FAILED):
            self.store.set_state(self.video_id, VideoState.VALIDATING)
        elif state == VideoState.INDEXED:
            self.store.set_state(self.video_id, VideoState.PROCESSING)
        if name != "probe" and state != VideoState.PROCESSING and self._held.record("probe") is not None:
            self._leave_probe()

    def _leave_probe(self) -> None:
        if self.is_visible and self.video().state == VideoState.VALIDATING:
            info: MediaInfo = self._kitchen.info()
            self.store.set_state(self.video_id, VideoState.PROCESSING, info=info)

    # --- the end ----------------------------------------------------------------------------------

    def _is_committed(self) -> bool:
        """Whether the set has this very result already: the work was done, or a crash came right after it."""
        there = self.store.generation_in(self.video_id, self.model_set.set_id)
        made = provenance_of(self.store, self.video_id, there)
        return made.get("fingerprint") == self.expected_fingerprint("commit")

    def _finish(self, outcome: StageOutcome) -> StageOutcome:
        """The work folder goes; the generation says itself how it was made."""
        video = self.video()
        if self.is_visible and video.generation is not None and video.state == VideoState.PROCESSING:
            self.store.set_state(self.video_id, VideoState.INDEXED)
        self.work.remove()
        return self._told(outcome)

    def _provenance(self) -> dict[str, object]:
        """How the generation is made, kept beside it."""
        return {
            "fingerprint": self.expected_fingerprint("commit"),
            "fingerprints": {name: self.expected_fingerprint(name) for name in self.stages},
            "source_sha256": self._kitchen.video.sha256,
            "params": self.params,
            "models": self._kitchen.models_described(),
            "stages": self.work.log_entries(),
            "created_at": utc_now(),
        }


def _are_of(models: Models, model_set: ModelSet) -> bool:
    """Whether these are the models of the set, whatever led to their choice."""
    own, wanted = (
        {name: value for name, value in choice.items() if name not in ("name", "reason") and value}
        for choice in (models.choice.to_dict(), dict(model_set.choice))
    )
    return own == wanted
