"""Runs and their comparison as the evaluation page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heimdex_core.settings import PRESETS
from heimdex_core.types import EvaluationRun, MeasureSummary, RunComparison, RunSettings, SceneJudgement
from ui.i18n import t, t_or, tn

MEASURES = {"nDCG@10": "ndcg", "MRR": "mrr", "recall@10": "recall", "precision@5": "precision", "MAP": "map"}
"""The measures by name, each with the end of the key of its explanation."""
CHANNELS = ("transcript", "vision", "lexical")
WARN_UNJUDGED = 0.1
"""A larger share of unjudged scenes is marked: the measure says little then."""
SIGNIFICANT = 0.05
_TIE = 5e-4  # a smaller difference is shown as 0.000


# --- numbers --------------------------------------------------------------------------------------


def score(value: float) -> str:
    """A measure, with three decimals."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """A difference with its sign: "+0.064", "−0.180"; "0.000" has none."""
    text = f"{abs(value):.3f}"
    if float(text) == 0:
        return text
    return f"+{text}" if value > 0 else f"\N{MINUS SIGN}{text}"


def interval(low: float | None, high: float | None, *, is_signed: bool = False) -> str:
    """A confidence interval: "0.81 – 0.92"; "" where there is none."""
    if low is None or high is None:
        return ""
    shown = [signed(end) if is_signed else score(end) for end in (low, high)]
    return t("evaluate.interval", low=shown[0], high=shown[1])


def p_value(p: float) -> str:
    """A p-value: "0.031", "< 0.001"."""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def percent(share: float) -> str:
    """A share from 0 to 1, as "12%"; less than one per cent is not shown as none."""
    shown = round(100 * share)
    return t("evaluate.below_percent") if shown == 0 and share > 0 else t("evaluate.percent", n=shown)


def measure_label(name: str) -> dict[str, str]:
    """A measure as the head of a column: {"name", "label", "title"}."""
    return {"name": name, "label": name, "title": t_or(f"measure.{MEASURES.get(name, '')}", name)}


# --- settings -------------------------------------------------------------------------------------


def shares(weights: Mapping[str, float]) -> dict[str, int]:
    """The weights as per cent of their sum."""
    total = sum(weights.values()) or 1.0
    return {name: round(100 * weight / total) for name, weight in weights.items()}


def weights_text(weights: Mapping[str, float]) -> str:
    """Weights by the labels of their signals, without those that are 0: "said 45 · seen 35 · keywords 20"."""
    parts = [f"{t_or(f'channel.{name}', name)} {share}" for name, share in shares(weights).items() if share]
    return " · ".join(parts)


def fusion_label(name: str) -> str:
    return t_or(f"fusion.{name}", name)


def settings_text(settings: RunSettings) -> str:
    """What a run was made with, in one line."""
    parts = [weights_text(settings.weights), t("evaluate.combined_by", fusion=fusion_label(settings.fusion))]
    if settings.temperature is not None:
        parts.append(t("evaluate.temperature", value=f"{settings.temperature:g}"))
    parts += models_text(settings.spaces, settings.model_set)
    if settings.filters:
        parts.append(t("evaluate.filtered"))
    return " · ".join(part for part in parts if part)


def models_text(spaces: Sequence[str], model_set: int | None) -> list[str]:
    """The models of a setting: a set of the library, and spaces that are searched instead of the first ones."""
    named = [] if model_set is None else [t("evaluate.model_set", n=model_set)]
    return named + [space.partition("/")[2] or space for space in spaces]


def weight_choices(now: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The weights that a run can be made with, by the name of the choice: those of now, presets, one signal alone."""
    alone = {f"only_{name}": {other: float(other == name) for other in CHANNELS} for name in CHANNELS}
    return {"now": dict(now), **{name: dict(weights) for name, weights in PRESETS.items()}, **alone}


def choice_label(choice: str) -> str:
    """The name of a choice of `weight_choices`."""
    if choice == "now":
        return t("evaluate.weights_now")
    if choice.startswith("only_"):
        return t("evaluate.only", channel=t_or(f"channel.{choice.removeprefix('only_')}", choice))
    return t_or(f"preset.{choice}", choice)


# --- runs -----------------------------------------------------------------------------------------


def runs_table(runs: Sequence[EvaluationRun], first: str | None, second: str | None) -> dict[str, Any]:
    """The table of runs.

    Args:
        runs: newest first.
        first: run_id of the run marked A.
        second: run_id of the run marked B.
    """
    names = [name for name in MEASURES if any(name in run.measures for run in runs)]
    best = {name: max(run.measures[name].mean for run in runs if name in run.measures) for name in names}
    return {
        "part": "runs",
        "heading": t("evaluate.runs"),
        "measures": [measure_label(name) for name in names],
        "rows": [
            {
                "id": run.run_id,
                "name": run.name,
                "about": tn("evaluate.run_about", len(run.per_query), settings=settings_text(run.settings)),
                "side": "a" if run.run_id == first else "b" if run.run_id == second else "",
                "choose_a": t("evaluate.choose_a", name=run.name),
                "choose_b": t("evaluate.choose_b", name=run.name),
                "measures": {
                    name: _measure_cell(summary, is_best=len(runs) > 1 and summary.mean == best.get(name))
                    for name, summary in run.measures.items()
                },
                "actions": [
                    {"name": name, "text": t(f"evaluate.{name}"), "label": t(f"evaluate.{name}_label", name=run.name)}
                    for name in ("rerun", "delete_run")
                    if name != "rerun" or run.provenance is not None
                ],
            }
            for run in runs
        ],
        "labels": {
            "hint": t("evaluate.runs_hint"),
            "compare": t("evaluate.compare"),
            "run": t("evaluate.run"),
            "actions": t("evaluate.actions"),
        },
    }


def _measure_cell(summary: MeasureSummary, *, is_best: bool) -> dict[str, Any]:
    return {
        "mean": score(summary.mean),
        "interval": interval(summary.low, summary.high),
        "unjudged": t("evaluate.unjudged", share=percent(summary.unjudged)),
        "warn": summary.unjudged > WARN_UNJUDGED,
        "best": is_best,
        "title": t("evaluate.cell_title"),
    }


def comparison(found: RunComparison, measure: str, selected: str | None) -> dict[str, Any]:
    """Two runs query by query: the differences of the means with their tests, and a bar for each query.

    Args:
        found: the comparison.
        measure: that of the bars.
        selected: query_id of the query whose scenes are shown.
    """
    chosen = found.measures.get(measure)
    return {
        "part": "comparison",
        "heading": t("evaluate.comparison"),
        "text": t("evaluate.against", second=found.second.name, first=found.first.name),
        "measures": [{**measure_label(name), "on": name == measure} for name in found.measures],
        "summary": [
            {
                "label": name,
                "delta": signed(delta.delta),
                "interval": interval(delta.low, delta.high, is_signed=True),
                "p": p_value(delta.p_corrected),
                "title": t("evaluate.p_title", p=p_value(delta.p), p_t=p_value(delta.p_t)),
                "tone": _tone(delta.delta, delta.p_corrected),
            }
            for name, delta in found.measures.items()
        ],
        "rows": [
            {
                "id": query.query_id,
                "text": query.text,
                "delta": 0.0 if abs(query.delta) < _TIE else round(query.delta, 4),
                "value": signed(query.delta),
                "title": f"{score(query.first)} → {score(query.second)}",
            }
            for query in found.queries.get(measure, ())
        ],
        "selected": selected,
        "labels": {
            "measure": t("evaluate.measure"),
            "delta": t("evaluate.delta"),
            "p": t("evaluate.p"),
            "counts": t("evaluate.counts", wins=chosen.wins, losses=chosen.losses, ties=chosen.ties) if chosen else "",
        },
    }


def _tone(delta: float, p: float) -> str:
    if p >= SIGNIFICANT:
        return ""
    return "win" if delta > 0 else "loss" if delta < 0 else ""


def only_here(rankings: Sequence[Sequence[str]]) -> list[set[str]]:
    """For each of two lists of scene_ids, those that the other one does not have."""
    first, second = (set(ids) for ids in rankings)
    return [first - second, second - first]


def mean_grades(judgements: Iterable[SceneJudgement]) -> dict[str, float]:
    """The mean of all judges' grades for each scene that there still is, by scene_id."""
    grades: dict[str, list[int]] = {}
    for one in judgements:
        if one.scene_id is not None:
            grades.setdefault(one.scene_id, []).append(one.grade)
    return {scene_id: sum(of_scene) / len(of_scene) for scene_id, of_scene in grades.items()}
