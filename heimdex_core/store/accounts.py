"""Users, their identities at sign-in services, and their tokens.

    accounts.json     users, tokens (as digests) and deleted users, rewritten after each commit that changes them

A token is checked against that file, so nobody waits for a writer to be let in. A library in which nobody has signed
in, and that has no token, has no such file.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from heimdex_core.errors import InvalidValue, TokenExpired, TokenInvalid, TokenNotFound, UserNotFound
from heimdex_core.files import read_json_object, write_json
from heimdex_core.store import shares
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.transaction import ACCOUNT_TABLES, Row, Transaction, from_us, to_us
from heimdex_core.types import SCOPES, Json, Principal, Scope, Token, utc_now

_PREFIX = "hdx"
_SECRET_BYTES = 32
MAX_TOKENS = 100
"""Of one user: requests are limited by token, and all tokens are read to check one."""


@dataclass(frozen=True)
class Account:
    """A user as the tables have it; what role that is depends on the settings."""

    user_id: str
    name: str
    email: str | None
    created_at: datetime
    last_seen_at: datetime | None = None


@dataclass(frozen=True)
class KnownToken:
    """A token as accounts.json has it."""

    token_id: str
    user_id: str
    scopes: tuple[Scope, ...]
    digest: str
    """SHA-256 of the secret, hexadecimal."""
    expires_at: datetime | None


@dataclass(frozen=True)
class PublishedAccounts:
    """One moment of accounts.json."""

    is_shared: bool = False
    """Whether anybody has ever signed in."""
    users: Mapping[str, Account] = field(default_factory=dict)
    """By user_id."""
    tokens: Mapping[str, KnownToken] = field(default_factory=dict)
    """By token_id."""
    deleted: frozenset[str] = frozenset()
    """The ids of users who were deleted; they are never used again."""

    def authenticate(self, secret: str, now: datetime) -> KnownToken:
        """The token of a secret. Raises TokenInvalid, TokenExpired; the latter only to who has the whole secret."""
        parts = secret.split("_", 2)
        token = self.tokens.get(parts[1]) if len(parts) == 3 and parts[0] == _PREFIX else None
        expected = token.digest if token is not None else ""
        if not hmac.compare_digest(_digest(secret), expected) or token is None or token.user_id in self.deleted:
            raise TokenInvalid()
        if token.expires_at is not None and token.expires_at <= now:
            raise TokenExpired(expired_at=token.expires_at.isoformat(timespec="seconds"))
        return token


NOBODY = PublishedAccounts()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


# --- users ----------------------------------------------------------------------------------------


def find(transaction: Transaction, user_id: str) -> Account | None:
    """A user by id."""
    rows = transaction.rows("select * from users where user_id = ?", [user_id])
    return _account(rows[0]) if rows else None


def get(transaction: Transaction, user: str) -> Account:
    """A user by id or by verified e-mail address. Raises UserNotFound."""
    found = find(transaction, user) or _by_email(transaction, user)
    if found is None:
        raise UserNotFound(user=user[:80])
    return found


def every(transaction: Transaction) -> list[Account]:
    """All users, by their name."""
    return [_account(row) for row in transaction.rows("select * from users order by lower(name), user_id")]


def is_shared(transaction: Transaction) -> bool:
    """Whether anybody has ever signed in."""
    return bool(transaction.rows("select 1 from identities limit 1"))


def is_deleted(transaction: Transaction, user_id: str) -> bool:
    """Whether there was such a user."""
    return bool(transaction.rows("select 1 from deleted_users where user_id = ?", [user_id]))


def sign_in(
    transaction: Transaction, issuer: str, subject: str, email: str | None, name: str, *, create: bool = True
) -> Account:
    """The user of an identity, made if there is none, or with `create=False` UserNotFound.

    Args:
        transaction: an open one.
        issuer: the sign-in service.
        subject: the user's id there.
        email: a verified address in lower case, or None. Another identity with this address is the same user, so
            whoever gets another id from a service, or uses a second one, stays who they are.
        name: what the service calls the user.
    """
    now_us = to_us(utc_now())
    rows = transaction.rows("select user_id from identities where issuer = ? and subject = ?", [issuer, subject])
    known = find(transaction, rows[0]["user_id"]) if rows else None
    owner = _by_email(transaction, email) if email is not None else None
    found = known or owner
    if found is None and not create:
        raise UserNotFound(user=(email or subject)[:80])
    user_id = found.user_id if found is not None else _new_user(transaction)
    transaction.run("delete from identities where issuer = ? and subject = ?", [issuer, subject])
    identity: Row = {"issuer": issuer, "subject": subject, "user_id": user_id, "email": email, "seen_us": now_us}
    transaction.insert("identities", identity)
    if owner is not None and owner.user_id != user_id:
        address = _other_address(transaction, user_id, owner.user_id)  # an address is one user's
    else:
        address = email or _other_address(transaction, user_id, user_id)
    transaction.update("users", {"name": name, "email": address, "last_seen_us": now_us}, {"user_id": user_id})
    return get(transaction, user_id)


def _new_user(transaction: Transaction) -> str:
    user_id = f"u-{uuid.uuid4().hex}"
    transaction.insert("users", {"user_id": user_id, "name": "", "created_us": to_us(utc_now())})
    return user_id


def _other_address(transaction: Transaction, user_id: str, not_of: str) -> str | None:
    """The last verified address that any identity of the user still has, without those of another user."""
    rows = transaction.rows(
        """select email from identities where user_id = ? and email is not null and email not in (
               select email from users where user_id <> ? and email is not null)
           order by seen_us desc, email limit 1""",
        [user_id, user_id],
    )
    return rows[0]["email"] if rows else None


def _by_email(transaction: Transaction, email: str) -> Account | None:
    rows = transaction.rows("select * from users where email = ?", [email.strip().lower()])
    return _account(rows[0]) if rows else None


def _account(row: Row) -> Account:
    created_at = from_us(row["created_us"])
    assert created_at is not None  # noqa: S101 - every user has it
    return Account(row["user_id"], row["name"], row["email"], created_at, from_us(row["last_seen_us"]))


def delete(transaction: Transaction, user_id: str) -> None:
    """First step of a removal: the user, their identities, tokens and shares are gone, and nothing can be added.

    `finish_removal` is the last one.
    """
    if not is_deleted(transaction, user_id):
        transaction.delete_user(user_id)
    shares.forget_user(transaction, user_id)
    for table in ("users", "identities", "tokens"):
        transaction.run(f"delete from {table} where user_id = ?", [user_id])  # noqa: S608 - our own names


def finish_removal(transaction: Transaction, user_id: str) -> None:
    """Last step of a removal: nothing of the user is left."""
    transaction.update("deleted_users", {"deleted_us": to_us(utc_now())}, {"user_id": user_id})


def unfinished_removals(transaction: Transaction) -> list[str]:
    """The ids of users whose removal has begun and was interrupted."""
    rows = transaction.rows(
        """select user_id from deleted_users where deleted_us is null
           or user_id in (select user_id from videos) order by user_id"""
    )
    return [row["user_id"] for row in rows]


def tables_of_users(transaction: Transaction) -> list[str]:
    """The tables with rows of users, besides those that say who is one."""
    names = [name for name in transaction.tables() if "user_id" in transaction.columns(name)]
    return [name for name in names if name not in ACCOUNT_TABLES]


# --- tokens ---------------------------------------------------------------------------------------


def make_token(
    transaction: Transaction, user_id: str, name: str, scopes: Sequence[Scope], expires_at: datetime | None
) -> tuple[Token, str]:
    """Make a token; returns it and its secret, of which only the digest is kept. Raises InvalidValue for too many."""
    count = transaction.rows("select count(*) as n from tokens where user_id = ?", [user_id])[0]["n"]
    if count >= MAX_TOKENS:
        reason = f"a user has at most {MAX_TOKENS} tokens; revoke one that is not needed any more"
        raise InvalidValue(name="name", value=name[:80], reason=reason)
    token_id = secrets.token_hex(8)
    secret = f"{_PREFIX}_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    row: Row = {
        "token_id": token_id,
        "user_id": user_id,
        "name": name,
        "scopes": " ".join(scope for scope in SCOPES if scope in scopes),
        "digest": _digest(secret),
        "created_us": to_us(utc_now()),
        "expires_us": to_us(expires_at),
        "last_used_us": None,
    }
    transaction.insert("tokens", row)
    return _token(row), secret


def tokens_of(transaction: Transaction, user_id: str) -> list[Token]:
    """A user's tokens, the newest first."""
    sql = "select * from tokens where user_id = ? order by created_us desc, token_id"
    return [_token(row) for row in transaction.rows(sql, [user_id])]


def revoke_token(transaction: Transaction, user_id: str, token_id: str) -> None:
    """Remove a token of a user. Raises TokenNotFound."""
    key = [token_id, user_id]
    if not transaction.rows("select 1 from tokens where token_id = ? and user_id = ?", key):
        raise TokenNotFound(token_id=token_id[:80])
    transaction.run("delete from tokens where token_id = ? and user_id = ?", key)


def note_use(transaction: Transaction, principal: Principal, token_id: str, now: datetime, every_s: float) -> None:
    """Keep when a token and its user were last seen, unless that has been noted within `every_s` seconds."""
    latest_us = to_us(now - timedelta(seconds=every_s))
    for table, column, key, value in (
        ("tokens", "last_used_us", "token_id", token_id),
        ("users", "last_seen_us", "user_id", principal.user_id),
    ):
        test = f"{key} = ? and ({column} is null or {column} < ?)"
        if transaction.rows(f"select 1 from {table} where {test}", [value, latest_us]):  # noqa: S608 - our own names
            transaction.update(table, {column: to_us(now)}, {key: value})


def _scopes(text: str) -> tuple[Scope, ...]:
    return tuple(scope for scope in SCOPES if scope in text.split())


def _token(row: Row) -> Token:
    created_at = from_us(row["created_us"])
    assert created_at is not None  # noqa: S101 - every token has it
    scopes, times = _scopes(row["scopes"]), (from_us(row["expires_us"]), from_us(row["last_used_us"]))
    return Token(row["token_id"], row["user_id"], row["name"], scopes, created_at, *times)


# --- the published file ---------------------------------------------------------------------------


def collect(transaction: Transaction, paths: LibraryPaths) -> Json | None:
    """What accounts.json shall contain; None where no file is needed."""
    users = transaction.rows("select user_id, name, email, created_us from users order by user_id")
    tokens = transaction.rows("select token_id, user_id, scopes, digest, expires_us from tokens order by token_id")
    deleted = [row["user_id"] for row in transaction.rows("select user_id from deleted_users order by user_id")]
    shared = is_shared(transaction)
    if not (shared or tokens or deleted or paths.accounts.exists()):
        return None
    return {"shared": shared, "users": users, "tokens": tokens, "deleted": deleted}


def write(paths: LibraryPaths, content: Json) -> None:
    """Publish what `collect` has found, unless the file says so already. The caller holds the catalog's lock."""
    if read_json_object(paths.accounts) != content:
        write_json(paths.accounts, content)


def is_outdated(transaction: Transaction, paths: LibraryPaths) -> bool:
    """Whether the published file differs from the catalog, as after a crash."""
    return collect(transaction, paths) != read_json_object(paths.accounts)


def read(paths: LibraryPaths) -> PublishedAccounts:
    """What is published, read without a lock. A file that cannot be read lets nobody in, the single user included."""
    found: dict[str, Any] = read_json_object(paths.accounts) or {"shared": True}
    return PublishedAccounts(
        bool(found.get("shared")),
        {row["user_id"]: _account({**row, "last_seen_us": None}) for row in found.get("users", ())},
        {row["token_id"]: _known_token(row) for row in found.get("tokens", ())},
        frozenset(found.get("deleted", ())),
    )


def _known_token(row: Row) -> KnownToken:
    return KnownToken(
        row["token_id"], row["user_id"], _scopes(row["scopes"]), row["digest"], from_us(row["expires_us"])
    )
