"""The search in the URL: query, weights, fusion method, spaces, videos, page and selected scene.

/search?q=…&scene=…&page=…&w=45-35-20&by=rrf&spaces=…&videos=… (or hide=…, where fewer are hidden than shown).
Videos are named by the beginnings of their ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ui import state
from ui.state import SearchState
from ui.views.scenes import CHANNELS

FUSIONS = ("minmax", "rrf")
"""The fusion methods that the page offers."""
MAX_QUERY_CHARS = 1000
_ID_CHARS = 8
_MAX_PAGE = 100_000

Params = dict[str, str | None]


def params(
    search: SearchState, weights: Mapping[str, float], fusion: str, video_ids: Sequence[str]
) -> tuple[Params, Params]:
    """(parameters whose change is an entry in the history, those whose change is not) of a search.

    Args:
        search: what is searched for.
        weights: in use, by channel, 0 to 1.
        fusion: the method that is used unless another one is chosen; it is not named.
        video_ids: of all videos that can be searched.
    """
    entry: Params = {
        "q": search.query,
        "scene": search.selected,
        "page": str(search.page + 1) if search.page else None,
    }
    details: Params = dict.fromkeys(("w", "by", "spaces", "videos", "hide"))
    if search.query:
        hidden = [video_id for video_id in video_ids if video_id in search.hidden_videos]
        shown = [video_id for video_id in video_ids if video_id not in search.hidden_videos]
        details["w"] = "-".join(str(round(100 * weights[name])) for name in CHANNELS)
        details["by"] = search.fusion if search.fusion != fusion else None
        details["spaces"] = ",".join(search.spaces)
        if 0 < len(shown) < len(hidden):
            details["videos"] = _short(shown)
        else:
            details["hide"] = _short(hidden)
    return entry, details


def restore(given: Mapping[str, str], video_ids: Sequence[str], *, max_query_chars: int = MAX_QUERY_CHARS) -> None:
    """Search what a URL names. What it does not name is as on a page without parameters; weights stay as they are."""
    state.set_query(" ".join(given.get("q", "").split())[:max_query_chars])
    if "videos" in given:
        hidden = frozenset(video_ids) - _named(given["videos"], video_ids)
    else:
        hidden = _named(given.get("hide", ""), video_ids)
    state.update_search(
        weights=_weights(given.get("w", "")) or state.search().weights,
        fusion=given.get("by") if given.get("by") in FUSIONS else None,
        spaces=tuple(name for name in given.get("spaces", "").split(",") if name),
        hidden_videos=hidden,
        page=_page(given.get("page", "")),
        selected=given.get("scene") or None,
    )


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
