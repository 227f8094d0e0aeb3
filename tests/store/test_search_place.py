"""What a library is searched with: chosen once, written down, changed by making all indexes again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from heimdex_core.errors import SearchElsewhere, SearchUnavailable
from heimdex_core.settings import SearchName, Settings, get_settings
from heimdex_core.store import Store
from heimdex_core.store.search_move import change_search
from tests.store.making import TEXT, add, axis, new_store


def answers(root: Path) -> tuple[list[str], list[str]]:
    """What a search for a vector and one for a word find."""
    view = Store.open(root).reader().view()
    nearest = [one for one, _ in view.vector_search(TEXT, axis(1, 8), k=1, user_id="local")]
    return nearest, [one for one, _ in view.lexical_search("fresh", k=9, user_id="local").hits]


def test_a_library_is_changed_and_changed_back(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    add(store, "one", ("fresh bread", "a wolf"))
    add(store, "two", ("the moon", "fresh fish", "rain"), axis_of=3)
    before = answers(tmp_path)
    assert len(before[1]) == 2
    kinds: tuple[tuple[SearchName, int], ...] = (("lancedb", 4), ("local", 1))
    for kind, version in kinds:
        assert change_search(tmp_path, kind, Settings()).changed
        assert not change_search(tmp_path, kind, Settings()).changed
        assert answers(tmp_path) == before
        manifest = json.loads((tmp_path / "library.json").read_text())
        assert (manifest["search"], manifest["format_version"]) == (kind, version)
        assert (tmp_path / "index" / "lance").exists() == (kind == "lancedb")
        assert (tmp_path / "index" / "lexical").exists() == (kind == "local")
        store = Store.open(tmp_path)
        assert store.maintenance.check_indexes() == []
        add(store, f"with {kind}", ("stale bread",), axis_of=5)


def test_settings_must_agree_with_the_library(tmp_path: Path) -> None:
    new_store(tmp_path)
    with pytest.raises(SearchElsewhere, match="is searched with local, not with lancedb"):
        Store.open(tmp_path, Settings(search="lancedb"))
    Store.open(tmp_path, Settings(search="local"))


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIMDEX_SEARCH", "lancedb")
    get_settings.cache_clear()
    new_store(tmp_path)
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(SearchUnavailable) as raised:
        Store.open(tmp_path)
    assert "requirements-cluster.txt" in raised.value.hint
