"""People in the picture: finding faces, naming them, and removing them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from heimdex_core.errors import (
    FaceNotFound,
    InvalidValue,
    NoFaceInPhoto,
    PersonNotFound,
    SeveralFacesInPhoto,
)
from heimdex_core.library.accounts import Accounts
from heimdex_core.library.arguments import AfterName, AnyPath, Count, Names, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.people_removal import PeopleRemoval
from heimdex_core.library.people_rows import cluster_of, crop_of, face_of, person_of
from heimdex_core.library.people_scans import PeopleScans
from heimdex_core.media.images import read_image
from heimdex_core.models.faces import finding
from heimdex_core.search.face_clusters import cluster
from heimdex_core.search.people import same_name
from heimdex_core.search.pictures import read_picture
from heimdex_core.store import Store
from heimdex_core.store.faces import Floats
from heimdex_core.types import (
    FaceCluster,
    Person,
    SceneFace,
    VideoState,
    parse_scene_id,
)

MAX_PHOTOS = 10
PHOTO_SIDE_PX = 1280
"""Larger photos are reduced to it before faces are looked for."""
_ALL = 2**31 - 1


class People(PeopleScans, PeopleRemoval):
    """The people whom one user has named, in the videos that the user sees. Safe to share between threads.

    All methods that look at faces raise PeopleOff where it is turned off. docs/people.md says what is stored, and what
    a removal removes.
    """

    def as_operator(self) -> People:
        """The same with the rights of an administrator, as Accounts.as_operator."""
        return People(self._context, self._accounts.as_operator())

    # --- people -----------------------------------------------------------------------------------

    @checked
    def all(self, *, limit: Count | None = None, after: AfterName | None = None) -> list[Person]:
        """The user's people by name, with how often each is seen. Empty where people are turned off.

        Args:
            limit: so many; how often others are seen is not worked out.
            after: (name, person_id) of the one that they come behind.
        """
        if not self.is_on:
            return []
        people = self._people()
        named = people.gallery.named.people
        if after is not None:
            named = tuple(person for person in named if person.place > (after[0].casefold(), after[1]))
        return [person_of(people, person.person_id) for person in named[: None if limit is None else max(limit, 0)]]

    @checked
    def get(self, person_id: str) -> Person:
        """One of the user's people. Raises PersonNotFound, PeopleOff."""
        self._require_on()
        people = self._people()
        if person_id not in people.gallery.numbers:
            raise PersonNotFound(person_id=person_id[:80])
        return person_of(people, person_id)

    @checked
    def find(self, name: str) -> Person | None:
        """The user's person of a name, in any case; None where there is none. Raises PeopleOff."""
        self._require_on()
        person_id = self._people().person_named(name)
        return self.get(person_id) if person_id is not None else None

    @checked
    def faces_of(self, person_id: str, *, limit: Count = 200) -> list[SceneFace]:
        """The faces that are a person's: those assigned by hand, then the most similar. Raises PersonNotFound."""
        self.get(person_id)
        people = self._people()
        rows, matches = people.faces_of(person_id), people.matches
        rows = rows[np.lexsort((-matches.scores[rows], ~matches.by_hand[rows]))]
        return [face_of(people, int(row)) for row in rows[: max(limit, 0)]]

    @checked
    def enrol(self, name: str, photos: Sequence[AnyPath] = (), *, faces: Names = ()) -> Person:
        """Name a person who is shown in photos, or in scenes.

        Args:
            name: 1 to 100 characters; a user has one person of each name.
            photos: 1 to 10 files with one face each: JPEG of up to 80 megapixels, PNG or WebP of up to 40. Only the
                vectors of the faces are kept.
            faces: ids of faces, or of scenes in which one face is seen.

        Raises NoFaceInPhoto, SeveralFacesInPhoto, NotAnImage, ImageTooLarge, FileUnreadable, FaceNotFound, PeopleOff,
        InvalidValue, FaceModelsMissing.
        """
        self._require_on()
        face_ids = self._faces_named(faces)
        if not len(photos) + len(face_ids) or len(photos) > MAX_PHOTOS:
            raise InvalidValue(
                name="photos", value=len(photos), reason=f"1 to {MAX_PHOTOS} photos are needed, or a face"
            )
        return self.get(self._records.add(self._user_id, name, self._photo_vectors(photos), face_ids))

    @checked
    def add_photos(self, person_id: str, photos: Sequence[AnyPath]) -> Person:
        """Know a person by more photos, at most 10 in all. Raises as `enrol`, and PersonNotFound."""
        known = self.get(person_id).photos
        if not 1 <= len(photos) <= MAX_PHOTOS - known:
            reason = f"a person is known by at most {MAX_PHOTOS} photos, {known} are there"
            raise InvalidValue(name="photos", value=len(photos), reason=reason)
        self._records.add_photos(self._user_id, person_id, self._photo_vectors(photos))
        return self.get(person_id)

    @checked
    def rename(self, person_id: str, name: str) -> Person:
        """Give a person another name. Raises PersonNotFound, InvalidValue, PeopleOff."""
        self._require_on()
        self._records.rename(self._user_id, person_id, name)
        return self.get(person_id)

    @checked
    def merge(self, person_id: str, other_id: str) -> Person:
        """Make two people one, under the first one's name. Raises PersonNotFound, InvalidValue, PeopleOff.

        The faces that are either one's now count as assigned by hand: they would not all be near the common mean.
        """
        self._require_on()
        people = self._people()
        rows = np.concatenate([people.faces_of(person_id), people.faces_of(other_id)])
        face_ids = [people.faces[row][1].face_id for row in rows]
        self._records.merge(self._user_id, person_id, other_id, face_ids)
        return self.get(person_id)

    @checked
    def split(self, person_id: str, faces: Names, name: str) -> Person:
        """Make another person, called `name`, of some faces. Raises PersonNotFound, FaceNotFound, InvalidValue."""
        face_ids = self._known_faces(faces)
        return self.get(self._records.split(self._user_id, person_id, face_ids, name))

    @checked
    def assign(self, person_id: str, faces: Names) -> Person:
        """Say that faces are a person's, who is known by them from then on. Raises PersonNotFound, FaceNotFound."""
        self._records.assign(self._user_id, person_id, self._known_faces(faces), is_person=True)
        return self.get(person_id)

    @checked
    def refuse(self, person_id: str, faces: Names) -> Person:
        """Say that faces are not a person's. Raises PersonNotFound, FaceNotFound."""
        self._records.assign(self._user_id, person_id, self._known_faces(faces), is_person=False)
        return self.get(person_id)

    # --- unnamed faces ----------------------------------------------------------------------------

    @checked
    def unnamed(self, *, limit: Count = 50) -> list[FaceCluster]:
        """Faces that are nobody's yet, in groups that look like one person, the largest first. Raises PeopleOff."""
        self._require_on()
        people = self._people()
        rows = np.flatnonzero(people.matches.people < 0)
        if not len(rows):
            return []
        labels = cluster(people.vectors[rows].astype(np.float32), self._context.settings.face_threshold)
        by_size = np.argsort(-np.bincount(labels), kind="stable")
        return [cluster_of(people, rows[labels == label]) for label in by_size[: max(limit, 0)]]

    @checked
    def name(self, cluster_id: str, name: str) -> Person:
        """Say who the faces of a cluster are; the user's person of this name, if there is one, is known by them, too.

        Raises FaceNotFound for a cluster that is not there any more, InvalidValue, PeopleOff.
        """
        found = next((one for one in self.unnamed(limit=_ALL) if cluster_id in one.face_ids), None)
        if found is None:
            raise FaceNotFound(face_id=cluster_id[:80])
        known = next((one for one in self._people().gallery.named.people if same_name(one.name, name)), None)
        if known is not None:
            return self.assign(known.person_id, found.face_ids)
        return self.get(self._records.add(self._user_id, name, [], found.face_ids))

    # --- scenes and pictures ----------------------------------------------------------------------

    @checked
    def faces(self, scene_id: str) -> list[SceneFace]:
        """The faces in the keyframes of a scene, in order. Empty where people are off. Raises SceneNotFound."""
        scene = self._view().scene(self._user_id, scene_id)
        if not self.is_on:
            return []
        people = self._people()
        start_ms, end_ms = round(1000 * scene.start_s), round(1000 * scene.end_s)
        rows = [
            row
            for row in people.by_video.get(scene.video_id, range(0))
            if start_ms <= people.faces[row][1].time_ms < end_ms
        ]
        return [face_of(people, row) for row in sorted(rows, key=lambda row: people.faces[row][1].time_ms)]

    @checked
    def crop(self, face_id: str) -> bytes:
        """A picture of a face, a WebP. Raises FaceNotFound for one that this user does not see, PeopleOff."""
        self._require_on()
        people = self._people()
        row = people.rows_by_id.get(face_id)
        if row is None:
            raise FaceNotFound(face_id=face_id[:80])
        video_id, face = people.faces[row]
        frame = self._store.paths.frame(video_id, people.generations[video_id], face.keyframe)
        return crop_of(read_image(frame), face.box)

    # --- parts ------------------------------------------------------------------------------------

    def _known_faces(self, faces: Iterable[str]) -> list[str]:
        """The ids, each once. Raises FaceNotFound, PeopleOff, InvalidValue where there is none."""
        self._require_on()
        face_ids = list(dict.fromkeys(faces))
        if not face_ids:
            raise InvalidValue(name="faces", value="", reason="at least one face is needed")
        known = self._people().rows_by_id
        for face_id in face_ids:
            if face_id not in known:
                raise FaceNotFound(face_id=face_id[:80])
        return face_ids

    def _faces_named(self, names: Iterable[str]) -> list[str]:
        """Ids of faces, where a scene stands for the one face in it."""
        found: list[str] = []
        for name in dict.fromkeys(names):
            if name.count("_") != 2:
                found += self._known_faces([name])
                continue
            faces = self.faces(name)
            if len(faces) != 1:
                where = f"the scene at {parse_scene_id(name)[1] / 1000:g} s"
                raise SeveralFacesInPhoto(filename=where, count=len(faces)) if faces else NoFaceInPhoto(filename=where)
            found.append(faces[0].face_id)
        return found

    def _photo_vectors(self, photos: Sequence[AnyPath]) -> list[Floats]:
        """One vector (d,) for each photo."""
        vectors: list[Floats] = []
        for path in map(Path, photos):
            image = read_picture(path, side_px=PHOTO_SIDE_PX)
            faces, found = finding.face_models(self._context.settings).find(image)
            if not faces:
                raise NoFaceInPhoto(filename=path.name)
            if len(faces) > 1:
                raise SeveralFacesInPhoto(filename=path.name, count=len(faces))
            vectors.append(found[0])
        return vectors


def people_of(context: LibraryContext, user_id: str) -> People:
    """The people of a user."""
    context = replace(context, user_id=user_id)
    return People(context, Accounts(context))


def owners(store: Store) -> list[str]:
    """The users who have videos that are indexed."""
    with store.catalog.transaction() as transaction:
        sql = "select distinct user_id from videos where state = ? order by user_id"
        return [row["user_id"] for row in transaction.rows(sql, [str(VideoState.INDEXED)])]
