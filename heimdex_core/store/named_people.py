"""The tables of people that users have named, and what is published of them.

    people        a person of a user
    person_photos the photos that a person is known by
    person_faces  faces of videos that a user has assigned to a person, or has said that they are not the person

    people/<user_id>.json     all of it, rewritten after each commit that changes it

Searches read the file, so they never wait for a writer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heimdex_core.files import read_json_object, write_json
from heimdex_core.store.layout import LibraryPaths, is_user_id
from heimdex_core.store.transaction import Transaction

log = logging.getLogger(__name__)

TABLES = ("people", "person_photos", "person_faces")
"""All have the column user_id."""


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """A person as it is published."""

    person_id: str
    name: str
    created_us: int
    photos: tuple[str, ...]
    """The ids of photos whose vectors are kept."""

    @property
    def place(self) -> tuple[str, str]:
        """Where the person is in the list."""
        return self.name.casefold(), self.person_id


@dataclass(frozen=True)
class NamedPeople:
    """The people of one user."""

    people: tuple[NamedPerson, ...] = ()
    """In the order of their names."""
    faces: Mapping[str, str] = field(default_factory=dict)
    """The person of each face that was assigned by hand."""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By face: people that it is not."""


def read_people(paths: LibraryPaths, user_id: str) -> NamedPeople:
    """The people of a user, read without a lock."""
    found = read_json_object(paths.people(user_id)) or {}
    try:
        return NamedPeople(
            tuple(
                NamedPerson(str(one["person_id"]), str(one["name"]), int(one["created_us"]), tuple(one["photos"]))
                for one in found.get("people", ())
            ),
            dict(found.get("faces", {})),
            {face_id: tuple(people) for face_id, people in found.get("others", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        log.warning("the published people of a user cannot be read")
        return NamedPeople()


def write_people(paths: LibraryPaths, user_id: str, found: Mapping[str, Any]) -> None:
    """Publish a user's people. The caller holds the catalog's lock. Raises DiskFull."""
    # not durable: written again when the library is opened
    write_json(paths.people(user_id), found, durable=False)


def collect(transaction: Transaction, user_id: str) -> dict[str, Any]:
    """What is published of a user's people."""
    photos: dict[str, list[str]] = {}
    for row in transaction.rows(
        "select person_id, photo_id from person_photos where user_id = ? order by created_us, photo_id", [user_id]
    ):
        photos.setdefault(row["person_id"], []).append(row["photo_id"])
    people = transaction.rows("select person_id, name, created_us from people where user_id = ?", [user_id])
    faces = transaction.rows(
        "select person_id, face_id, is_person from person_faces where user_id = ? order by face_id, person_id",
        [user_id],
    )
    others: dict[str, list[str]] = {}
    for row in faces:
        if not row["is_person"]:
            others.setdefault(row["face_id"], []).append(row["person_id"])
    return {
        "people": [
            {**row, "photos": photos.get(row["person_id"], [])}
            for row in sorted(people, key=lambda row: (row["name"].casefold(), row["person_id"]))
        ],
        "faces": {row["face_id"]: row["person_id"] for row in faces if row["is_person"]},
        "others": others,
    }


def forget_faces(transaction: Transaction, video_id: str) -> None:
    """What users have said of the faces of a video that is gone; others than its owner may have, too."""
    of_video = "from person_faces where face_id like ?"  # the id of a face begins with that of its video
    users = transaction.rows(f"select distinct user_id {of_video}", [f"{video_id}%"])
    if users:
        transaction.run(f"delete {of_video}", [f"{video_id}%"])
        transaction.changed_people |= {row["user_id"] for row in users}


def outdated(transaction: Transaction, paths: LibraryPaths) -> set[str]:
    """The ids of users whose published people differ from the catalog, as after a crash."""
    named = {row["user_id"] for row in transaction.rows("select distinct user_id from people")}
    published = {path.stem for path in paths.people_root.glob("*.json")}
    return {
        user_id
        for user_id in named | published
        if is_user_id(user_id) and (read_json_object(paths.people(user_id)) or {}) != collect(transaction, user_id)
    }
