"""People in the picture over the network, by the names of Library.people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heimdex_core.client.connection import Connection
from heimdex_core.client.uploading import in_base64
from heimdex_core.schemas import shapes
from heimdex_core.types import Json


class ClientPeople:
    """The people whom the user has named (`lib.people`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[shapes.Person]:
        """The people by name."""
        return list(self._connection.pages(shapes.Person, "/people"))

    def get(self, person_id: str) -> shapes.Person:
        """One person. Raises PersonNotFound."""
        return self._connection.one(shapes.Person, "GET", f"/people/{person_id}")

    def enrol(self, name: str, photos: Sequence[str | Path] = (), *, faces: Sequence[str] = ()) -> shapes.Person:
        """Name a person by 1 to 10 photos on this machine, or by faces. Together the photos may have 6 MiB.

        Raises NoFaceInPhoto, SeveralFacesInPhoto, FileUnreadable, and what else People.enrol raises.
        """
        encoded = [in_base64(photo) for photo in photos]
        return self._person("/people", {"name": name, "photos": encoded, "faces": list(faces)})

    def rename(self, person_id: str, name: str) -> shapes.Person:
        """Give a person another name."""
        return self._connection.one(shapes.Person, "PATCH", f"/people/{person_id}", {"name": name})

    def merge(self, person_id: str, other_id: str) -> shapes.Person:
        """Make two people one, under the first one's name."""
        return self._person(f"/people/{person_id}/merge", {"other_id": other_id})

    def split(self, person_id: str, faces: Sequence[str], name: str) -> shapes.Person:
        """Make another person of some faces."""
        return self._person(f"/people/{person_id}/split", {"faces": list(faces), "name": name})

    def assign(self, person_id: str, faces: Sequence[str]) -> shapes.Person:
        """Say that faces are a person's."""
        return self._person(f"/people/{person_id}/faces", {"faces": list(faces), "is_person": True})

    def refuse(self, person_id: str, faces: Sequence[str]) -> shapes.Person:
        """Say that faces are not a person's."""
        return self._person(f"/people/{person_id}/faces", {"faces": list(faces), "is_person": False})

    def remove(self, person_id: str) -> Json:
        """Remove a person and the vectors of all the person's faces: {"faces", "photos", "videos"}."""
        found: Json = self._connection.json("DELETE", f"/people/{person_id}")
        return found

    def remove_faces(self, faces: Sequence[str]) -> Json:
        """Remove the vectors of faces; they are not found again."""
        found: Json = self._connection.json("POST", "/faces/remove", {"faces": list(faces)})
        return found

    def unnamed(self, *, limit: int = 50) -> list[shapes.FaceCluster]:
        """Faces that nobody has named, in groups."""
        found = self._connection.member("items", "GET", "/face-groups", limit=limit)
        return [self._connection.shaped(shapes.FaceCluster, one) for one in found]

    def name(self, cluster_id: str, name: str) -> shapes.Person:
        """Say who the faces of a group are."""
        return self._person(f"/face-groups/{cluster_id}/name", {"name": name})

    def faces(self, scene_id: str) -> list[shapes.Face]:
        """The faces in the keyframes of a scene."""
        return self._faces(f"/scenes/{scene_id}/faces")

    def faces_of(self, person_id: str) -> list[shapes.Face]:
        """The best faces of a person."""
        return self._faces(f"/people/{person_id}/faces")

    def find_faces(self, video_ids: Sequence[str] | None = None, *, again: bool = False) -> shapes.FaceScan:
        """Have the worker look for faces in the user's own videos; default in all. See `wait`."""
        body = {"video_ids": None if video_ids is None else list(video_ids), "again": again}
        return self._connection.one(shapes.FaceScan, "POST", "/face-scans", body)

    def get_scan(self, scan_id: str) -> shapes.FaceScan:
        """Where the user's last search for faces stands. Raises UnknownName for any other."""
        return self._connection.one(shapes.FaceScan, "GET", f"/face-scans/{scan_id}")

    def cancel_scan(self, scan_id: str) -> shapes.FaceScan:
        """Stop a search for faces; what was found stays."""
        return self._connection.one(shapes.FaceScan, "POST", f"/face-scans/{scan_id}/cancel")

    def wait(self, scan_id: str) -> shapes.FaceScan:
        """The search for faces once it is over; its `state` says how it ended."""
        for _ in self._connection.follow(f"/face-scans/{scan_id}/events"):
            pass
        return self.get_scan(scan_id)

    def _person(self, path: str, body: Json) -> shapes.Person:
        return self._connection.one(shapes.Person, "POST", path, body)

    def _faces(self, path: str) -> list[shapes.Face]:
        return [self._connection.shaped(shapes.Face, one) for one in self._connection.member("items", "GET", path)]
