"""Evaluate: query sets, judging, runs beside each other, and sweeps for better settings."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from heimdex_core.errors import NoJudgements, UnknownName
from heimdex_core.library import Library
from heimdex_core.types import QuerySet
from ui import address, page, resources, state
from ui.components import evaluation_part
from ui.evaluation import VIEWS, judging, runs, sets, sweeps, url
from ui.i18n import t

SAMPLE_KEPT_S = 30.0  # to find out whether the sample's videos are there, all scenes are looked at
DRAW = {"set": sets.draw, "judge": judging.draw, "runs": runs.draw, "sweeps": sweeps.draw}


def query_sets(library: Library) -> list[QuerySet]:
    """The query sets of the library, and behind them the one that comes with the software, if it has its videos."""
    found = library.evaluation.query_sets()
    if state.kept("has_sample_set", SAMPLE_KEPT_S, lambda: "yes" if sample_set(library) else ""):
        found.append(QuerySet(sets.SAMPLE))
    return found


def sample_set(library: Library) -> QuerySet | None:
    """The set that comes with the software; None if its videos are not in the library."""
    try:
        return library.evaluation.query_set(sets.SAMPLE)
    except (UnknownName, NoJudgements):
        return None


def draw_head(found: Sequence[QuerySet], chosen: QuerySet) -> None:
    view = state.evaluation().part
    evaluation_part(
        "hx_evaluate_head",
        {
            "part": "head",
            "sets": [
                {
                    "text": one.name,
                    "href": address.url("evaluate", set=one.name, view=view if view != "set" else None),
                    "current": one.name == chosen.name,
                }
                for one in found
            ],
            "views": [
                {
                    "name": one,
                    "text": t(f"evaluate.view.{one}"),
                    "href": address.url("evaluate", set=chosen.name, view=one if one != "set" else None),
                    "current": one == view,
                }
                for one in VIEWS
            ],
            "labels": {"set": t("evaluate.set"), "views": t("evaluate.views")},
        },
    )


@st.fragment
@page.error_boundary
def workspace() -> None:
    page.switch_if_requested()
    if state.take_rerun_request():
        st.rerun()
    library = resources.library()
    found = query_sets(library)
    own = next((one for one in found if one.name != sets.SAMPLE), None)
    chosen = next((one for one in found if one.name == state.evaluation().query_set), own)
    if chosen is not None and chosen.name == sets.SAMPLE:
        chosen = sample_set(library)
    with st.container(key="hx-evaluate"):
        page.show_flash()
        if chosen is None:
            sets.draw_first(found)
        else:
            draw_head(found, chosen)
            page.error_boundary(DRAW[state.evaluation().part])(library, chosen)
    address.show(*url.params(state.evaluation(), chosen.name if chosen else None))


def draw() -> None:
    if (given := address.opened()) is not None:
        url.restore(given)
    page.heading(t("nav.evaluate"))
    workspace()


page.show(draw)
