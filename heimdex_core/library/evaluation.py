"""Evaluating searches: judgements, runs, sweeps, and the settings that come of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from heimdex_core.errors import InvalidValue
from heimdex_core.evaluation import report, trec
from heimdex_core.library.arguments import AnyPath, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.evaluation_files import EvaluationFiles
from heimdex_core.library.evaluation_runs import DEPTH
from heimdex_core.library.evaluation_sweeps import EvaluationSweeps
from heimdex_core.library.judging import checked_name, own_set_name
from heimdex_core.library.search_defaults import Scope
from heimdex_core.types import (
    DEFAULT_QUERY_SET,
    EvaluationRun,
    ImportReport,
    Json,
    RunSettings,
    SearchDefaults,
    SweepScore,
)


class Evaluation(EvaluationSweeps):
    """The evaluations of one person. Safe to share between threads.

    Query sets, runs and sweeps are named; `query_set` None is the default set if it has a relevant judgement, else the
    first set that has one, else the sample's ("sample", which is read only).
    """

    def __init__(self, context: LibraryContext) -> None:
        super().__init__(context)
        self._files = EvaluationFiles(context)

    # --- files ------------------------------------------------------------------------------------

    @checked
    def import_trec(
        self,
        qrels: AnyPath | None = None,
        *,
        topics: AnyPath | None = None,
        run: AnyPath | None = None,
        query_set: str = DEFAULT_QUERY_SET,
        judge: str | None = None,
        name: str | None = None,
    ) -> ImportReport:
        """Take over files of TREC: judgements, their topics, a run.

        Args:
            qrels: judgements; scenes that the library does not have are left out and listed.
            topics: the texts of the queries; needed for ids that the set does not have yet.
            run: a ranking for each query, kept as a run.
            query_set: the set to add to; created if there is none of that name.
            judge: who judged (None: the person).
            name: of the run; default as in the file.

        Raises FileUnreadable with the number of a wrong line, InvalidValue.
        """
        if qrels is None and topics is None and run is None:
            raise InvalidValue(name="files", value="none", reason="qrels, topics or a run are needed")
        query_set, who = self._target(query_set, judge)
        queries = () if topics is None else trec.read_topics(Path(topics))
        stored = {one.name: one for one in self.query_sets()}.get(query_set)
        known = stored.queries if stored is not None else ()
        report_ = ImportReport(query_set, len(queries), 0)
        if qrels is not None:
            report_ = self._files.import_qrels(Path(qrels), queries, known, query_set, who)
        elif queries:
            self._judgements.save(self._context.user_id, query_set, (), queries)
        if run is None:
            return report_
        judged = self._sets.load(query_set)
        found, rankings, unknown = self._files.read_run(Path(run), judged.queries)
        imported = self._keep(judged, RunSettings({}, "imported", depth=DEPTH), rankings, name or found, None)
        return ImportReport(
            query_set,
            report_.queries,
            report_.judgements,
            imported.name,
            (*report_.unknown_scenes, *unknown),
            report_.duplicates,
        )

    @checked
    def import_table(
        self, path: AnyPath, *, query_set: str = DEFAULT_QUERY_SET, judge: str | None = None
    ) -> ImportReport:
        """Take over judgements from .csv, .parquet or .json; docs/evaluation-howto.md has their columns.

        Raises FileUnreadable with the number of a wrong row, InvalidValue.
        """
        return self._files.import_table(Path(path), *self._target(query_set, judge))

    def _target(self, query_set: str, judge: str | None) -> tuple[str, str]:
        who = self._context.user_id if judge is None else checked_name("judge", judge)
        return own_set_name(query_set), who

    @checked
    def export_trec(
        self, folder: AnyPath, *, query_set: str | None = None, runs: Sequence[str] | None = None
    ) -> list[Path]:
        """Write qrels.txt, topics.txt and one file a run (None: all of the set) into a folder; the files."""
        judged = self._sets.load(query_set)
        chosen = self.runs(judged.name) if runs is None else [self.run(name) for name in runs]
        return self._files.export_trec(Path(folder), judged, chosen)

    @checked
    def export_table(self, path: AnyPath, *, query_set: str = DEFAULT_QUERY_SET) -> Path:
        """Write the judgements of a set with who and when, as .csv or .parquet; the file."""
        stored = self._sets.query_set(query_set)
        return self._files.export_table(Path(path), stored.queries, self.judgements(query_set))

    @checked
    def report(
        self,
        query_set: str | None = None,
        *,
        runs: Sequence[str] | None = None,
        compare: tuple[str, str] | None = None,
        format: Literal["html", "md"] = "html",
    ) -> str:
        """A report of a set: its runs, a comparison of two, its sweeps, the agreement of its judges.

        Args:
            query_set: see the class.
            runs: names or ids; None takes all runs of the set.
            compare: two runs; None compares the oldest with the newest one.
            format: "html" is one page without anything from the network, "md" is Markdown.

        Raises UnknownName, NoJudgements.
        """
        judged = self._sets.load(query_set)
        chosen = self.runs(judged.name) if runs is None else [self.run(name) for name in runs]
        pair = None
        if compare is not None:
            pair = self.compare(*compare)
        elif len(chosen) > 1:
            pair = self.compare(chosen[-1], chosen[0])
        stored = self.query_set(judged.name)
        content = report.Content(
            query_set=stored,
            scored=len(judged.scored),
            runs=tuple(chosen),
            comparison=pair,
            sweeps=tuple(one for one in self.sweeps() if one.query_set == judged.name and one.outcome),
            agreement=self.agreement(judged.name),
        )
        return report.as_html(content) if format == "html" else report.as_markdown(content)

    # --- defaults ---------------------------------------------------------------------------------

    def defaults(self) -> SearchDefaults:
        """The weights and the fusion of a search that names none. Never waits for a writer."""
        return self._defaults.read()

    @checked
    def make_default(self, settings: Any, *, scope: Scope = "me") -> SearchDefaults:
        """Let searches use these settings where they name none.

        Args:
            settings: RunSettings, a run, a setting of a sweep, or {"weights", "fusion", "temperature"}; what a mapping
                does not have stays as it is.
            scope: "me", or "library" for everybody who has not chosen their own.

        Raises InvalidWeights, UnknownName; InvalidValue for settings of another type, for an imported run, and for
        settings with other models than a search uses by default.
        """
        values = _default_values(settings, self._context.store.sets.active().set_id)
        now = self._defaults.read()
        self._search.check(
            RunSettings(values.get("weights", now.weights), values.get("fusion", now.fusion), depth=DEPTH)
        )
        return self._defaults.make(values, scope)

    @checked
    def undo_default(self, *, scope: Scope = "me") -> SearchDefaults:
        """Bring back what was there before `make_default`. Raises InvalidValue where there is nothing to undo."""
        return self._defaults.undo(scope)


def _default_values(settings: Any, active_set: int) -> Json:
    if isinstance(settings, EvaluationRun | SweepScore):
        if isinstance(settings, EvaluationRun) and settings.provenance is None:
            raise InvalidValue(name="settings", value=settings.name, reason="an imported run has none")
        settings = settings.settings
    if isinstance(settings, RunSettings):
        if settings.model_set not in (None, active_set) or settings.spaces:
            models = ", ".join(settings.spaces) or f"model set {settings.model_set}"
            reason = "a search does not use these models by default; move the library to them first, under Settings"
            raise InvalidValue(name="settings", value=models, reason=reason)
        settings = {
            "weights": settings.weights,
            "fusion": settings.fusion,
            "temperature": settings.temperature,
        }
    names = {"weights": "weights", "fusion": "fusion", "temperature": "keyframe_temperature"}
    if not isinstance(settings, Mapping) or not settings or not set(settings) <= set(names):
        reason = "settings of a run, or a mapping with weights, fusion or temperature are needed"
        raise InvalidValue(name="settings", value=repr(settings)[:80], reason=reason)
    return {names[name]: dict(value) if name == "weights" else value for name, value in settings.items()}
