"""Who is seen where: the faces of videos compared with the people that a user has named.

A person is the normalised mean of the vectors of the person's photos and of the faces that the user has assigned. A
face is the person's whose vector has the largest cosine to its own, if that reaches the threshold. What a user has said
of a face by hand comes first.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heimdex_core.store.faces import DIM, FaceRow, FaceTable, Floats
from heimdex_core.store.named_people import NamedPeople
from heimdex_core.store.people import PeopleRecords
from heimdex_core.store.scene_columns import Mask, Numbers
from heimdex_core.store.scene_set import SceneTable
from heimdex_core.types import Scene, SeenPerson

if TYPE_CHECKING:
    from heimdex_core.store.view import View

_AT_ONCE = 65_536
"""Faces that are compared in one product of matrices."""


@dataclass(frozen=True)
class Matches:
    """Who faces are."""

    people: Numbers
    """(n,) the number of the person in the gallery; -1 for nobody."""
    scores: Floats
    """(n,) the cosine to that person, or to the nearest one."""
    by_hand: Mask
    """(n,) whether a user has said so."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """The people that faces are compared with."""

    named: NamedPeople
    vectors: Floats
    """(m, DIM), of length 1, in the order of `named.people`; zeros for a person of whom no vector is known."""

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each person, by person_id."""
        return {person.person_id: number for number, person in enumerate(self.named.people)}

    def match(self, face_ids: Sequence[str], vectors: npt.NDArray[np.float16], threshold: float) -> Matches:
        """Who each of the faces (n, DIM) is."""
        count = len(face_ids)
        people, scores = np.full(count, -1, np.int64), np.full(count, -1.0, np.float32)
        by_hand = np.zeros(count, dtype=bool)
        if not self.numbers:
            return Matches(people, scores, by_hand)
        for start in range(0, count, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            cosines = vectors[part].astype(np.float32) @ self.vectors.T
            for row, face_id in enumerate(face_ids[part]):
                for person_id in self.named.others.get(face_id, ()):
                    if person_id in self.numbers:
                        cosines[row, self.numbers[person_id]] = -1.0
            best = cosines.argmax(axis=1)
            scores[part] = cosines[np.arange(len(best)), best]
            people[part] = np.where(scores[part] >= threshold, best, -1)
            for row, face_id in enumerate(face_ids[part], start):
                number = self.numbers.get(self.named.faces.get(face_id, ""))
                if number is not None:
                    people[row], scores[row], by_hand[row] = number, cosines[row - start, number], True
        return Matches(people, scores, by_hand)


def gallery_of(named: NamedPeople, photos: Callable[[Sequence[str]], Floats], tables: Iterable[FaceTable]) -> Gallery:
    """The people, with their mean vectors.

    Args:
        named: the user's people.
        photos: reads the vectors of photos.
        tables: the faces of the user's videos, with those that were assigned by hand.
    """
    sums = np.zeros((len(named.people), DIM), np.float32)
    numbers = {person.person_id: number for number, person in enumerate(named.people)}
    for number, person in enumerate(named.people):
        if person.photos:
            sums[number] += photos(person.photos).sum(axis=0)
    if named.faces:
        for table in tables:
            for face in table.faces:
                found = numbers.get(named.faces.get(face.face_id, ""))
                if found is not None and face.vector is not None:
                    sums[found] += face.vector
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return Gallery(named, np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 1e-6))


def same_name(one: str, other: str) -> bool:
    """Whether two texts are one name: in any case, and however the letters are composed."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


@dataclass(frozen=True, eq=False)
class PeopleView:
    """The faces of a user's videos and who they are, at one moment. Never changes."""

    token: str
    """Changes with the faces and the people."""
    gallery: Gallery
    tables: tuple[FaceTable, ...]
    threshold: float

    @property
    def has_people(self) -> bool:
        """Whether the user has named anybody."""
        return bool(self.gallery.named.people)

    @cached_property
    def faces(self) -> list[tuple[str, FaceRow]]:
        """(video_id, face) of all."""
        return [(table.video_id, face) for table in self.tables for face in table.faces]

    @cached_property
    def rows_by_id(self) -> Mapping[str, int]:
        """The row of each face in `faces`."""
        return {face.face_id: row for row, (_, face) in enumerate(self.faces)}

    @cached_property
    def vectors(self) -> npt.NDArray[np.float16]:
        """(n, DIM) of `faces`."""
        return np.concatenate([np.zeros((0, DIM), np.float16), *(table.vectors for table in self.tables)])

    @cached_property
    def matches(self) -> Matches:
        """Who each of `faces` is."""
        return self.gallery.match([face.face_id for _, face in self.faces], self.vectors, self.threshold)

    @cached_property
    def generations(self) -> Mapping[str, int]:
        """The generation of each video whose keyframes were looked through."""
        return {table.video_id: table.generation for table in self.tables}

    @cached_property
    def by_video(self) -> Mapping[str, range]:
        """The rows of `faces` of each video."""
        found, start = {}, 0
        for table in self.tables:
            found[table.video_id] = range(start, start + len(table.faces))
            start += len(table.faces)
        return found

    def person_named(self, name: str) -> str | None:
        """The id of the user's person of this name, in any case; None where there is none."""
        return next((one.person_id for one in self.gallery.named.people if same_name(one.name, name)), None)

    def faces_of(self, person_id: str) -> Numbers:
        """The rows of `faces` that are this person."""
        return np.flatnonzero(self.matches.people == self.gallery.numbers.get(person_id, -2))

    # --- scenes -----------------------------------------------------------------------------------

    def scene_rows(self, table: SceneTable) -> Numbers:
        """(n,) the row of the scene that each of `faces` is in now; -1 where there is none."""
        times = np.fromiter((face.time_ms for _, face in self.faces), np.int64, len(self.faces))
        return table.rows_at_times([video_id for video_id, _ in self.faces], times)

    def with_person(self, table: SceneTable, person_id: str) -> Mask:
        """(scenes,) whether the person is seen in each scene of the table."""
        mask = np.zeros(len(table), dtype=bool)
        rows = self.scene_rows(table)[self.faces_of(person_id)]
        mask[rows[rows >= 0]] = True
        return mask

    def scores(self, table: SceneTable, person_ids: Collection[str]) -> dict[int, float]:
        """By row of the scenes in which any of the people is seen: the largest cosine, 1 where said by hand."""
        all_rows = self.scene_rows(table)
        found: dict[int, float] = {}
        for person_id in person_ids:
            for face in self.faces_of(person_id):
                row = int(all_rows[face])
                score = 1.0 if self.matches.by_hand[face] else float(self.matches.scores[face])
                if row >= 0:
                    found[row] = max(found.get(row, -1.0), score)
        return found

    def seen_in(self, scene: Scene, person_ids: Sequence[str]) -> tuple[SeenPerson, ...]:
        """Where a scene shows each of the people best: first what was said by hand, then the largest cosine.

        In the order of `person_ids`, without those who are not seen in the scene.
        """
        start_ms, end_ms = round(1000 * scene.start_s), round(1000 * scene.end_s)
        rows = self.by_video.get(scene.video_id, range(0))
        inside = [row for row in rows if start_ms <= self.faces[row][1].time_ms < end_ms]
        found = []
        for person_id in dict.fromkeys(person_ids):
            number = self.gallery.numbers.get(person_id)
            own = [row for row in inside if self.matches.people[row] == number]
            if number is not None and own:
                best = max(own, key=lambda row: (self.matches.by_hand[row], self.matches.scores[row], -row))
                found.append(self._seen(scene, number, best))
        return tuple(found)

    def _seen(self, scene: Scene, number: int, row: int) -> SeenPerson:
        face, person = self.faces[row][1], self.gallery.named.people[number]
        # a video that was indexed again has other keyframes until it is looked through
        near = [one.file for one in scene.keyframes if round(1000 * one.time_s) == face.time_ms]
        return SeenPerson(
            person.person_id,
            person.name,
            face.time_ms / 1000,
            round(float(self.matches.scores[row]), 4),
            is_by_hand=bool(self.matches.by_hand[row]),
            keyframe=face.keyframe if face.keyframe in near else None,
        )

    def count_people(self, table: SceneTable, rows: Numbers) -> dict[str, int]:
        """In how many of the scenes of these rows, each given once, each person is seen, by name."""
        chosen = np.zeros(len(table) + 1, dtype=bool)
        chosen[rows] = True
        scenes, people = self.scene_rows(table), self.matches.people
        is_counted = (scenes >= 0) & chosen[scenes] & (people >= 0)
        pairs = set(zip(people[is_counted].tolist(), scenes[is_counted].tolist(), strict=True))
        counts = Counter(number for number, _ in pairs)
        return {self.gallery.named.people[number].name: count for number, count in counts.items()}


@dataclass
class PeopleSearch:
    """The people of one library, for searches. Safe to share between threads.

    Args:
        records: of the library.
        threshold: the least cosine of a person's face.
        is_on: whether people may be searched for.
    """

    records: PeopleRecords
    threshold: float
    is_on: Callable[[], bool] = lambda: True

    def view(self, view: View, user_id: str) -> PeopleView:
        """The user's people in the videos of a view. Never waits for a writer; whoever has named nobody has no people.

        What was made for a user is kept until faces, people or videos change.
        """
        files, named = self.records.faces, self.records.of_user(user_id)
        videos = [video.video_id for video in view.visible_videos(user_id)]
        signatures = {video_id: files.signature(video_id) for video_id in videos}
        files.forget_outdated(signatures)
        revision = files.revision
        about = repr((user_id, self.threshold, list(signatures.items()), named)).encode()
        token = hashlib.sha256(about).hexdigest()[:16]
        kept: PeopleView | None = files.view_of(user_id)
        if kept is not None and kept.token == token:
            return kept
        tables = tuple(table for video_id in videos if (table := files.table(video_id)) is not None)
        gallery = gallery_of(named, lambda ids: self.records.photo_vectors(user_id, ids), tables)
        made = PeopleView(token, gallery, tables, self.threshold)
        files.keep_view(user_id, made, revision)
        return made

    def has_named(self, user_id: str) -> bool:
        """Whether the user has named anybody: one small file is read, none of faces."""
        return self.is_on() and bool(self.records.of_user(user_id).people)

    def forget(self) -> None:
        """Let go of what is kept: after a removal nothing of it stays in memory."""
        self.records.faces.forget()
