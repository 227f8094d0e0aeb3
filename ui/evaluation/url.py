"""What the evaluation page shows, in its URL: /evaluate?set=…&view=runs&a=…&b=…&q=…&by=…"""

from __future__ import annotations

from collections.abc import Mapping

from ui import state
from ui.evaluation import VIEWS
from ui.evaluation.sets import MAX_NAME
from ui.state import EvaluationState
from ui.views.evaluation import MEASURES
from ui.views.judging import beginning_of

Params = dict[str, str | None]
_USUAL = EvaluationState()


def restore(given: Mapping[str, str]) -> None:
    """Show what a URL names. The values come from outside and may be anything."""
    view, cell, query = given.get("view", ""), given.get("cell", ""), given.get("q") or None
    view = view if view in VIEWS else _USUAL.part
    at = given.get("at") or None
    if view == "judge" and query:  # the link "Judge" beside a query
        at, query = beginning_of(query), None
    state.update_evaluation(
        part=view,
        query_set=given.get("set", ""),
        first=given.get("a") or None,
        second=given.get("b") or None,
        measure=given["by"] if given.get("by") in MEASURES else _USUAL.measure,
        query=query,
        at=at,
        judge=given.get("as", "").strip()[:MAX_NAME] or None,
        sweep=given.get("sweep") or None,
        cell=int(cell) if cell.isascii() and cell.isdecimal() and len(cell) < 6 else None,
    )


def params(now: EvaluationState, query_set: str | None) -> tuple[Params, Params]:
    """(parameters whose change is an entry in the history, those whose change is not) of what the page shows.

    Args:
        now: the state of the page.
        query_set: the name of the set that is shown; None for none.
    """
    entry: Params = dict.fromkeys(("set", "view", "a", "b", "q", "sweep"))
    details: Params = dict.fromkeys(("by", "at", "as", "cell"))
    if query_set is None:
        return entry, details
    entry |= {"set": query_set, "view": now.part if now.part != _USUAL.part else None}
    if now.part == "runs":
        entry |= {"a": now.first, "b": now.second, "q": now.query}
        details["by"] = now.measure if now.measure != _USUAL.measure else None
    elif now.part == "judge":
        details |= {"at": now.at, "as": now.judge}
    elif now.part == "sweeps":
        entry["sweep"] = now.sweep
        details["cell"] = str(now.cell) if now.cell is not None else None
    return entry, details
