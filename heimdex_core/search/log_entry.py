"""What the query log keeps of a search; store/search_log.py has the fields."""

from __future__ import annotations

from heimdex_core.search.filter_text import filter_pairs
from heimdex_core.types import Json, SearchResult, utc_now


def log_entry(result: SearchResult, user_id: str) -> Json:
    """One line of the query log."""
    query = result.query
    return {
        "at": utc_now().isoformat(),
        "user_id": user_id,
        "text": query.text,
        "weights": dict(result.weights),
        "fusion": result.fusion,
        "filters": filter_pairs(query.filters),
        "sort": query.sort,
        "group_by_video": query.group_by_video,
        "then": query.then.text if query.then is not None else None,
        "by_example": query.example is not None,
        "set_id": result.set_id,
        "spaces": list(result.spaces),
        "video_ids": list(query.video_ids) if query.video_ids is not None else None,
        "offset": query.offset,
        "limit": query.limit,
        "total": result.total,
        "cached": result.cached,
        "timing_ms": {name: round(value, 3) for name, value in result.timing_ms.items()},
        "active": [name for name, state in result.channels.items() if state.active],
        "abstaining": {name: state.reason for name, state in result.channels.items() if not state.active},
        "corrected": dict(result.corrected),
        "notes": list(result.notes),
        "nothing_close": result.nothing_close,
    }
