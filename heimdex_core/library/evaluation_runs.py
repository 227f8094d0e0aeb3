"""Runs of one person: made, kept, scored by the judgements of today, compared."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cachetools import LRUCache

from heimdex_core.errors import HeimdexError, InvalidValue, UnknownName
from heimdex_core.evaluation import comparison
from heimdex_core.evaluation.judged_set import JudgedSet
from heimdex_core.evaluation.metrics import evaluate
from heimdex_core.evaluation.pooling import pool
from heimdex_core.library.arguments import After, Count, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.judging import Judging, checked_name, numbered
from heimdex_core.library.running import EvaluationSearch
from heimdex_core.library.search_defaults import SearchDefaultsRecords
from heimdex_core.library.sweeps import run_settings
from heimdex_core.search.filter_text import filter_pairs
from heimdex_core.types import (
    DEFAULT_QUERY_SET,
    EvaluationRun,
    Filters,
    Json,
    PoolItem,
    Provenance,
    Ranking,
    RunComparison,
    RunSettings,
    SetQuery,
    to_json,
    utc_now,
)

DEPTH = 100
"""Hits that a run keeps for each query."""
_KEPT_RUNS = 200
"""Runs whose measures are kept in memory."""


class EvaluationRuns(Judging):
    """Part of Evaluation."""

    def __init__(self, context: LibraryContext) -> None:
        super().__init__(context)
        self._runs = context.store.runs
        self._defaults = SearchDefaultsRecords(context)
        self._search = EvaluationSearch(context)
        self._lock = threading.Lock()
        """Protects the cache."""
        self._scored: LRUCache[tuple[str, str], EvaluationRun] = LRUCache(_KEPT_RUNS)
        """Runs by run_id and the digest of the judgements."""

    @checked
    def evaluate(
        self,
        query_set: str | None = None,
        *,
        weights: Mapping[str, Any] | None = None,
        fusion: str | None = None,
        spaces: Sequence[str] = (),
        filters: Filters | None = None,
        temperature: float | None = None,
        model_set: int | None = None,
        name: str | None = None,
    ) -> EvaluationRun:
        """Search for every query of a set and keep the run; see Library.evaluate."""
        defaults = self._defaults.read()
        settings = RunSettings(
            weights=dict(defaults.weights if weights is None else weights),
            fusion=fusion or defaults.fusion,
            spaces=tuple(spaces),
            temperature=defaults.temperature if temperature is None else temperature,
            filters=tuple(filter_pairs(filters)) if filters else (),
            depth=DEPTH,
            model_set=model_set,
        )
        return self._evaluate(self._sets.load(query_set), settings, name)

    @checked
    def rerun(self, run: str, *, name: str | None = None) -> EvaluationRun:
        """Make a run again with its settings, on the library and the software of today. Raises UnknownName."""
        about = self._about(run)
        judged = self._sets.load(about["query_set"])
        return self._evaluate(judged, run_settings(about["settings"]), name)

    def _evaluate(self, judged: JudgedSet, settings: RunSettings, name: str | None) -> EvaluationRun:
        self._search.check(settings)
        if not judged.queries:  # with queries it may be scored later: what runs find is pooled, to be judged
            judged.require_scored()
        rankings = {query.query_id: self._search.ranking(query.text, settings) for query in judged.queries}
        return self._keep(judged, settings, rankings, name, self._search.provenance(judged, settings.model_set))

    def _keep(
        self,
        judged: JudgedSet,
        settings: RunSettings,
        rankings: Mapping[str, Ranking],
        name: str | None,
        provenance: Provenance | None,
    ) -> EvaluationRun:
        user_id = self._context.user_id
        taken = [about["name"] for about in self._runs.all(user_id)]
        about: Json = {
            "run_id": str(uuid.uuid4()),
            "name": checked_name("run", name or numbered("run", taken)),
            "query_set": judged.name,
            "created_at": utc_now().isoformat(),
            "settings": to_json(settings),
            "provenance": to_json(provenance),
            "queries": to_json(judged.queries),
        }
        self._runs.save(user_id, about, rankings)
        return self._score(about, judged)

    @checked
    def runs(
        self, query_set: str | None = None, *, limit: Count | None = None, after: After | None = None
    ) -> list[EvaluationRun]:
        """The stored runs (of a set), newest first, scored by the judgements as they are now.

        Args:
            query_set: None takes those of all sets.
            limit: so many; the rankings of others are not read.
            after: (created_at, run_id) of the one that they come behind.
        """
        sets = dict[str, JudgedSet | None]()
        user_id = self._context.user_id
        return [
            self._score(about, self._set_of(about, sets))
            for about in self._runs.all(user_id, query_set=query_set, limit=limit, after=after)
        ]

    @checked
    def run(self, run: str) -> EvaluationRun:
        """A run by its id, or the newest one of a name. Raises UnknownName."""
        about = self._about(run)
        return self._score(about, self._set_of(about, {}))

    @checked
    def delete_run(self, run: str) -> None:
        """Remove a run. Raises UnknownName."""
        self._runs.delete(self._context.user_id, self._about(run)["run_id"])

    @checked
    def compare(self, first: Any, second: Any) -> RunComparison:
        """Two runs, by name, id or as they are, over the queries that both have scored; a delta is second - first.

        Raises UnknownName; InvalidValue if they have no scored query in common.
        """
        return comparison.compare(self._as_run(first), self._as_run(second))

    def _as_run(self, run: Any) -> EvaluationRun:
        return run if isinstance(run, EvaluationRun) else self.run(run)

    def _about(self, run: str) -> Json:
        stored = self._runs.all(self._context.user_id)
        for about in stored:
            if run in (about["run_id"], about["name"]):
                return about
        known = ", ".join(dict.fromkeys(about["name"] for about in stored)) or "none"
        raise UnknownName(kind="run", name=run, known=known)

    def _set_of(self, about: Json, known: dict[str, JudgedSet | None]) -> JudgedSet | None:
        """The set of a run; None if it was deleted."""
        name = about["query_set"]
        if name not in known:
            try:
                known[name] = self._sets.load(name)
            except HeimdexError:
                known[name] = None
        return known[name]

    def _score(self, about: Json, judged: JudgedSet | None) -> EvaluationRun:
        key = (about["run_id"], judged.digest if judged is not None else "")
        with self._lock:
            known = self._scored.get(key)
        if known is not None:
            return known
        rankings = self._runs.rankings(self._context.user_id, about["run_id"])
        queries = tuple(SetQuery(**row) for row in about["queries"])
        all_grades = judged.qrels if judged is not None else {}
        qrels = {query.query_id: all_grades.get(query.query_id, {}) for query in queries}
        found = evaluate(rankings, qrels)
        run = EvaluationRun(
            run_id=about["run_id"],
            name=about["name"],
            query_set=about["query_set"],
            created_at=datetime.fromisoformat(about["created_at"]),
            settings=run_settings(about["settings"]),
            provenance=Provenance(**about["provenance"]) if about["provenance"] else None,
            queries=queries,
            rankings=rankings,
            measures=comparison.summaries(found) if found.per_query else {},
            per_query=found.per_query,
            unjudged=found.unjudged_share,
            unscored=found.unjudged,
            moved=judged.moved if judged is not None else 0,
        )
        with self._lock:
            self._scored[key] = run
        return run

    @checked
    def pool(
        self,
        query_set: str = DEFAULT_QUERY_SET,
        *,
        runs: Sequence[str] | None = None,
        depth: Count = 20,
        judge: str | None = None,
    ) -> list[PoolItem]:
        """The scenes to judge: the first `depth` of each run for each query, shuffled, without a word of which run.

        Args:
            query_set: whose queries.
            runs: names or ids of runs; None takes all stored runs of the set.
            depth: at least 1.
            judge: who will judge (None: the person); the order of the scenes depends on it.

        Raises UnknownName, InvalidValue.
        """
        if depth < 1:
            raise InvalidValue(name="depth", value=depth, reason="it must be at least 1")
        user_id, who = self._context.user_id, judge or self._context.user_id
        stored = self.query_set(query_set)
        queries = [SetQuery(one.text, one.query_id) for one in stored.queries]
        if runs is None:
            chosen = [about for about in self._runs.all(user_id) if about["query_set"] == query_set]
        else:
            chosen = [self._about(name) for name in runs]
        said = {(one.query, one.scene_id): one.grade for one in self.judgements(query_set, judge=who) if one.scene_id}
        rankings = [self._runs.rankings(user_id, about["run_id"]) for about in chosen]
        return pool(queries, rankings, depth=depth, judge=who, grades=said)
