"""Lists page by page, and answers with an ETag."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query, Request
from starlette.responses import Response

from heimdex_core.errors import InvalidValue, PreconditionFailed, SceneNotFound
from heimdex_core.schemas.shapes import Shape
from heimdex_core.types import parse_scene_id

T = TypeVar("T")
S = TypeVar("S", bound=Shape)

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="items at most")]
Cursor = Annotated[str | None, Query(max_length=1000, description="next_cursor of the page before")]


class Page(Shape, Generic[S]):
    """A part of a list."""

    items: list[S]
    next_cursor: str | None = None
    """For the next part; null where this is the last one."""


def behind(cursor: str | None) -> tuple[datetime, str] | None:
    """Where a page begins of a list that the store reads page by page: behind the item of that time and id.

    Raises InvalidValue for what is no cursor.
    """
    found = _texts(cursor, 2)
    try:
        at = datetime.fromisoformat(found[0]) if found else None
    except ValueError:
        raise _no_cursor(cursor) from None
    if at is not None and at.tzinfo is None:
        raise _no_cursor(cursor)
    return None if at is None else (at, found[1])


def behind_name(cursor: str | None) -> tuple[str, str] | None:
    """The same for a list by name: behind the item of that name and id."""
    found = _texts(cursor, 2)
    return (found[0], found[1]) if found else None


def behind_scene(cursor: str | None) -> str | None:
    """The same for the scenes of a video: behind the one of that scene_id."""
    found = _texts(cursor, 1)
    try:
        for scene_id in found:
            parse_scene_id(scene_id)
    except SceneNotFound:
        raise _no_cursor(cursor) from None
    return found[0] if found else None


def first_of(
    found: Sequence[T], limit: int, place: Callable[[T], Sequence[datetime | str]]
) -> tuple[Sequence[T], str | None]:
    """(items, next cursor) of `limit` items of such a list and one more; `place` has what the cursor names of one."""
    items = found[:limit]
    if len(found) <= limit:
        return items, None
    return items, _write([part.isoformat() if isinstance(part, datetime) else part for part in place(items[-1])])


def page_of(
    found: Sequence[T], cursor: str | None, limit: int, place: Callable[[T], Sequence[Any]]
) -> tuple[Sequence[T], str | None]:
    """(items, next cursor) of a list that is one file which is read as a whole, as the lines of one video.

    Args:
        found: all of it.
        cursor: of the page before; None for the first page.
        limit: items at most.
        place: JSON values that say where an item is in the order of the list, the last one its id. The next page goes
            on behind the item with that id, or, where it has gone, behind its place in an ascending list.

    Raises InvalidValue for what is no cursor.
    """
    start = 0
    if cursor is not None:
        last = _read(cursor)
        places = [list(place(item)) for item in found]
        ids = [one[-1] for one in places]
        start = ids.index(last[-1]) + 1 if last[-1] in ids else _behind(places, last, cursor)
    items = found[start : start + limit]
    has_more = start + limit < len(found)
    return items, _write(place(items[-1])) if has_more else None


def _behind(places: list[list[Any]], last: list[Any], cursor: str) -> int:
    """The number of the first item that stands behind `last`; lists are in descending or in ascending order."""
    try:
        is_descending = len(places) > 1 and places[0] > places[-1]
        return next((n for n, one in enumerate(places) if (one < last if is_descending else one > last)), len(places))
    except TypeError:
        raise _no_cursor(cursor) from None


def _write(place: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(place), ensure_ascii=False).encode()).decode().rstrip("=")


def _texts(cursor: str | None, count: int) -> list[str]:
    """What a cursor names: so many texts, the last one an id; none without a cursor. Raises InvalidValue."""
    if cursor is None:
        return []
    found = _read(cursor)
    if len(found) != count or not all(isinstance(one, str) and one.isprintable() for one in found):
        raise _no_cursor(cursor)
    return found


def _read(cursor: str) -> list[Any]:
    """The JSON values of a cursor. Raises InvalidValue."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _no_cursor(cursor) from None
    if not isinstance(found, list) or not found:
        raise _no_cursor(cursor)
    return found


def _no_cursor(cursor: str | None) -> InvalidValue:
    return InvalidValue(name="cursor", value=(cursor or "")[:80], reason="it is not the next_cursor of a page")


def etag_of(shape: Shape) -> str:
    """A strong ETag (RFC 9110): equal answers have equal ones."""
    return f'"{hashlib.sha256(shape.model_dump_json().encode()).hexdigest()[:32]}"'


def tagged(request: Request, shape: Shape) -> Response:
    """The answer with its ETag, or 304 where the client has it (If-None-Match)."""
    tag = etag_of(shape)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _names(request.headers.get("if-none-match"), tag, weak=True):
        return Response(status_code=304, headers=headers)
    return Response(shape.model_dump_json(), media_type="application/json", headers=headers)


def require_match(request: Request, shape: Shape) -> None:
    """Raise PreconditionFailed unless what is to be changed is what If-Match names, if there is one."""
    given = request.headers.get("if-match")
    if given is not None and not _names(given, etag_of(shape), weak=False):
        raise PreconditionFailed()


def _names(header: str | None, tag: str, *, weak: bool) -> bool:
    """Whether a header with ETags has this one; * stands for any."""
    tags = [one.strip() for one in (header or "").split(",")]
    return "*" in tags or tag in tags or (weak and f"W/{tag}" in tags)
