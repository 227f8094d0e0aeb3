"""Saved searches and the log of searches, as their page and the empty search page show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.library.searches import SavedSearch
from heimdex_core.search.filter_text import parse_filters
from heimdex_core.types import NO_FILTERS, Filters, Json
from ui import address, search_address
from ui.i18n import number, t, tn
from ui.views import filters as filter_views
from ui.views.scenes import CHANNELS, channel_label

_RECENT = 100
_READ = 1000
_LABELS = (
    *("saved", "recent", "none_saved", "none_recent", "remove", "remove_short"),
    *("when", "asked", "found", "took", "no_text"),
)


def page(library: Library) -> dict[str, Any]:
    """The saved searches, and the last ones."""
    return {
        "saved": [
            {
                "name": one.name,
                "text": " · ".join(
                    part
                    for part in (
                        one.params.get("q"),
                        _described(one.params.get("then", ""), search_address.filters_of(one.params)),
                    )
                    if part
                ),
                "href": saved_url(one),
            }
            for one in library.searches.saved()
        ],
        "recent": [_row(entries) for entries in recent(library, _RECENT)],
        "labels": {name: t(f"searches.{name}") for name in _LABELS},
    }


def saved_url(search: SavedSearch) -> str:
    """The address that opens a saved search."""
    return address.url("search", **{name: value for name, value in search.params.items() if name.isidentifier()})


def recent(library: Library, limit: int) -> list[list[Json]]:
    """The last searches, newest first: of each the entries of the log, newest first.

    Moving a slider or turning a page searches again; such searches count as one.
    """
    entries = library.searches.log(limit=_READ)
    groups = (list(same) for _, same in groupby(entries, key=_identity))
    return [group for _, group in zip(range(limit), groups, strict=False)]


def recent_texts(library: Library, limit: int) -> list[str]:
    """The texts of the last searches that found something, newest first, each once."""
    found: dict[str, None] = {}
    for entries in recent(library, _RECENT):
        text = str(entries[0].get("text") or "")
        if text and entries[0].get("total") and not entries[0].get("nothing_close"):
            found.setdefault(text)
    return list(found)[:limit]


def _identity(entry: Json) -> tuple[str, str]:
    return str(entry.get("text") or ""), str(entry.get("filters") or "")


def _row(entries: Sequence[Json]) -> dict[str, Any]:
    newest = entries[0]
    # the first of them is the one that ran the models; later ones came from the cache
    first = max(entries, key=lambda entry: float((entry.get("timing_ms") or {}).get("total", 0.0)))
    timing: Mapping[str, float] = first.get("timing_ms") or {}
    filters = _filters(newest)
    return {
        "at": str(newest.get("at") or ""),
        "text": str(newest.get("text") or ""),
        "details": _described(str(newest.get("then") or ""), filters),
        # the log does not say which scenes or picture it was by, so such a search cannot be opened again
        "href": None if newest.get("by_example") else _href(newest, filters),
        "kind": t("searches.by_example") if newest.get("by_example") else "",
        "found": tn("search.scenes", int(newest.get("total") or 0)),
        "note": t("searches.nothing_close") if newest.get("nothing_close") else "",
        "took": t("unit.ms", n=number(max(round(float(timing.get("total", 0.0))), 1))),
        "parts": _parts(timing),
    }


def _parts(timing: Mapping[str, float]) -> str:
    """The milliseconds of each channel, a line each."""
    parts = {name: ms for name, ms in timing.items() if name.partition("/")[0] in (*CHANNELS, "caption")}
    return "\n".join(
        f"{channel_label(name)}: {t('unit.ms', n=number(max(round(ms), 1)))}" for name, ms in parts.items()
    )


def _filters(entry: Json) -> Filters:
    try:
        return parse_filters([str(one) for one in entry.get("filters") or ()])
    except HeimdexError:  # of another version
        return NO_FILTERS


def _href(entry: Json, filters: Filters) -> str:
    weights = entry.get("weights") or {}
    shares = [share for name in CHANNELS if isinstance(share := weights.get(name), int | float)]
    return address.url(
        "search",
        q=str(entry.get("text") or ""),
        w="-".join(str(round(100 * share)) for share in shares) if len(shares) == len(CHANNELS) else None,
        by=str(entry.get("fusion") or "") or None,
        **search_address.filter_params(filters),
    )


def _described(then: str, filters: Filters) -> str:
    """What has to follow and the filters, in a line."""
    parts = [t("searches.then", text=then)] if then else []
    return " · ".join([*parts, *(chip["label"] for chip in filter_views.filter_chips(filters))])
