"""Libraries that users share on two machines, after a repair, and after a move to object storage and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import NotAllowed, SceneNotFound, TokenInvalid, VideoNotFound
from heimdex_core.library import Library
from heimdex_core.settings import Settings, get_settings
from heimdex_core.store import Store
from heimdex_core.store.mirror import Mirror
from heimdex_core.types import Filters, Video
from tests.store import making
from tests.support.object_storage import TestBucket
from tests.support.postgres import run

LEXICAL = {"transcript": 0.0, "vision": 0.0, "lexical": 1.0}


def opened(place: Path | str, cache: Path, **changed: Any) -> Library:
    """A library on the machine that has its working folders in `cache`."""
    found: Settings = get_settings().model_copy(update={"cache": cache, "min_free_bytes": 0, **changed})
    return Library.open(place, settings=found)


def sign_in(lib: Library, name: str) -> Library:
    """The library as a user sees it, who signs in here."""
    return lib.as_user(lib.accounts.sign_in("https://login", name, f"{name}@example.com", True, name).user_id)


def add(lib: Library, title: str, texts: list[str]) -> Video:
    """An indexed video of a user."""
    store, spaces = lib._store, lib.spaces()
    video = making.register(store, title, user_id=lib.user_id)
    staged = making.stage(store, video, texts, spaces=spaces)
    return store.commit_generation(video.video_id, staged, n=1, spaces=spaces.values())


def found(lib: Library, **filters: Any) -> set[str]:
    """The titles of the videos in which the sea is found."""
    hits = lib.search("sea", weights=LEXICAL, filters=Filters(**filters), collapse=False).hits
    return {hit.video_title for hit in hits}


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path | str:
    """Where machines have a library in common: a folder, or a bucket; the catalog is in Postgres."""
    monkeypatch.setenv("HEIMDEX_ADMINS", "mina@example.com")
    monkeypatch.setattr(Mirror, "pull", Mirror.pull_now)  # a reader does not wait for it otherwise
    if request.param == "bucket":
        bucket: TestBucket = request.getfixturevalue("s3")
        return bucket.url
    get_settings.cache_clear()
    return tmp_path / "library"


@pytest.fixture
def machines(place: Path | str, tmp_path: Path) -> Iterator[tuple[Library, Library]]:
    """The library on two machines."""
    first, second = (opened(place, tmp_path / name) for name in ("first", "second"))
    yield first, second
    for one in (first, second):
        one.close()


# --- two machines ---------------------------------------------------------------------------------


@pytest.mark.long
def test_what_is_shared_on_one_machine_is_seen_and_changed_on_the_other(machines: tuple[Library, Library]) -> None:
    first, second = machines
    mina, jun = sign_in(first, "mina"), sign_in(second, "jun")
    sea = add(mina, "holiday", ["the sea", "a boat"])
    own = add(jun, "harbour", ["the sea at night"])
    assert found(jun) == {"harbour"}
    mina.sharing.share("video", sea.video_id, "jun@example.com", "read")
    assert found(jun) == {"harbour", "holiday"}
    assert found(jun, owner="shared") == {"holiday"}
    assert set(jun.sql("select title from videos")["title"]) == {"harbour", "holiday"}
    scene = jun.scenes(sea.video_id)[0]
    frame, source = jun.frame_path(scene), jun.playable_path(jun.video(sea.video_id))
    assert frame is not None
    assert source is not None
    assert (frame.read_bytes(), source.read_bytes()) == (making.PICTURE, making.content_of("holiday"))
    assert jun.sharing.user_names() == {mina.user_id: "mina"}
    with pytest.raises(NotAllowed):
        jun.rename(sea.video_id, "mine")
    with pytest.raises(VideoNotFound):
        first.as_user(jun.user_id).sharing.share("video", "v-none", "mina@example.com")

    mina.sharing.share("video", sea.video_id, jun.user_id, "write")
    jun.rename(sea.video_id, "a week at the sea")
    assert mina.video(sea.video_id).title == "a week at the sea"
    assert found(mina) == {"a week at the sea"}
    mina.sharing.unshare("video", sea.video_id, jun.user_id)
    assert found(jun) == {"harbour"}
    for lib in (jun, first.as_user(jun.user_id)):
        with pytest.raises(VideoNotFound):
            lib.video(sea.video_id)
        with pytest.raises(SceneNotFound):
            lib.scene(scene.scene_id)
    jun.sharing.share("video", own.video_id, mina.user_id)
    assert found(mina, owner="shared") == {"harbour"}


@pytest.mark.long
def test_a_collection_is_the_same_on_both_machines(machines: tuple[Library, Library]) -> None:
    first, second = machines
    mina, jun = sign_in(first, "mina"), sign_in(second, "jun")
    sea, hill = add(mina, "holiday", ["the sea"]), add(mina, "hike", ["the sea from a hill"])
    trip = mina.sharing.make_collection("Trip")
    mina.sharing.put(trip.collection_id, [sea.video_id])
    mina.sharing.share("collection", trip.collection_id, "jun@example.com", "read")
    assert found(jun, collections=("trip",)) == {"holiday"}
    second.as_user(mina.user_id).sharing.put(trip.collection_id, [hill.video_id])
    assert found(jun) == {"holiday", "hike"}
    mina.sharing.take_out(trip.collection_id, [sea.video_id])
    assert found(jun) == {"hike"}
    mina.delete(hill.video_id)
    assert found(jun) == set()
    second.as_user(mina.user_id).restore(hill.video_id)
    assert found(jun) == {"hike"}
    mina.sharing.delete_collection(trip.collection_id)
    assert (found(jun), jun.sharing.collections()) == (set(), [])


@pytest.mark.long
def test_tokens_and_roles_hold_on_both_machines(machines: tuple[Library, Library]) -> None:
    first, second = machines
    mina, jun = sign_in(first, "mina"), sign_in(second, "jun")
    assert sign_in(second, "mina").user_id == mina.user_id
    token, secret = jun.accounts.make_token("t", ["read"])
    assert first.accounts.authenticate(secret).user_id == jun.user_id
    first.as_user(jun.user_id).accounts.revoke_token(token.token_id)
    second.accounts.is_shared()  # what other machines have changed is fetched
    with pytest.raises(TokenInvalid):
        second.accounts.authenticate(secret)
    assert second.as_user(mina.user_id).accounts.is_admin
    with pytest.raises(NotAllowed):
        jun.clean_up()
    assert second.as_user(mina.user_id).clean_up()["videos"] == 0


@pytest.mark.long
def test_a_user_is_exported_and_deleted_on_the_other_machine(machines: tuple[Library, Library], tmp_path: Path) -> None:
    first, second = machines
    mina, jun = sign_in(first, "mina"), sign_in(second, "jun")
    sea, own = add(mina, "holiday", ["the sea"]), add(jun, "harbour", ["the sea at night"])
    mina.sharing.share("video", sea.video_id, jun.user_id)
    jun.sharing.share("video", own.video_id, mina.user_id)
    scene = jun.scenes(own.video_id)[0]
    jun.judge("sea", scene.scene_id, 3)
    jun.evaluate(name="a run")
    jun.set_preference("language", "ko")
    _, secret = jun.accounts.make_token("t", ["read"])
    assert found(mina) == {"holiday", "harbour"}
    counts = mina.accounts.export_data("jun@example.com", tmp_path / "jun")
    assert counts["videos"] == 1
    folder = tmp_path / "jun" / "videos" / own.video_id
    assert (folder / "source.mp4").read_bytes() == making.content_of("harbour")
    assert [one["transcript"] for one in json.loads((folder / "scenes.json").read_text())] == ["the sea at night"]
    assert list((tmp_path / "jun" / "evaluation").rglob("*.parquet"))

    mina.accounts.delete_user("jun@example.com")
    assert not second.accounts.is_admitted(jun.user_id)
    for machine in machines:
        with pytest.raises(TokenInvalid):
            machine.accounts.authenticate(secret)
        assert found(machine.as_user(mina.user_id)) == {"holiday"}
        assert found(machine.as_user(jun.user_id)) == set()
        assert machine.as_user(jun.user_id).preferences() == {}
        assert machine.as_user(mina.user_id).sharing.shares() == []
        names = [path for path in machine.path.rglob("*") if own.video_id in path.name]
        assert machine is second or names == []
    again = sign_in(second, "jun")
    assert again.user_id != jun.user_id
    assert found(again) == set()


# --- a repair, and a move -------------------------------------------------------------------------


class Team:
    """A library that two users share, and what is to be the same whatever happens to it."""

    def __init__(self, place: Path | str, cache: Path, **changed: Any) -> None:
        with opened(place, cache, **changed) as lib:
            mina, jun = sign_in(lib, "mina"), sign_in(lib, "jun")
            self.ids = {"mina": mina.user_id, "jun": jun.user_id}
            sea, hill = add(mina, "holiday", ["the sea"]), add(mina, "hike", ["the sea from a hill"])
            self.hidden = add(mina, "diary", ["the sea in winter"]).video_id
            add(jun, "harbour", ["the sea at night"])
            trip = mina.sharing.make_collection("Trip")
            mina.sharing.put(trip.collection_id, [hill.video_id, sea.video_id])
            mina.sharing.share("collection", trip.collection_id, jun.user_id, "read")
            mina.sharing.share("video", sea.video_id, jun.user_id, "write")
            self.secret = jun.accounts.make_token("t", ["read", "write"])[1]
            gone = sign_in(lib, "gone")
            mina.accounts.delete_user(gone.user_id)
            self.gone = gone.user_id
            self.before = self.told(lib)

    def told(self, lib: Library) -> dict[str, Any]:
        """What the library says of its users and of what they share."""
        mina, jun = (lib.as_user(user_id) for user_id in self.ids.values())
        assert not lib.accounts.is_admitted(self.gone)
        with pytest.raises(VideoNotFound):
            jun.video(self.hidden)
        return {
            "users": [(user.user_id, user.name, user.email, user.role) for user in mina.accounts.users()],
            "token": lib.accounts.authenticate(self.secret),
            "tokens": [(one.token_id, one.name, one.scopes) for one in jun.accounts.tokens()],
            "shares": mina.sharing.shares(),
            "with jun": jun.sharing.shared_with_me(),
            "collections": jun.sharing.collections(),
            "access": {video.title: jun.sharing.access_to(video.video_id) for video in jun.videos()},
            "mina": found(mina),
            "jun": found(jun),
            "shared": found(jun, owner="shared"),
            "trip": found(jun, collections=("trip",)),
            "jun signs in": sign_in(lib, "jun").user_id,
        }


@pytest.fixture
def admins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDEX_ADMINS", "mina@example.com")
    get_settings.cache_clear()


@pytest.mark.usefixtures("admins")
def test_a_repair_keeps_users_and_what_they_share(tmp_path: Path) -> None:
    team = Team(tmp_path / "library", tmp_path)
    assert team.before["jun"] == {"holiday", "hike", "harbour"}
    assert team.before["trip"] == {"holiday", "hike"}
    (tmp_path / "library" / "catalog.duckdb").unlink()
    for name in ("accounts.json", "shares.json"):
        (tmp_path / "library" / name).unlink()
    assert Library.repair(tmp_path / "library")["problems"] == []
    with opened(tmp_path / "library", tmp_path) as lib:
        assert team.told(lib) == team.before
        jun = lib.as_user(team.ids["jun"])
        assert jun.rename(lib.as_user(team.ids["mina"]).videos()[-1].video_id, "by the sea").title == "by the sea"


@pytest.mark.long
@pytest.mark.usefixtures("admins", "database")
def test_a_repair_of_a_catalog_in_postgres_keeps_them(tmp_path: Path) -> None:
    team = Team(tmp_path / "library", tmp_path)
    engine = Store.open(tmp_path / "library").catalog.engine
    run(engine._url, f"drop schema {engine.schema} cascade")  # type: ignore[attr-defined]
    assert Library.repair(tmp_path / "library")["problems"] == []
    with opened(tmp_path / "library", tmp_path) as lib:
        assert team.told(lib) == team.before


@pytest.mark.long
@pytest.mark.usefixtures("admins", "database")
def test_a_move_to_object_storage_and_back_keeps_them(
    tmp_path: Path, s3: TestBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEIMDEX_CACHE", str(tmp_path / "cache"))
    get_settings.cache_clear()
    library, home = tmp_path / "library", tmp_path / "home"
    team = Team(library, tmp_path / "cache", database_url=None)
    Library.move(library, to=s3.url)
    for machine in ("cache", "other"):
        with opened(s3.url, tmp_path / machine) as lib:
            assert team.told(lib) == team.before
    Library.move(s3.url, to=home)
    with opened(home, tmp_path, database_url=None) as lib:
        assert team.told(lib) == team.before


@pytest.mark.long
@pytest.mark.usefixtures("admins", "database")
def test_a_catalog_that_moves_to_postgres_and_back_keeps_them(tmp_path: Path) -> None:
    team = Team(tmp_path / "library", tmp_path, database_url=None)
    Library.move_catalog(tmp_path / "library", to="postgres")
    with opened(tmp_path / "library", tmp_path) as lib:
        assert team.told(lib) == team.before
    Library.move_catalog(tmp_path / "library", to="file")
    with opened(tmp_path / "library", tmp_path, database_url=None) as lib:
        assert team.told(lib) == team.before
