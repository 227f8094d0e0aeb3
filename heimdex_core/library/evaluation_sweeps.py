"""Sweeps of one person: started, resumed, cancelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from heimdex_core.errors import Cancelled, HeimdexError
from heimdex_core.evaluation import sweeping
from heimdex_core.evaluation.metrics import MAIN_METRIC, METRICS, evaluate
from heimdex_core.library import sweeps
from heimdex_core.library.arguments import Count, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.evaluation_runs import DEPTH, EvaluationRuns
from heimdex_core.library.judging import checked_name, numbered
from heimdex_core.types import Json, RunSettings, Sweep, to_json


class EvaluationSweeps(EvaluationRuns):
    """Part of Evaluation."""

    def __init__(self, context: LibraryContext) -> None:
        super().__init__(context)
        self._outcomes: dict[str, Json] = {}

    def default_grid(self) -> tuple[dict[str, float], ...]:
        """The weights that a sweep tries if none are named: said against seen, by the weight of exact words."""
        return sweeping.default_grid()

    @checked
    def models_to_try(
        self, spaces: Sequence[Sequence[str]] = (), model_sets: Sequence[int] = ()
    ) -> list[tuple[int | None, tuple[str, ...]]]:
        """The (model set, spaces) that a sweep tries for these arguments. Raises UnknownName."""
        return self._search.models(spaces, model_sets)

    @checked
    def sweep(
        self,
        query_set: str | None = None,
        *,
        weights: Sequence[Mapping[str, float]] | None = None,
        fusions: Sequence[str] = (),
        temperatures: Sequence[float] = (),
        spaces: Sequence[Sequence[str]] = (),
        model_sets: Sequence[int] = (),
        budget: Count | None = None,
        measure: str = MAIN_METRIC,
        name: str | None = None,
        queue: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Sweep:
        """Try settings on the tuning queries of a set, and report the best of them on the held-out ones.

        Args:
            query_set: see the class.
            weights: by channel, as for Library.search; None tries `default_grid`.
            fusions, temperatures, spaces, model_sets: what else is tried, in all combinations; nothing named means the
                defaults. A set is tried with those of the spaces that it has.
            budget: try only so many of the combinations, drawn with a fixed seed.
            measure: by which settings are chosen; a name of METRICS, or of ir-measures.
            name: default a number.
            queue: leave the work to the worker and return at once.
            progress: called with (queries done, all queries).

        Raises NoJudgements, TooFewQueries, InvalidWeights, UnknownName, InvalidValue, and MoveIncomplete for a model
        set that lacks videos, before anything is tried.
        """
        defaults = self._defaults.read()
        baseline = RunSettings(dict(defaults.weights), defaults.fusion, temperature=defaults.temperature, depth=DEPTH)
        tried = sweeping.combinations(
            baseline,
            weights=self.default_grid() if weights is None else weights,
            fusions=fusions,
            temperatures=temperatures,
            models=self.models_to_try(spaces, model_sets),
            budget=budget,
        )
        self._search.check(*tried)
        evaluate({}, {}, (measure,))  # refuses an unknown one
        judged = self._sets.load(query_set)
        taken = [one.name for one in self.sweeps()]
        sweep_id = sweeps.create(
            self._context,
            judged,
            tried,
            measure=measure,
            depth=_depth_of(measure),
            name=checked_name("sweep", name or numbered("sweep", taken)),
            provenance=to_json(self._search.provenance(judged)),
        )
        return self.resume_sweep(sweep_id, queue=queue, progress=progress)

    @checked
    def resume_sweep(
        self, sweep_id: str, *, queue: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> Sweep:
        """Go on with a sweep that was interrupted, cancelled or failed; queries that are done are not tried again.

        Raises UnknownName, and what the search raises.
        """
        context = self._context
        if self.get_sweep(sweep_id).state == "done":
            return self.get_sweep(sweep_id)
        context.store.cancel_marks.remove(sweep_id)
        if queue:
            return self._queue_sweep(sweep_id)
        work = self.sweep_work(sweep_id)

        def done(number: int) -> None:
            if progress is not None:
                progress(len(context.store.sweeps.done(context.user_id, sweep_id)), work.query_count)

        try:
            error = sweeps.run_plan(work, done)
        except BaseException:
            work.finish(Cancelled())  # interrupted by the keyboard, for one; it can be resumed
            raise
        if error is not None:
            raise error
        return self.get_sweep(sweep_id)

    def _queue_sweep(self, sweep_id: str) -> Sweep:
        store, user_id = self._context.store, self._context.user_id
        waiting = {"state": "waiting", "error": None, "job_id": None}
        store.sweeps.write_state(user_id, sweep_id, {**store.sweeps.state(user_id, sweep_id), **waiting})
        try:
            job_id = self._context.require_queue().enqueue_sweep(sweep_id)
        except HeimdexError as error:
            sweeps.mark(store, user_id, sweep_id, None, error)  # nobody would ever do it
            raise
        state = store.sweeps.state(user_id, sweep_id)
        if state.get("state") == "waiting":  # else its job has begun already
            store.sweeps.write_state(user_id, sweep_id, {**state, "job_id": job_id})
        return self.get_sweep(sweep_id)

    def sweep_work(
        self, sweep_id: str, *, job_id: str | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> sweeps.SweepWork:
        """The steps of a sweep, for whoever runs them one by one. Raises UnknownName."""
        return sweeps.SweepWork(self._context, self._search, sweep_id, job_id=job_id, is_cancelled=is_cancelled)

    def sweeps(self) -> list[Sweep]:
        """The sweeps, newest first."""
        ids = self._context.store.sweeps.all(self._context.user_id)
        return sorted((self.get_sweep(one) for one in ids), key=lambda sweep: sweep.created_at, reverse=True)

    @checked
    def get_sweep(self, sweep: str) -> Sweep:
        """A sweep by its id, as it stands now. Raises UnknownName."""
        return sweeps.read(self._context, sweep, self._outcomes)

    @checked
    def cancel_sweep(self, sweep_id: str) -> Sweep:
        """Stop a sweep; `resume_sweep` goes on with it. Raises UnknownName."""
        found = self.get_sweep(sweep_id)
        if found.state in sweeps.UNFINISHED:
            self._context.cancel(
                [(sweep_id, found.job_id)],
                lambda: sweeps.mark(self._context.store, self._context.user_id, sweep_id, found.job_id, Cancelled()),
            )
        return self.get_sweep(sweep_id)

    @checked
    def delete_sweep(self, sweep_id: str) -> None:
        """Stop and remove a sweep. Raises UnknownName."""
        self.cancel_sweep(sweep_id)
        self._context.store.sweeps.delete(self._context.user_id, sweep_id)


def _depth_of(measure: str) -> int:
    """How many hits a measure needs."""
    name = METRICS[measure].measure if measure in METRICS else measure
    _, _, cutoff = name.rpartition("@")
    return int(cutoff) if cutoff.isdecimal() else DEPTH
