"""Which pages the navigation names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from heimdex_core.errors import LibraryBusy, SignInRequired
from ui import address, resources, topbar


def pages_for(monkeypatch: pytest.MonkeyPatch, library: Any) -> list[str]:
    monkeypatch.setattr(resources, "library", library)
    return topbar._pages()


@pytest.mark.parametrize("is_admin", [True, False])
def test_activity_is_there_for_admins_only(monkeypatch: pytest.MonkeyPatch, is_admin: bool) -> None:
    library = SimpleNamespace(accounts=SimpleNamespace(is_admin=is_admin))
    assert ("activity" in pages_for(monkeypatch, lambda: library)) is is_admin
    assert topbar._is_admin() is is_admin
    assert set(address.FOR_ADMINS) < set(address.NAMES)


@pytest.mark.parametrize("error", [SignInRequired(), LibraryBusy(what="the catalog", holder="pid 7", waited_s=1.0)])
def test_while_nobody_is_known_it_is_not(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def library() -> Any:
        raise error

    assert pages_for(monkeypatch, library) == [name for name in address.NAMES if name != "activity"]
