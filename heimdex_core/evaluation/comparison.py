"""The measures of a run with their intervals, and two runs against each other, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heimdex_core.errors import InvalidValue
from heimdex_core.evaluation.metrics import METRICS, Evaluation
from heimdex_core.evaluation.statistics import holm, interval, randomisation_p, t_test_p
from heimdex_core.types import EvaluationRun, MeasureDelta, MeasureSummary, QueryDelta, RunComparison

_TIE = 1e-9
"""Values that differ by less are equal."""


def summaries(evaluation: Evaluation) -> dict[str, MeasureSummary]:
    """Mean, confidence interval and unjudged share of each measure."""
    return {
        name: summary(
            [values[name] for values in evaluation.per_query.values()],
            [shares[name] for shares in evaluation.unjudged_share.values()],
        )
        for name in evaluation.metrics
    }


def summary(values: Sequence[float], unjudged: Sequence[float]) -> MeasureSummary:
    """Mean and confidence interval of one value a query, and the mean of their unjudged shares."""
    ends = interval(values)
    count = max(len(values), 1)
    return MeasureSummary(sum(values) / count, ends.low, ends.high, sum(unjudged) / count)


def compare(first: EvaluationRun, second: EvaluationRun) -> RunComparison:
    """Two runs over the queries that both have scored. Raises InvalidValue if they have none in common."""
    common = [query_id for query_id in first.per_query if query_id in second.per_query]
    if not common:
        raise InvalidValue(
            name="runs", value=f"{first.name}, {second.name}", reason="they have no scored query in common"
        )
    names = [name for name in METRICS if name in first.measures and name in second.measures]
    differences = {
        name: [second.per_query[query_id][name] - first.per_query[query_id][name] for query_id in common]
        for name in names
    }
    p_values = [randomisation_p(differences[name]) for name in names]
    corrected = dict(zip(names, holm(p_values), strict=True))
    measures = {}
    for name, p in zip(names, p_values, strict=True):
        deltas = differences[name]
        ends = interval(deltas)
        before = sum(first.per_query[query_id][name] for query_id in common) / len(common)
        wins, losses = sum(delta > _TIE for delta in deltas), sum(delta < -_TIE for delta in deltas)
        measures[name] = MeasureDelta(
            first=before,
            second=before + sum(deltas) / len(deltas),
            delta=sum(deltas) / len(deltas),
            low=ends.low,
            high=ends.high,
            p=p,
            p_t=t_test_p(deltas),
            p_corrected=corrected[name],
            wins=wins,
            losses=losses,
            ties=len(deltas) - wins - losses,
        )
    return RunComparison(first, second, measures, _query_deltas(first, second, common, differences))


def _query_deltas(
    first: EvaluationRun, second: EvaluationRun, common: Sequence[str], differences: Mapping[str, Sequence[float]]
) -> dict[str, tuple[QueryDelta, ...]]:
    texts = {query.query_id: query.text for query in (*second.queries, *first.queries)}
    found = {}
    for name, deltas in differences.items():
        rows = [
            QueryDelta(
                query_id,
                texts.get(query_id, ""),
                first.per_query[query_id][name],
                second.per_query[query_id][name],
                delta,
            )
            for query_id, delta in zip(common, deltas, strict=True)
        ]
        found[name] = tuple(sorted(rows, key=lambda row: -row.delta))
    return found
