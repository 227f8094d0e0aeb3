"""/videos: what the user has, and what is done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from heimdex_core import types
from heimdex_core.api import answers, events
from heimdex_core.api.access import Reading, Writing, services_of, while_allowed
from heimdex_core.api.answers import Link
from heimdex_core.api.idempotency import IdempotentRoute, repeatable
from heimdex_core.api.paging import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    Page,
    behind,
    behind_scene,
    first_of,
    page_of,
    require_match,
    tagged,
)
from heimdex_core.errors import VideoNotFound
from heimdex_core.library import Library
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Shape
from heimdex_core.types import VideoState

router = APIRouter(prefix="/videos", tags=["videos"], route_class=IdempotentRoute)

_FINISHED = (VideoState.INDEXED, VideoState.FAILED, VideoState.DELETED)


class VideoStatus(Shape):
    """Where the work on a video stands."""

    video_id: str
    state: str
    progress: shapes.Progress | None
    """null while nobody has begun, and when it is over."""
    error: shapes.Error | None


class Line(Shape):
    """A line of speech, [start_s, end_s) of the video."""

    start_s: float
    end_s: float
    text: str


class VideoChange(BaseModel):
    """What is to be changed; a field that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = None


class Reindexing(BaseModel):
    """With which settings a video is indexed again."""

    model_config = ConfigDict(extra="forbid")

    language: str | None = Field(None, description="of its speech, an ISO 639-1 code or auto")
    params: dict[str, float | int | bool | str | None] | None = Field(
        None, description="settings of this video alone, by name; null takes the general one again"
    )


@router.get("", response_model=Page[shapes.Video], response_model_exclude_unset=False)
def list_videos(
    request: Request,
    library: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    state: Annotated[VideoState | None, Query(description="only those in this state")] = None,
    deleted: Annotated[bool, Query(description="also those that are deleted and can be restored")] = False,
) -> Response:
    """The user's videos, newest first."""
    with_deleted = deleted or state == VideoState.DELETED
    found = library.videos(include_deleted=with_deleted, state=state, limit=limit + 1, after=behind(cursor))
    items, following = first_of(found, limit, lambda one: (one.created_at, one.video_id))
    page = Page[shapes.Video](items=[shapes.Video.of(one) for one in items], next_cursor=following)
    return tagged(request, page)


@router.get("/{video_id}", response_model=shapes.Video)
def get_video(request: Request, library: Reading, video_id: str) -> Response:
    """One video."""
    return tagged(request, shapes.Video.of(library.video(video_id)))


@router.patch("/{video_id}", response_model=shapes.Video)
def change_video(request: Request, library: Writing, video_id: str, change: VideoChange) -> Response:
    """Change a video. With If-Match only if it is still what it was when its ETag was read."""
    video = library.video(video_id)
    require_match(request, shapes.Video.of(video))
    if change.title is not None:
        video = library.rename(video_id, change.title)
    return tagged(request, shapes.Video.of(video))


@router.delete("/{video_id}")
def delete_video(request: Request, library: Writing, video_id: str) -> shapes.Video:
    """Hide a video everywhere; it can be restored until it is cleaned up."""
    require_match(request, shapes.Video.of(library.video(video_id)))
    return shapes.Video.of(library.delete(video_id))


@router.post("/{video_id}/restore", dependencies=[repeatable])
def restore_video(library: Writing, video_id: str) -> shapes.Video:
    """Undo DELETE."""
    return shapes.Video.of(library.restore(video_id))


@router.post("/{video_id}/retry", status_code=202, dependencies=[repeatable])
def retry_video(library: Writing, video_id: str) -> shapes.Video:
    """Index a failed video again."""
    return shapes.Video.of(library.retry(video_id, queue=True))


@router.post("/{video_id}/cancel", dependencies=[repeatable])
def cancel_video(library: Writing, video_id: str) -> shapes.Video:
    """Stop the work on a video."""
    library.cancel(video_id)
    return shapes.Video.of(library.video(video_id))


@router.post("/{video_id}/reindex", status_code=202, dependencies=[repeatable])
def reindex_video(library: Writing, video_id: str, how: Reindexing) -> shapes.Video:
    """Index a video again; it stays searchable meanwhile."""
    return shapes.Video.of(library.reindex_video(video_id, language=how.language, params=how.params, queue=True))


@router.get("/{video_id}/status")
def get_status(library: Reading, video_id: str) -> VideoStatus:
    """Where the work on a video stands."""
    return _status(library, video_id)


def _status(library: Library, video_id: str) -> VideoStatus:
    video = library.video(video_id)
    progress = None if video.state in _FINISHED else library.progress(video_id)
    return VideoStatus(
        video_id=video_id,
        state=str(video.state),
        progress=shapes.Progress.of(progress),
        error=shapes.Error.of(video.error),
    )


def video_of(library: Reading, video_id: str) -> types.Video:
    """The video that a path names, so that a stream is not begun for one that does not exist."""
    return library.video(video_id)


@router.get("/{video_id}/events", response_class=EventSourceResponse)
async def stream_status(
    request: Request, library: Reading, video: Annotated[types.Video, Depends(video_of)]
) -> AsyncIterator[ServerSentEvent]:
    """The status as server-sent events, whenever it changes: "progress", and "done" when the work is over."""
    is_over = lambda shape: isinstance(shape, VideoStatus) and shape.state in _FINISHED  # noqa: E731
    look = while_allowed(request, lambda: _status(library, video.video_id))
    async for event in events.changes(services_of(request), look, is_over):
        yield event


@router.get("/{video_id}/scenes", response_model=Page[shapes.Scene])
def list_scenes(
    request: Request, library: Reading, video_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """The scenes of a video in their order; none while it is not indexed."""
    links = services_of(request).links()
    found = library.scenes(video_id, limit=limit + 1, after=behind_scene(cursor))
    items, following = first_of(found, limit, lambda one: (one.scene_id,))
    scenes = [answers.scene(library, links, one) for one in items]
    return tagged(request, Page[shapes.Scene](items=scenes, next_cursor=following))


@router.get("/{video_id}/transcript", response_model=Page[Line])
def list_lines(
    request: Request, library: Reading, video_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """What is said in a video, line by line."""
    found = [*enumerate(library.words(video_id))]  # one compressed file has them all, and words are joined to lines
    items, following = page_of(found, cursor, limit, lambda one: (one[0],))
    lines = [Line(start_s=one.start_s, end_s=one.end_s, text=one.text) for _, one in items]
    return tagged(request, Page[Line](items=lines, next_cursor=following))


@router.get("/{video_id}/preview")
def get_preview(request: Request, library: Reading, video_id: str) -> Link:
    """A link to the video, as browsers can play it."""
    return preview_of(request, library, library.video(video_id))


def preview_of(request: Request, library: Library, video: types.Video, fragment: str = "") -> Link:
    """A link to a video. Raises VideoNotFound where its file has gone."""
    links = services_of(request).links()
    path = library.playable_path(video, fetch=False)
    if path is None:
        raise VideoNotFound(video_id=video.video_id)
    return answers.file_link(links, links.file_url(path, library.user_id), fragment)
