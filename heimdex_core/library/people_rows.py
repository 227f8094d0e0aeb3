"""People, clusters and faces as they are shown, made from a view of the people."""

from __future__ import annotations

import io
from collections.abc import Iterable

from heimdex_core.models.base import Image
from heimdex_core.search.people import PeopleView
from heimdex_core.store.transaction import from_us
from heimdex_core.types import Box, FaceCluster, Person, SceneFace, utc_now

CROP_SIDE_PX = 160
_CROP_MARGIN = 0.35
"""What is shown around a face, as a share of its size."""


def person_of(people: PeopleView, person_id: str) -> Person:
    """A person with how often and how well the person is seen. The person must be there."""
    named = people.gallery.named.people[people.gallery.numbers[person_id]]
    rows = people.faces_of(person_id)
    best = max(rows.tolist(), key=lambda row: _fitness(people, row), default=None)
    return Person(
        person_id,
        named.name,
        from_us(named.created_us) or utc_now(),
        photos=len(named.photos),
        confirmed=int(people.matches.by_hand[rows].sum()),
        faces=len(rows),
        videos=len({people.faces[row][0] for row in rows}),
        best_face=None if best is None else face_of(people, best),
    )


def cluster_of(people: PeopleView, rows: Iterable[int]) -> FaceCluster:
    """The faces of some rows as a cluster, best first."""
    faces = sorted((int(row) for row in rows), key=lambda row: -_fitness(people, row))
    ids = [people.faces[row][1].face_id for row in faces]
    videos = {people.faces[row][0] for row in faces}
    return FaceCluster(min(ids), tuple(face_of(people, row) for row in faces), len(videos))


def face_of(people: PeopleView, row: int) -> SceneFace:
    """The face of a row, with who it is."""
    video_id, face = people.faces[row]
    number = int(people.matches.people[row])
    named = people.gallery.named.people[number] if number >= 0 else None
    return SceneFace(
        face.face_id,
        video_id,
        people.generations[video_id],
        face.keyframe,
        face.time_ms / 1000,
        face.box,
        face.score,
        person_id=named.person_id if named else None,
        name=named.name if named else None,
        similarity=round(float(people.matches.scores[row]), 4) if named else None,
        is_by_hand=bool(people.matches.by_hand[row]),
    )


def crop_of(image: Image, box: Box) -> bytes:
    """A face cut out of its keyframe with something around it: a WebP of at most CROP_SIDE_PX."""
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    left, top, wide, high = box
    side = max(wide * width, high * height) * (1 + 2 * _CROP_MARGIN)
    x, y = (left + wide / 2) * width - side / 2, (top + high / 2) * height - side / 2
    edges = (max(x, 0), max(y, 0), min(x + side, width), min(y + side, height))
    picture = Pillow.fromarray(image).crop((round(edges[0]), round(edges[1]), round(edges[2]), round(edges[3])))
    picture.thumbnail((CROP_SIDE_PX, CROP_SIDE_PX))
    found = io.BytesIO()
    picture.save(found, "WEBP", quality=85)
    return found.getvalue()


def _fitness(people: PeopleView, row: int) -> float:
    """How well a face is shown: large and certain."""
    face = people.faces[row][1]
    return face.score * min(face.box[2] * face.box[3], 0.1)
