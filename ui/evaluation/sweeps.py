"""The view of sweeps: try many settings in the background, see what the best one gains, and make it the default."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.search.fusion import fusion_names
from heimdex_core.types import QuerySet, SearchDefaults, Sweep, SweepScore
from ui import address, page, resources, state
from ui.components import evaluation_part
from ui.evaluation import url
from ui.i18n import t, t_or, tn
from ui.views import evaluation as run_views
from ui.views import models, scenes, work
from ui.views import sweeps as views

UPDATE_EVERY_S = 1.0
UNFINISHED = ("waiting", "running")
BUDGETS = (0, 20, 40, 100, 200)
"""How many settings are tried at most; 0 tries all of them."""
TEMPERATURES = (0.0, 0.02, 0.1, 1.0)
"""Of the softmax over a scene's keyframes: from the best one alone to hardly more than their mean."""
_FUSIONS, _MEASURE, _BUDGET, _TEMPERATURES = "hx_sweep_fusions", "hx_sweep_measure", "hx_sweep_budget", "hx_sweep_t"
_SPACES, _SETS = "hx_sweep_spaces", "hx_sweep_sets"


# --- operations -----------------------------------------------------------------------------------


def start(query_set: str) -> None:
    """Queue a sweep with what the form says, and show it.

    The inputs are read here: the arguments of a button are those of the last complete run of the page.
    """
    measure, library = state.widget_value(_MEASURE), resources.library()
    try:
        spaces, sets = _models_tried(library, state.widget_value(_SPACES), state.widget_value(_SETS))
        sweep = library.evaluation.sweep(
            query_set,
            fusions=tuple(state.widget_value(_FUSIONS) or ()),
            temperatures=TEMPERATURES if state.widget_value(_TEMPERATURES) else (),
            spaces=spaces,
            model_sets=sets,
            budget=state.widget_value(_BUDGET) or None,
            measure=str(measure or "nDCG@10"),
            queue=True,
        )
    except HeimdexError as error:
        state.flash(error.to_dict())
    else:
        state.update_evaluation(sweep=sweep.sweep_id, cell=None)
        state.request_rerun()


def cancel(value: Any) -> None:
    resources.library().evaluation.cancel_sweep(str(value))


def resume(value: Any) -> None:
    resources.library().evaluation.resume_sweep(str(value), queue=True)


def delete(value: Any) -> None:
    resources.library().evaluation.delete_sweep(str(value))
    if state.evaluation().sweep == value:
        state.update_evaluation(sweep=None, cell=None)
    state.request_rerun()


def make_default(sweep: Sweep, scope: str) -> Callable[[Any], None]:
    """The handler that makes a setting, given by its number, the default of the person or of the library."""

    def handle(value: Any) -> None:
        chosen = setting(sweep, int(value))
        if chosen is not None:
            resources.library().evaluation.make_default(chosen, scope="library" if scope == "library" else "me")
            _forget_weights()

    return handle


def undo_default(scope: str) -> Callable[[Any], None]:
    """The handler that brings back the default that was there before."""

    def handle(_: Any) -> None:
        resources.library().evaluation.undo_default(scope="library" if scope == "library" else "me")
        _forget_weights()

    return handle


def _forget_weights() -> None:
    """The search page takes up the default again."""
    state.update_search(weights=None, fusion=None)
    state.forget_params("search", "w", "by")


def select_cell(found: views.Map) -> Callable[[Any], None]:
    """The handler that chooses a cell of the heat map: {"x", "y"}."""

    def handle(value: Any) -> None:
        chosen = found.at(int(value["x"]), int(value["y"]))
        state.update_evaluation(cell=chosen.number if chosen else None)

    return handle


def compare_runs(sweep: Sweep) -> Callable[[Any], None]:
    """The handler that makes runs of the baseline and of a setting, given by its number, and compares them."""

    def handle(value: Any) -> None:
        chosen, baseline = setting(sweep, int(value)), setting(sweep, 0)
        if chosen is None or baseline is None:
            return
        names = (t("evaluate.baseline_of", name=sweep.name), t("evaluate.setting_of", name=sweep.name, n=chosen.number))
        made = [
            resources.library().evaluate(
                sweep.query_set,
                weights=one.settings.weights,
                fusion=one.settings.fusion,
                spaces=one.settings.spaces,
                temperature=one.settings.temperature,
                model_set=one.settings.model_set,
                name=name,
            )
            for one, name in zip((baseline, chosen), names, strict=True)
        ]
        state.update_evaluation(part="runs", first=made[0].run_id, second=made[1].run_id, query=None)
        state.request_rerun()

    return handle


def setting(sweep: Sweep, number: int) -> SweepScore | None:
    """A setting of a sweep by its number."""
    return next((one for one in sweep.scores if one.number == number), None)


# --- drawing --------------------------------------------------------------------------------------


def draw(library: Library, chosen: QuerySet) -> None:
    """Draw the view for a query set."""
    sweeps = [one for one in library.evaluation.sweeps() if one.query_set == chosen.name]
    shown = next((one for one in sweeps if one.sweep_id == state.evaluation().sweep), sweeps[0] if sweeps else None)
    main, side = st.columns([3, 1], gap=None)
    with main, st.container(key="hx-main"):
        if shown is None:
            _draw_empty()
        else:
            is_running = shown.state in UNFINISHED
            every_s = UPDATE_EVERY_S if is_running else None
            st.fragment(_draw_sweep, run_every=every_s)(shown.sweep_id, was_running=is_running)
        _draw_default(library.evaluation.defaults())
    with side, st.container(key="hx-right"):
        _draw_form(library, chosen)
        _draw_list(sweeps, shown)


def _draw_empty() -> None:
    evaluation_part(
        "hx_no_sweep",
        {
            "part": "steps",
            "title": t("evaluate.no_sweep"),
            "text": t("evaluate.no_sweep_hint"),
            "list": [],
            "link": None,
        },
    )


@page.error_boundary
def _draw_sweep(sweep_id: str, *, was_running: bool) -> None:
    """Draw a sweep: how far it has come, or what it found."""
    page.show_flash("sweep")
    sweep = resources.library().evaluation.get_sweep(sweep_id)
    is_running = sweep.state in UNFINISHED
    if is_running != was_running or state.take_rerun_request():
        st.rerun()  # the rest of the page depends on it, and so does how often this is drawn
    address.show(*url.params(state.evaluation(), sweep.query_set))
    page.draw_card("hx-sweep", _card(sweep), {"cancel": cancel, "resume": resume})
    if sweep.outcome is None:
        return
    number = state.evaluation().cell
    chosen = setting(sweep, number if number is not None else sweep.outcome.winner.number) or sweep.outcome.winner
    note = "" if _is_in_use(chosen) else t("evaluate.not_in_use")
    evaluation_part("hx_figures", views.figures(sweep, _actions(sweep, chosen), chosen, note), _handlers(sweep))
    _draw_map(sweep, chosen, number)


def _card(sweep: Sweep) -> work.Card | None:
    """The progress of a sweep, or why it has no result; None once it is done."""
    if sweep.state not in (*UNFINISHED, "failed", "cancelled"):
        return None
    title = t(f"sweep.state.{sweep.state}", name=sweep.name)
    resumes = [work.action("resume", t("evaluate.resume"), value=sweep.sweep_id)]
    if sweep.state in UNFINISHED:
        text = t("evaluate.sweep_progress", done=sweep.done, total=sweep.total, settings=len(sweep.settings))
        share = sweep.done / sweep.total if sweep.total else 0.0
        return work.card(
            title, text, fraction=share, actions=[work.action("cancel", t("action.cancel"), value=sweep.sweep_id)]
        )
    if sweep.state == "failed":
        problems = [work.problem(sweep.error)] if sweep.error else []
        return work.card(title, tone="failed", problems=problems, actions=resumes)
    text = t("evaluate.sweep_progress", done=sweep.done, total=sweep.total, settings=len(sweep.settings))
    return work.card(title, text, actions=resumes)


def _actions(sweep: Sweep, chosen: SweepScore) -> list[dict[str, Any]]:
    """What can be done with a setting: make it the default, or look at it query by query."""
    outcome = sweep.outcome
    is_better = outcome is not None and outcome.verdict == "better" and chosen.number == outcome.winner.number
    compare = [{"name": "compare", "value": chosen.number, "text": t("evaluate.compare_with_default")}]
    if not _is_in_use(chosen):
        return compare
    for_library = {"name": "for_library", "value": chosen.number, "text": t("evaluate.default_library")}
    return [
        {"name": "for_me", "value": chosen.number, "text": t("evaluate.default_me"), "primary": is_better},
        *([for_library] if resources.library().accounts.is_admin else []),
        *compare,
    ]


def _is_in_use(chosen: SweepScore) -> bool:
    """Whether a search uses the models of a setting by default; only such a setting can become the default."""
    active = resources.library().model_sets.active().set_id
    return not chosen.settings.spaces and chosen.settings.model_set in (None, active)


def _handlers(sweep: Sweep) -> dict[str, Callable[[Any], None]]:
    def then(handler: Callable[[Any], None]) -> Callable[[Any], None]:
        """What follows on the rest of the page, outside this fragment."""

        def handle(value: Any) -> None:
            handler(value)
            state.request_rerun()

        return handle

    return {
        "for_me": then(make_default(sweep, "me")),
        "for_library": then(make_default(sweep, "library")),
        "compare": compare_runs(sweep),
    }


def _draw_map(sweep: Sweep, chosen: SweepScore, number: int | None) -> None:
    """Draw the heat map that has the chosen setting, and links to the others."""
    planes = views.planes(sweep)
    if not planes:
        return
    plane = views.plane_of(chosen.settings)
    plane = plane if plane in planes else planes[0]
    if len(planes) > 1:
        labels = {views.plane_label(one): one for one in planes}
        at = planes.index(plane)
        plane = labels[st.selectbox(t("evaluate.plane"), list(labels), index=at, key="hx_sweep_plane", width=320)]
    found = views.map_of(sweep, plane)
    evaluation_part("hx_heatmap", views.heatmap(found, sweep.measure, number), {"cell": select_cell(found)})


def _draw_default(now: SearchDefaults) -> None:
    """Draw what a search uses at present, and the buttons that bring back what was there before."""
    settings = f"{run_views.weights_text(now.weights)} · {run_views.fusion_label(now.fusion)}"
    is_admin = resources.library().accounts.is_admin
    undo = [
        {"name": f"undo_{scope}", "text": t(f"evaluate.undo_{scope}")}
        for scope, can_undo in (("me", now.can_undo_me), ("library", now.can_undo_library and is_admin))
        if can_undo
    ]
    evaluation_part(
        "hx_default",
        {
            "part": "figures",
            "heading": t("evaluate.default_now"),
            "cards": [],
            "settings": t("evaluate.default_from", settings=settings, source=t(f"evaluate.source.{now.source}")),
            "actions": undo,
        },
        {"undo_me": undo_default("me"), "undo_library": undo_default("library")},
    )


def _draw_form(library: Library, chosen: QuerySet) -> None:
    with st.container(key="hx-sweep-form"):
        st.html(f'<h2 class="hx-subtitle">{html.escape(t("evaluate.new_sweep"))}</h2>')
        st.html(f'<p class="hx-note">{html.escape(t("evaluate.new_sweep_hint"))}</p>')
        fusions = st.pills(
            t("dial.fusion"), list(fusion_names()), selection_mode="multi", key=_FUSIONS,
            default=[library.evaluation.defaults().fusion], format_func=run_views.fusion_label,
        )  # fmt: skip
        st.selectbox(t("evaluate.measure"), list(run_views.MEASURES), key=_MEASURE)
        temperatures = st.checkbox(t("evaluate.temperatures"), key=_TEMPERATURES, help=t("evaluate.temperatures_help"))
        spaces, sets = _draw_models(library)
        tried = library.evaluation.models_to_try(*_models_tried(library, spaces, sets))
        count = settings_count(library, len(fusions), with_temperatures=temperatures) * len(tried)
        # the same options always: a browser that still has those of before would send one that is gone
        budget = st.selectbox(
            t("evaluate.budget"), BUDGETS, key=_BUDGET,
            format_func=lambda n: t("evaluate.some_settings" if n else "evaluate.all_settings", n=n),
        )  # fmt: skip
        note = tn("evaluate.settings", min(budget or count, count))
        st.html(f'<p class="hx-note">{html.escape(note)}</p>')
        st.button(
            t("evaluate.start_sweep"), type="primary", key="hx_sweep_start", on_click=start, args=(chosen.name,),
            disabled=not chosen.queries,
        )  # fmt: skip


def _draw_models(library: Library) -> tuple[list[str], list[int]]:
    """Draw the spaces and model sets that can be tried beside those in use, if there are any; the chosen ones."""
    spaces: list[str] = []
    sets: list[int] = []
    others = [space.name for of_kind, _ in scenes.space_choices(library, ()).values() for space in of_kind[1:]]
    if others:
        spaces = st.pills(
            t("evaluate.try_spaces"), others, selection_mode="multi", key=_SPACES,
            format_func=lambda name: name.partition("/")[2],
        )  # fmt: skip
    # a library that was never moved has one set, and asking for all may wait for a writer
    known = library.model_sets.all() if library.model_sets.status() is not None else []
    labels = {one.set_id: models.set_label(one) for one in known if not one.is_active}
    if labels:
        sets = st.pills(
            t("evaluate.try_sets"), list(labels), selection_mode="multi", key=_SETS, help=t("evaluate.try_sets_help"),
            format_func=lambda set_id: t("evaluate.model_set_of", n=set_id, models=labels[set_id]),
        )  # fmt: skip
    return spaces, sets


def _models_tried(
    library: Library, spaces: Sequence[str] | None, sets: Sequence[int] | None
) -> tuple[list[tuple[str, ...]], list[int]]:
    """The arguments `spaces` and `model_sets` of a sweep that tries these beside what is in use."""
    active = library.model_sets.active().set_id
    return [(), *((name,) for name in spaces or ())], [active, *sets] if sets else []


def settings_count(library: Library, fusions: int, *, with_temperatures: bool) -> int:
    """How many settings a sweep of the form tries."""
    return len(library.evaluation.default_grid()) * max(fusions, 1) * (len(TEMPERATURES) if with_temperatures else 1)


def _draw_list(sweeps: Sequence[Sweep], shown: Sweep | None) -> None:
    """Draw links to the sweeps of the query set, newest first."""
    if not sweeps:
        return
    evaluation_part(
        "hx_sweeps",
        {
            "part": "list",
            "heading": t("evaluate.sweeps"),
            "rows": [
                {
                    "id": one.sweep_id,
                    "text": one.name,
                    "about": _about(one),
                    "href": address.url("evaluate", set=one.query_set, view="sweeps", sweep=one.sweep_id),
                    "current": shown is not None and one.sweep_id == shown.sweep_id,
                    "remove_label": t("evaluate.remove_sweep", name=one.name),
                    "removable": one.state not in UNFINISHED,
                }
                for one in sweeps
            ],
        },
        {"delete": delete},
    )


def _about(sweep: Sweep) -> str:
    """One line about a sweep in the list."""
    settings = tn("evaluate.settings", len(sweep.settings))
    if sweep.outcome is None:
        return f"{settings} · {t_or(f'sweep.short.{sweep.state}', sweep.state)}"
    return f"{settings} · {sweep.measure} {run_views.signed(sweep.outcome.delta)}"
