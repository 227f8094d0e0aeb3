"""Removing people and faces: their vectors are taken out of every file."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from heimdex_core.errors import FaceNotFound
from heimdex_core.library.arguments import Names, checked
from heimdex_core.library.people_base import PeopleBase
from heimdex_core.store.faces import FaceTable
from heimdex_core.types import RemovedFaces, video_of_face


class PeopleRemoval(PeopleBase):
    """Part of People."""

    @checked
    def remove(self, person_id: str) -> RemovedFaces:
        """Remove a person, the vectors of the photos, and those of every face in the user's videos that is the person.

        A face that was removed is not found again when its video is looked through. In videos of others only the name
        is removed. This works where people are turned off, too. Raises PersonNotFound, DiskFull.
        """
        people = self._people()
        number = people.gallery.numbers.get(person_id, -2)

        def faces(table: FaceTable) -> Collection[str]:
            ids = [face.face_id for face in table.faces]
            found = people.gallery.match(ids, table.vectors, people.threshold).people
            return [ids[row] for row in np.flatnonzero(found == number)]

        # looked for outside of the transaction, which nobody shall wait for
        shown_in = list(self._seen_in(faces))
        removed = self._records.remove(self._user_id, person_id, faces, shown_in)
        if late := self._seen_in(faces):  # a scan that ended meanwhile
            self._records.remove_faces(self._user_id, [one for ids in late.values() for one in ids], late)
        self.for_search.forget()
        return removed

    @checked
    def remove_faces(self, faces: Names) -> RemovedFaces:
        """Remove faces from the user's own videos, named or not; they are not found again. Raises FaceNotFound."""
        face_ids = list(dict.fromkeys(faces))
        own = set(self._all_own_videos())
        for face_id in face_ids:
            video_id = video_of_face(face_id)
            table = self._records.faces.table(video_id) if video_id in own else None
            if table is None or face_id not in {face.face_id for face in table.faces}:
                raise FaceNotFound(face_id=face_id[:80])
        video_ids = list(dict.fromkeys(map(video_of_face, face_ids)))
        removed = self._records.remove_faces(self._user_id, face_ids, video_ids)
        self.for_search.forget()
        return removed

    def _seen_in(self, faces: Callable[[FaceTable], Collection[str]]) -> dict[str, Collection[str]]:
        """By video: those of the user's own that have any of these faces, and which."""
        tables = ((video_id, self._records.faces.table(video_id)) for video_id in self._all_own_videos())
        found = {video_id: faces(table) for video_id, table in tables if table is not None}
        return {video_id: ids for video_id, ids in found.items() if ids}

    def _all_own_videos(self) -> list[str]:
        """Deleted ones too: they can be restored."""
        with self._store.catalog.transaction() as transaction:
            rows = transaction.rows("select video_id from videos where user_id = ? order by video_id", [self._user_id])
        return [row["video_id"] for row in rows]
