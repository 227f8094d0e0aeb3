"""/people, /face-scans, /face-groups and /faces: people in the picture, by their faces."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from heimdex_core.api import events
from heimdex_core.api.access import Administering, Reading, Writing, services_of, while_allowed
from heimdex_core.api.idempotency import IdempotentRoute, repeatable
from heimdex_core.api.mounting import PREFIX
from heimdex_core.api.paging import DEFAULT_LIMIT, MAX_LIMIT, Cursor, Limit, Page, behind_name, first_of, tagged
from heimdex_core.errors import InvalidValue
from heimdex_core.library import Library
from heimdex_core.library.people import MAX_PHOTOS
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Shape
from heimdex_core.types import FaceScan, RemovedFaces, to_json

router = APIRouter(tags=["people"], route_class=IdempotentRoute)

Name = Annotated[str, Field(min_length=1, max_length=200)]
FaceIds = Annotated[list[str], Field(min_length=1, max_length=1000)]
Most = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EnrolBody(_Body):
    """A person, by photos or by faces."""

    name: Name
    photos: list[str] = Field([], max_length=MAX_PHOTOS, description="files (JPEG, PNG, WebP) in base64, one face each")
    faces: list[str] = Field([], max_length=1000, description="ids of faces, or of scenes in which one face is seen")


class NameBody(_Body):
    """A name for a person."""

    name: Name


class MergeBody(_Body):
    """Who becomes part of a person, and is no more."""

    other_id: str


class FacesBody(_Body):
    """Faces, and whether they are the person."""

    faces: FaceIds
    is_person: bool = True


class SplitBody(_Body):
    """Faces that are another person, and the name of that one."""

    faces: FaceIds
    name: Name


class RemoveBody(_Body):
    """Faces that are removed."""

    faces: FaceIds


class ScanBody(_Body):
    """Where faces are looked for."""

    video_ids: list[str] | None = Field(None, max_length=1000, description="default all videos of the user")
    again: bool = Field(False, description="also in videos that have been looked through as they are now")


class SwitchBody(_Body):
    """Whether people may be searched for."""

    is_on: bool


class PeopleStatus(Shape):
    """Whether people can be searched for."""

    is_on: bool
    note: str | None = Field(description="off, off_shared or no_models: why faces are not looked for")
    videos: int
    scanned: int
    faces: int


class Faces(Shape):
    """Faces in order."""

    items: list[shapes.Face]


class FaceGroups(Shape):
    """Faces that nobody has named, in groups that look like one person; the largest first."""

    items: list[shapes.FaceCluster]


# --- looking for faces ----------------------------------------------------------------------------


@router.post("/face-scans", status_code=202, dependencies=[repeatable])
def find_faces(response: Response, library: Writing, body: ScanBody) -> shapes.FaceScan:
    """Have the worker look for faces in the user's own videos. While a search is unfinished, the answer is that one."""
    scan = library.people.find_faces(body.video_ids, again=body.again, queue=True)
    response.headers["Location"] = f"{PREFIX}/face-scans/{scan.scan_id}"
    return shapes.FaceScan.of(scan)


@router.get("/face-scans/{scan_id}", response_model=shapes.FaceScan)
def get_scan(request: Request, library: Reading, scan_id: str) -> Response:
    """Where the user's last search for faces stands; others are not kept."""
    return tagged(request, shapes.FaceScan.of(library.people.get_scan(scan_id)))


def scan_of(library: Reading, scan_id: str) -> FaceScan:
    """The search that a path names, so that a stream is not begun for one that does not exist."""
    return library.people.get_scan(scan_id)


@router.get("/face-scans/{scan_id}/events", response_class=EventSourceResponse)
async def stream_scan(
    request: Request, library: Reading, scan: Annotated[FaceScan, Depends(scan_of)]
) -> AsyncIterator[ServerSentEvent]:
    """The search as server-sent events, whenever it changes: "progress", and "done" when it is over."""
    is_over = lambda shape: isinstance(shape, shapes.FaceScan) and shape.is_over  # noqa: E731
    look = while_allowed(request, lambda: shapes.FaceScan.of(library.people.get_scan(scan.scan_id)))
    async for event in events.changes(services_of(request), look, is_over):
        yield event


@router.post("/face-scans/{scan_id}/cancel", dependencies=[repeatable])
def cancel_scan(library: Writing, scan_id: str) -> shapes.FaceScan:
    """Stop a search for faces; what was found stays."""
    return shapes.FaceScan.of(library.people.cancel_scan(scan_id))


# --- people ---------------------------------------------------------------------------------------


@router.get("/people-status")
def get_status(library: Reading) -> PeopleStatus:
    """Whether people can be searched for in this library, and how many videos have been looked through."""
    return _status(library)


@router.put("/people-status")
def switch(library: Administering, body: SwitchBody) -> PeopleStatus:
    """Let people be searched for by all users, or not."""
    (library.people.turn_on if body.is_on else library.people.turn_off)()
    return _status(library)


@router.get("/people", response_model=Page[shapes.Person])
def list_people(request: Request, library: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """The people whom the user has named, by name."""
    found = library.people.all(limit=limit + 1, after=behind_name(cursor))
    items, following = first_of(found, limit, lambda one: (one.name, one.person_id))
    return tagged(request, Page[shapes.Person](items=[shapes.Person.of(one) for one in items], next_cursor=following))


@router.post("/people", status_code=201, dependencies=[repeatable])
def enrol(library: Writing, body: EnrolBody) -> shapes.Person:
    """Name a person. Photos are not kept, only the vectors of the faces."""
    with tempfile.TemporaryDirectory() as folder:
        photos = [_photo(Path(folder, f"photo-{number}"), text) for number, text in enumerate(body.photos, 1)]
        return shapes.Person.of(library.people.enrol(body.name, photos, faces=body.faces))


@router.get("/people/{person_id}")
def get_person(library: Reading, person_id: str) -> shapes.Person:
    """One person."""
    return shapes.Person.of(library.people.get(person_id))


@router.patch("/people/{person_id}")
def rename(library: Writing, person_id: str, body: NameBody) -> shapes.Person:
    """Give a person another name."""
    return shapes.Person.of(library.people.rename(person_id, body.name))


@router.delete("/people/{person_id}")
def remove(library: Writing, person_id: str) -> RemovedFaces:
    """Remove a person, and the vectors of the person's photos and of all faces in the user's videos."""
    return library.people.remove(person_id)


@router.post("/people/{person_id}/merge", dependencies=[repeatable])
def merge(library: Writing, person_id: str, body: MergeBody) -> shapes.Person:
    """Make two people one, under the name of the first."""
    return shapes.Person.of(library.people.merge(person_id, body.other_id))


@router.post("/people/{person_id}/split", status_code=201, dependencies=[repeatable])
def split(library: Writing, person_id: str, body: SplitBody) -> shapes.Person:
    """Make another person of some faces."""
    return shapes.Person.of(library.people.split(person_id, body.faces, body.name))


@router.get("/people/{person_id}/faces")
def list_faces(library: Reading, person_id: str, limit: Most = DEFAULT_LIMIT) -> Faces:
    """The faces of a person: those assigned by hand, then the most similar."""
    return Faces(items=[shapes.Face.of(one) for one in library.people.faces_of(person_id, limit=limit)])


@router.post("/people/{person_id}/faces", dependencies=[repeatable])
def assign(library: Writing, person_id: str, body: FacesBody) -> shapes.Person:
    """Say of faces that they are the person, or that they are not."""
    change = library.people.assign if body.is_person else library.people.refuse
    return shapes.Person.of(change(person_id, body.faces))


# --- faces ----------------------------------------------------------------------------------------


@router.get("/face-groups")
def list_groups(library: Reading, limit: Most = DEFAULT_LIMIT) -> FaceGroups:
    """Faces that nobody has named, in groups."""
    return FaceGroups(items=[shapes.FaceCluster.of(one) for one in library.people.unnamed(limit=limit)])


@router.post("/face-groups/{cluster_id}/name", dependencies=[repeatable])
def name_group(library: Writing, cluster_id: str, body: NameBody) -> shapes.Person:
    """Say who the faces of a group are."""
    return shapes.Person.of(library.people.name(cluster_id, body.name))


@router.get("/scenes/{scene_id}/faces")
def list_faces_of_scene(library: Reading, scene_id: str) -> Faces:
    """The faces in the keyframes of a scene, with their boxes and names."""
    return Faces(items=[shapes.Face.of(one) for one in library.people.faces(scene_id)])


@router.get("/faces/{face_id}/picture", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
def get_picture(library: Reading, face_id: str) -> Response:
    """The picture of a face, a WebP."""
    picture = library.people.crop(face_id)
    return Response(picture, media_type="image/webp", headers={"Cache-Control": "private, max-age=60"})


@router.post("/faces/remove", dependencies=[repeatable])
def remove_faces(library: Writing, body: RemoveBody) -> RemovedFaces:
    """Remove the vectors of faces from the user's own videos; they are not found again."""
    return library.people.remove_faces(body.faces)


# --- parts ----------------------------------------------------------------------------------------


def _status(library: Library) -> PeopleStatus:
    return PeopleStatus(**to_json(library.people.state()))


def _photo(path: Path, text: str) -> Path:
    try:
        path.write_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidValue(name="photos", value=path.name, reason="it is not base64") from error
    return path
