"""Saved searches, and pictures that are searched by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heimdex_core.errors import InvalidValue
from heimdex_core.library import Library
from heimdex_core.library import searches as module
from heimdex_core.settings import Settings


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library.open(tmp_path_factory.mktemp("library"), settings=Settings(profile="offline")) as opened:
        yield opened


@pytest.fixture
def lib(library: Library) -> Library:
    for one in library.searches.saved():
        library.searches.remove(one.name)
    return library


def test_saved_searches_are_there_by_name(lib: Library) -> None:
    lib.searches.save("wide shots", {"q": "harbour", "tag": "sea"})
    lib.searches.save(" 빨간  차 ", {"q": "빨간 차"})
    lib.searches.save("wide shots", {"q": "the harbour"})
    assert [(one.name, dict(one.params)) for one in lib.searches.saved()] == [
        ("wide shots", {"q": "the harbour"}),
        ("빨간 차", {"q": "빨간 차"}),
    ]
    assert lib.as_user("somebody-else").searches.saved() == []
    lib.searches.remove("wide shots")
    lib.searches.remove("wide shots")
    assert [one.name for one in lib.searches.saved()] == ["빨간 차"]


@pytest.mark.parametrize(
    ("name", "params"), [("", {}), ("  ", {}), ("x" * 101, {}), ("x", {"q": "y" * 8001}), ("x", {"q": 3})]
)
def test_what_cannot_be_saved_is_refused(lib: Library, name: str, params: dict[str, str]) -> None:
    with pytest.raises(InvalidValue):
        lib.searches.save(name, params)
    assert lib.searches.saved() == []


def test_there_is_a_most_number_of_them(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAVED", 2)
    for name in ("a", "b"):
        lib.searches.save(name, {"q": name})
    with pytest.raises(InvalidValue):
        lib.searches.save("c", {"q": "c"})
    lib.searches.save("b", {"q": "again"})
    assert [one.name for one in lib.searches.saved()] == ["a", "b"]


@pytest.mark.parametrize(
    "value", ["text", {"a": 1}, [1, None, {"name": 3}, {"name": "x"}], [{"name": "x", "params": []}]]
)
def test_preferences_written_by_hand_do_no_harm(lib: Library, value: object) -> None:
    lib.set_preference("saved_searches", value)
    assert lib.searches.saved() == []
    lib.searches.save("good", {"q": "a"})
    assert [one.name for one in lib.searches.saved()] == ["good"]


def test_a_picture_is_found_by_its_name(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    name = lib.searches.keep_picture(b"first")
    assert lib.searches.keep_picture(b"first") == name
    path = lib.searches.picture(name)
    assert path is not None
    assert path.read_bytes() == b"first"
    assert lib.as_user("somebody-else").searches.picture(name) is None
    for wrong in ("", "..", f"../{name}", name.upper() + "g", f"{name}\n", "0" * 32):
        assert lib.searches.picture(wrong) is None
    monkeypatch.setattr(module, "KEPT_PICTURES", 1)
    lib.searches.keep_picture(b"second")
    assert len(list(path.parent.iterdir())) == 1
    for size in (0, module.MAX_PICTURE_BYTES + 1):
        with pytest.raises(InvalidValue):
            lib.searches.keep_picture(b"x" * size)


def test_pictures_lie_in_the_cache(lib: Library) -> None:
    path = lib.searches.picture(lib.searches.keep_picture(b"third"))
    assert path is not None
    assert path.is_relative_to(Path(lib.path) / "cache")
