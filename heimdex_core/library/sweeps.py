"""Sweeps: many settings tried on the queries of a set, query by query, so that an interrupted one can go on.

The judgements are those of the moment when a sweep begins: later ones do not change what it measures.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import psutil

from heimdex_core.errors import Cancelled, HeimdexError, InvalidValue, UnknownName
from heimdex_core.evaluation.judged_set import JudgedSet, restricted
from heimdex_core.evaluation.metrics import evaluate
from heimdex_core.evaluation.sweeping import outcome_of, scores_of, split
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.running import EvaluationSearch
from heimdex_core.store import Store
from heimdex_core.types import Json, RunSettings, SetQuery, Sweep, SweepState, to_json, utc_now

UNFINISHED = ("waiting", "running")

OnDone = Callable[[int, int], None]
"""Called with (queries that are done, all queries)."""


class SweepWork:
    """The work on one sweep, for whoever does it step by step: a step is a query with all settings."""

    def __init__(
        self,
        context: LibraryContext,
        search: EvaluationSearch,
        sweep_id: str,
        *,
        job_id: str | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Raises UnknownName for a sweep that does not exist or was deleted."""
        self._records = context.store.sweeps
        self._user_id = context.user_id
        self._search = search
        self._sweep_id = sweep_id
        self._job_id = job_id
        self._plan = plan_of_sweep(context, sweep_id)
        self._settings = [run_settings(row) for row in self._plan["settings"]]
        self._is_cancelled = is_cancelled or context.store.cancel_marks.asked(sweep_id)

    @property
    def query_count(self) -> int:
        return len(self._plan["queries"])

    def pending(self) -> list[int]:
        """The numbers of the queries that are still to be tried. The sweep is running from now on.

        Where videos have changed since the last time it begins anew: settings are compared on one library.
        """
        self._check()
        revision = self._search.library_revision
        if self._records.state(self._user_id, self._sweep_id).get("library_revision", revision) != revision:
            self._records.forget_scores(self._user_id, self._sweep_id)
        self._write({"state": "running", "error": None})
        done = self._records.done(self._user_id, self._sweep_id)
        return [number for number in range(self.query_count) if number not in done]

    def try_query(self, number: int) -> None:
        """Search for one query with all settings, and keep what each of them scored. Raises Cancelled."""
        query = self._plan["queries"][number]
        grades = {query["query_id"]: self._plan["qrels"][query["query_id"]]}
        measure, depth = self._plan["measure"], self._plan["depth"]
        values, unjudged = [], []
        for settings in self._settings:
            self._check()
            run = {query["query_id"]: self._search.ranking(query["text"], settings, depth)}
            found = evaluate(run, grades, (measure,))
            values.append(found.per_query[query["query_id"]][measure])
            unjudged.append(found.unjudged_share[query["query_id"]][measure])
        self._records.write_scores(self._user_id, self._sweep_id, number, {"values": values, "unjudged": unjudged})

    def finish(self, error: HeimdexError | None) -> None:
        """Record how the sweep ended."""
        self._write({"state": "done", "error": None} if error is None else _ended_with(error))

    def _check(self) -> None:
        if self._is_cancelled():
            raise Cancelled()

    def _write(self, state: Json) -> None:
        made_on = {
            "job_id": self._job_id,
            "pid": os.getpid(),
            "machine": platform.node(),
            "library_revision": self._search.library_revision,
        }
        self._records.write_state(self._user_id, self._sweep_id, {**made_on, **state})


class SweepRunner(Protocol):
    """Runs the steps of a sweep; each raises the error that ended it for good."""

    def pending(self) -> list[int]: ...
    def try_query(self, number: int) -> None: ...
    def finish(self, error: HeimdexError | None) -> None: ...


def run_plan(runner: SweepRunner, done: Callable[[int], None] = lambda number: None) -> HeimdexError | None:
    """All of a sweep; the error that ended it, None where all queries were tried."""
    error: HeimdexError | None = None
    try:
        for number in runner.pending():
            runner.try_query(number)
            done(number)
    except HeimdexError as found:
        error = found
    runner.finish(error)
    return error


# --- creating and reading -------------------------------------------------------------------------


def create(
    context: LibraryContext,
    judged: JudgedSet,
    settings: Sequence[RunSettings],
    *,
    measure: str,
    depth: int,
    name: str,
    provenance: Json,
) -> str:
    """Write the plan of a sweep; its sweep_id. Raises NoJudgements, TooFewQueries."""
    judged.require_scored()
    scored = set(judged.scored)
    queries = [query for query in judged.queries if query.query_id in scored]
    tuning, held_out = split(queries)
    sweep_id = str(uuid.uuid4())
    plan = {
        "sweep_id": sweep_id,
        "name": name,
        "query_set": judged.name,
        "measure": measure,
        "depth": depth,
        "created_at": utc_now().isoformat(),
        "settings": to_json(settings),
        "queries": to_json(queries),
        "qrels": to_json(restricted(judged, scored)),
        "tuning": list(tuning),
        "held_out": list(held_out),
        "provenance": provenance,
    }
    context.store.sweeps.create(context.user_id, sweep_id, plan, {"state": "waiting"})
    return sweep_id


def plan_of_sweep(context: LibraryContext, sweep_id: str) -> Json:
    """The plan of a sweep. Raises UnknownName."""
    try:
        plan = context.store.sweeps.plan(context.user_id, sweep_id)
    except InvalidValue:
        plan = None
    if plan is None:
        raise UnknownName(kind="sweep", name=sweep_id, known=", ".join(context.store.sweeps.all(context.user_id)))
    return plan


def read(context: LibraryContext, sweep_id: str, known: dict[str, Json]) -> Sweep:
    """A sweep as it stands now; with the outcome once all queries are done. Raises UnknownName.

    `known` keeps the scores and the outcome of sweeps that are done: working them out takes a moment.
    """
    plan = plan_of_sweep(context, sweep_id)
    records, user_id = context.store.sweeps, context.user_id
    state = records.state(user_id, sweep_id)
    settings = tuple(run_settings(row) for row in plan["settings"])
    queries = [SetQuery(**row) for row in plan["queries"]]
    done = records.done(user_id, sweep_id)
    results: dict[str, Any] = {}
    if state.get("state") == "done" and sweep_id in known:
        results = known[sweep_id]
    elif len(done) == len(queries):
        results = known[sweep_id] = _results(plan, settings, records.scores(user_id, sweep_id))
    return Sweep(
        sweep_id=sweep_id,
        name=plan["name"],
        query_set=plan["query_set"],
        measure=plan["measure"],
        state=_state_of(state),
        created_at=datetime.fromisoformat(plan["created_at"]),
        settings=settings,
        tuning=tuple(plan["tuning"]),
        held_out=tuple(plan["held_out"]),
        done=len(done),
        total=len(queries),
        job_id=state.get("job_id"),
        error=state.get("error"),
        **results,
    )


def _results(plan: Json, settings: tuple[RunSettings, ...], scores: Mapping[int, Mapping[str, list[float]]]) -> Json:
    numbers = {row["query_id"]: number for number, row in enumerate(plan["queries"])}
    tuning, held_out = (
        np.array([scores[numbers[query_id]]["values"] for query_id in plan[side]]) for side in ("tuning", "held_out")
    )
    unjudged = np.array([scores[numbers[query_id]]["unjudged"] for query_id in plan["held_out"]])
    return {
        "scores": scores_of(settings, tuning),
        "outcome": outcome_of(settings, tuning, held_out, unjudged),
    }


def mark(store: Store, user_id: str, sweep_id: str, job_id: str | None, error: HeimdexError) -> bool:
    """Say how the work of a job on a sweep ended, where its last step never ran; False if there was nothing to end."""
    found = store.sweeps.state(user_id, sweep_id)
    if found.get("state") not in UNFINISHED or found.get("job_id") not in (None, job_id):
        return False
    store.sweeps.write_state(user_id, sweep_id, {**found, **_ended_with(error)})
    return True


def replace_job(store: Store, sweep_id: str, old: str | None, new: str) -> bool:
    """Name another job of an unfinished sweep; False if it has ended, is gone or names another job than `old`.

    `old` None stands for any job.
    """
    for user_id, owned in store.sweeps.owned():
        found = store.sweeps.state(user_id, owned) if owned == sweep_id else {}
        if found.get("state") in UNFINISHED and (old is None or found.get("job_id") in (old, new)):
            store.sweeps.write_state(user_id, sweep_id, {**found, "state": "waiting", "job_id": new})
            return True
    return False


def unfinished(store: Store) -> list[tuple[str, str, str]]:
    """(user_id, sweep_id, job_id) of the sweeps that wait for a job."""
    found = []
    for user_id, sweep_id in store.sweeps.owned():
        state = store.sweeps.state(user_id, sweep_id)
        if state.get("state") in UNFINISHED and state.get("job_id"):
            found.append((user_id, sweep_id, str(state["job_id"])))
    return found


def _ended_with(error: HeimdexError) -> Json:
    return {"state": "cancelled" if isinstance(error, Cancelled) else "failed", "error": error.to_dict()}


def _state_of(found: Json) -> SweepState:
    """The state that a sweep says; one that ran in a process of this machine which is gone was interrupted."""
    state: SweepState = found.get("state", "waiting")
    is_of_process = state == "running" and found.get("job_id") is None
    if is_of_process and found.get("machine", platform.node()) == platform.node():
        return state if psutil.pid_exists(found.get("pid", -1)) else "cancelled"
    return state


def run_settings(row: Json) -> RunSettings:
    """Settings from JSON."""
    return RunSettings(**{**row, "spaces": tuple(row["spaces"]), "filters": tuple(row["filters"])})
