"""/shorts, /highlights and /timelines make something of scenes; /exports is what was made, and what is being made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from heimdex_core import types
from heimdex_core.api import answers, events
from heimdex_core.api.access import Reading, Writing, services_of, while_allowed
from heimdex_core.api.answers import Link
from heimdex_core.api.idempotency import IdempotentRoute, repeatable
from heimdex_core.api.mounting import PREFIX
from heimdex_core.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, behind, first_of, tagged
from heimdex_core.library import Library
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Moment, Shape
from heimdex_core.types import Cue, ReelClip

router = APIRouter(tags=["exports"], route_class=IdempotentRoute)


class CueWordBody(BaseModel):
    """A word of a caption."""

    start_s: float
    end_s: float
    text: str


class CueBody(BaseModel):
    """A caption, in seconds of the video."""

    start_s: float
    end_s: float
    text: str
    words: list[CueWordBody] = Field([], max_length=1000)


class PlaceBody(BaseModel):
    """Where the middle of the crop is at one moment: shares of the picture, from the left and from the top."""

    time_s: float
    x: float
    y: float = 0.5
    cut: bool = False


class ShortBody(BaseModel):
    """A short: one scene in a 9:16 frame."""

    model_config = ConfigDict(extra="forbid")

    scene_id: str
    strategy: str = Field("center_crop", description="how the picture is put into the frame")
    quality: str = "medium"
    trim: tuple[float, float] | None = Field(None, description="[start, end) in seconds of the video")
    captions: str | None = Field(None, description="the style of captions; null for none")
    position: str = "safe"
    cues: Annotated[list[CueBody], Field(max_length=5000)] | None = Field(
        None, description="captions as corrected by hand"
    )
    crop_path: Annotated[list[PlaceBody], Field(max_length=types.crop.MAX_KEYFRAMES)] | None = None
    snap: Literal["word", "sentence"] | None = None
    title: str = ""


class ClipBody(BaseModel):
    """A piece of a video; it may reach beyond its scene."""

    model_config = ConfigDict(extra="forbid")

    scene_id: str
    start_s: float | None = Field(None, description="default the beginning of the scene")
    end_s: float | None = Field(None, description="default its end")
    strategy: str | None = None


Clips = Annotated[list[ClipBody | str], Field(min_length=1, max_length=1000, description="clips, or ids of scenes")]


class HighlightsBody(BaseModel):
    """A reel: clips one after the other."""

    model_config = ConfigDict(extra="forbid")

    clips: Clips
    title: str = ""
    mode: str = "exact"
    aspect: str = "16:9"
    height_px: int | None = None
    strategy: str | None = None
    crossfade_s: float = 0.0
    title_card: bool = False
    lower_thirds: bool = False
    captions: str | None = None
    position: str = "safe"
    remove_silence: bool = False
    keep: list[str] = Field([], max_length=10_000, description="ids of pauses that stay")
    skip_failed: bool = Field(False, description="leave out clips that cannot be rendered")


class TimelineBody(BaseModel):
    """The edit of a reel for editing programs."""

    model_config = ConfigDict(extra="forbid")

    clips: Clips
    format: Literal["otio", "edl", "fcpxml", "csv", "srt"]
    title: str = ""
    fps: float | None = None


class Timeline(Shape):
    """An edit as text."""

    format: str
    text: str


class Allowance(Shape):
    """How many shorts the user may still make today; `remaining` is null where there is no limit."""

    limit: int
    used: int
    remaining: int | None
    resets_at: Moment | None


class ExportStatus(Shape):
    """Where a render stands."""

    export: shapes.Export
    progress: shapes.Progress | None


# --- making ---------------------------------------------------------------------------------------


@router.post("/shorts", status_code=202, dependencies=[repeatable])
def make_short(request: Request, response: Response, library: Writing, body: ShortBody) -> shapes.Export:
    """Render one scene into a 9:16 MP4, with its sound at -14 LUFS."""
    path = body.crop_path and types.CropPath(tuple(types.CropKeyframe(**one.model_dump()) for one in body.crop_path))
    made = library.short(
        body.scene_id,
        strategy=body.strategy,
        quality=body.quality,
        trim=body.trim,
        captions=body.captions,
        position=body.position,
        cues=None if body.cues is None else [Cue.from_json(cue.model_dump()) for cue in body.cues],
        crop_path=path or None,
        snap=body.snap,
        title=body.title,
        queue=True,
    )
    return _accepted(request, response, library, made)


@router.get("/shorts/allowance")
def get_allowance(library: Reading) -> Allowance:
    """How many shorts the user may still make."""
    found = library.shorts.allowance()
    return Allowance(limit=found.limit, used=found.used, remaining=found.remaining, resets_at=found.resets_at)


@router.post("/highlights", status_code=202, dependencies=[repeatable])
def make_highlights(request: Request, response: Response, library: Writing, body: HighlightsBody) -> shapes.Export:
    """Render one MP4 of clips, in their order."""
    options = body.model_dump(exclude={"clips"})
    made = library.reel(_clips(library, body.clips), **options, queue=True)
    return _accepted(request, response, library, made)


@router.post("/timelines")
def make_timeline(library: Reading, body: TimelineBody) -> Timeline:
    """The edit of a reel as OTIO, EDL, FCPXML, CSV or SRT; nothing is rendered or kept."""
    clips = _clips(library, body.clips)
    return Timeline(format=body.format, text=library.timeline(clips, body.format, title=body.title, fps=body.fps))


def _clips(library: Library, bodies: Sequence[ClipBody | str]) -> list[ReelClip | str]:
    return [one if isinstance(one, str) else _clip(library, one) for one in bodies]


def _clip(library: Library, body: ClipBody) -> ReelClip:
    scene = library.scene(body.scene_id)
    return ReelClip(
        scene.video_id,
        scene.start_s if body.start_s is None else body.start_s,
        scene.end_s if body.end_s is None else body.end_s,
        scene.start_s,
        scene.end_s,
        strategy=body.strategy,
    )


def _accepted(request: Request, response: Response, library: Library, made: types.Export) -> shapes.Export:
    response.headers["Location"] = f"{PREFIX}/exports/{made.export_id}"
    return answers.export(library, services_of(request).links(), made)


# --- what was made --------------------------------------------------------------------------------


@router.get("/exports", response_model=Page[shapes.Export])
def list_exports(request: Request, library: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """The user's exports, newest first, also those whose file has gone."""
    links = services_of(request).links()
    found = library.exports.list(limit + 1, after=behind(cursor))
    items, following = first_of(found, limit, lambda one: (one.created_at, one.export_id))
    exports = [answers.export(library, links, one) for one in items]
    return tagged(request, Page[shapes.Export](items=exports, next_cursor=following))


@router.get("/exports/{export_id}", response_model=shapes.Export)
def get_export(request: Request, library: Reading, export_id: str) -> Response:
    """One export, with a link to its file once it is completed."""
    return tagged(request, answers.export(library, services_of(request).links(), library.exports.get(export_id)))


@router.get("/exports/{export_id}/status")
def get_export_status(request: Request, library: Reading, export_id: str) -> ExportStatus:
    """Where a render stands."""
    return _status(request, library, export_id)


def _status(request: Request, library: Library, export_id: str) -> ExportStatus:
    export = library.exports.get(export_id)
    progress = shapes.Progress.of(library.exports.progress(export_id))
    return ExportStatus(export=answers.export(library, services_of(request).links(), export), progress=progress)


def export_of(library: Reading, export_id: str) -> types.Export:
    """The export that a path names, so that a stream is not begun for one that does not exist."""
    return library.exports.get(export_id)


@router.get("/exports/{export_id}/events", response_class=EventSourceResponse)
async def stream_export(
    request: Request, library: Reading, export: Annotated[types.Export, Depends(export_of)]
) -> AsyncIterator[ServerSentEvent]:
    """The status as server-sent events, whenever it changes: "progress", and "done" when the render is over."""
    is_over = lambda shape: isinstance(shape, ExportStatus) and shape.export.is_over  # noqa: E731
    look = while_allowed(request, lambda: _status(request, library, export.export_id))
    async for event in events.changes(services_of(request), look, is_over):
        yield event


@router.get("/exports/{export_id}/file")
def get_export_file(request: Request, library: Reading, export_id: str) -> Link:
    """A link with which the file is downloaded; 410 once it has expired."""
    links = services_of(request).links()
    export = library.exports.get(export_id)
    path = library.exports.file(export, fetch=False)
    name = f"{export.title or export.kind}.mp4"
    url = links.file_url(path, library.user_id, download_name=name, usable_until=export.expires_at)
    return answers.file_link(links, url)


@router.post("/exports/{export_id}/cancel", dependencies=[repeatable])
def cancel_export(request: Request, library: Writing, export_id: str) -> shapes.Export:
    """Stop a render."""
    library.exports.cancel(export_id)
    return answers.export(library, services_of(request).links(), library.exports.get(export_id))


@router.delete("/exports/{export_id}")
def delete_export(request: Request, library: Writing, export_id: str) -> shapes.Export:
    """Remove the file of an export; its record stays. One that is not finished is cancelled."""
    return answers.export(library, services_of(request).links(), library.exports.remove(export_id))
