"""What the search page shows around the cards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.types import SearchResult, VisibleVideo
from ui import judging
from ui.i18n import number, t

_SAID, _SEEN = 2, 2
_WORDS = 5
_MIN_WORDS = 3
_VIDEOS_READ = 4


def grid_labels() -> dict[str, str]:
    """The texts of the grid of scenes."""
    own = ("views", "grid", "list", "chosen", "add", "clear", "like", "dislike", "more_like")
    return {name: t(f"grid.{name}") for name in own} | judging.labels()


def pager(result: SearchResult, page: int, limit: int) -> dict[str, Any] | None:
    """The buttons below the grid; None if one page has all results.

    Args:
        result: the page of hits.
        page: its number, from 0.
        limit: the number of hits on a page.
    """
    return page_buttons(page, len(result.hits), result.total, limit)


def page_buttons(page: int, shown: int, total: int, limit: int) -> dict[str, Any] | None:
    """The buttons below a grid that shows `shown` of `total` scenes, `limit` on a page; None for one page."""
    if total <= limit:
        return None
    first = page * limit + 1
    return {
        "text": t("search.range", first=number(first), last=number(first + shown - 1), total=number(total)),
        "previous": {"label": t("search.previous_page"), "disabled": page == 0},
        "next": {"label": t("search.next_page"), "disabled": first + limit > total},
    }


def examples(library: Library, videos: Sequence[VisibleVideo]) -> list[str]:
    """Queries to begin with: words that are said in the newest videos, and something to be seen."""
    said = (_said(library, video.video_id, video.generation) for video in videos[:_VIDEOS_READ])
    found = list(itertools.islice((phrase for phrase in said if phrase), _SAID))
    return [*found, *(t(f"home.example.{n}") for n in range(1, _SEEN + 1))]


@lru_cache(maxsize=256)
def _said(library: Library, video_id: str, generation: int) -> str:
    """Some words of the scene of a video in which most is said; "" if nothing is."""
    try:
        scenes = library.scenes(video_id)
    except HeimdexError:
        return ""
    words = max((scene.transcript.split() for scene in scenes), key=len, default=[])
    start = max(0, len(words) // 2 - _WORDS)
    return " ".join(words[start : start + _WORDS]).strip(" ,.!?") if len(words) >= _MIN_WORDS else ""
