"""POST /search: everything that a query of the library has."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from heimdex_core.api.access import Reading, services_of
from heimdex_core.api.mounting import PREFIX
from heimdex_core.api.paging import MAX_LIMIT
from heimdex_core.errors import InvalidValue, NotAnImage
from heimdex_core.library import Library
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Shape
from heimdex_core.search.channels import channel_names
from heimdex_core.search.fusion import fusion_names
from heimdex_core.types import Example, Filters, SearchResult, Then

router = APIRouter(prefix="/search", tags=["search"])

MAX_OFFSET = 100_000
MAX_PICTURE_CHARS = 6 * 1024 * 1024

Ids = Annotated[list[str], Field(max_length=500)]


class ExampleBody(BaseModel):
    """What a search is given instead of a text, or beside it."""

    model_config = ConfigDict(extra="forbid")

    scene_ids: Ids = Field([], description="scenes to find similar ones to")
    less_like: Ids = Field([], description="scenes that the found ones should not be similar to")
    image: str | None = Field(
        None, max_length=MAX_PICTURE_CHARS, description="a JPEG, PNG or WebP picture of at most 4 MiB, in base64"
    )
    box: tuple[float, float, float, float] | None = Field(
        None, description="the part of the picture: left, top, right, bottom, 0 to 1"
    )


class SearchBody(BaseModel):
    """A search. What is left out is as the user has set it, or as the settings have it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", description="in the query language of docs/search.md")
    weights: dict[str, float] | None = Field(None, description="by channel, 0 to 1")
    fusion: str | None = None
    filters: Filters | None = None
    sort: Literal["score", "time", "newest"] = "score"
    group_by_video: bool = False
    example: ExampleBody | None = None
    then: Then | None = Field(None, description="what has to follow in the same video")
    videos: Ids | None = Field(None, description="search only these")
    spaces: Ids = Field([], description="search these spaces instead of the first ones of their kinds")
    collapse: bool = Field(True, description="fold nearly identical scenes under the best of them")
    facets: bool = Field(False, description="count the choices of the filters")
    view_token: str | None = Field(None, description="of the first page, so that later ones fit it")
    limit: int | None = Field(None, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


class SearchOptions(Shape):
    """What a search can choose from, and what it uses where nothing is chosen."""

    channels: list[str]
    fusions: list[str]
    spaces: dict[str, str]
    """The name of the space by its role."""
    weights: dict[str, float]
    fusion: str


@router.post("")
def search(request: Request, library: Reading, body: SearchBody) -> shapes.SearchResult:
    """The scenes that fit, best first, each with its reasons."""
    example = _example(library, body.example)
    try:
        result = _searched(library, body, example)
    except NotAnImage as error:
        if example is None or example.image is None:
            raise
        # the name is that of the copy that was kept
        raise NotAnImage(**{**error.details, "filename": "example.image"}) from None
    links = services_of(request).links()
    thumbnails = {
        scene_id: PREFIX + links.file_url(path, library.user_id) for scene_id, path in result.thumbnails.items()
    }
    return shapes.SearchResult.of(result, thumbnails)


def _searched(library: Library, body: SearchBody, example: Example | None) -> SearchResult:
    return library.search(
        body.text,
        weights=body.weights,
        fusion=body.fusion,
        filters=body.filters,
        sort=body.sort,
        group_by_video=body.group_by_video,
        example=example,
        then=body.then,
        videos=body.videos,
        spaces=body.spaces,
        collapse=body.collapse,
        facets=body.facets,
        view_token=body.view_token,
        limit=body.limit,
        offset=body.offset,
    )


@router.get("/options")
def get_options(library: Reading) -> SearchOptions:
    """Channels, fusion methods and spaces, and the user's defaults."""
    defaults = library.evaluation.defaults()
    return SearchOptions(
        channels=list(channel_names()),
        fusions=list(fusion_names()),
        spaces={role: space.name for role, space in library.spaces().items()},
        weights=dict(defaults.weights),
        fusion=defaults.fusion,
    )


def _example(library: Library, body: ExampleBody | None) -> Example | None:
    if body is None:
        return None
    image = None
    if body.image is not None:
        try:
            data = base64.b64decode(body.image, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidValue(name="example.image", value=body.image[:40], reason="it is not base64") from None
        image = library.searches.picture(library.searches.keep_picture(data))
    return Example(tuple(body.scene_ids), tuple(body.less_like), image, body.box)
