"""What is left of a person who was removed: nothing that a face could be told by, in any file of the library."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from heimdex_core.errors import NotAllowed
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.store.faces import FaceRow
from heimdex_core.store.named_people import TABLES
from tests.support.drawn_faces import (
    ANNA,
    BEN,
    LEFT,
    RIGHT,
    add_video,
    commit_pictures,
    copy_with_models,
    photo,
    picture,
    put_small_models,
)
from tests.support.object_storage import keep_in_bucket

if TYPE_CHECKING:
    from tests.support.object_storage import TestBucket


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that has a video with Anna, then Anna with Ben; both are known."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patched:
        put_small_models(folder / "models", patched)
        settings = Settings(models_dir=folder / "models")
        with Library.open(folder / "library", profile="offline", settings=settings) as made:
            make_people(made, folder)
    return folder


@pytest.fixture
def lib(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """A copy of it."""
    with copy_with_models(drawn, tmp_path / "library", monkeypatch) as made:
        yield made


def make_people(library: Library, folder: Path) -> None:
    """A video with two people, who are enrolled."""
    add_video(library, "first", [picture((ANNA, *LEFT)), picture((ANNA, *LEFT), (BEN, *RIGHT), noise=1)])
    library.people.find_faces()
    library.people.enrol("Anna", [photo(folder / "anna.png", ANNA)])
    library.people.enrol("Ben", [photo(folder / "ben.png", BEN)])


def id_of(library: Library, name: str) -> str:
    return next(one.person_id for one in library.people.all() if one.name == name)


def vectors_of(library: Library, name: str) -> list[bytes]:
    """The bytes of every vector of a person: of faces and of photos, as they are stored."""
    ids = {face.face_id for face in library.people.faces_of(id_of(library, name))}
    video = next(one for one in library.videos() if one.user_id == library.user_id)
    table = library._store.people.faces.table(video.video_id)
    assert table is not None
    rows = zip(table.faces, table.vectors, strict=True)
    found = [vector.astype(np.float16).tobytes() for face, vector in rows if face.face_id in ids]
    named = next(one for one in library._store.people.of_user(library.user_id).people if one.name == name)
    return [*found, *(one.tobytes() for one in library._store.people.photo_vectors(library.user_id, named.photos))]


def files_with(root: Path, wanted: list[bytes]) -> list[str]:
    """The files below `root` that contain any of `wanted`."""
    files = (path for path in root.rglob("*") if path.is_file())
    return sorted(
        path.relative_to(root).as_posix() for path in files if any(one in path.read_bytes() for one in wanted)
    )


def test_no_file_has_a_vector_of_who_was_removed(lib: Library) -> None:
    anna, ben = vectors_of(lib, "Anna"), vectors_of(lib, "Ben")
    assert (len(anna), len(ben)) == (3, 2)
    found = files_with(lib.path, anna)
    assert [path.split("/")[0] for path in found] == ["people", "videos"], "or this test would see nothing"
    removed = lib.people.remove(id_of(lib, "Anna"))
    assert (removed.faces, removed.photos, removed.videos) == (2, 1, 1)
    assert files_with(lib.path, anna) == []
    assert len(files_with(lib.path, ben)) == 2, "the others are still there"
    assert [one.name for one in lib.people.all()] == ["Ben"]
    assert lib.people.unnamed() == []
    assert lib.search("person:Anna").hits == ()


def in_memory() -> set[str]:
    """The ids of the faces of which this process has a vector."""
    gc.collect()
    return {row.face_id for row in gc.get_objects() if isinstance(row, FaceRow) and row.vector is not None}


def test_the_memory_has_no_vector_of_who_was_removed(lib: Library) -> None:
    """Also not what was kept for another user, to whom the video is shared."""
    mina = lib.as_user(lib.accounts.sign_in("https://login", "mina", "mina@example.com", True, "Mina").user_id)
    lib.people.as_operator().turn_on()
    (video,) = lib.videos()
    lib.sharing.share("video", video.video_id, "mina@example.com", "read")
    (ben,) = (face.face_id for face in lib.people.faces_of(id_of(lib, "Ben")))
    mina.people.name(ben, "Somebody")
    faces = {face.face_id for face in lib.people.faces_of(id_of(lib, "Anna"))}
    assert in_memory() == {*faces, ben}, "or this test would see nothing"
    lib.people.remove(id_of(lib, "Anna"))
    assert in_memory() & faces == set()


def test_the_memory_has_no_vector_of_a_video_that_was_purged_or_changed_elsewhere(lib: Library) -> None:
    (video,) = lib.videos()
    lib.people.all()
    assert len(in_memory()) == 3
    with Library.open(lib.path, settings=lib.settings, create=False) as elsewhere:
        face, _ = (face.face_id for face in elsewhere.people.faces_of(id_of(elsewhere, "Anna")))
        elsewhere.people.remove_faces([face])
    del elsewhere
    lib.people.find("nobody")  # looks at the library again
    assert face not in in_memory()
    assert len(in_memory()) == 2
    lib.delete(video.video_id)
    lib._store.purge_video(video.video_id)
    assert in_memory() == set()


def test_who_was_removed_is_not_found_again(lib: Library) -> None:
    lib.people.remove(id_of(lib, "Anna"))
    assert lib.people.find_faces(again=True).faces == 1
    (video,) = lib.videos()
    # in a new generation too, where the face is at nearly the same place
    commit_pictures(lib, video, [picture((ANNA, 24, 24)), picture((ANNA, *LEFT), (BEN, *RIGHT))])
    assert lib.people.find_faces().faces == 1
    assert [one.faces for one in lib.people.all()] == [1]


def test_faces_without_a_name_can_be_removed(lib: Library) -> None:
    (face,) = lib.people.faces_of(id_of(lib, "Ben"))
    vector = vectors_of(lib, "Ben")[:1]
    assert files_with(lib.path, vector)
    assert lib.people.remove_faces([face.face_id]).faces == 1
    assert files_with(lib.path, vector) == []
    assert lib.people.find_faces(again=True).faces == 2


def test_nothing_is_left_of_the_people_of_a_deleted_user(lib: Library, tmp_path: Path) -> None:
    mina = lib.as_user(lib.accounts.sign_in("https://login", "mina", "mina@example.com", True, "Mina").user_id)
    assert (mina.people.is_on, mina.people.state().note) == (False, "off_shared")
    with pytest.raises(NotAllowed):
        mina.people.turn_on()
    lib.people.as_operator().turn_on()
    make_people(mina, tmp_path)
    assert any(path.startswith(f"people/{mina.user_id}/") for path in files_with(lib.path, vectors_of(mina, "Anna")))
    lib.accounts.as_operator().delete_user(mina.user_id)
    assert [path.name for path in (lib.path / "people").iterdir() if mina.user_id in path.name] == []
    assert lib._store.accounts.rows(mina.user_id).keys() > {*TABLES}
    assert [table for table in TABLES if lib._store.accounts.rows(mina.user_id)[table]] == []


@pytest.mark.long
def test_nothing_is_left_in_object_storage(
    s3: TestBucket, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_in_bucket(s3, monkeypatch)
    put_small_models(tmp_path / "models", monkeypatch)
    with Library.open(tmp_path / "library", profile="offline") as made:
        make_people(made, tmp_path)
        anna, ben = vectors_of(made, "Anna"), vectors_of(made, "Ben")
        storage = made.storage
        assert storage is not None

        def stored(wanted: list[bytes]) -> int:
            """How many objects of the bucket have any of the vectors."""
            contents = [storage.get_bytes(found.key) for found in storage.list("")]
            return sum(any(one in content for one in wanted) for content in contents)

        assert (stored(anna), stored(ben)) == (2, 2)
        made.people.remove(id_of(made, "Anna"))
        assert (stored(anna), stored(ben)) == (0, 2)
        assert [one.name for one in made.people.all()] == ["Ben"]


def test_an_interrupted_removal_is_repeated(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = vectors_of(lib, "Anna")

    def crash(step: str) -> None:
        raise KeyboardInterrupt(step)

    with monkeypatch.context() as patched:
        patched.setattr("heimdex_core.store.faces.crash_point", crash)
        with pytest.raises(KeyboardInterrupt):
            lib.people.remove(id_of(lib, "Anna"))
    assert [one.name for one in lib.people.all()] == ["Anna", "Ben"]
    lib.people.remove(id_of(lib, "Anna"))
    assert files_with(lib.path, anna) == []
