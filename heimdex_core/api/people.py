"""/people, /face-groups and /faces: people in the picture, by their faces."""

from __future__ import annotations

import base64
import binascii
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from heimdex_core.api.access import Administering, Reading, Writing
from heimdex_core.api.idempotency import IdempotentRoute, repeatable
from heimdex_core.api.paging import DEFAULT_LIMIT, MAX_LIMIT, Cursor, Limit, Page, page_of, tagged
from heimdex_core.errors import InvalidValue
from heimdex_core.library import Library
from heimdex_core.library.people import MAX_PHOTOS
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Shape
from heimdex_core.types import RemovedFaces, to_json

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


class Removed(Shape):
    """What was removed."""

    faces: int
    photos: int
    videos: int


class Faces(Shape):
    """Faces in order."""

    items: list[shapes.Face]


class FaceGroups(Shape):
    """Faces that nobody has named, in groups that look like one person; the largest first."""

    items: list[shapes.FaceCluster]


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
    found = library.people.all()
    items, following = page_of(found, cursor, limit, lambda one: (one.name.casefold(), one.person_id))
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
def remove(library: Writing, person_id: str) -> Removed:
    """Remove a person, and the vectors of the person's photos and of all faces in the user's videos."""
    return _removed(library.people.remove(person_id))


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
def remove_faces(library: Writing, body: RemoveBody) -> Removed:
    """Remove the vectors of faces from the user's own videos; they are not found again."""
    return _removed(library.people.remove_faces(body.faces))


# --- parts ----------------------------------------------------------------------------------------


def _status(library: Library) -> PeopleStatus:
    return PeopleStatus(**to_json(library.people.state()))


def _removed(found: RemovedFaces) -> Removed:
    return Removed(**to_json(found))


def _photo(path: Path, text: str) -> Path:
    try:
        path.write_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidValue(name="photos", value=path.name, reason="it is not base64") from error
    return path
