"""Whose library pages and routes get."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cachetools import LRUCache, TTLCache

from heimdex_core.errors import LinkInvalid, SignInRequired, UserNotFound
from heimdex_core.jobs.client import JobQueue
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import User
from ui import identity, resources, sign_in, state
from ui.identity import Identity
from ui.state import SignedIn

MINA = Identity("https://id.example", "1", "mina@example.com", True, "Mina", 0.0)
JUN = Identity("https://id.example", "2", "jun@example.com", True, "Jun", 0.0)


@pytest.fixture
def lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with Library.open(tmp_path / "library", settings=Settings(admins=("mina@example.com",))) as opened:
        monkeypatch.setattr(resources, "process_library", lambda: opened)
        monkeypatch.setattr(identity, "is_configured", lambda: False)
        monkeypatch.setattr(identity, "current", lambda: None)
        monkeypatch.setattr(resources, "_of_users", LRUCache(4))
        yield opened


def user_of(lib: Library, who: Identity) -> User:
    return lib.accounts.sign_in(who.issuer, who.subject, who.email, True, who.name)


def on_page_of(monkeypatch: pytest.MonkeyPatch, who: Identity | None, session: SignedIn | None) -> None:
    monkeypatch.setattr(identity, "current", lambda: who)
    monkeypatch.setattr(state, "signed_in", lambda: session)


def test_the_only_user_needs_nothing(lib: Library) -> None:
    assert not resources.needs_sign_in()
    assert resources.library() is lib
    assert resources.library_for(lib.user_id) is lib
    assert resources.may_manage_server(lib.user_id)
    with pytest.raises(LinkInvalid):
        resources.library_for("somebody")


def test_a_new_page_of_a_known_user_does_not_need_the_catalog(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "_known", TTLCache(4, 60))
    user = user_of(lib, MINA)
    with monkeypatch.context() as patched:
        assert sign_in._user_of(MINA).user_id == user.user_id
        patched.setattr(type(lib.accounts), "sign_in", lambda *_, **__: pytest.fail("the catalog was asked"))
        assert sign_in._user_of(MINA).user_id == user.user_id
    lib.accounts.as_operator().delete_user(user.user_id)
    with pytest.raises(UserNotFound):
        sign_in._user_of(MINA)


def test_with_sign_in_nobody_sees_anything_before_it(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "is_configured", lambda: True)
    on_page_of(monkeypatch, None, None)
    with pytest.raises(SignInRequired):
        resources.library()
    with pytest.raises(LinkInvalid):
        resources.library_for(lib.user_id)


def test_a_shared_library_stays_closed_without_the_configuration(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    user_of(lib, MINA)
    on_page_of(monkeypatch, None, None)
    with pytest.raises(SignInRequired):
        resources.library()


def test_each_user_gets_their_own_view_which_stays_the_same(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pages keep in memory is kept by library: one object for a user, and another for another one."""
    mina, jun = user_of(lib, MINA), user_of(lib, JUN)
    views = {}
    for who, user in ((MINA, mina), (JUN, jun)):
        on_page_of(monkeypatch, who, SignedIn(who.key, user.user_id, user.name))
        views[user.user_id] = resources.library()
        assert resources.library() is resources.library_for(user.user_id) is views[user.user_id]
        assert views[user.user_id].user_id == user.user_id
    assert views[mina.user_id] is not views[jun.user_id]
    assert resources.may_manage_server(mina.user_id)
    assert not resources.may_manage_server(jun.user_id)


def test_users_share_the_connection_to_the_queue(lib: Library) -> None:
    queue = lib.queue = JobQueue(lib)
    mina = user_of(lib, MINA)
    other = resources.library_for(mina.user_id).queue
    assert isinstance(other, JobQueue)
    assert other is not queue
    assert other._connection is queue._connection
    assert other._library.user_id == mina.user_id


@pytest.mark.parametrize("who", [None, JUN])
def test_the_session_of_one_user_is_none_of_another(lib: Library, monkeypatch: pytest.MonkeyPatch, who: Any) -> None:
    """As after a sign-out, or if another cookie were presented to an open page."""
    mina = user_of(lib, MINA)
    on_page_of(monkeypatch, who, SignedIn(MINA.key, mina.user_id, mina.name))
    with pytest.raises(SignInRequired):
        resources.library()


def test_a_user_who_is_gone_is_asked_to_sign_in(lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    user_of(lib, MINA)
    on_page_of(monkeypatch, JUN, SignedIn(JUN.key, "u-gone", "Jun"))
    with pytest.raises(SignInRequired):
        resources.library()
    with pytest.raises(LinkInvalid):
        resources.library_for("u-gone")
