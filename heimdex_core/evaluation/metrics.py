"""Metrics of a run against judgements, computed by ir-measures (which uses trec_eval).

nDCG@10 (gain = grade), MRR (1 / rank of the first relevant scene), recall@10, precision@5 and MAP (average precision).
A scene is relevant if its grade is at least 1. Beside each metric stands the share of scenes that nobody has judged
among those that it looks at: a metric counts them as not relevant. A query for which nothing was found counts with 0.
A query without a relevant judgement cannot be scored: it is left out and listed in `Evaluation.unjudged`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heimdex_core.errors import UnknownName
from heimdex_core.evaluation.judgements import Qrels

if TYPE_CHECKING:
    import pandas as pd
    from ir_measures.measures import Measure

Run = Mapping[str, Sequence[tuple[str, float]]]
"""{query_id: [(scene_id, score), ...]}, best first."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by the name that people see."""

    name: str
    measure: str
    """Its name in ir-measures."""


_LISTED = (
    Metric("nDCG@10", "nDCG@10"),
    Metric("MRR", "RR"),
    Metric("recall@10", "R@10"),
    Metric("precision@5", "P@5"),
    Metric("MAP", "AP"),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _LISTED}
"""The metrics of every run, in the order of the tables; a new one is a line above."""

MAIN_METRIC = "nDCG@10"

WEAK_BELOW = 0.5
"""A query with a lower nDCG@10 is listed in `Evaluation.weak`."""

RELEVANT_FROM = 1.0
"""The lowest grade that counts as relevant; grades of several judges are averaged before."""

UNJUDGED_DEPTH = 10
"""How far down unjudged scenes are counted for a metric that has no cutoff of its own."""

_SCALE = 60
"""trec_eval takes integer grades. Multiplied by this, the average of 2 to 6 judges is one, and nDCG is the same."""


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a run."""

    metrics: tuple[str, ...]
    """The names of the metrics, in the order of the table."""
    per_query: Mapping[str, Mapping[str, float]]
    """{query_id: {metric: value}}."""
    mean: Mapping[str, float]
    """{metric: mean over the queries in `per_query`}."""
    weak: tuple[str, ...]
    """Queries whose nDCG@10 is below WEAK_BELOW."""
    unjudged: tuple[str, ...]
    """Queries without a relevant judgement, which were left out."""
    unjudged_share: Mapping[str, Mapping[str, float]]
    """{query_id: {metric: share, 0 to 1, of the scenes it looks at that have no judgement}}."""

    def to_pandas(self) -> pd.DataFrame:
        """One row per query, indexed by query_id, with a last row "mean"."""
        import pandas as pd

        rows = {**self.per_query, **({"mean": self.mean} if self.per_query else {})}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(self.metrics)).rename_axis("query_id")


def evaluate(run: Run, qrels: Qrels, metrics: Sequence[str] = tuple(METRICS)) -> Evaluation:
    """Score a run.

    Args:
        run: what was found for each query; queries that are missing count as nothing found.
        qrels: the judgements; grades need not be integers.
        metrics: names from METRICS, or of ir-measures, for example "nDCG@20" or "P(rel=2)@10".

    Raises UnknownName for a metric that neither of them has.
    """
    import ir_measures

    measures = {_measure(name): name for name in metrics}
    judged = {query_id: grades for query_id, grades in qrels.items() if is_scored(grades)}
    scaled = {query_id: {s: round(g * _SCALE) for s, g in grades.items()} for query_id, grades in judged.items()}
    ranked = {query_id: _by_rank(run.get(query_id, ())) for query_id in judged}
    per_query = {query_id: dict.fromkeys(metrics, 0.0) for query_id in judged}
    if any(ranked.values()):
        for found in ir_measures.iter_calc(list(measures), scaled, ranked):
            per_query[found.query_id][measures[found.measure]] = float(found.value)
    count = max(len(per_query), 1)
    depths = {name: measure.params.get("cutoff", UNJUDGED_DEPTH) for measure, name in measures.items()}
    return Evaluation(
        metrics=tuple(metrics),
        per_query=per_query,
        mean={name: sum(values[name] for values in per_query.values()) / count for name in metrics},
        weak=tuple(q for q, values in per_query.items() if values.get(MAIN_METRIC, 1.0) < WEAK_BELOW),
        unjudged=tuple(query_id for query_id in qrels if query_id not in judged),
        unjudged_share={
            query_id: {name: unjudged_at(depth, run.get(query_id, ()), grades) for name, depth in depths.items()}
            for query_id, grades in judged.items()
        },
    )


def is_scored(grades: Mapping[str, float]) -> bool:
    """Whether a query with these grades has a relevant scene, without which no metric is defined."""
    return any(grade >= RELEVANT_FROM for grade in grades.values())


def unjudged_at(depth: int, ranking: Sequence[tuple[str, float]], grades: Mapping[str, float]) -> float:
    """The share of the first `depth` scenes of a ranking (of all, where it is shorter) that have no grade."""
    top = ranking[:depth]
    return sum(scene_id not in grades for scene_id, _ in top) / len(top) if top else 0.0


def _measure(name: str) -> Measure:
    import ir_measures

    try:
        measure = ir_measures.parse_measure(METRICS[name].measure if name in METRICS else name)
    except (ValueError, NameError, KeyError) as error:
        raise UnknownName(kind="metric", name=name, known=", ".join(METRICS)) from error
    if "rel" not in measure.SUPPORTED_PARAMS:
        return measure
    return measure(rel=round(measure.params.get("rel", RELEVANT_FROM) * _SCALE))


def _by_rank(hits: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Scores that decrease strictly with rank: trec_eval orders by score alone and breaks ties in its own way."""
    return {scene_id: float(len(hits) - position) for position, (scene_id, _) in enumerate(hits)}
