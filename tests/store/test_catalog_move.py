"""Moving a catalog to Postgres and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from heimdex_core import files
from heimdex_core.errors import CatalogElsewhere, InvalidValue, LibraryDamaged
from heimdex_core.settings import Settings
from heimdex_core.store import Store, catalog_move, visible
from heimdex_core.store.catalog_move import move_catalog
from heimdex_core.store.judgements import NewJudgement
from tests.store.making import add, name_tray, new_store, register
from tests.support.postgres import TestServer, run

LOCAL = Settings(lock_timeout_s=1.0)


@pytest.fixture
def url(postgres: TestServer) -> SecretStr:
    return SecretStr(postgres.url())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path / "library")
    video = add(made, "one", ("hello there", "good bye"))
    register(made, "two")
    made.judgements.save("local", "set", [NewJudgement("a", video.video_id, 0, 2000, 3, "me", reason="tab\t\\ '")])
    made.set_preference("local", "theme", "dark")
    name_tray(made, "local", "cuts")
    made.log_search({"user_id": "local", "text": "hello"})
    return made


def content(store: Store) -> dict[str, Any]:
    """All that the catalog says, through the code above it."""
    return {
        "videos": store.videos("local"),
        "judgements": store.judgements.of_user("local"),
        "tray": store.reels.tray("local"),
        "sets": store.sets.all(),
        "searches": store.searches("local"),
        "shown": visible.read(store.paths.visible),
    }


def settings_of(url: SecretStr) -> Settings:
    return LOCAL.model_copy(update={"database_url": url})


def opened(store: Store, url: SecretStr | None) -> Store:
    return Store.open(store.paths.root, LOCAL.model_copy(update={"database_url": url}))


def test_there_and_back(store: Store, url: SecretStr) -> None:
    root, before = store.paths.root, content(store)
    there = move_catalog(root, "postgres", settings_of(url))
    assert (there.catalog, there.moved) == ("postgres", True)
    assert (there.rows["videos"], there.rows["judgements"], there.rows["reels"]) == (2, 1, 1)
    assert there.kept_as is not None
    assert (root / there.kept_as).is_file()
    assert not store.paths.catalog.exists()
    with pytest.raises(CatalogElsewhere):
        opened(store, None)
    in_postgres = opened(store, url)
    assert content(in_postgres) == before
    in_postgres.rename_video("local", in_postgres.videos("local")[-1].video_id, "another title")
    in_postgres.log_search({"user_id": "local", "text": "again"})
    changed = content(in_postgres)
    assert [entry["text"] for entry in changed["searches"]] == ["again", "hello"]
    back = move_catalog(root, "file", settings_of(url))
    assert back.rows == {**there.rows, "counters": back.rows["counters"]}
    assert content(opened(store, None)) == changed
    assert (back.kept_as,) in run(url.get_secret_value(), "select nspname::text from pg_namespace")


def test_a_catalog_that_is_there_already_stays(store: Store, url: SecretStr) -> None:
    assert not move_catalog(store.paths.root, "file", settings_of(url)).moved
    assert store.paths.catalog.exists()


@pytest.mark.parametrize("to", ["postgres", pytest.param("file", marks=pytest.mark.long)])
def test_an_interruption_leaves_one_catalog_and_the_move_goes_on(
    store: Store, url: SecretStr, to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = store.paths.root
    if to == "file":
        move_catalog(root, "postgres", settings_of(url))
    source = url if to == "file" else None
    before = content(opened(store, source))

    def interrupt(step: str) -> None:
        if step == "catalog-copied":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files, "crash_point", interrupt)
        with pytest.raises(KeyboardInterrupt):
            move_catalog(root, to, settings_of(url))
    assert content(opened(store, source)) == before
    assert move_catalog(root, to, settings_of(url)).moved
    assert content(opened(store, url if to == "postgres" else None)) == before


def test_a_copy_that_differs_is_not_used(store: Store, url: SecretStr, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = iter(range(100))
    monkeypatch.setattr(catalog_move, "_digest", lambda table: (0, str(next(digests))))
    with pytest.raises(LibraryDamaged, match="nothing was moved"):
        move_catalog(store.paths.root, "postgres", settings_of(url))
    assert opened(store, None).count_videos() == 2


def test_a_text_that_postgres_cannot_hold_is_refused(store: Store, url: SecretStr) -> None:
    with store.catalog.transaction() as transaction:
        transaction.insert("users", {"user_id": "x", "name": "a\0b", "created_us": 1})
    with pytest.raises(InvalidValue):
        move_catalog(store.paths.root, "postgres", settings_of(url))
    assert opened(store, None).count_videos() == 2


def test_a_move_needs_a_url(store: Store) -> None:
    with pytest.raises(InvalidValue, match="HEIMDEX_DATABASE_URL"):
        move_catalog(store.paths.root, "postgres", LOCAL)
