"""Moving a library from a folder to object storage and back, whatever interrupts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core import files
from heimdex_core.cli.main import main as cli
from heimdex_core.errors import InvalidValue, LibraryMoved, LibraryMoveUnfinished, ObjectDamaged
from heimdex_core.files import sha256_of
from heimdex_core.settings import Settings, get_settings
from heimdex_core.store import Store
from heimdex_core.store.addresses import LibraryPlace
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.library_json import CatalogPlace, read_manifest
from heimdex_core.store.library_move import LibraryMoveReport, move_library
from heimdex_core.store.object_storage import ObjectStorage
from tests.store.making import SPACES, TEXT, add, axis, name_tray, register
from tests.support.object_storage import TestBucket


@pytest.fixture
def settings(database: str, s3: TestBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With a database and a bucket."""
    monkeypatch.setenv("HEIMDEX_CACHE", str(tmp_path / "cache"))
    get_settings.cache_clear()
    return get_settings()


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> LibraryPlace:
    """A library with its catalog in a file."""
    local = settings.model_copy(update={"database_url": None})
    place = LibraryPlace.of(tmp_path / "library", settings)
    store = create(place.root, local)
    add(store, "one", ("hello there", "good bye"))
    add(store, "two", ("a quiet garden",), axis_of=3)
    register(store, "three")
    store.set_preference("local", "theme", "dark")
    name_tray(store, "local", "cuts")
    store.close()
    return place


@pytest.fixture
def bucket(settings: Settings, s3: TestBucket) -> LibraryPlace:
    return LibraryPlace.of(s3.url, settings)


def create(root: Path, settings: Settings) -> Store:
    return Store.create(root, profile="offline", models={"name": "offline"}, spaces=SPACES, settings=settings)


def opened(place: LibraryPlace, settings: Settings) -> Store:
    place.refresh(settings)
    manifest = read_manifest(LibraryPaths(place.root), anywhere=True)
    url = settings.database_url if manifest.catalog == "postgres" else None
    return Store.open(place.root, settings.model_copy(update={"database_url": url}))


def content(place: LibraryPlace, settings: Settings) -> dict[str, Any]:
    """What a library says and finds, and the bytes of its videos' files."""
    store = opened(place, settings)
    view = store.reader().view()
    try:
        return {
            "videos": store.videos("local"),
            "tray": store.reels.tray("local").title,
            "theme": store.preferences("local"),
            "scenes": view.scenes("local"),
            "words": view.lexical_search("garden", k=9, user_id="local").hits,
            "near": view.vector_search(TEXT, np.asarray(axis(3, 8)), k=9, user_id="local"),
            "sources": [sha256_of(store.paths.source(video.video_id)) for video in store.videos("local")],
            "problems": store.maintenance.check_indexes(),
        }
    finally:
        store.close()


def files_of(root: Path) -> dict[str, str]:
    """SHA-256 by path of what a move may not touch."""
    return {
        str(path.relative_to(root)): sha256_of(path)
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith("catalog.") and path.suffix != ".lock"
    }


def move(source: LibraryPlace, target: LibraryPlace, settings: Settings, **options: Any) -> LibraryMoveReport:
    catalog: CatalogPlace = options.pop("catalog", "postgres" if target.address else "file")
    return move_library(source, target, catalog, settings, **options)


def test_there_and_back(
    folder: LibraryPlace,
    bucket: LibraryPlace,
    settings: Settings,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before, kept = content(folder, settings), files_of(folder.root)
    shown: list[tuple[int, int]] = []
    report = move(folder, bucket, settings, progress=lambda done, total: shown.append((done, total)))
    assert (report.place, report.catalog, report.moved) == (str(bucket), "postgres", True)
    assert report.rows["videos"] == 3
    assert shown[-1] == (report.size_bytes, report.size_bytes)
    assert content(bucket, settings) == before
    # the old place says where the library is, and has all of its files
    with pytest.raises(LibraryMoved, match=f"moved to {bucket}"):
        opened(folder, settings)
    left = files_of(folder.root)
    assert {path for path in kept if kept[path] != left.get(path)} == {"library.json"}
    # there already
    assert not move(folder, bucket, settings).moved

    home = LibraryPlace.of(tmp_path / "home", settings)
    assert cli(["--library", str(bucket), "library", "move", "--to", str(home), "--json"]) == 0
    again = json.loads(capfd.readouterr().out)
    assert (again["place"], again["catalog"], again["files"]) == (str(home), "file", report.files)
    assert content(home, settings) == before
    assert not (home.root / ".moving").exists()
    with pytest.raises(LibraryMoved, match="home"):
        opened(bucket, settings)


@pytest.mark.long
def test_another_machine_opens_it_where_it_is_now(
    folder: LibraryPlace, bucket: LibraryPlace, settings: Settings, tmp_path: Path
) -> None:
    before = content(folder, settings)
    move(folder, bucket, settings)
    elsewhere = settings.model_copy(update={"cache": tmp_path / "other-cache"})
    assert content(LibraryPlace.of(str(bucket), elsewhere), elsewhere) == before


@pytest.mark.long
def test_a_catalog_in_postgres_stays_there(settings: Settings, bucket: LibraryPlace, tmp_path: Path) -> None:
    shared = LibraryPlace.of(tmp_path / "shared", settings)
    store = create(shared.root, settings)
    add(store, "one", ("a quiet garden",), axis_of=3)
    store.close()
    before = content(shared, settings)
    report = move(shared, bucket, settings)
    assert (report.rows, report.kept_as) == ({}, None)
    assert content(bucket, settings) == before
    home = LibraryPlace.of(tmp_path / "home", settings)
    move(bucket, home, settings, catalog="postgres")
    assert content(home, settings) == before


class Interrupted(Exception):  # noqa: N818 - not a failure
    pass


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """interrupt(step) has the next move end at a crash point."""

    def arrange(step: str) -> None:
        def point(passed: str) -> None:
            if passed == step:
                monkeypatch.setattr(files, "crash_point", lambda passed: None)
                raise Interrupted(step)

        monkeypatch.setattr(files, "crash_point", point)

    return arrange


@pytest.mark.parametrize(
    ("way", "step"),
    [
        ("there", "library-copied"),
        pytest.param("there", "library-left", marks=pytest.mark.long),
        pytest.param("back", "library-copied", marks=pytest.mark.long),
        pytest.param("back", "library-left", marks=pytest.mark.long),
    ],
)
def test_an_interrupted_move_goes_on(
    way: str,
    step: str,
    folder: LibraryPlace,
    bucket: LibraryPlace,
    settings: Settings,
    interrupt: Callable[[str], None],
    tmp_path: Path,
) -> None:
    before = content(folder, settings)
    source, target = folder, bucket
    if way == "back":
        move(folder, bucket, settings)
        source, target = bucket, LibraryPlace.of(tmp_path / "home", settings)
    interrupt(step)
    with pytest.raises(Interrupted):
        move(source, target, settings)
    # one of the places says what to do, and never both can be used
    with pytest.raises(LibraryMoveUnfinished, match=str(source)):
        opened(target, settings)
    if step == "library-copied":
        assert content(source, settings) == before
    else:
        with pytest.raises(LibraryMoved):
            opened(source, settings)
    assert move(source, target, settings).moved
    assert content(target, settings) == before
    with pytest.raises(LibraryMoved):
        opened(source, settings)


@pytest.mark.long
def test_what_was_uploaded_is_not_uploaded_again(
    folder: LibraryPlace, bucket: LibraryPlace, settings: Settings, interrupt: Callable[[str], None], s3: TestBucket
) -> None:
    interrupt("library-copied")
    with pytest.raises(Interrupted):
        move(folder, bucket, settings)
    s3.server.requests.clear()
    # a video that was added between the attempts is carried, too
    store = opened(folder, settings)
    added = add(store, "four", ("a late guest",))
    store.close()
    before = content(folder, settings)
    move(folder, bucket, settings)
    sent = [path for method, path in s3.server.requests if method == "PUT" and "/objects/" in path]
    read = [path for method, path in s3.server.requests if method == "GET" and "/objects/" in path]
    folder_of_added = folder.root / "videos" / added.video_id
    new = sum(1 for path in folder_of_added.rglob("*") if path.is_file())
    index = sum(1 for path in (folder.root / "index").rglob("*") if path.is_file())
    assert 0 < len(sent) <= new + index + 2  # the list of the generation's files, and visible.parquet
    assert len(read) < len(files_of(folder.root))
    assert content(bucket, settings) == before


@pytest.mark.long
def test_a_damaged_copy_is_found_and_written_again(
    folder: LibraryPlace, bucket: LibraryPlace, settings: Settings, interrupt: Callable[[str], None], s3: TestBucket
) -> None:
    before = content(folder, settings)
    source = next((folder.root / "videos").glob("*/source.mp4"))
    storage = s3.open()
    copied = f"objects/{sha256_of(source)}"
    interrupt("library-copied")
    with pytest.raises(Interrupted):
        move(folder, bucket, settings)
    (bucket.root / ".moving" / "compared.txt").unlink()
    storage.put_bytes(copied, b"x" * source.stat().st_size)
    with pytest.raises(ObjectDamaged):
        move(folder, bucket, settings)
    assert content(folder, settings) == before
    move(folder, bucket, settings)
    assert content(bucket, settings) == before


@pytest.mark.long
def test_tables_of_lancedb_go_along(
    settings: Settings,
    bucket: LibraryPlace,
    interrupt: Callable[[str], None],
    s3: TestBucket,
    tmp_path: Path,
) -> None:
    local = settings.model_copy(update={"database_url": None, "search": "lancedb"})
    place = LibraryPlace.of(tmp_path / "library", settings)
    store = create(place.root, local)
    add(store, "one", ("hello there", "good bye"))
    add(store, "two", ("a quiet garden",), axis_of=3)
    store.close()
    anywhere = settings.model_copy(update={"search": None})
    before = content(place, anywhere)
    interrupt("library-copied")
    with pytest.raises(Interrupted):
        move(place, bucket, anywhere)
    s3.server.requests.clear()
    report = move(place, bucket, anywhere)
    sent = [path for method, path in s3.server.requests if method == "PUT" and "/lance/" in path]
    assert sent
    assert not any("/data/" in path for path in sent)  # they were compared before
    assert content(bucket, anywhere) == before
    assert opened(bucket, anywhere).manifest.search == "lancedb"

    store = opened(bucket, anywhere)
    add(store, "three", ("a garden, and another garden",))
    store.close()
    before = content(bucket, anywhere)
    assert len(before["words"]) == 2
    home = LibraryPlace.of(tmp_path / "home", settings)
    assert move(bucket, home, anywhere).files > report.files
    assert content(home, anywhere) == before
    store = opened(home, anywhere)
    add(store, "four", ("no garden",))  # the tables are written as before
    assert store.maintenance.check_indexes() == []
    store.close()
    assert len(content(home, anywhere)["words"]) == 3


@pytest.mark.long
def test_a_damaged_copy_of_a_table_is_found_and_written_again(
    settings: Settings, bucket: LibraryPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = settings.model_copy(update={"database_url": None, "search": "lancedb"})
    place = LibraryPlace.of(tmp_path / "library", settings)
    store = create(place.root, local)
    add(store, "one", ("a quiet garden",), axis_of=3)
    store.close()
    before = content(place, settings)
    put = ObjectStorage.put_file

    def damaging(self: ObjectStorage, key: str, path: Path, **given: Any) -> None:
        put(self, key, path, **given)
        if "/data/" in key:
            self.put_bytes(key, b"x" * path.stat().st_size)

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStorage, "put_file", damaging)
        with pytest.raises(ObjectDamaged):
            move(place, bucket, settings)
    assert content(place, settings) == before
    move(place, bucket, settings)
    assert content(bucket, settings) == before


def test_places_that_do_not_go_together_are_refused(
    folder: LibraryPlace, bucket: LibraryPlace, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InvalidValue, match="from a folder to"):
        move(folder, LibraryPlace.of(tmp_path / "other", settings), settings)
    with pytest.raises(InvalidValue, match="is in Postgres"):
        move(folder, bucket, settings, catalog="file")
    move(folder, bucket, settings)
    used = tmp_path / "used"
    used.mkdir()
    (used / "letter.txt").write_text("mine")
    with pytest.raises(InvalidValue, match="not empty"):
        move(bucket, LibraryPlace.of(used, settings), settings)
    with pytest.raises(InvalidValue, match="has to be deleted first"):
        move(bucket, folder, settings)
    other = LibraryPlace.of(tmp_path / "another", settings)
    create(other.root, settings.model_copy(update={"database_url": None})).close()
    with pytest.raises(InvalidValue, match="another library"):
        move(other, bucket, settings)
