"""A sweep as the evaluation page shows it: the figures on held-out queries, and the heat map of the dial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heimdex_core.types import RunSettings, Sweep, SweepOutcome, SweepScore
from ui.i18n import t
from ui.views.evaluation import fusion_label, interval, models_text, p_value, score, settings_text, signed

Plane = tuple[str, float | None, tuple[str, ...], int | None]
"""What is the same throughout a heat map: fusion, temperature, spaces, model set."""
Point = tuple[int, int]
"""(seen, exact words) in per cent: a place on the dial."""


def plane_of(settings: RunSettings) -> Plane:
    """The heat map that a setting belongs to."""
    return settings.fusion, settings.temperature, settings.spaces, settings.model_set


def plane_label(plane: Plane) -> str:
    """What a heat map is of."""
    fusion, temperature, spaces, model_set = plane
    parts = [fusion_label(fusion), *models_text(spaces, model_set)]
    if temperature is not None:
        parts.append(t("evaluate.temperature", value=f"{temperature:g}"))
    return " · ".join(parts)


def point_of(weights: Mapping[str, float]) -> Point | None:
    """The place of weights on the dial; None where nothing but exact words has a weight, which is no place."""
    total = sum(weights.values())
    meaning = weights.get("transcript", 0.0) + weights.get("vision", 0.0)
    if total <= 0 or meaning <= 1e-9:
        return None
    return round(100 * weights.get("vision", 0.0) / meaning), round(100 * weights.get("lexical", 0.0) / total)


@dataclass(frozen=True)
class Map:
    """The settings of one plane by their place on the dial."""

    plane: Plane
    columns: tuple[int, ...]
    """Shares of `seen` in per cent, ascending."""
    rows: tuple[int, ...]
    """Shares of exact words in per cent, ascending."""
    scores: Mapping[Point, SweepScore]

    def at(self, x: int, y: int) -> SweepScore | None:
        """The setting of a cell, if there is one."""
        if not (0 <= x < len(self.columns) and 0 <= y < len(self.rows)):
            return None
        return self.scores.get((self.columns[x], self.rows[y]))

    def cell_of(self, number: int | None) -> dict[str, int] | None:
        """The cell of a setting: {"x", "y"}."""
        for (seen, words), found in self.scores.items():
            if found.number == number:
                return {"x": self.columns.index(seen), "y": self.rows.index(words)}
        return None


def planes(sweep: Sweep) -> list[Plane]:
    """The planes that have enough settings for a map, in the order of the sweep."""
    found = dict.fromkeys(plane_of(one.settings) for one in sweep.scores)
    return [plane for plane in found if len(map_of(sweep, plane).scores) > 1]


def map_of(sweep: Sweep, plane: Plane) -> Map:
    """The settings of a plane, without the baseline, which is in general beside the grid of the others."""
    scores: dict[Point, SweepScore] = {}
    for one in sweep.scores:
        point = point_of(one.settings.weights)
        if one.number != 0 and plane_of(one.settings) == plane and point is not None:
            scores.setdefault(point, one)
    columns, rows = ({point[axis] for point in scores} for axis in (0, 1))
    return Map(plane, tuple(sorted(columns)), tuple(sorted(rows)), scores)


def heatmap(found: Map, measure: str, selected: int | None) -> dict[str, Any]:
    """The heat map of the dial.

    Args:
        found: with at least one setting.
        measure: by which the settings were scored.
        selected: the number of the chosen setting; None for none.
    """
    values = [one.tuning for one in found.scores.values()]
    low, high = min(values), max(values)
    best = max(found.scores.values(), key=lambda one: (one.tuning, -one.number))
    chosen = next((one for one in found.scores.values() if one.number == selected), best)
    return {
        "part": "heatmap",
        "heading": t("evaluate.heatmap", measure=measure),
        "columns": [str(value) for value in found.columns],
        "rows": [t("evaluate.percent", n=value) for value in found.rows],
        "ends": [t("channel.transcript"), t("channel.vision")],
        "low": score(low),
        "high": score(high),
        "cells": [
            [_cell(found.at(x, y), low, high) for x in range(len(found.columns))] for y in range(len(found.rows))
        ],
        "selected": found.cell_of(selected),
        "best": found.cell_of(best.number),
        "labels": {"rows": t("evaluate.heatmap_rows")},
        "readout": t("evaluate.cell", settings=settings_text(chosen.settings), score=score(chosen.tuning)),
    }


def _cell(one: SweepScore | None, low: float, high: float) -> dict[str, Any] | None:
    if one is None:
        return None
    share = (one.tuning - low) / (high - low) if high - low > 1e-9 else 0.5
    label = t("evaluate.cell", settings=settings_text(one.settings), score=score(one.tuning))
    return {"label": label, "share": round(share, 4), "number": one.number}


# --- figures --------------------------------------------------------------------------------------


def figures(
    sweep: Sweep, actions: Sequence[Mapping[str, Any]], chosen: SweepScore | None = None, note: str = ""
) -> dict[str, Any]:
    """What a sweep that is done found: measured on the held-out queries only.

    Args:
        sweep: with an outcome.
        actions: buttons below, [{"name", "value", "text", "primary"}].
        chosen: the setting that they are for; None for the best one.
        note: what else is to be said about it.
    """
    outcome = sweep.outcome
    if outcome is None:
        return {"part": "figures", "heading": "", "cards": [], "actions": []}
    tones = {"better": "win", "worse": "loss", "no difference": ""}
    return {
        "part": "figures",
        "heading": t("evaluate.outcome", name=sweep.name),
        "verdict": {"text": _verdict(outcome), "tone": tones[outcome.verdict]},
        "cards": _cards(sweep, outcome),
        "settings": ". ".join(filter(None, [_about(outcome, chosen or outcome.winner), note])),
        "actions": list(actions),
        "more": [
            t("evaluate.how"),
            t("evaluate.how_split", tuning=len(sweep.tuning), held_out=len(sweep.held_out)),
            t("evaluate.how_test"),
            t("evaluate.how_chance", gain=signed(outcome.chance_gain), n=len(sweep.settings)),
        ],
    }


def _about(outcome: SweepOutcome, chosen: SweepScore) -> str:
    if chosen.number == outcome.winner.number:
        return t("evaluate.winner", settings=settings_text(chosen.settings))
    return t("evaluate.chosen", settings=settings_text(chosen.settings), score=score(chosen.tuning))


def _verdict(outcome: SweepOutcome) -> str:
    if outcome.verdict == "no difference":
        return t("evaluate.verdict.none")
    return t("evaluate.verdict.better" if outcome.verdict == "better" else "evaluate.verdict.worse")


def _cards(sweep: Sweep, outcome: SweepOutcome) -> list[dict[str, Any]]:
    held_out, tuning = outcome.held_out_winner, outcome.winner.tuning
    return [
        {
            "label": t("evaluate.card.held_out", measure=sweep.measure),
            "value": score(held_out.mean),
            "text": t("evaluate.card.before", score=score(outcome.held_out_baseline.mean)),
        },
        {
            "label": t("evaluate.card.gain"),
            "value": signed(outcome.delta),
            "text": interval(outcome.low, outcome.high, is_signed=True) or t("evaluate.card.no_interval"),
            "tone": {"better": "win", "worse": "loss"}.get(outcome.verdict),
        },
        {
            "label": t("evaluate.card.p"),
            "value": p_value(outcome.p_corrected),
            "text": t("evaluate.card.p_raw", p=p_value(outcome.p)),
            "title": t("evaluate.card.p_title", n=len(sweep.settings)),
        },
        {
            "label": t("evaluate.card.tuning"),
            "value": score(tuning),
            "text": t("evaluate.card.chance", gain=signed(outcome.tuning_gain), chance=signed(outcome.chance_gain)),
        },
        {
            "label": t("evaluate.card.queries"),
            "value": str(len(sweep.tuning) + len(sweep.held_out)),
            "text": t("evaluate.card.split", tuning=len(sweep.tuning), held_out=len(sweep.held_out)),
        },
    ]
