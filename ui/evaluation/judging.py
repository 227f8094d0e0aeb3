"""The judging view: the scenes that several runs found, one after the other, without saying which run found them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from heimdex_core import formatting as fmt
from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import PoolItem, QuerySet
from ui import address, judging, media, resources, state
from ui.components import evaluation_part, judge_view
from ui.evaluation import runs
from ui.i18n import t, tn
from ui.views import judging as views
from ui.views.scenes import seconds

MAX_NAME = 100
LABELS = (
    "grades", "judged", "keys", "note", "no_speech", "no_media", "unplayable", "play", "pause", "guidelines",
    "no_guidelines", "progress", "of", "left", "skipped", "skipped_hint", "to_skipped", "as", "as_action",
)  # fmt: skip


# --- operations -----------------------------------------------------------------------------------


def judge(name: str, judge_name: str | None) -> Callable[[Any], None]:
    """The handler that judges a scene of a query set: {"text", "id", "grade", "reason"}."""

    def handle(value: Any) -> None:
        resources.library().judge(
            str(value["text"]),
            str(value["id"]),
            int(value["grade"]),
            reason=str(value.get("reason") or ""),
            query_set=name,
            judge=judge_name,
        )

    return handle


def move(value: Any) -> None:
    """Remember which scene is judged, by its key."""
    state.update_evaluation(at=str(value))


def judge_as(value: Any) -> None:
    """Judge under a name: {"name"}; the person's own where it is empty."""
    state.update_evaluation(judge=str(value["name"]).strip()[:MAX_NAME] or None, at=None)


# --- drawing --------------------------------------------------------------------------------------


def draw(library: Library, chosen: QuerySet) -> None:
    """Draw the view for a query set."""
    judge_name = state.evaluation().judge
    pool = library.evaluation.pool(chosen.name, judge=judge_name)
    if not pool:
        _draw_empty(library, chosen)
        return

    def open_query(value: Any) -> None:
        state.update_evaluation(at=views.first_of(pool, str(value)))

    judgements = library.evaluation.judgements(chosen.name, judge=judge_name or library.user_id)
    notes = {(one.query, one.scene_id): one.reason for one in judgements}
    at = views.place(pool, state.evaluation().at)
    if at is not None:
        state.update_evaluation(at=at)
    judge_view(
        "hx_judge",
        {
            "start": f"{chosen.name}/{judge_name or ''}",
            "at": at,
            "items": _items(library, views.window(pool, at), notes),
            "queries": views.queries(pool),
            "progress": views.progress(pool),
            "guidelines": chosen.guidelines,
            "agreement": views.agreement(library.evaluation.agreement(chosen.name)),
            "grades": [{"grade": grade, "label": t(f"judge.grade.{grade}")} for grade in judging.GRADES],
            "intro": {"heading": t("evaluate.set"), "name": chosen.name, "text": t("judge.blind")},
            "judge": {"name": judge_name or "", "own": library.user_id, "max": MAX_NAME},
            "done": {
                "title": t("judge.done"),
                "text": t("judge.done_hint"),
                "action": t("judge.to_runs"),
                "href": address.url("evaluate", set=chosen.name, view="runs"),
            },
            "labels": {name: t(f"judge.{name}") for name in LABELS},
        },
        {
            "judge": judge(chosen.name, judge_name),
            "at": move,
            "open": open_query,
            "judge_as": judge_as,
            "renew": lambda _: None,
        },
    )


def _draw_empty(library: Library, chosen: QuerySet) -> None:
    """Say what has to be there before anything can be judged."""
    has_queries = bool(chosen.queries)
    evaluation_part(
        "hx_judge_empty",
        {
            "part": "steps",
            "title": t("judge.empty"),
            "text": t("judge.empty_hint") if has_queries else t("judge.no_queries"),
            "list": [],
            "link": None
            if has_queries
            else {"text": t("judge.to_queries"), "href": address.url("evaluate", set=chosen.name)},
        },
    )
    if has_queries:
        with st.container(key="hx-judge-begin", horizontal_alignment="center"):
            if st.button(t("judge.begin"), type="primary", key="hx_judge_begin"):
                fusion = library.evaluation.defaults().fusion
                with st.spinner(tn("evaluate.running", len(runs.FIRST_RUNS))):
                    runs.make(library, chosen.name, runs.FIRST_RUNS, (fusion,))
                st.rerun()


def _items(
    library: Library, items: Sequence[PoolItem], notes: Mapping[tuple[str, str | None], str]
) -> list[dict[str, Any]]:
    """The scenes as the component shows them; those that have gone meanwhile are left out.

    Args:
        library: has the scenes.
        items: of the pool.
        notes: what the judge has written, by query and scene_id.
    """
    found = []
    for item in items:
        try:
            scene = library.scene(item.scene_id)
            video = media.video_of(library, scene.video_id)
        except HeimdexError:
            continue
        found.append(
            {
                "key": views.key_of(item),
                "query_id": item.query_id,
                "query": item.query,
                "id": item.scene_id,
                "grade": item.grade,
                "note": notes.get((item.query, item.scene_id), ""),
                "src": media.video_url(library, video),
                "poster": media.frame_url(library, scene),
                "start": scene.start_s,
                "end": scene.end_s,
                "time": f"{fmt.precise(scene.start_s)} · {seconds(scene.duration_s)}",
                "said": scene.transcript,
            }
        )
    return found
