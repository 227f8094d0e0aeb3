"""The view of runs: make some, see their measures beside each other, compare two of them down to the scenes."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.search.fusion import fusion_names
from heimdex_core.types import EvaluationRun, QuerySet, RunComparison
from ui import address, media, resources, state
from ui.components import evaluation_part
from ui.evaluation.parts import optional_part
from ui.i18n import t, tn
from ui.views import evaluation as views
from ui.views.scenes import seconds

FIRST_RUNS = ("now", "only_transcript", "only_vision", "only_lexical")
"""The weights of the runs from which scenes are pooled first: those of a search, and each signal alone."""
MAX_RUNS = 30
SHOWN = 10
"""Scenes of each run that are shown for a query."""
_WEIGHTS, _FUSIONS, _NAME = "hx_run_weights", "hx_run_fusions", "hx_run_name"


# --- operations -----------------------------------------------------------------------------------


def make(
    library: Library, query_set: str, weights: Sequence[str], fusions: Sequence[str], name: str = ""
) -> list[EvaluationRun]:
    """Make a run for each of the weights with each of the fusion methods.

    Args:
        library: to search.
        query_set: whose queries are asked.
        weights: choices of `views.weight_choices`.
        fusions: names of fusion methods.
        name: of the run; several runs also have what they are made with in their names.
    """
    choices = views.weight_choices(library.evaluation.defaults().weights)
    wanted = list(itertools.product(weights, fusions))[:MAX_RUNS]
    return [
        library.evaluate(
            query_set,
            weights=choices[choice],
            fusion=fusion,
            name=run_name(choice, fusion, name, is_only=len(wanted) == 1, several_fusions=len(fusions) > 1),
        )
        for choice, fusion in wanted
    ]


def run_name(choice: str, fusion: str, name: str, *, is_only: bool, several_fusions: bool) -> str:
    """The name of a run: the given one, and what it is made with."""
    if is_only and name:
        return name
    parts = [name, views.choice_label(choice), views.fusion_label(fusion) if several_fusions else ""]
    return ", ".join(part for part in parts if part)


def choose(value: Any) -> None:
    """Mark a run as one side of the comparison, or take the mark away: {"side": "a" or "b", "id": run_id}."""
    side, other = ("first", "second") if value["side"] == "a" else ("second", "first")
    run_id, now = str(value["id"]), state.evaluation()
    if getattr(now, side) == run_id:
        state.update_evaluation(**{side: None}, query=None)
    elif getattr(now, other) == run_id:  # the two change places
        state.update_evaluation(**{side: run_id, other: getattr(now, side)})
    else:
        state.update_evaluation(**{side: run_id})


def rerun(value: Any) -> None:
    """Make a run again with the library as it is now, and compare it with the earlier one."""
    made = resources.library().evaluation.rerun(str(value))
    state.update_evaluation(first=str(value), second=made.run_id, query=None)


def delete_run(value: Any) -> None:
    resources.library().evaluation.delete_run(str(value))
    now = state.evaluation()
    kept = {side: None for side in ("first", "second") if getattr(now, side) == str(value)}
    state.update_evaluation(**kept)


def select_measure(value: Any) -> None:
    if value in views.MEASURES:
        state.update_evaluation(measure=str(value))


def select_query(value: Any) -> None:
    """Show the scenes of both runs for a query, given by its query_id; None for no query."""
    state.update_evaluation(query=None if value is None else str(value))


# --- drawing --------------------------------------------------------------------------------------


def draw(library: Library, chosen: QuerySet) -> None:
    """Draw the view for a query set."""
    runs = library.evaluation.runs(chosen.name)
    found = compared(library, runs)
    main, side = st.columns([3, 1], gap=None)
    with main, st.container(key="hx-main"):
        _draw_form(library, chosen)
        if runs:
            _draw_table(runs)
        else:
            _draw_empty(chosen)
        _draw_scenes(library, chosen, found)
    with side, st.container(key="hx-right"):
        _draw_comparison(found)


def compared(library: Library, runs: Sequence[EvaluationRun]) -> RunComparison | None:
    """The comparison of the two marked runs; None unless both are there and share a scored query."""
    by_id = {run.run_id: run for run in runs}
    now = state.evaluation()
    first, second = (by_id.get(run_id or "") for run_id in (now.first, now.second))
    if first is None or second is None or not set(first.per_query) & set(second.per_query):
        return None
    return library.evaluation.compare(first, second)


def _draw_form(library: Library, chosen: QuerySet) -> None:
    choices = views.weight_choices(library.evaluation.defaults().weights)
    fusion = library.evaluation.defaults().fusion
    with st.container(key="hx-run-form", border=True):
        st.html(f'<h2 class="hx-subtitle">{html.escape(t("evaluate.new_runs"))}</h2>')
        weights = st.pills(
            t("evaluate.weights"), list(choices), selection_mode="multi", default=["now"], key=_WEIGHTS,
            format_func=views.choice_label,
        )  # fmt: skip
        fusions = st.pills(
            t("dial.fusion"), list(fusion_names()), selection_mode="multi", default=[fusion], key=_FUSIONS,
            format_func=views.fusion_label,
        )  # fmt: skip
        count = min(len(weights) * len(fusions), MAX_RUNS)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input(t("evaluate.run_name"), key=_NAME, max_chars=100)
            is_ready = bool(chosen.queries) and count > 0
            started = st.button(tn("evaluate.start_runs", count), type="primary", key="hx_run", disabled=not is_ready)
        if started:
            with st.spinner(tn("evaluate.running", count)):
                made = make(library, chosen.name, weights, fusions, name.strip())
            if len(made) == 2:
                state.update_evaluation(first=made[0].run_id, second=made[1].run_id, query=None)
            st.rerun()


def _draw_empty(chosen: QuerySet) -> None:
    evaluation_part(
        "hx_runs",
        {
            "part": "steps",
            "title": t("evaluate.no_runs"),
            "text": t("evaluate.no_runs_hint") if chosen.queries else t("judge.no_queries"),
            "list": [],
            "link": None
            if chosen.queries
            else {"text": t("judge.to_queries"), "href": address.url("evaluate", set=chosen.name)},
        },
    )


def _draw_table(runs: Sequence[EvaluationRun]) -> None:
    now = state.evaluation()
    notes: list[dict[str, Any]] = []
    if not any(run.per_query for run in runs):
        link = {"text": t("evaluate.to_judging"), "href": address.url("evaluate", set=runs[0].query_set, view="judge")}
        notes.append({"text": t("evaluate.nothing_judged"), "link": link})
    if moved := max(run.moved for run in runs):
        notes.append({"text": tn("evaluate.moved", moved), "link": None})
    evaluation_part(
        "hx_runs",
        {**views.runs_table(runs, now.first, now.second), "notes": notes},
        {"choose": choose, "rerun": rerun, "delete_run": delete_run},
    )


def _draw_comparison(found: RunComparison | None) -> None:
    if found is None:
        data: dict[str, Any] = {
            "part": "steps",
            "title": t("evaluate.comparison"),
            "text": t("evaluate.comparison_hint"),
            "list": [],
            "link": None,
        }
    else:
        data = views.comparison(found, state.evaluation().measure, state.evaluation().query)
    evaluation_part("hx_comparison", data, {"measure": select_measure, "query": select_query})


def _draw_scenes(library: Library, chosen: QuerySet, found: RunComparison | None) -> None:
    """Draw what both runs found for the chosen query, beside each other."""
    query_id = state.evaluation().query or ""
    query = next((one for one in found.first.queries if one.query_id == query_id), None) if found else None
    if found is None or query is None:
        optional_part("hx_both", None)
        return
    grades = views.mean_grades(library.evaluation.judgements(chosen.name, query=query.text))
    pair = (found.first, found.second)
    ranked = [[scene_id for scene_id, _ in run.rankings.get(query_id, ())[:SHOWN]] for run in pair]
    measure = state.evaluation().measure
    optional_part(
        "hx_both",
        {
            "part": "scenes",
            "heading": query.text,
            "text": t("evaluate.both_hint"),
            "sides": [
                {
                    "letter": letter,
                    "name": run.name,
                    "value": f"{measure} {views.score(run.per_query.get(query_id, {}).get(measure, 0.0))}",
                    "hits": [
                        _hit(library, scene_id, rank, grades.get(scene_id), is_only=scene_id in only)
                        for rank, scene_id in enumerate(ids, start=1)
                    ],
                }
                for letter, run, ids, only in zip("AB", pair, ranked, views.only_here(ranked), strict=True)
            ],
            "labels": {
                "close": t("evaluate.close"),
                "nothing": t("evaluate.found_nothing"),
                "only": t("evaluate.only_here"),
            },
            "back": {"text": t("evaluate.search_it"), "href": address.url("search", q=query.text)},
        },
        {"query": select_query},
    )


def _hit(library: Library, scene_id: str, rank: int, grade: float | None, *, is_only: bool) -> dict[str, Any]:
    graded = t("evaluate.not_judged") if grade is None else t("evaluate.grade", grade=f"{grade:g}")
    row: dict[str, Any] = {
        "id": scene_id,
        "rank": rank,
        "grade": None if grade is None else round(grade),
        "grade_text": graded,
        "only": is_only,
    }
    try:
        scene = library.scene(scene_id)
        title = media.video_of(library, scene.video_id).title
    except HeimdexError:
        gone = t("evaluate.gone")
        return {**row, "title": gone, "time": "", "thumbnail": None, "href": address.url("search"), "label": gone}
    time = fmt.precise(scene.start_s)
    return {
        **row,
        "title": title,
        "time": f"{time} · {seconds(scene.duration_s)}",
        "thumbnail": media.frame_url(library, scene),
        "href": address.url("video", id=scene.video_id, scene=scene_id),
        "label": t("scene.play_label", title=title, time=time),
    }
