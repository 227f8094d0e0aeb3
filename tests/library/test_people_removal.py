"""What is left of a person who was removed: nothing that a face could be told by, in any file of the library."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.library.test_people import ANNA, BEN, LEFT, RIGHT, photo
from tests.support.drawn_faces import add_video, commit_pictures, picture, put_small_models


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
    put_small_models(drawn / "models", monkeypatch)
    shutil.copytree(drawn / "library", tmp_path / "library")
    with Library.open(tmp_path / "library", settings=Settings(models_dir=drawn / "models")) as made:
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
    (video,) = library.videos()
    table = library._store.people.faces.table(video.video_id)
    assert table is not None
    rows = zip(table.faces, table.vectors, strict=True)
    found = [vector.astype(np.float16).tobytes() for face, vector in rows if face.face_id in ids]
    named = next(one for one in library._store.people.of_user("local").people if one.name == name)
    return [*found, *(one.tobytes() for one in library._store.people.photo_vectors("local", named.photos))]


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
