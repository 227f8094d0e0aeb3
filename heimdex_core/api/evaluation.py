"""/judgements and /runs: how well scenes fit queries, and how well searches do by that."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from heimdex_core.api.access import Reading, Writing
from heimdex_core.api.idempotency import IdempotentRoute, repeatable
from heimdex_core.api.mounting import PREFIX
from heimdex_core.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, behind, first_of, tagged
from heimdex_core.schemas import shapes
from heimdex_core.types import DEFAULT_QUERY_SET, MAX_GRADE, Filters

router = APIRouter(tags=["evaluation"], route_class=IdempotentRoute)

QuerySetName = Annotated[str | None, Query(description="only those of this query set")]


class JudgementBody(BaseModel):
    """How well a scene fits a query."""

    model_config = ConfigDict(extra="forbid")

    text: str
    scene_id: str
    grade: int = Field(ge=0, le=MAX_GRADE, description="0 (not relevant) to 3 (exactly what was asked for)")
    reason: str = ""
    query_set: str = DEFAULT_QUERY_SET


class RunBody(BaseModel):
    """With which settings the queries of a set are searched for."""

    model_config = ConfigDict(extra="forbid")

    query_set: str | None = Field(None, description="default the set that has relevant judgements, else the sample's")
    weights: dict[str, float] | None = None
    fusion: str | None = None
    spaces: list[str] = Field([], max_length=50)
    filters: Filters | None = None
    temperature: float | None = None
    model_set: int | None = None
    name: str | None = None


@router.get("/judgements", response_model=Page[shapes.Judgement])
def list_judgements(
    request: Request,
    library: Reading,
    query_set: QuerySetName = None,
    query: Annotated[str | None, Query(description="only those for this query")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The user's judgements, in the order in which they were made."""
    found = library.evaluation.judgements(query_set, query=query, limit=limit + 1, after=behind(cursor))
    items, following = first_of(found, limit, lambda one: (one.judged_at, one.judgement_id))
    page = Page[shapes.Judgement](items=[shapes.Judgement.of(one) for one in items], next_cursor=following)
    return tagged(request, page)


@router.post("/judgements", status_code=201, dependencies=[repeatable])
def judge(library: Writing, body: JudgementBody) -> shapes.Judgement:
    """Say how well a scene fits a query; an earlier grade is replaced."""
    made = library.judge(body.text, body.scene_id, body.grade, reason=body.reason, query_set=body.query_set)
    return shapes.Judgement.of(made)


@router.delete("/judgements/{judgement_id}", status_code=204)
def forget_judgement(library: Writing, judgement_id: str) -> None:
    """Take a judgement back; nothing happens if there is none of this id."""
    library.evaluation.forget(judgement_id)


@router.get("/runs", response_model=Page[shapes.EvaluationRun])
def list_runs(
    request: Request,
    library: Reading,
    query_set: QuerySetName = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The user's runs, newest first, scored by the judgements as they are now."""
    found = library.evaluation.runs(query_set, limit=limit + 1, after=behind(cursor))
    items, following = first_of(found, limit, lambda one: (one.created_at, one.run_id))
    page = Page[shapes.EvaluationRun](items=[shapes.EvaluationRun.of(one) for one in items], next_cursor=following)
    return tagged(request, page)


@router.post("/runs", status_code=201, dependencies=[repeatable])
def evaluate(response: Response, library: Writing, body: RunBody) -> shapes.EvaluationRun:
    """Search for every query of a set, and keep what was found as a run."""
    run = library.evaluate(
        body.query_set,
        weights=body.weights,
        fusion=body.fusion,
        spaces=body.spaces,
        filters=body.filters,
        temperature=body.temperature,
        model_set=body.model_set,
        name=body.name,
    )
    response.headers["Location"] = f"{PREFIX}/runs/{run.run_id}"
    return shapes.EvaluationRun.of(run)


RunName = Annotated[str, Path(description="id, or the newest run of a name")]


@router.get("/runs/{run}", response_model=shapes.EvaluationRun)
def get_run(request: Request, library: Reading, run: RunName) -> Response:
    """One run."""
    return tagged(request, shapes.EvaluationRun.of(library.evaluation.run(run)))


@router.delete("/runs/{run}", status_code=204)
def delete_run(library: Writing, run: RunName) -> None:
    """Remove a run."""
    library.evaluation.delete_run(run)
