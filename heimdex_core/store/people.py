"""The people that users have named, and what they are known by.

    people/<user_id>/<photo_id>.npy       the vector of the face in a photo, float32

The tables are in named_people.py. No vector is in the catalog: a database keeps what was deleted until it needs the
space. Those of faces are where the faces are (faces.py), so a person is known by photos and by the faces that the user
has assigned.
"""

from __future__ import annotations

import io
import logging
import unicodedata
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from heimdex_core.errors import InvalidValue, PersonNotFound
from heimdex_core.files import atomic_write, make_folder, remove_tree
from heimdex_core.store import analysis, mirror_tree, users
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.faces import DIM, FOLDER, FaceFiles, FaceTable, Floats
from heimdex_core.store.named_people import TABLES, NamedPeople, read_people
from heimdex_core.store.transaction import Row, Transaction, to_us
from heimdex_core.types import RemovedFaces, utc_now

log = logging.getLogger(__name__)

MAX_NAME_CHARS = 100

Faces = Callable[[FaceTable], Collection[str]]
"""The ids of those faces of a video that are removed."""


class PeopleRecords:
    """The people of one library. Safe to share between threads."""

    def __init__(self, context: StoreContext, faces: FaceFiles) -> None:
        self._paths = context.paths
        self._catalog = context.catalog
        self.faces = faces

    def of_user(self, user_id: str) -> NamedPeople:
        """The people of a user. Never waits for a writer."""
        return read_people(self._paths, user_id)

    def photo_vectors(self, user_id: str, photo_ids: Sequence[str]) -> Floats:
        """(n, DIM) of those photos whose vectors can be read."""
        found = [self._read_vector(self._photo(user_id, photo_id)) for photo_id in photo_ids]
        known = [one for one in found if one is not None]
        return np.stack(known) if known else np.zeros((0, DIM), np.float32)

    # --- changes ----------------------------------------------------------------------------------

    def add(self, user_id: str, name: str, vectors: Sequence[Floats], face_ids: Collection[str] = ()) -> str:
        """Name a new person, who is known by the vectors (DIM,) of photos and by faces; returns the person_id.

        Raises InvalidValue for a name that another of the user's people has.
        """
        with self._catalog.transaction() as transaction:
            person_id = _insert(transaction, user_id, name)
            self._add_photos(transaction, user_id, person_id, vectors)
            _assign(transaction, user_id, person_id, face_ids, is_person=True)
        return person_id

    def add_photos(self, user_id: str, person_id: str, vectors: Sequence[Floats]) -> None:
        """Know a person by more photos. Raises PersonNotFound."""
        with self._catalog.transaction() as transaction:
            _require(transaction, user_id, person_id)
            self._add_photos(transaction, user_id, person_id, vectors)

    def rename(self, user_id: str, person_id: str, name: str) -> None:
        """Give a person another name. Raises PersonNotFound, InvalidValue for one that another person has."""
        with self._catalog.transaction() as transaction:
            _require(transaction, user_id, person_id)
            name = _checked_name(transaction, user_id, name, besides=person_id)
            transaction.update("people", {"name": name}, {"person_id": person_id, "user_id": user_id})
            transaction.changed_people.add(user_id)

    def merge(self, user_id: str, person_id: str, other_id: str, face_ids: Collection[str] = ()) -> None:
        """Make two people one, who has these faces: `other_id` is no more.

        Raises PersonNotFound, InvalidValue for twice the same.
        """
        with self._catalog.transaction() as transaction:
            for one in (person_id, other_id):
                _require(transaction, user_id, one)
                # a face that is not the one may be the other
                _delete(transaction, "person_faces", {"user_id": user_id, "person_id": one, "is_person": False})
            if person_id == other_id:
                raise InvalidValue(name="other_id", value=other_id, reason="another person is needed")
            other = {"person_id": other_id, "user_id": user_id}
            transaction.update("person_photos", {"person_id": person_id}, other)
            transaction.update("person_faces", {"person_id": person_id}, other)
            _delete(transaction, "people", other)
            _assign(transaction, user_id, person_id, face_ids, is_person=True)
            transaction.changed_people.add(user_id)

    def assign(self, user_id: str, person_id: str, face_ids: Collection[str], *, is_person: bool) -> None:
        """Say of faces that they are this person, or that they are not. Raises PersonNotFound."""
        with self._catalog.transaction() as transaction:
            _require(transaction, user_id, person_id)
            _assign(transaction, user_id, person_id, face_ids, is_person=is_person)

    def split(self, user_id: str, person_id: str, face_ids: Collection[str], name: str) -> str:
        """Make a new person of some faces of another one, which they are not any more; returns the new person_id."""
        with self._catalog.transaction() as transaction:
            _require(transaction, user_id, person_id)
            new_id = _insert(transaction, user_id, name)
            _assign(transaction, user_id, person_id, face_ids, is_person=False)
            _assign(transaction, user_id, new_id, face_ids, is_person=True)
        return new_id

    # --- removal ----------------------------------------------------------------------------------

    def remove(self, user_id: str, person_id: str, faces: Faces, video_ids: Iterable[str]) -> RemovedFaces:
        """Remove a person with every vector of it. Raises PersonNotFound, DiskFull.

        Args:
            user_id: whose person.
            person_id: of the person.
            faces: which faces of a video are the person's.
            video_ids: the user's own videos, which are looked through.

        A crash leaves the person with what is left, so that it can be removed again.
        """
        self._catch_up()
        before: set[str] = set()
        with self._catalog.transaction() as transaction:
            _require(transaction, user_id, person_id)
            counts = self._remove_faces(transaction, video_ids, faces, before)
            rows = transaction.rows("select photo_id from person_photos where person_id = ?", [person_id])
            for row in rows:
                path = self._photo(user_id, row["photo_id"])
                before |= self._contents(transaction, self._paths.relative(path))
                path.unlink(missing_ok=True)
                transaction.removed_files.add(self._paths.relative(path))
            for table in TABLES:
                _delete(transaction, table, {"person_id": person_id, "user_id": user_id})
            transaction.changed_people.add(user_id)
        self._forget(before)
        return RemovedFaces(sum(counts), len(rows), len(counts))

    def remove_faces(self, user_id: str, face_ids: Collection[str], video_ids: Iterable[str]) -> RemovedFaces:
        """Remove faces from the user's videos `video_ids`, whoever they are. Raises DiskFull."""
        self._catch_up()
        wanted, before = frozenset(face_ids), set[str]()
        with self._catalog.transaction() as transaction:
            counts = self._remove_faces(transaction, video_ids, lambda table: wanted, before)
            for face_id in wanted:
                _delete(transaction, "person_faces", {"face_id": face_id})
            transaction.changed_people.add(user_id)
        self._forget(before)
        return RemovedFaces(sum(counts), 0, len(counts))

    def _remove_faces(
        self, transaction: Transaction, video_ids: Iterable[str], faces: Faces, before: set[str]
    ) -> list[int]:
        """How many faces were removed from each video that had any; `before` gets the old contents of files."""
        counts = []
        for video_id in video_ids:
            table = self.faces.table(video_id)
            if table is None:
                continue
            gone = frozenset(faces(table)) & {row.face_id for row in table.faces}
            if not gone:
                continue
            before |= self._contents(transaction, f"videos/{video_id}/{FOLDER}/")
            self.faces.replace(transaction, video_id, _removing(table, gone))
            counts.append(len(gone))
        return counts

    def remove_user(self, user_id: str) -> None:
        """Remove everything that a user has named, with the vectors of photos. May be repeated. Raises DiskFull."""
        self._catch_up()
        folder = self._photo(user_id, "").parent
        with self._catalog.transaction() as transaction:
            before = self._contents(transaction, f"people/{user_id}/")
            for table in TABLES:
                _delete(transaction, table, {"user_id": user_id})
            transaction.removed_files |= {self._paths.relative(path) for path in folder.glob("*.npy")}
            transaction.removed_files.add(f"people/{user_id}.json")
            remove_tree(folder)
            self._paths.people(user_id).unlink(missing_ok=True)
        self.faces.forget()
        self._forget(before)

    # --- photos -----------------------------------------------------------------------------------

    def _photo(self, user_id: str, photo_id: str) -> Path:
        return self._paths.people(user_id).with_suffix("") / f"{photo_id}.npy"

    def _add_photos(self, transaction: Transaction, user_id: str, person_id: str, vectors: Sequence[Floats]) -> None:
        for vector in vectors:
            photo_id = str(uuid.uuid4())
            path = self._photo(user_id, photo_id)
            make_folder(path.parent, levels=2)
            content = io.BytesIO()
            np.save(content, vector.astype(np.float32), allow_pickle=False)
            with atomic_write(path) as file:
                file.write(content.getvalue())
            row: Row = {"photo_id": photo_id, "person_id": person_id, "user_id": user_id}
            transaction.insert("person_photos", {**row, "created_us": to_us(utc_now())})
            transaction.changed_files.add(self._paths.relative(path))
        transaction.changed_people.add(user_id)

    def _read_vector(self, path: Path) -> Floats | None:
        try:
            found = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            log.warning("the vector of a photo is left out: %s", error)
            return None
        is_usable = found.shape == (DIM,) and found.dtype == np.float32 and bool(np.isfinite(found).all())
        return found if is_usable else None

    # --- object storage ---------------------------------------------------------------------------

    def _catch_up(self) -> None:
        if self._catalog.mirror is not None:
            self._catalog.mirror.pull_now()

    def _contents(self, transaction: Transaction, scope: str) -> set[str]:
        """The SHA-256 of what the files of a scope contain in object storage."""
        if self._catalog.mirror is None:
            return set()
        named = mirror_tree.in_scope(transaction.rows, scope)
        return {stored.sha256 for stored in named.values() if stored is not None}

    def _forget(self, contents: Collection[str]) -> None:
        """Remove from object storage what no file contains any more, now and not at the next clean-up."""
        if self._catalog.mirror is not None and contents:
            with self._catalog.transaction() as transaction:
                self._catalog.mirror.forget(transaction, contents)


def _removing(table: FaceTable, gone: Collection[str]) -> Callable[[FaceTable | None], FaceTable]:
    return lambda now: (now or table).without(gone)


def _insert(transaction: Transaction, user_id: str, name: str) -> str:
    name, person_id = _checked_name(transaction, user_id, name), str(uuid.uuid4())
    users.ensure_user(transaction, user_id)
    row = {"person_id": person_id, "user_id": user_id, "name": name, "created_us": to_us(utc_now())}
    transaction.insert("people", row)
    transaction.changed_people.add(user_id)
    return person_id


def _require(transaction: Transaction, user_id: str, person_id: str) -> None:
    if not transaction.rows("select 1 from people where person_id = ? and user_id = ?", [person_id, user_id]):
        raise PersonNotFound(person_id=person_id[:80])


def _assign(
    transaction: Transaction, user_id: str, person_id: str, face_ids: Collection[str], *, is_person: bool
) -> None:
    for face_id in face_ids:
        own = {"user_id": user_id, "face_id": face_id}
        _delete(transaction, "person_faces", {**own, "person_id": person_id})
        if is_person:  # a face is one person's
            _delete(transaction, "person_faces", {**own, "is_person": True})
        transaction.insert("person_faces", {**own, "person_id": person_id, "is_person": is_person})
    transaction.changed_people.add(user_id)


def _delete(transaction: Transaction, table: str, where: Row) -> None:
    test = " and ".join(f"{name} = ?" for name in where)
    transaction.run(f"delete from {table} where {test}", list(where.values()))  # noqa: S608 - our own names


def _checked_name(transaction: Transaction, user_id: str, name: str, *, besides: str | None = None) -> str:
    """The name in NFC with single spaces. Raises InvalidValue for a bad one, or one of another person of the user."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(clean) <= MAX_NAME_CHARS or not clean.isprintable() or set(clean) & set(analysis.QUOTE_MARKS):
        reason = f"a name has 1 to {MAX_NAME_CHARS} characters, and no quotation marks"
        raise InvalidValue(name="name", value=name[:80], reason=reason)
    rows = transaction.rows("select person_id, name from people where user_id = ?", [user_id])
    if any(row["name"].casefold() == clean.casefold() and row["person_id"] != besides for row in rows):
        raise InvalidValue(name="name", value=clean, reason="another person has this name; merge the two")
    return clean
