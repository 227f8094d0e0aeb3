"""One video's way from a file to something that can be found: each stage run, or skipped where its result holds.

Every stage can be run by itself, by any process, any number of times: what it needs and what it made lies in
the work folder under a fingerprint of everything it depends on. What a stage of an earlier generation made
counts as well (cache.py). The order is in execution.py.

An ordinary run is for the library's active model set; where another set becomes the active one meanwhile, the run
is prepared again for that. A run for a set that is not active leaves the video as it is for everybody: no state,
error or job of it changes, and the generation is seen only after the switch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdex_core.errors import EditsDamaged, HeimdexError, ValidationError
from heimdex_core.files import require_free_space
from heimdex_core.ingest import stages
from heimdex_core.ingest.cache import StageCache
from heimdex_core.ingest.context import IngestModels, StageContext, StageSpec
from heimdex_core.ingest.execution import LocalRunner, StageOutcome, run_plan
from heimdex_core.ingest.generation import provenance_of, write_generation
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.progress import ProgressBook
from heimdex_core.ingest.stages import commit, preview, probe
from heimdex_core.ingest.stages.commit import IngestResult
from heimdex_core.ingest.work_folder import StageRecord, WorkFolder
from heimdex_core.media.child import ChildLimits
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.settings import Settings
from heimdex_core.store.commit import CommitTarget
from heimdex_core.store.edits import Journal, read_journal
from heimdex_core.store.sets import same_models
from heimdex_core.types import Json, ModelSet, StageProgress, Video, VideoState, WorkContext, to_json, utc_now

if TYPE_CHECKING:
    from heimdex_core.store import Store

_log = logging.getLogger(__name__)
_WAIT_STEP_S = 0.2

ModelsOf = Callable[[ModelSet], IngestModels]


class IngestRun:
    """The stages of one video. State lies only in the work folder and the catalog; safe to make again at any time."""

    def __init__(
        self,
        store: Store,
        models: IngestModels,
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
        """Prepare the run; nothing is loaded or written.

        Args:
            models: those of `model_set`.
            params: None takes the settings with the video's own choices.
            model_set: None is the active one, whichever it is when the commit comes.
            models_of: finds the models of another set where the active one has changed.
            is_cancelled: asked often, from several threads.
            on_progress: gets what progress.json says, at most four times a second.
            on_stage: gets the outcome of each stage.

        Raises UnknownName or InvalidValue for parameters that cannot be.
        """
        self.store = store
        self.settings = settings
        self.video_id, self.user_id = video.video_id, video.user_id
        self.abort = threading.Event()
        self._given_params = params
        self._given_set = model_set
        self._models_of = models_of or (lambda one: Models(ModelChoice.from_dict(one.choice), settings))
        self._is_cancelled = is_cancelled
        self._on_progress = on_progress
        self._on_stage = on_stage
        self._prepare(models, video)

    def _prepare(self, models: IngestModels, video: Video) -> None:
        """Everything that depends on the models and on what the video is like now."""
        active = self.store.sets.active()
        self.model_set = self._given_set or active
        self.is_visible = self.model_set.set_id == active.set_id
        has_models = same_models(models.choice.to_dict(), self.model_set.choice)
        self.models = models if has_models else self._models_of(self.model_set)
        params = self._given_params or IngestParams.from_settings(self.settings, **video.params)
        self.specs = stages.specs_for(self.models)
        paths = self.store.paths
        self._edits_error: HeimdexError | None = None
        try:
            edits = read_journal(paths.video(self.video_id))
        except EditsDamaged as error:  # every stage raises it: a generation without the edits would lose them
            edits, self._edits_error = Journal(), error
        self.work = WorkFolder(paths.work(self.video_id, None if self.is_visible else self.model_set.set_id))
        self.progress = ProgressBook(self.store.progress(self.work.progress_path), self.specs)
        self._target = CommitTarget(self.model_set.set_id, self.is_visible, self.store.sets.inputs_of(video))
        self.context = StageContext(
            source=paths.source(self.video_id),
            filename=video.filename,
            sha256=video.sha256,
            supplied_subtitles=paths.subtitles(self.video_id),
            language=video.language if video.language != "auto" else params.language,
            no_speech_limit=self.settings.no_speech_limit,
            params=params,
            models=self.models,
            work=self.work,
            commit=self._commit,
            edits=edits,
            child_limits=ChildLimits.of(self.settings),
        )
        beside = {preview.FILE: paths.preview(self.video_id)}
        self._cache = self.context.cache = StageCache(self.context, self.specs, self._generations, beside=beside)

    def _generations(self) -> list[Path]:
        """The folders of the video's generations, newest first."""
        paths = self.store.paths
        return [paths.whole_generation(self.video_id, n) for n in reversed(paths.generation_numbers(self.video_id))]

    # --- all of it --------------------------------------------------------------------------------

    def run(self) -> Video:
        """Every stage in this process, speech beside picture; returns the indexed video.

        On failure the video is marked with the error, and the error is raised; finished stages are kept.
        """
        self.progress.begin()
        error = run_plan(LocalRunner(self))
        if error is not None:
            raise error
        return self.video()

    def renew(self) -> None:
        """Go on for the set that is active now, with the video as it is now. What is finished is kept."""
        self._prepare(self.models, self.video())

    def video(self) -> Video:
        """The video as the catalog has it now."""
        return self.store.video(self.user_id, self.video_id)

    def finish(self, error: HeimdexError | None) -> None:
        """Record in the catalog how the run ended. A deleted video stays as it is.

        Finished stages are kept for the next attempt, unless the file itself was refused: it will not get better.
        Raises LibraryBusy and others where the catalog cannot be written; the call can be repeated.
        """
        if error is None:
            return
        if isinstance(error, ValidationError):
            self.work.remove()
            self.progress.begin()
        if self.is_visible:
            self.store.mark_video_failed(self.user_id, self.video_id, error)

    def wait(self, seconds: float) -> None:
        """Sleep between two attempts. Raises Cancelled as soon as somebody asks for it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._work_context().check()
            self.abort.wait(min(left, _WAIT_STEP_S))

    # --- one stage --------------------------------------------------------------------------------

    def run_stage(self, name: str) -> StageOutcome:
        """Run one stage and what it still needs, or skip it. Raises what stopped it; sets no failed state.

        ModelsChanged at the commit: another model set is active now, `renew` and go on.
        """
        spec = stages.find(name)
        if spec not in self.specs:
            return self._report(StageOutcome(name, "", skipped=True, seconds=0.0))
        if spec is commit.SPEC and self._is_committed():
            return self._complete(StageOutcome(name, self._cache.fingerprint(spec), skipped=True, seconds=0.0))
        self._enter(spec)
        for needed in self._cache.needs(spec):
            if self._cache.record(needed) is None:
                self.run_stage(needed.name)
        outcome = self._make(spec) if self._cache.record(spec) is None else self._skip(spec)
        if spec is probe.SPEC:
            self._leave_probe()
        return self._complete(outcome) if spec is commit.SPEC else self._report(outcome)

    def _skip(self, spec: StageSpec[Any]) -> StageOutcome:
        now = utc_now()
        self._work_context(spec).check()
        self._show(self.progress.finish(spec.name, skipped=True, seconds=0.0))
        self.work.log(stage=spec.name, started_at=now, finished_at=now, skipped=True)
        return StageOutcome(spec.name, self._cache.fingerprint(spec), skipped=True, seconds=0.0)

    def _make(self, spec: StageSpec[Any]) -> StageOutcome:
        """Run a stage, after those that it needs: their results, and their files where it reads these too."""
        for needed in self._cache.needs(spec):
            record = self._cache.record(needed)
            lacks_files = record is not None and not record.has_files and needed in spec.reads_files_of
            if record is None or (lacks_files and spec.reads_files(self.context)):
                self._make(needed)
        started_at, began = utc_now(), time.perf_counter()
        wanted = self._cache.fingerprint(spec)
        work = self._work_context(spec)
        work.check()
        # while there is still room for the catalog to say so
        keep_free_bytes = self.settings.min_free_bytes
        require_free_space(self.store.paths.root, 0, keep_free_bytes=keep_free_bytes, what="the work folder")
        self._show(self.progress.start(spec.name, spec.unit))
        made = spec.run(self.context, work)
        seconds = time.perf_counter() - began
        self.work.write_record(StageRecord(spec.name, wanted, made.result, made.files, round(seconds, 3)))
        self.work.log(stage=spec.name, started_at=started_at, finished_at=utc_now(), skipped=False)
        self._show(self.progress.finish(spec.name, skipped=False, seconds=seconds))
        return StageOutcome(spec.name, wanted, skipped=False, seconds=seconds)

    def _work_context(self, spec: StageSpec[Any] | None = None) -> WorkContext:
        def report(done: float, total: float) -> None:
            if spec is not None:
                self._show(self.progress.report(spec.name, float(done), float(total)))

        return WorkContext(report=report, is_cancelled=lambda: self.abort.is_set() or self._is_cancelled())

    def _show(self, progress: StageProgress | None) -> None:
        if progress is not None and self._on_progress is not None:
            self._on_progress(progress)

    def _report(self, outcome: StageOutcome) -> StageOutcome:
        if self._on_stage is not None:
            self._on_stage(outcome)
        return outcome

    # --- the video's state ------------------------------------------------------------------------

    def _enter(self, spec: StageSpec[Any]) -> None:
        """A video that is not being worked on becomes so. Raises Cancelled if the work was cancelled, EditsDamaged."""
        state = self.store.begin_work(self.video_id).state if self.is_visible else None
        if self._edits_error is not None:
            raise self._edits_error
        if spec is not probe.SPEC and state == VideoState.VALIDATING and self._cache.record(probe.SPEC) is not None:
            self._leave_probe()

    def _leave_probe(self) -> None:
        if self.is_visible:
            self.store.end_validation(self.video_id, self.context.result(probe.SPEC))

    # --- the end ----------------------------------------------------------------------------------

    def _is_committed(self) -> bool:
        """Whether the set has this very result already: the work was done, or a crash came right after it.

        One whose files are damaged does not count, nor one for which a stage failed that need not fail again.
        """
        generation = self.store.sets.generation_of(self.video_id, self.model_set.set_id)
        made = provenance_of(self.store, self.video_id, generation)
        is_same = made.get("fingerprint") == self._cache.fingerprint(commit.SPEC) and not made.get("failed")
        return is_same and self.store.maintenance.is_intact(self.video(), self.model_set)

    def _commit(self, result: IngestResult) -> int:
        return write_generation(
            self.store,
            self.video(),
            result,
            provenance=to_json(self._provenance()),
            work=self.work,
            records=self._cache.names_to_keep(),
            target=self._target,
        )

    def _complete(self, outcome: StageOutcome) -> StageOutcome:
        """The work folder goes; the generation says itself how it was made."""
        video = self.video()
        if self.is_visible and video.generation is not None and video.state == VideoState.PROCESSING:
            self.store.set_state(self.video_id, VideoState.INDEXED)
        self.work.remove()
        self.progress.begin()
        return self._report(outcome)

    def _provenance(self) -> Json:
        """How the generation is made, kept beside it."""
        used = {spec.name: model for spec in self.specs if (model := spec.model(self.context)) is not None}
        extra = self.context.extra_spaces
        used |= {space.name: self.context.space_model(role) for role, space in extra.items()}
        return {
            "fingerprint": self._cache.fingerprint(commit.SPEC),
            "fingerprints": {spec.name: self._cache.fingerprint(spec) for spec in self.specs},
            "failed": self._cache.failed(),
            "source_sha256": self.context.sha256,
            **({"edits": digest} if (digest := self.context.edits.digest) is not None else {}),
            "params": self.context.params,
            "models": {"choice": self.models.choice.to_dict(), "used": used},
            "stages": self.work.log_entries(),
            "created_at": utc_now(),
        }
