"""Which scenes the judging view shows: those of the query that is judged, and of those after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heimdex_core.types import Agreement, PoolItem
from ui.i18n import number, t

AHEAD = 20
"""At least so many scenes without a grade are sent ahead, if there are: keys must not wait for the server."""
END = ""
"""The place behind the last scene."""


def key_of(item: PoolItem) -> str:
    """Names a scene of the pool."""
    return f"{item.query_id}/{item.scene_id}"


def beginning_of(query: str) -> str:
    """The place at which a query, given by its id or its text, begins, without knowing its scenes."""
    return f"{query}/"


def place(pool: Sequence[PoolItem], wanted: str | None) -> str | None:
    """Where to begin: at the key `wanted` if the pool has it, else at the first scene without a grade.

    `wanted` may also be the beginning of a query. None where nothing is left to judge, or where the end was wanted.
    """
    if wanted == END:
        return None
    if wanted is not None and wanted.endswith("/"):
        wanted = first_of(pool, wanted.removesuffix("/"))
    if wanted is not None and any(key_of(item) == wanted for item in pool):
        return wanted
    return next((key_of(item) for item in pool if item.grade is None), None)


def first_of(pool: Sequence[PoolItem], query: str) -> str | None:
    """Where a query, given by its id or its text, begins: its first scene without a grade, else its first one."""
    of_query = [item for item in pool if query in (item.query_id, item.query)]
    return place(of_query, None) or (key_of(of_query[0]) if of_query else None)


def window(pool: Sequence[PoolItem], at: str | None) -> list[PoolItem]:
    """The scenes of the query at `at`, and of the queries after it until AHEAD of them have no grade.

    Without a place, those from the first query on in which something has been skipped.
    """
    queries = list(dict.fromkeys(item.query_id for item in pool))
    here = at.partition("/")[0] if at else next((item.query_id for item in pool if item.grade is None), None)
    if here not in queries:
        return []
    found: list[PoolItem] = []
    for query_id in queries[queries.index(here) :]:
        of_query = [item for item in pool if item.query_id == query_id]
        if query_id == here or any(item.grade is None for item in of_query):
            found += of_query
        if sum(item.grade is None for item in found) >= AHEAD:
            break
    return found


def progress(pool: Sequence[PoolItem]) -> dict[str, int]:
    """How many scenes of the pool have a grade: {"done", "total"}."""
    return {"done": sum(item.grade is not None for item in pool), "total": len(pool)}


def queries(pool: Sequence[PoolItem]) -> list[dict[str, Any]]:
    """The queries of the pool in its order: [{"id", "text", "done", "total"}]."""
    found: dict[str, dict[str, Any]] = {}
    for item in pool:
        row = found.setdefault(item.query_id, {"id": item.query_id, "text": item.query, "done": 0, "total": 0})
        row["total"] += 1
        row["done"] += item.grade is not None
    return list(found.values())


def agreement(found: Agreement) -> dict[str, str] | None:
    """How far the judges agree: Cohen's kappa of two, Fleiss' of more; None with fewer than two judges.

    Returns {"heading", "value", "text"}.
    """
    if len(found.judges) < 2:
        return None
    pair = found.pairs[0] if len(found.judges) == 2 and found.pairs else None
    kappa, items = (pair.kappa, pair.items) if pair else (found.fleiss, found.items)
    shown = "–" if kappa is None else f"{kappa:.2f}".replace("-", "\N{MINUS SIGN}")
    name = t("judge.cohen") if pair else t("judge.fleiss")
    text = t("judge.in_common", judges=", ".join(found.judges), n=number(items))
    return {"heading": t("judge.agreement"), "value": f"κ {shown}", "text": f"{name} · {text}"}
