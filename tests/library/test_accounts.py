"""Who uses a library: signing in, roles and tokens, with the catalog in either database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from heimdex_core.errors import (
    EmailNotVerified,
    InvalidValue,
    NotAllowed,
    SignInNotAllowed,
    TokenExpired,
    TokenInvalid,
    TokenNotFound,
    UserNotFound,
)
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.store import account_records
from heimdex_core.types import Principal, User, utc_now

GOOGLE, KEYCLOAK = "https://accounts.google.com", "https://login.example.com/realms/team"


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def lib(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    if request.param == "postgres":
        request.getfixturevalue("database")
    monkeypatch.setenv("HEIMDEX_ADMINS", " Anna@Example.com ,ben@example.com,")
    with Library.open(tmp_path / "library", profile="offline", settings=Settings()) as opened:
        yield opened


def sign_in(
    lib: Library, subject: str, email: str | None, *, verified: bool = True, issuer: str = GOOGLE, name: str = ""
) -> User:
    return lib.accounts.sign_in(issuer, subject, email, verified, name)


class TestUsers:
    def test_until_somebody_signs_in_the_single_user_is_the_admin(self, lib: Library) -> None:
        assert not lib.accounts.is_shared()
        assert lib.accounts.is_admin
        assert lib.accounts.current().role == "admin"
        assert not lib.as_user("somebody").accounts.is_admin
        anna = sign_in(lib, "1", "anna@example.com", name="Anna")
        assert lib.accounts.is_shared()
        assert not lib.accounts.is_admin
        assert lib.accounts.current().role == "member"
        assert lib.as_user(anna.user_id).accounts.is_admin
        assert [(user.name, user.role) for user in lib.as_user(anna.user_id).accounts.users()] == [
            ("Anna", "admin"),
            ("local", "member"),
        ]

    def test_a_library_of_one_user_publishes_nothing(self, lib: Library) -> None:
        assert not (lib.path / "accounts.json").exists()
        sign_in(lib, "1", "anna@example.com")
        assert (lib.path / "accounts.json").exists()

    def test_only_verified_addresses_of_the_setting_make_admins(self, lib: Library) -> None:
        assert sign_in(lib, "1", " ANNA@example.COM").role == "admin"
        assert sign_in(lib, "2", "ben@example.com", verified=False).role == "member"
        assert sign_in(lib, "3", "clara@example.com").role == "member"
        assert sign_in(lib, "4", None).role == "member"

    def test_a_verified_address_links_identities_and_an_unverified_one_does_not(self, lib: Library) -> None:
        first = sign_in(lib, "1", "dana@example.com", name="Dana")
        assert sign_in(lib, "1", "dana@example.com").user_id == first.user_id
        assert sign_in(lib, "renamed", "Dana@Example.com").user_id == first.user_id
        assert sign_in(lib, "1", "dana@example.com", issuer=KEYCLOAK).user_id == first.user_id
        other = sign_in(lib, "2", "dana@example.com", verified=False, issuer=KEYCLOAK)
        assert other.user_id != first.user_id
        assert other.email is None
        assert sign_in(lib, "renamed", None).user_id == first.user_id

    def test_an_address_is_one_users(self, lib: Library) -> None:
        """An identity that is known stays its user when it brings the address of another one."""
        dana, emil = sign_in(lib, "1", "dana@example.com"), sign_in(lib, "2", "emil@example.com")
        again = sign_in(lib, "2", "dana@example.com")
        assert (again.user_id, again.email) == (emil.user_id, None)
        assert lib.accounts.as_operator().find("dana@example.com").user_id == dana.user_id
        # the address is free again as soon as its user has another one
        assert sign_in(lib, "1", "dana.new@example.com").email == "dana.new@example.com"
        assert sign_in(lib, "2", "dana@example.com").email == "dana@example.com"

    def test_an_admin_whose_address_is_no_longer_verified_is_none(self, lib: Library) -> None:
        assert sign_in(lib, "1", "anna@example.com").role == "admin"
        assert sign_in(lib, "1", "anna@example.com", verified=False).role == "member"

    def test_two_first_logins_at_once_make_one_user(self, lib: Library) -> None:
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda n=n: found.append(sign_in(lib, str(n % 2), "fay@example.com").user_id))
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert len(set(found)) == 1
        assert len(lib.accounts.as_operator().users()) == 2  # and the single user

    @pytest.mark.parametrize(("issuer", "subject"), [("", "1"), (GOOGLE, ""), (GOOGLE, "a\0b"), ("x" * 501, "1")])
    def test_an_identity_that_is_none_is_refused(self, lib: Library, issuer: str, subject: str) -> None:
        with pytest.raises(InvalidValue):
            sign_in(lib, subject, None, issuer=issuer)
        assert not lib.accounts.is_shared()

    @pytest.mark.parametrize("email", ["", "@", "anna", "a b@example.com", "anna@example.com\0", f"{'a' * 320}@b.c"])
    def test_what_is_no_address_is_not_kept(self, lib: Library, email: str) -> None:
        assert sign_in(lib, "1", email, name=" Anna\n").email is None

    def test_a_session_that_outlives_its_user_makes_no_other_one(self, lib: Library) -> None:
        with pytest.raises(UserNotFound):
            lib.accounts.sign_in(GOOGLE, "1", "anna@example.com", True, "Anna", create=False)
        assert not lib.accounts.is_shared()
        anna = sign_in(lib, "1", "anna@example.com")
        assert lib.accounts.sign_in(GOOGLE, "1", "anna@example.com", True, "Anna", create=False).user_id == anna.user_id
        # another identity with her address is hers, too
        assert lib.accounts.sign_in(KEYCLOAK, "7", "anna@example.com", True, "", create=False).user_id == anna.user_id

    def test_who_is_admitted(self, lib: Library) -> None:
        assert not lib.accounts.is_admitted("nobody")
        assert lib.accounts.is_admitted(sign_in(lib, "1", "anna@example.com").user_id)

    def test_only_admins_list_users(self, lib: Library) -> None:
        clara = lib.as_user(sign_in(lib, "3", "clara@example.com").user_id)
        for call in (clara.accounts.users, lambda: clara.accounts.find("local")):
            with pytest.raises(NotAllowed):
                call()
        with pytest.raises(UserNotFound):
            lib.as_user("nobody").accounts.current()

    def test_only_admins_change_the_defaults_of_everybody(self, lib: Library) -> None:
        lib.evaluation.make_default({"fusion": "rrf"}, scope="library")
        anna, clara = (lib.as_user(sign_in(lib, name, f"{name}@example.com").user_id) for name in ("anna", "clara"))
        clara.evaluation.make_default({"fusion": "combsum"}, scope="me")
        for call in (
            lambda: clara.evaluation.make_default({"fusion": "combsum"}, scope="library"),
            lambda: clara.evaluation.undo_default(scope="library"),
        ):
            with pytest.raises(NotAllowed):
                call()
        assert anna.evaluation.defaults().fusion == "rrf"
        anna.evaluation.make_default({"fusion": "combmnz"}, scope="library")
        assert anna.evaluation.defaults().fusion == "combmnz"
        assert clara.evaluation.defaults().fusion == "combsum"


class TestWhoMaySignIn:
    """HEIMDEX_SIGN_IN_ALLOWED; the admins are Anna and Ben of example.com."""

    ALLOWED = " Clara@Example.com, @team.example,"

    @pytest.fixture
    def limited(self, lib: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
        """The library after a restart with the list."""
        monkeypatch.setenv("HEIMDEX_SIGN_IN_ALLOWED", self.ALLOWED)
        with Library.open(lib.path, settings=Settings()) as opened:
            yield opened

    @pytest.mark.parametrize("email", ["CLARA@example.com", "dora@team.example", "anna@example.com"])
    def test_those_who_are_named_their_domain_and_admins(self, limited: Library, email: str) -> None:
        assert limited.accounts.is_admitted(sign_in(limited, "1", email).user_id)

    @pytest.mark.parametrize(
        "email", ["eve@example.com", "eve@sub.team.example", "team.example@evil.example", "a@team.example@evil.example"]
    )
    def test_nobody_else_and_no_user_is_made(self, limited: Library, email: str) -> None:
        with pytest.raises(SignInNotAllowed) as refused:
            sign_in(limited, "1", email)
        assert email in refused.value.message
        for unverified in (email, "clara@example.com"):
            with pytest.raises(EmailNotVerified):
                sign_in(limited, "1", unverified, verified=False)
        assert not limited.accounts.is_shared()

    def test_who_is_taken_off_the_list_loses_access(self, lib: Library, limited: Library) -> None:
        eve = lib.as_user(sign_in(lib, "5", "eve@gone.example").user_id)
        clara = lib.as_user(sign_in(lib, "3", "clara@example.com").user_id)
        _, secret = eve.accounts.make_token("t", ["read"])
        _, still = clara.accounts.make_token("t", ["read"])
        _, operators = lib.accounts.make_token("t", ["read"])
        assert lib.accounts.authenticate(secret).user_id == eve.user_id
        assert not limited.accounts.is_admitted(eve.user_id)
        with pytest.raises(SignInNotAllowed, match="eve@gone.example"):
            limited.accounts.authenticate(secret)
        with pytest.raises(TokenInvalid):  # only who has the secret learns of the list
            limited.accounts.authenticate(secret[:-1])
        with pytest.raises(SignInNotAllowed):
            limited.accounts.sign_in(GOOGLE, "5", "eve@gone.example", True, "Eve", create=False)
        assert limited.accounts.authenticate(still).user_id == clara.user_id
        assert limited.accounts.authenticate(operators).user_id == limited.user_id

    def test_an_identity_whose_own_address_is_not_on_the_list(self, lib: Library, limited: Library) -> None:
        """It presents the address of another user, which does not make it that user, nor lets it in."""
        sign_in(lib, "5", "eve@gone.example")
        clara = sign_in(lib, "3", "clara@example.com")
        with pytest.raises(SignInNotAllowed):
            sign_in(limited, "5", "clara@example.com")
        assert sign_in(limited, "3", "clara@example.com").user_id == clara.user_id


class TestTokens:
    def test_a_token_opens_its_users_library_for_its_scopes(self, lib: Library) -> None:
        clara = lib.as_user(sign_in(lib, "3", "clara@example.com").user_id)
        token, secret = clara.accounts.make_token("backup", ["write", "read"])
        assert secret.startswith(f"hdx_{token.token_id}_")
        assert token.scopes == ("read", "write")
        assert lib.accounts.authenticate(secret) == Principal(clara.user_id, ("read", "write"))
        assert [one.token_id for one in clara.accounts.tokens()] == [token.token_id]
        assert lib.accounts.tokens() == []

    def test_the_secret_is_nowhere_in_the_library(self, lib: Library) -> None:
        _, secret = lib.accounts.make_token("t", ["read"])
        kept = secret.rpartition("_")[2].encode()
        files = [path for path in lib.path.rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if kept in path.read_bytes()]

    @pytest.mark.parametrize("change", ["", "x", "cut", "other", "prefix"])
    def test_another_secret_is_refused(self, lib: Library, change: str) -> None:
        token, secret = lib.accounts.make_token("t", ["read"])
        other, _ = lib.accounts.make_token("t", ["read"])
        wrong = {
            "": "",
            "x": f"hdx_{token.token_id}_x",
            "cut": secret[:-1],
            "other": secret.replace(token.token_id, other.token_id),
            "prefix": secret.replace("hdx", "hdy"),
        }[change]
        with pytest.raises(TokenInvalid):
            lib.accounts.authenticate(wrong)

    def test_a_revoked_token_is_invalid_at_once_and_nobody_elses_can_be_revoked(self, lib: Library) -> None:
        clara = lib.as_user(sign_in(lib, "3", "clara@example.com").user_id)
        token, secret = clara.accounts.make_token("t", ["read"])
        with pytest.raises(TokenNotFound):
            lib.accounts.revoke_token(token.token_id)
        with Library.open(lib.path) as other:
            other.accounts.authenticate(secret)
            clara.accounts.revoke_token(token.token_id)
            with pytest.raises(TokenInvalid):
                other.accounts.authenticate(secret)
        with pytest.raises(TokenNotFound):
            clara.accounts.revoke_token(token.token_id)

    def test_a_token_expires(self, lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        token, secret = lib.accounts.make_token("t", ["read"], expires_in_s=60)
        assert token.expires_at is not None
        assert lib.accounts.authenticate(secret)
        monkeypatch.setattr(account_records, "utc_now", lambda: utc_now() + timedelta(seconds=60))
        with pytest.raises(TokenExpired):
            lib.accounts.authenticate(secret)
        with pytest.raises(TokenInvalid):  # only who has the secret learns that it is too old
            lib.accounts.authenticate(secret[:-1])

    def test_last_use_is_noted_once_a_minute(self, lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        _, secret = lib.accounts.make_token("t", ["read"])
        assert lib.accounts.tokens()[0].last_used_at is None
        lib.accounts.authenticate(secret)
        first = lib.accounts.tokens()[0].last_used_at
        assert first is not None
        assert lib.accounts.current().last_seen_at == first
        lib.accounts.authenticate(secret)
        lib.as_user("local").accounts.authenticate(secret)
        with Library.open(lib.path) as other:
            other.accounts.authenticate(secret)
        assert lib.accounts.tokens()[0].last_used_at == first

    def test_who_uses_a_token_never_waits_for_a_writer(self, lib: Library) -> None:
        _, secret = lib.accounts.make_token("t", ["read"])
        found: list[Principal] = []
        with lib._store.catalog.transaction():
            thread = threading.Thread(target=lambda: found.append(lib.accounts.authenticate(secret)))
            thread.start()
            thread.join(5)
        assert found == [Principal("local", ("read",))]

    def test_only_admins_make_tokens_of_admins(self, lib: Library) -> None:
        lib.accounts.make_token("t", ["admin"])
        clara = lib.as_user(sign_in(lib, "3", "clara@example.com").user_id)
        with pytest.raises(NotAllowed):
            clara.accounts.make_token("t", ["read", "admin"])

    @pytest.mark.parametrize("scopes", [[], ["all"], ["read", "owner"]])
    def test_unknown_scopes_are_refused(self, lib: Library, scopes: list[str]) -> None:
        with pytest.raises(InvalidValue):
            lib.accounts.make_token("t", scopes)

    @pytest.mark.parametrize("lifetime_s", [0, -1, 1e12])
    def test_times_that_make_no_sense_are_refused(self, lib: Library, lifetime_s: float) -> None:
        with pytest.raises(InvalidValue):
            lib.accounts.make_token("t", ["read"], expires_in_s=lifetime_s)

    def test_a_user_has_only_so_many(self, lib: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("heimdex_core.store.accounts.MAX_TOKENS", 2)
        first = lib.accounts.make_token("one", ["read"])[0]
        lib.accounts.make_token("two", ["read"])
        clara = lib.as_user(sign_in(lib, "3", "clara@example.com").user_id)
        clara.accounts.make_token("of another user", ["read"])
        with pytest.raises(InvalidValue, match="at most 2 tokens"):
            lib.accounts.make_token("three", ["read"])
        lib.accounts.revoke_token(first.token_id)
        lib.accounts.make_token("three", ["read"])

    def test_nobody_has_no_tokens(self, lib: Library) -> None:
        with pytest.raises(UserNotFound):
            lib.as_user("nobody").accounts.make_token("t", ["read"])
        assert lib.as_user("nobody").accounts.tokens() == []


def test_a_damaged_file_of_accounts_lets_nobody_in(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", profile="offline") as lib:
        sign_in(lib, "3", "clara@example.com", name="Clara")
        (tmp_path / "library" / "accounts.json").write_text('{"shared": tr')
        assert lib.accounts.is_shared(), "else the single user would be shown everything as its admin"
        assert not lib.accounts.is_admin
        sign_in(lib, "4", "dora@example.com", name="Dora")  # it is written again
        assert sorted(user.name for user in lib.accounts.as_operator().users()) == ["Clara", "Dora", "local"]


def test_a_lost_catalog_keeps_users_and_tokens(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", profile="offline") as lib:
        clara = sign_in(lib, "3", "clara@example.com", name="Clara")
        _, secret = lib.as_user(clara.user_id).accounts.make_token("t", ["read"])
    (tmp_path / "library" / "catalog.duckdb").unlink()
    Library.repair(tmp_path / "library")
    with Library.open(tmp_path / "library") as lib:
        assert sign_in(lib, "3", None).user_id == clara.user_id
        assert lib.accounts.authenticate(secret).user_id == clara.user_id


@pytest.mark.parametrize("value", ["anna", "anna@example.com, ben@", "a b@example.com", "@"])
@pytest.mark.parametrize("name", ["HEIMDEX_ADMINS", "HEIMDEX_SIGN_IN_ALLOWED"])
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="e-mail"):
        Settings()
