"""What a store does with users and tokens: each method is one transaction, or a look at the published file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from cachetools import TTLCache

from heimdex_core.errors import HeimdexError
from heimdex_core.files import file_signature
from heimdex_core.store import accounts, shares, users
from heimdex_core.store.accounts import NOBODY, Account, PublishedAccounts
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.types import Json, Principal, Scope, Token, to_json, utc_now

log = logging.getLogger(__name__)

NOTED_EVERY_S = 60.0
"""How exact it is when a token was last used and a user last seen."""


class AccountRecords:
    """Part of a store. Safe to share between threads."""

    def __init__(self, paths: LibraryPaths, catalog: Catalog) -> None:
        self._paths = paths
        self._catalog = catalog
        self._lock = threading.Lock()
        self._held: tuple[tuple[int, int, int], PublishedAccounts] | None = None
        self._noted: TTLCache[str, bool] = TTLCache(10_000, NOTED_EVERY_S, timer=monotonic)
        """The tokens whose use this process has noted a moment ago."""

    def published(self) -> PublishedAccounts:
        """What everybody sees now; takes no lock, and reads the file only after it has changed."""
        if self._catalog.mirror is not None:
            self._catalog.mirror.pull()
        signature = file_signature(self._paths.accounts)
        if signature is None:
            return NOBODY
        with self._lock:
            if self._held is None or self._held[0] != signature:
                self._held = signature, accounts.read(self._paths)
            return self._held[1]

    def find(self, user_id: str) -> Account | None:
        """A user by id."""
        with self._catalog.transaction() as transaction:
            return accounts.find(transaction, user_id)

    def get(self, user: str) -> Account:
        """A user by id or verified e-mail address. Raises UserNotFound."""
        with self._catalog.transaction() as transaction:
            return accounts.get(transaction, user)

    def ensure(self, user_id: str) -> Account:
        """The single user of a library, who is recorded if that has not happened yet."""
        with self._catalog.transaction() as transaction:
            users.ensure_user(transaction, user_id)
            return accounts.get(transaction, user_id)

    def all(self) -> list[Account]:
        """All users, by their name."""
        with self._catalog.transaction() as transaction:
            return accounts.every(transaction)

    def sign_in(self, issuer: str, subject: str, email: str | None, name: str, *, create: bool = True) -> Account:
        """The user of an identity, made on the first login; see accounts.sign_in."""
        with self._catalog.transaction() as transaction:
            return accounts.sign_in(transaction, issuer, subject, email, name, create=create)

    def delete(self, user: str) -> str:
        """Begin to remove a user (id or e-mail); the user_id. One whose removal has begun is taken too.

        Raises UserNotFound.
        """
        with self._catalog.transaction() as transaction:
            user_id = user if accounts.is_deleted(transaction, user) else accounts.get(transaction, user).user_id
            accounts.delete(transaction, user_id)
            return user_id

    def remove_rows(self, user_id: str) -> None:
        """Remove all rows of a user, except those of videos, which are purged."""
        with self._catalog.transaction() as transaction:
            for table in accounts.tables_of_users(transaction):
                if table != "videos":
                    transaction.run(f"delete from {table} where user_id = ?", [user_id])  # noqa: S608 - our own names

    def rows(self, user_id: str) -> dict[str, list[Json]]:
        """All rows of a user by table; of tokens without what they are checked by."""
        with self._catalog.transaction() as transaction:
            names = [*accounts.tables_of_users(transaction), "users", "identities", "tokens"]
            found = {
                name: transaction.rows(f"select * from {name} where user_id = ?", [user_id])  # noqa: S608 - our own names
                for name in names
            }
            found["collections"] = transaction.rows("select * from collections where owner_id = ?", [user_id])
            for table, key, owner, of in (
                ("collection_videos", "collection_id", "owner_id", "collections"),
                ("watched_files", "folder_id", "user_id", "watched_folders"),
            ):
                named = f"select * from {table} where {key} in (select {key} from {of} where {owner} = ?)"  # noqa: S608
                found[table] = transaction.rows(named, [user_id])
            found["shares"] = [to_json(share) for share in shares.given_by(transaction, user_id)]
        for token in found["tokens"]:
            del token["digest"]
        return found

    def unfinished_removals(self) -> list[str]:
        """Users whose removal has begun and was interrupted."""
        with self._catalog.transaction() as transaction:
            return accounts.unfinished_removals(transaction)

    def finish_removal(self, user_id: str) -> None:
        """Note that nothing is left of a deleted user."""
        with self._catalog.transaction() as transaction:
            accounts.finish_removal(transaction, user_id)

    def tokens(self, user_id: str) -> list[Token]:
        """A user's tokens, the newest first."""
        with self._catalog.transaction() as transaction:
            return accounts.tokens_of(transaction, user_id)

    def make_token(
        self, user_id: str, name: str, scopes: Sequence[Scope], expires_at: datetime | None
    ) -> tuple[Token, str]:
        """Make a token; returns it and its secret."""
        with self._catalog.transaction() as transaction:
            return accounts.make_token(transaction, user_id, name, scopes, expires_at)

    def revoke_token(self, user_id: str, token_id: str) -> None:
        """Remove a token of a user. Raises TokenNotFound."""
        with self._catalog.transaction() as transaction:
            accounts.revoke_token(transaction, user_id, token_id)

    def authenticate(self, secret: str) -> Principal:
        """Whose library a secret opens. Raises TokenInvalid, TokenExpired. Never waits for a writer."""
        now = utc_now()
        token = self.published().authenticate(secret, now)
        principal = Principal(token.user_id, token.scopes)
        with self._lock:
            is_noted = self._noted.get(token.token_id, False)
            self._noted[token.token_id] = True
        if not is_noted:
            try:
                with self._catalog.transaction(timeout_s=0.0) as transaction:
                    accounts.note_use(transaction, principal, token.token_id, now, NOTED_EVERY_S)
            except HeimdexError as error:  # busy or full: that is no reason to refuse anybody
                log.info("the use of a token could not be noted: %s", error)
        return principal
