"""Evaluation: query sets, judgements, runs and their measures, comparisons, sweeps."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from heimdex_core.errors import InvalidValue
from heimdex_core.types.values import Json

if TYPE_CHECKING:
    import pandas as pd

MAX_GRADE = 3
"""Grades are 0 (not relevant), 1, 2 and 3 (exactly what was asked for)."""

DEFAULT_QUERY_SET = "default"

Ranking = tuple[tuple[str, float], ...]
"""(scene_id, score), best first."""


def tidy_query(text: str) -> str:
    """A query's text as it is stored and compared: in NFC, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


# --- query sets and judgements --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetQuery:
    """A query of a set."""

    text: str
    query_id: str = ""
    """Without spaces. If none is given it is made from the text, so that it is the same in every library."""
    language: str = ""
    """ISO 639-1 code, or "" where it is not given."""
    kind: str = ""
    """What the query is about, for tables, for example "said" or "hopeless"; "" where it is not given."""

    def __post_init__(self) -> None:
        if not self.query_id:
            # text that is not Unicode is refused by whoever takes the query
            digest = hashlib.sha256(tidy_query(self.text).encode(errors="surrogatepass")).hexdigest()
            object.__setattr__(self, "query_id", f"q{digest[:10]}")


@dataclass(frozen=True, slots=True)
class QuerySet:
    """Queries that are judged and scored together."""

    name: str
    queries: tuple[SetQuery, ...] = ()
    guidelines: str = ""
    """What each grade means, for the judges; plain text."""
    updated_at: datetime | None = None
    judgement_count: int = 0


@dataclass(frozen=True, slots=True)
class SceneJudgement:
    """What one judge says about one scene for one query."""

    judgement_id: str
    query_set: str
    query: str
    video_id: str
    start_ms: int
    end_ms: int
    grade: int
    """0 to MAX_GRADE."""
    judge: str
    judged_at: datetime
    reason: str = ""
    scene_id: str | None = None
    """The scene as it is now: the one that overlaps the judged interval most, with an IoU of at least 0.5. None where
    there is none any more: the scene has moved, or its video is gone."""

    def __post_init__(self) -> None:
        if isinstance(self.grade, bool) or self.grade not in range(MAX_GRADE + 1):
            raise InvalidValue(name="grade", value=self.grade, reason="it must be 0, 1, 2 or 3")

    @property
    def is_moved(self) -> bool:
        """Whether no scene of today corresponds to the judged interval."""
        return self.scene_id is None


@dataclass(frozen=True, slots=True)
class PoolItem:
    """A scene to judge. Which run found it is left out on purpose."""

    query_id: str
    query: str
    scene_id: str
    grade: int | None = None
    """The grade that this judge has given already."""


@dataclass(frozen=True, slots=True)
class KappaPair:
    """Cohen's kappa of two judges over the scenes that both have judged."""

    judges: tuple[str, str]
    items: int
    kappa: float | None
    """-1 to 1; None where it is not defined, because both gave one and the same grade throughout."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A scene that judges graded differently."""

    query: str
    scene_id: str
    grades: Mapping[str, int]
    """By judge."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the judges of a query set agree."""

    judges: tuple[str, ...]
    pairs: tuple[KappaPair, ...]
    fleiss: float | None
    """Fleiss' kappa over the scenes that all judges have judged; None below two judges, or where not defined."""
    items: int
    """The number of those scenes."""
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was taken from a file of judgements, topics or a run."""

    query_set: str
    queries: int
    judgements: int
    run: str | None = None
    """Name of the imported run."""
    unknown_scenes: tuple[str, ...] = ()
    """Scenes, or intervals of videos, that the library does not have; they were left out."""
    duplicates: int = 0
    """Rows that said the same as an earlier one."""


# --- runs -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MeasureSummary:
    """A measure of a run."""

    mean: float
    low: float | None
    """Lower end of the 95 % confidence interval of the mean; None for fewer than two queries."""
    high: float | None
    unjudged: float
    """Mean share (0 to 1) of scenes without a judgement among those that the measure looks at."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run was made with."""

    weights: Mapping[str, float]
    fusion: str
    spaces: tuple[str, ...] = ()
    temperature: float | None = None
    """Of the softmax over keyframes; None is the setting of the library."""
    filters: tuple[str, ...] = ()
    """As NAME=VALUE, as in the option --filter of the command line."""
    depth: int = 100
    """Hits that were kept for each query."""
    model_set: int | None = None
    """The number of a model set of the library; None is the one in use."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The software, models and library that a run was made with."""

    code_version: str
    search_code: str
    """SHA-256 of the source of the search package, shortened to 12 digits."""
    model_set: int
    models: Json
    """The choice of models as JSON."""
    library_revision: int
    """Of what was visible; it grows with every change of videos."""
    scenes: int
    judgements: str = ""
    """Digest of the judgements at that time."""


@dataclass(frozen=True)
class EvaluationRun:
    """The results of a set of queries with one setting, scored by the judgements as they are now."""

    run_id: str
    name: str
    query_set: str
    created_at: datetime
    settings: RunSettings
    provenance: Provenance | None
    """None for a run that was imported."""
    queries: tuple[SetQuery, ...]
    rankings: Mapping[str, Ranking] = field(repr=False)
    """By query_id."""
    measures: Mapping[str, MeasureSummary]
    """By name: "nDCG@10", "MRR", "recall@10", "precision@5", "MAP"."""
    per_query: Mapping[str, Mapping[str, float]] = field(repr=False)
    """{query_id: {measure: value}} of the queries that have a relevant judgement."""
    unjudged: Mapping[str, Mapping[str, float]] = field(repr=False)
    """{query_id: {measure: share of scenes without a judgement}}."""
    unscored: tuple[str, ...] = ()
    """query_ids without a relevant judgement, which no measure counts."""
    moved: int = 0
    """Judgements that no scene of today corresponds to; they are left out."""

    def to_pandas(self) -> pd.DataFrame:
        """One row per scored query, indexed by query_id, with a last row "mean"."""
        import pandas as pd

        means = {name: summary.mean for name, summary in self.measures.items()}
        rows: dict[str, Mapping[str, Any]] = {**self.per_query, **({"mean": means} if self.per_query else {})}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(self.measures)).rename_axis("query_id")


@dataclass(frozen=True, slots=True)
class MeasureDelta:
    """The difference of two runs in one measure, over the queries that both have."""

    first: float
    second: float
    delta: float
    """second - first."""
    low: float | None
    """Lower end of the 95 % confidence interval of `delta`; None for fewer than two queries."""
    high: float | None
    p: float
    """Of the paired two-sided randomisation test."""
    p_t: float
    """Of the paired two-sided t test."""
    p_corrected: float
    """`p` after Holm's correction for the number of measures."""
    wins: int
    """Queries in which the second run is better."""
    losses: int
    ties: int


@dataclass(frozen=True, slots=True)
class QueryDelta:
    """A query in both runs."""

    query_id: str
    text: str
    first: float
    second: float
    delta: float
    """second - first."""


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs, query by query."""

    first: EvaluationRun
    second: EvaluationRun
    measures: Mapping[str, MeasureDelta]
    queries: Mapping[str, tuple[QueryDelta, ...]]
    """By measure: the queries, largest gain of the second run first."""


# --- sweeps ---------------------------------------------------------------------------------------

SweepState = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class SweepScore:
    """How a setting did on the tuning queries."""

    number: int
    """Its place in the sweep; 0 is the baseline."""
    settings: RunSettings
    tuning: float
    """Mean of the sweep's measure over the tuning queries."""


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """The setting that did best on the tuning queries, and how it does on the held-out ones."""

    winner: SweepScore
    baseline: SweepScore
    tuning_gain: float
    chance_gain: float
    """The gain on the tuning queries that the best of so many settings has on average by pure chance."""
    held_out_baseline: MeasureSummary
    held_out_winner: MeasureSummary
    delta: float
    """Gain of the winner on the held-out queries."""
    low: float | None
    """Lower end of the 95 % confidence interval of `delta`."""
    high: float | None
    p: float
    """Of the paired randomisation test of winner against baseline on the held-out queries."""
    p_corrected: float
    """The same, corrected for the number of settings."""
    verdict: Literal["better", "worse", "no difference"]
    """It is "no difference" unless `p_corrected` is below 0.05."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A search for better settings: what is tried, how far it has come, and what came of it."""

    sweep_id: str
    name: str
    query_set: str
    measure: str
    state: SweepState
    created_at: datetime
    settings: tuple[RunSettings, ...]
    """What is tried; the first is the baseline."""
    tuning: tuple[str, ...]
    """query_ids by which settings are chosen."""
    held_out: tuple[str, ...]
    """query_ids by which the chosen setting is judged."""
    done: int
    """Queries that all settings have been tried with."""
    total: int
    job_id: str | None = None
    scores: tuple[SweepScore, ...] = ()
    """By `number`, once all queries are done."""
    outcome: SweepOutcome | None = None
    error: Json | None = None


@dataclass(frozen=True, slots=True)
class SearchDefaults:
    """What a search uses that names no weights or fusion."""

    weights: Mapping[str, float]
    fusion: str
    source: Literal["me", "library", "settings"]
    """Who has set the weights: the person, the library for everybody, or the environment."""
    temperature: float | None = None
    """Of the softmax over keyframes; None is the setting of the environment."""
    can_undo_me: bool = False
    can_undo_library: bool = False
