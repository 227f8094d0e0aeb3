"""Metrics of a run against judgements, computed by ir-measures (which uses trec_eval).

nDCG@10 (gain = grade), reciprocal rank (1 / rank of the first relevant scene), recall@10, precision@5 and average
precision. A query for which nothing was found counts with 0. A query without a relevant judgement cannot be scored: it
is left out and listed in `Evaluation.unjudged`.
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

METRICS: tuple[str, ...] = ("nDCG@10", "RR", "R@10", "P@5", "AP")
"""By the names of ir-measures. The mean of RR is MRR, that of AP is MAP."""

WEAK_BELOW = 0.5
"""A query with a lower nDCG@10 is listed in `Evaluation.weak`."""


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

    def to_pandas(self) -> pd.DataFrame:
        """One row per query, indexed by query_id, with a last row "mean"."""
        import pandas as pd

        rows = {**self.per_query, **({"mean": self.mean} if self.per_query else {})}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(self.metrics)).rename_axis("query_id")


def evaluate(run: Run, qrels: Qrels, metrics: Sequence[str] = METRICS) -> Evaluation:
    """Score a run.

    Args:
        run: what was found for each query; queries that are missing count as nothing found.
        qrels: the judgements.
        metrics: names of metrics in ir-measures, for example "nDCG@10".

    Raises UnknownName for a metric that ir-measures does not have.
    """
    import ir_measures

    measures = {_measure(name): name for name in metrics}
    judged = {query_id: grades for query_id, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    scored = {query_id: _by_rank(run.get(query_id, ())) for query_id in judged}
    per_query = {query_id: dict.fromkeys(metrics, 0.0) for query_id in judged}
    if any(scored.values()):
        for found in ir_measures.iter_calc(list(measures), judged, scored):
            per_query[found.query_id][measures[found.measure]] = float(found.value)
    count = max(len(per_query), 1)
    return Evaluation(
        metrics=tuple(metrics),
        per_query=per_query,
        mean={name: sum(values[name] for values in per_query.values()) / count for name in metrics},
        weak=tuple(q for q, values in per_query.items() if values.get("nDCG@10", 1.0) < WEAK_BELOW),
        unjudged=tuple(query_id for query_id in qrels if query_id not in judged),
    )


def _measure(name: str) -> Measure:
    import ir_measures

    try:
        return ir_measures.parse_measure(name)
    except (ValueError, NameError, KeyError) as error:
        raise UnknownName(kind="metric", name=name, known=", ".join(METRICS)) from error


def _by_rank(hits: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Scores that decrease strictly with rank: trec_eval orders by score alone and breaks ties in its own way."""
    return {scene_id: float(len(hits) - position) for position, (scene_id, _) in enumerate(hits)}
