"""The tokens on the settings page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import TokenNotFound
from heimdex_core.library import Library
from heimdex_core.types import Token, utc_now
from ui import resources, state, tokens_panel


@pytest.fixture
def lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    kept: dict[str, Any] = {"made": None}
    with Library.open(tmp_path / "library") as opened:
        monkeypatch.setattr(resources, "library", lambda: opened)
        monkeypatch.setattr(state, "language", lambda: "en")
        monkeypatch.setattr(state, "made_token", lambda: kept["made"])
        monkeypatch.setattr(state, "set_made_token", lambda made: kept.update(made=made))
        yield opened


def make(name: str = "render farm", expiry: str = "30") -> Token:
    tokens_panel.make({"name": name, "scopes": ["read", "write"], "expiry": expiry})
    made = state.made_token()
    assert made is not None
    return made[0]


@pytest.mark.parametrize(("expiry", "days"), [("30", 30), ("365", 365), ("never", None)])
def test_a_token_ends_when_it_was_asked_to(lib: Library, expiry: str, days: int | None) -> None:
    token = make(expiry=expiry)
    assert token.scopes == ("read", "write")
    if days is None:
        assert token.expires_at is None
    else:
        assert token.expires_at is not None
        assert abs(token.expires_at - token.created_at - timedelta(days=days)) < timedelta(minutes=1)


def test_the_secret_is_shown_once_and_opens_the_library(lib: Library) -> None:
    token = make()
    shown = tokens_panel.data_of(lib)
    assert shown["made"]["id"] == token.token_id
    assert lib.accounts.authenticate(shown["made"]["secret"]).user_id == lib.user_id
    tokens_panel.forget()
    again = tokens_panel.data_of(lib)
    assert again["made"] is None
    assert shown["made"]["secret"] not in str(again)
    assert [row["name"] for row in again["tokens"]] == ["render farm"]
    assert again["tokens"][0]["scopes"] == "read, change"


def test_a_revoked_token_is_shown_no_longer(lib: Library) -> None:
    token = make()
    tokens_panel.revoke(token.token_id)
    shown = tokens_panel.data_of(lib)
    assert (shown["made"], shown["tokens"]) == (None, [])
    with pytest.raises(TokenNotFound):
        tokens_panel.revoke(token.token_id)


def test_only_admins_are_offered_the_rights_of_one(lib: Library) -> None:
    assert [name for name, _ in tokens_panel.data_of(lib)["scopes"]] == ["read", "write", "admin"]
    user = lib.accounts.sign_in("https://id.example", "1", "jun@example.com", True, "Jun")
    assert [name for name, _ in tokens_panel.data_of(lib.as_user(user.user_id))["scopes"]] == ["read", "write"]


def test_a_token_that_is_over_says_so(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    assert not tokens_panel.data_of(lib)["tokens"][0]["expired"]
    monkeypatch.setattr(tokens_panel, "utc_now", lambda: utc_now() + timedelta(days=31))
    assert tokens_panel.data_of(lib)["tokens"][0]["expired"]
