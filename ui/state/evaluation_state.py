"""What is chosen on the Evaluate page, and the grades of the search that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from heimdex_core.types.evaluation import ImportReport

_EVALUATION = "hx_evaluation"
_GRADES = "hx_grades"
_IMPORTED = "hx_import_report"


@dataclass(frozen=True)
class EvaluationState:
    """What the evaluation page shows; all of it is in its URL."""

    part: str = "set"
    """Of ui.evaluation.VIEWS."""
    query_set: str = ""
    """Its name; "" for the first one."""
    first: str | None = None
    """run_id of the run that the other one is compared with."""
    second: str | None = None
    measure: str = "nDCG@10"
    query: str | None = None
    """query_id of the query whose scenes are shown, or that is judged."""
    at: str | None = None
    """The scene that is judged: "<query_id>/<scene_id>"; None for the first one without a grade."""
    judge: str | None = None
    """In whose name is judged; None for the person whose page it is."""
    sweep: str | None = None
    cell: int | None = None
    """The number of the setting that is chosen in the heat map."""


def evaluation() -> EvaluationState:
    """What the evaluation page shows."""
    found: EvaluationState = st.session_state.setdefault(_EVALUATION, EvaluationState())
    return found


def update_evaluation(**changes: Any) -> EvaluationState:
    """Change fields of `evaluation`."""
    changed = replace(evaluation(), **changes)
    st.session_state[_EVALUATION] = changed
    return changed


def set_import_report(report: ImportReport | None) -> None:
    """Keep what a file of judgements has brought, to be told once."""
    st.session_state[_IMPORTED] = report


def take_import_report() -> ImportReport | None:
    """What `set_import_report` kept, once."""
    found: ImportReport | None = st.session_state.pop(_IMPORTED, None)
    return found


def grades_of(text: str) -> dict[str, int] | None:
    """The grades that `set_grades` keeps for a query's text, by scene_id; None if it keeps those of another one."""
    kept_text, grades = st.session_state.get(_GRADES, (None, {}))
    return dict(grades) if kept_text == text else None


def set_grades(text: str, grades: Mapping[str, int]) -> None:
    """Keep the person's grades for a query's text."""
    st.session_state[_GRADES] = (text, dict(grades))
