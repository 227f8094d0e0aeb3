"""What the panel of filters and the row of chips show of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import Filters, SearchResult
from ui import address, media
from ui.i18n import number, t, t_or
from ui.search_address import SORTS
from ui.state import SearchState
from ui.views.conditions import CHOICES, SINGLE, active, as_text, choice_label

Facets = Mapping[str, Mapping[str, int]]

FIELDS = {
    "title": "text",
    "filename": "text",
    "on_screen": "text",
    "added_from": "day",
    "added_to": "day",
    "min_s": "seconds",
    "max_s": "seconds",
}
"""The fields of Filters that are written, by kind."""
_BESIDE = ("added_to", "max_s", "within_s")
_FIRST_SHOWN = 6
_MOST_CHOICES = 60
_SYNTAX = ("phrase", "without", "title", "file", "screen", "lang", "person")


def panel(search: SearchState, facets: Facets) -> dict[str, Any]:
    """The order and the filters of a search.

    Args:
        search: the current one.
        facets: the choices with the number of scenes, from SearchResult; empty without a search.
    """
    written = {**{name: as_text(getattr(search.filters, name)) for name in FIELDS}, "then": search.then}
    kinds = {**FIELDS, "then": "text", "within_s": "seconds"}
    written["within_s"] = f"{search.within_s:g}"
    return {
        "sort": search.sort,
        "sorts": [[name, t(f"sort.{name}")] for name in SORTS],
        "grouped": search.grouped,
        "groups": [group for name in CHOICES if (group := _group(name, search.filters, facets))],
        "fields": [
            {
                "name": name,
                "kind": kind,
                "label": t(f"filter.{name}"),
                "value": written[name],
                "beside": name in _BESIDE,
            }
            for name, kind in kinds.items()
        ],
        "count": number(len(active(search.filters))) if search.filters else "",
        "labels": {name: t(f"filter.{name}") for name in ("heading", "clear", "order", "grouped", "more", "fewer")},
    }


def _group(name: str, filters: Filters, facets: Facets) -> dict[str, Any] | None:
    counts = dict(facets.get(name, {}))
    if name in SINGLE:
        chosen = getattr(filters, name)
        on = [] if chosen is None else [str(chosen).lower()]
    else:
        on = list(getattr(filters, name))
    for value in on:
        counts.setdefault(value, 0)
    if not counts or (name in SINGLE and len(counts) < 2 and not on):
        return None  # nothing to choose from
    ordered = sorted(counts, key=lambda value: (-counts[value], value))[:_MOST_CHOICES]
    return {
        "name": name,
        "label": t(f"filter.{name}"),
        "single": name in SINGLE,
        "first": _FIRST_SHOWN,
        "on": on,
        "choices": [
            {"value": value, "label": choice_label(name, value), "count": number(counts[value])} for value in ordered
        ],
    }


# --- the row above the results --------------------------------------------------------------------


def chips(library: Library, search: SearchState, result: SearchResult | None) -> dict[str, Any]:
    """What the search is limited to and what it is by, what was made of the query, and what can be done with it."""
    labels = ("remove", "remove_short", "clear", "picture", "picture_hint", "no_picture", "save", "searches", "help")
    return {
        "chips": [*_examples(library, search), *filter_chips(search.filters), *_then(search)],
        "notes": notes(result) if result is not None else [],
        "can_save": search.is_asked,
        "name": search.query[:100],
        "searches": address.url("searches"),
        "syntax": [[t(f"syntax.{name}"), t(f"syntax.{name}.means")] for name in _SYNTAX],
        "labels": {name: t(f"chips.{name}") for name in (*labels, "name", "cancel")},
    }


def notes(result: SearchResult) -> list[str]:
    """What a search made of its query: words that were corrected, and what could not be looked for."""
    corrected = [t("search.corrected", searched=searched, typed=typed) for typed, searched in result.corrected.items()]
    codes = [code for code in result.notes if code != "listing" or result.total]
    order = t(f"explanation.order.{result.order}") if result.is_listing else ""
    return [*corrected, *(t_or(f"search_note.{code}", code.replace("_", " "), order=order) for code in codes)]


def _examples(library: Library, search: SearchState) -> list[dict[str, Any]]:
    found = [
        *_scenes(library, "liked", search.liked, ""),
        *_scenes(library, "disliked", search.disliked, "less"),
    ]
    if search.image:
        found.append({"name": "image", "value": search.image, "label": t("chips.by_picture"), "tone": ""})
    return found


def _scenes(library: Library, name: str, scene_ids: Sequence[str], tone: str) -> list[dict[str, Any]]:
    found = []
    for scene_id in scene_ids:
        chip = {"name": name, "value": scene_id, "tone": tone, "image": None}
        try:
            scene = library.scene(scene_id)
            title = media.video_of(library, scene.video_id).title
        except HeimdexError:  # its video was deleted, or it is not a scene: the chip can still be taken away
            found.append({**chip, "label": t("chips.gone")})
            continue
        label = t(f"chips.{name}", title=title, time=media.start_text(scene))
        found.append({**chip, "label": label, "image": media.frame_url(library, scene)})
    return found


def filter_chips(filters: Filters) -> list[dict[str, Any]]:
    """A chip for each filter, and for each value of one that can have several."""
    found = []
    for name in active(filters):
        value = getattr(filters, name)
        for one in value if isinstance(value, tuple) else (value,):
            if name in SINGLE:
                label = choice_label(name, str(one).lower())
            elif name in ("languages", "tags"):
                label = choice_label(name, one)
            else:
                label = t("chips.filter", name=t(f"filter.{name}"), value=as_text(one))
            found.append({"name": name, "value": as_text(one), "label": label, "tone": ""})
    return found


def _then(search: SearchState) -> list[dict[str, Any]]:
    if not search.then:
        return []
    label = t("chips.then", text=search.then, seconds=t("unit.seconds", n=f"{search.within_s:g}"))
    return [{"name": "then", "value": search.then, "label": label, "tone": ""}]
