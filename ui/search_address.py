"""The search in the URL, so that a link opens exactly this search.

    q, scene, page              the query, the scene in the player, the page of results
    like, less, image           what to find similar scenes to: scenes, scenes to be less like, a picture
    then, within                what has to follow, and within how many seconds
    w, by, spaces               weights (said-seen-words), fusion method, spaces
    videos or hide              the videos that are shown, or the hidden ones where they are fewer
    title, file, from, to, min, max, lang, speech, tag, person, owner, in     the filters
    sort, group                 the order

Videos are named by the beginnings of their ids. Names in lists have their commas as %2C.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import get_args

from heimdex_core.search.fusion import fusion_names
from heimdex_core.types import Filters, Owner, Sort
from ui import state
from ui.state import THEN_WITHIN_S, SearchState
from ui.views.scenes import CHANNELS

FUSIONS = tuple(fusion_names())
"""The fusion methods that the page offers."""
MAX_QUERY_CHARS = 1000
MAX_WITHIN_S = 3600.0
SORTS: tuple[Sort, ...] = get_args(Sort)
OWNERS: tuple[Owner, ...] = get_args(Owner)
FILTER_NAMES = ("title", "file", "from", "to", "min", "max", "lang", "speech", "tag", "person", "owner", "in")
"""The parameters that filter."""
_ID_CHARS = 8
_MAX_PAGE = 100_000
_MAX_NAMES = 50
_MAX_NAME_CHARS = 200
_SPEECH = {"yes": True, "no": False}

Params = dict[str, str | None]


def params(
    search: SearchState, weights: Mapping[str, float], fusion: str, video_ids: Sequence[str]
) -> tuple[Params, Params]:
    """(parameters whose change is an entry in the history, those whose change is not) of a search.

    Args:
        search: what is searched for.
        weights: in use, by channel, 0 to 1.
        fusion: the method of the environment, which is not named. Defaults that people set are: they are not the same
            for everybody who opens a link.
        video_ids: of all videos that can be searched.
    """
    entry: Params = {
        "q": search.query,
        "like": _listed(search.liked),
        "less": _listed(search.disliked),
        "image": search.image,
        "then": search.then,
        "scene": search.selected,
        "page": str(search.page + 1) if search.page else None,
    }
    details: Params = dict.fromkeys(("w", "by", "spaces", "videos", "hide", "within", "sort", "group"))
    details |= filter_params(search.filters)
    if search.is_asked:
        hidden = [video_id for video_id in video_ids if video_id in search.hidden_videos]
        shown = [video_id for video_id in video_ids if video_id not in search.hidden_videos]
        details["w"] = "-".join(str(round(100 * weights[name])) for name in CHANNELS)
        details["by"] = search.fusion if search.fusion != fusion else None
        details["spaces"] = ",".join(search.spaces)
        details["within"] = f"{search.within_s:g}" if search.then and search.within_s != THEN_WITHIN_S else None
        details["sort"] = search.sort if search.sort != "score" else None
        details["group"] = "yes" if search.grouped else None
        if 0 < len(shown) < len(hidden):
            details["videos"] = _short(shown)
        else:
            details["hide"] = _short(hidden)
    return entry, details


def restore(
    given: Mapping[str, str], video_ids: Sequence[str], *, fusion: str, max_query_chars: int = MAX_QUERY_CHARS
) -> None:
    """Search what a URL names. What it does not name is as on a page without parameters; weights stay as they are.

    `fusion` and `video_ids` as for `params`. A URL without weights was not made by `params`, but by hand: the fusion
    method is then the person's default.
    """
    not_named = fusion if "w" in given else None
    state.set_query(" ".join(given.get("q", "").split())[:max_query_chars])
    if "videos" in given:
        hidden = frozenset(video_ids) - _named(given["videos"], video_ids)
    else:
        hidden = _named(given.get("hide", ""), video_ids)
    sort = given.get("sort", "")
    state.update_search(
        weights=_weights(given.get("w", "")) or state.search().weights,
        fusion=given.get("by") if given.get("by") in FUSIONS else not_named,
        spaces=tuple(name for name in given.get("spaces", "").split(",") if name),
        hidden_videos=hidden,
        filters=filters_of(given),
        sort=next((one for one in SORTS if one == sort), "score"),
        grouped=given.get("group") == "yes",
        liked=_names(given.get("like", "")),
        disliked=_names(given.get("less", "")),
        image=given.get("image") if re.fullmatch(r"[0-9a-f]{16,64}", given.get("image", "")) else None,
        then=" ".join(given.get("then", "").split())[:max_query_chars],
        within_s=_seconds(given.get("within", ""), MAX_WITHIN_S) or THEN_WITHIN_S,
        page=_page(given.get("page", "")),
        selected=given.get("scene") or None,
    )


# --- filters --------------------------------------------------------------------------------------


def filter_params(filters: Filters) -> Params:
    """The parameters of filters. The same names in every call; None where nothing is filtered."""
    speech = {value: name for name, value in _SPEECH.items()}
    return {
        "title": filters.title,
        "file": filters.filename,
        "screen": filters.on_screen,
        "from": filters.added_from.isoformat() if filters.added_from else None,
        "to": filters.added_to.isoformat() if filters.added_to else None,
        "min": f"{filters.min_s:g}" if filters.min_s is not None else None,
        "max": f"{filters.max_s:g}" if filters.max_s is not None else None,
        "lang": _listed(filters.languages),
        "speech": speech[filters.has_speech] if filters.has_speech is not None else None,
        "tag": _listed(filters.tags),
        "person": _listed(filters.people),
        "owner": filters.owner,
        "in": _listed(filters.collections),
    }


def filters_of(given: Mapping[str, str]) -> Filters:
    """The filters that parameters name. They come from outside: what makes no sense is left out."""
    added_from, added_to = _day(given.get("from", "")), _day(given.get("to", ""))
    min_s, max_s = _seconds(given.get("min", "")), _seconds(given.get("max", ""))
    return Filters(
        title=_text(given.get("title", "")),
        filename=_text(given.get("file", "")),
        on_screen=_text(given.get("screen", "")),
        added_from=added_from,
        added_to=None if added_from and added_to and added_from > added_to else added_to,
        min_s=min_s,
        max_s=None if min_s and max_s and min_s > max_s else max_s,
        languages=_names(given.get("lang", "")),
        has_speech=_SPEECH.get(given.get("speech", "")),
        tags=_names(given.get("tag", "")),
        people=_names(given.get("person", "")),
        owner=next((one for one in OWNERS if one == given.get("owner")), None),
        collections=_names(given.get("in", "")),
    )


def _day(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text)
    return None


def _seconds(text: str, most: float = 1e6) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 < value <= most else None


def _text(text: str) -> str:
    return " ".join(text.split())[:_MAX_NAME_CHARS]


# --- lists ----------------------------------------------------------------------------------------


def _listed(names: Iterable[str]) -> str:
    return ",".join(name.replace("%", "%25").replace(",", "%2C") for name in names)


def _names(text: str) -> tuple[str, ...]:
    parts = (part.replace("%2C", ",").replace("%25", "%") for part in text.split(",")[:_MAX_NAMES])
    return tuple(dict.fromkeys(clean for part in parts if (clean := _text(part))))


def _weights(text: str) -> dict[str, float] | None:
    match = re.fullmatch(r"([0-9]{1,3})-([0-9]{1,3})-([0-9]{1,3})", text, re.ASCII)
    values = [int(value) / 100 for value in match.groups()] if match else []
    return dict(zip(CHANNELS, values, strict=True)) if any(values) and max(values) <= 1 else None


def _page(text: str) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) else 1
    return min(max(number - 1, 0), _MAX_PAGE)


def _short(video_ids: Iterable[str]) -> str:
    return ",".join(video_id[:_ID_CHARS] for video_id in video_ids)


def _named(text: str, video_ids: Sequence[str]) -> frozenset[str]:
    parts = frozenset(text.split(","))
    beginnings = tuple(part for part in parts if len(part) >= _ID_CHARS)
    return frozenset(video_id for video_id in video_ids if video_id in parts or video_id.startswith(beginnings))
