"""/scenes: one scene, what is beside it, and where it can be watched."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from heimdex_core.api import answers
from heimdex_core.api.access import Reading, services_of
from heimdex_core.api.answers import Link
from heimdex_core.api.paging import tagged
from heimdex_core.api.videos import preview_of
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Shape

router = APIRouter(prefix="/scenes", tags=["scenes"])

MAX_NEIGHBOURS = 20


class Neighbours(Shape):
    """The scenes beside a scene in its video, in the order of the video."""

    before: list[shapes.Scene]
    after: list[shapes.Scene]


class ScenePreview(Link):
    """A link to the video of a scene, which players play from its beginning to its end (Media Fragments URI 1.0)."""

    start_s: float
    end_s: float


Count = Annotated[int, Query(ge=0, le=MAX_NEIGHBOURS)]


@router.get("/{scene_id}", response_model=shapes.Scene)
def get_scene(request: Request, library: Reading, scene_id: str) -> Response:
    """One scene; after a re-index the one that overlaps it most."""
    return tagged(request, answers.scene(library, services_of(request).links(), library.scene(scene_id)))


@router.get("/{scene_id}/neighbours")
def get_neighbours(
    request: Request, library: Reading, scene_id: str, before: Count = 1, after: Count = 1
) -> Neighbours:
    """The scenes before and after a scene."""
    links = services_of(request).links()
    found = library.scene(scene_id)
    scenes = library.scenes(found.video_id)
    at = next(n for n, one in enumerate(scenes) if one.scene_id == found.scene_id)
    return Neighbours(
        before=[answers.scene(library, links, one) for one in scenes[max(0, at - before) : at]],
        after=[answers.scene(library, links, one) for one in scenes[at + 1 : at + 1 + after]],
    )


@router.get("/{scene_id}/preview")
def get_preview(request: Request, library: Reading, scene_id: str) -> ScenePreview:
    """A link to the video, with the times of the scene."""
    scene = library.scene(scene_id)
    fragment = f"#t={scene.start_s:.3f},{scene.end_s:.3f}"
    link = preview_of(request, library, library.video(scene.video_id), fragment)
    return ScenePreview(url=link.url, expires_at=link.expires_at, start_s=scene.start_s, end_s=scene.end_s)
