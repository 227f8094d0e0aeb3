"""Runs and judgements."""

from __future__ import annotations

from heimdex_core import types
from heimdex_core.schemas.shapes.base import Moment, Shape
from heimdex_core.types import to_json


class Measure(Shape):
    """A measure of a run, with its 95 % confidence interval."""

    mean: float
    low: float | None
    high: float | None
    unjudged: float


class EvaluationRun(Shape):
    """A run. `queries` has the value of each measure for each query that was scored."""

    run_id: str
    name: str
    measures: dict[str, Measure]
    queries: dict[str, dict[str, float]]
    query_set: str = ""
    created_at: Moment | None = None

    @classmethod
    def of(cls, found: types.EvaluationRun) -> EvaluationRun:
        return cls(
            run_id=found.run_id,
            name=found.name,
            measures={name: Measure(**to_json(summary)) for name, summary in found.measures.items()},
            queries={query_id: dict(values) for query_id, values in found.per_query.items()},
            query_set=found.query_set,
            created_at=found.created_at,
        )


class Judgement(Shape):
    """What one judge says about one scene for one query; `scene_id` is null where no scene of today is the judged
    one."""

    judgement_id: str
    query_set: str
    query: str
    video_id: str
    start_ms: int
    end_ms: int
    grade: int
    judge: str
    judged_at: Moment
    reason: str
    scene_id: str | None

    @classmethod
    def of(cls, found: types.SceneJudgement) -> Judgement:
        return cls.model_validate(to_json(found))
