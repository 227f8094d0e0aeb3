"""Who uses the library: signing in, users, roles and tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from heimdex_core.errors import EmailNotVerified, InvalidValue, NotAllowed, SignInNotAllowed, TokenInvalid, UserNotFound
from heimdex_core.library import account_removal
from heimdex_core.library.arguments import AnyPath, Names, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.store.accounts import Account
from heimdex_core.store.users import LOCAL_USER
from heimdex_core.types import SCOPES, Principal, Scope, Token, User, Video, utc_now

MAX_NAME_CHARS = 200
_MAX_IDENTITY_CHARS = 500
_MAX_ADDRESS_CHARS = 320
_MAX_LIFETIME_S = 10 * 366 * 24 * 3600.0


class Accounts:
    """Part of a Library (`lib.accounts`).

    A library is shared as soon as somebody has signed in. Before that its single user (HEIMDEX_USER_ID) is its admin;
    after it, admins are who has one of the verified addresses in HEIMDEX_ADMINS, and users may be limited to those of
    HEIMDEX_SIGN_IN_ALLOWED.
    """

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._records = context.store.accounts

    def as_operator(self) -> Accounts:
        """The same with the rights of an admin, as Library.as_operator."""
        return Accounts(replace(self._context, is_operator=True))

    # --- who it is --------------------------------------------------------------------------------

    def is_shared(self) -> bool:
        """Whether anybody has ever signed in. Never waits for a writer."""
        return self._records.published().is_shared

    @property
    def is_admin(self) -> bool:
        """Whether the user may do what only admins may. Never waits for a writer."""
        if self._context.is_operator:
            return True
        published, user_id = self._records.published(), self._context.user_id
        if user_id in published.deleted:
            return False
        if not published.is_shared:
            return user_id == self._context.settings.user_id
        found = published.users.get(user_id)
        return found is not None and self._is_admin_address(found.email)

    def require_admin(self) -> None:
        """Raise NotAllowed unless the user is an admin."""
        if not self.is_admin:
            raise NotAllowed(needed="the role admin")

    def current(self) -> User:
        """The user whose library this is. Raises UserNotFound."""
        user_id = self._context.user_id
        account = self._records.find(user_id)
        if account is None and user_id == self._context.settings.user_id:
            account = self._records.ensure(user_id)
        if account is None:
            raise UserNotFound(user=user_id)
        return self._user(account)

    @checked
    def sign_in(
        self, issuer: str, subject: str, email: str | None, email_verified: bool, name: str, *, create: bool = True
    ) -> User:
        """The user of an identity that a sign-in service has vouched for; by default made on the first login.

        Args:
            issuer: the service, as its `iss` claim says.
            subject: the user's id there, `sub`.
            email: the address it knows, if any.
            email_verified: whether it has verified the address. Users with the same verified address are one; an
                address that is not verified is not kept, links nothing and makes nobody an admin.
            name: what to call the user; may be empty.
            create: make the user if there is none; else UserNotFound is raised. A session that outlives its user must
                not make another one.

        Raises InvalidValue, UserNotFound; where HEIMDEX_SIGN_IN_ALLOWED is set, EmailNotVerified without a verified
        address, and SignInNotAllowed for one that neither it nor HEIMDEX_ADMINS names.
        """
        for argument, value in (("issuer", issuer), ("subject", subject)):
            if not 1 <= len(value) <= _MAX_IDENTITY_CHARS or not _is_plain(value):
                raise InvalidValue(name=argument, value=value[:80], reason=f"1 to {_MAX_IDENTITY_CHARS} characters")
        address = _address(email) if email_verified and email is not None else None
        if not self._is_allowed_address(address):
            raise EmailNotVerified() if address is None else SignInNotAllowed(email=address)
        shown = _tidy(name)[:MAX_NAME_CHARS] or (address or "").partition("@")[0] or "?"
        account = self._records.sign_in(issuer, subject, address, shown, create=create)
        if not self._is_allowed(account.user_id, account.email):  # the address is another user's
            raise SignInNotAllowed(email=address or shown)
        return self._user(account)

    @checked
    def is_admitted(self, user_id: str) -> bool:
        """Whether there is a user of this id, whom HEIMDEX_SIGN_IN_ALLOWED lets in. Never waits for a writer."""
        published = self._records.published()
        found = published.users.get(user_id)
        return found is not None and user_id not in published.deleted and self._is_allowed(user_id, found.email)

    def users(self) -> list[User]:
        """All users, by their name. For admins; raises NotAllowed."""
        self.require_admin()
        return [self._user(account) for account in self._records.all()]

    @checked
    def find(self, user: str) -> User:
        """A user by id or verified e-mail address. For admins; raises NotAllowed, UserNotFound."""
        self.require_admin()
        return self._user(self._records.get(user))

    @checked
    def assign_videos(self, from_user: str, to_user: str, video_ids: Names | None = None) -> list[Video]:
        """Make videos of one user (id or e-mail) another one's: after sign-in was turned on, those of the single user.

        Args:
            from_user: whose they are.
            to_user: whose they become.
            video_ids: which; None for all.

        Returns the videos that have changed. They are no longer shared, nor in collections. A video of bytes that the
        other user has already stays. For admins; raises NotAllowed, UserNotFound, VideoNotFound.
        """
        self.require_admin()
        ids = None if video_ids is None else list(video_ids)
        return self._context.store.bulk.assign(from_user, to_user, ids)

    @checked
    def export_data(self, user: str, folder: AnyPath) -> dict[str, int]:
        """Copy what is a user's (id or e-mail) into a new or empty folder; account_removal.py says what is in it.

        For admins and oneself; raises NotAllowed, UserNotFound, InvalidValue, DiskFull.
        """
        self._require_admin_or(user)
        user_id = self._records.get(user).user_id
        return account_removal.export_data(self._context.store, user_id, Path(folder).expanduser())

    @checked
    def delete_user(self, user: str) -> None:
        """Remove a user (id or e-mail) and all that is theirs, for good: see docs/shared-libraries.md.

        For admins and oneself; raises NotAllowed, UserNotFound, InvalidValue for the library's single user, who has
        never signed in.
        """
        self._require_admin_or(user)
        if user in (LOCAL_USER, self._context.settings.user_id):
            raise InvalidValue(name="user", value=user, reason="nobody signs in as this user")
        account_removal.remove_user(self._context, user)

    def _require_admin_or(self, user: str) -> None:
        """Raise NotAllowed unless it is oneself (by id), or one is an admin."""
        if user != self._context.user_id:
            self.require_admin()

    # --- tokens -----------------------------------------------------------------------------------

    def tokens(self) -> list[Token]:
        """The user's tokens, the newest first."""
        return self._records.tokens(self._context.user_id)

    @checked
    def make_token(self, name: str, scopes: Names, expires_in_s: float | None = None) -> tuple[Token, str]:
        """Make a token for other programs; returns it and its secret, which cannot be shown again.

        Args:
            name: what it is for, 1 to 200 characters.
            scopes: what it may be used for, of "read", "write" and "admin"; the last one only by admins.
            expires_in_s: how long it is valid; None without an end.

        Raises InvalidValue, NotAllowed.
        """
        shown = _tidy(name)
        if not 1 <= len(shown) <= MAX_NAME_CHARS:
            raise InvalidValue(name="name", value=name[:80], reason=f"1 to {MAX_NAME_CHARS} characters are needed")
        wanted = _scopes(list(scopes))
        if "admin" in wanted:
            self.require_admin()
        if expires_in_s is not None and not 0 < expires_in_s <= _MAX_LIFETIME_S:
            raise InvalidValue(name="expires_in_s", value=expires_in_s, reason=f"above 0, up to {_MAX_LIFETIME_S:.0f}")
        expires_at = None if expires_in_s is None else utc_now() + timedelta(seconds=expires_in_s)
        self.current()  # a token needs a user
        return self._records.make_token(self._context.user_id, shown, wanted, expires_at)

    @checked
    def revoke_token(self, token_id: str) -> None:
        """Make a token of the user invalid, at once. Raises TokenNotFound."""
        self._records.revoke_token(self._context.user_id, token_id)

    @checked
    def authenticate(self, secret: str) -> Principal:
        """Whose library a token's secret opens, and what for. Raises TokenInvalid, TokenExpired, SignInNotAllowed.

        Never waits for a writer. In a library in object storage a token that was revoked on another machine is valid
        here until its changes have been fetched, within seconds.
        """
        if len(secret) > _MAX_IDENTITY_CHARS:
            raise TokenInvalid()
        principal = self._records.authenticate(secret)
        user = self._records.published().users.get(principal.user_id)
        if user is not None and not self._is_allowed(user.user_id, user.email):
            raise SignInNotAllowed(email=user.email or user.name or user.user_id)
        return principal

    # --- helpers ----------------------------------------------------------------------------------

    def _is_admin_address(self, email: str | None) -> bool:
        return email is not None and email in (self._context.settings.admins or ())

    def _is_allowed(self, user_id: str, email: str | None) -> bool:
        """Whether a user may use the library; the single user, who never signs in, is on no list."""
        return user_id == self._context.settings.user_id or self._is_allowed_address(email)

    def _is_allowed_address(self, email: str | None) -> bool:
        allowed = self._context.settings.sign_in_allowed
        if allowed is None or self._is_admin_address(email):
            return True
        return email is not None and (email in allowed or f"@{email.rpartition('@')[2]}" in allowed)

    def _user(self, account: Account) -> User:
        context = self._context
        if self._records.published().is_shared:
            is_admin = self._is_admin_address(account.email)
        else:
            is_admin = account.user_id == context.settings.user_id
        return User(
            account.user_id,
            account.name,
            account.email,
            "admin" if is_admin else "member",
            account.created_at,
            account.last_seen_at,
        )


def require_admin_of_shared(context: LibraryContext) -> None:
    """Raise NotAllowed unless it is an admin, or nobody has ever signed in.

    Asked before whatever changes the library for all its users, or has the server read its own folders.
    """
    accounts = Accounts(context)
    if accounts.is_shared():
        accounts.require_admin()


def _scopes(names: Sequence[str]) -> tuple[Scope, ...]:
    unknown = [name for name in names if name not in SCOPES]
    if unknown or not names:
        raise InvalidValue(name="scopes", value=", ".join(unknown)[:80], reason=f"one or more of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in names)


def _address(email: str) -> str | None:
    """An address as it is kept and compared; None for what is none."""
    text = unicodedata.normalize("NFC", email).strip().lower()
    local, _, domain = text.rpartition("@")
    is_address = bool(local and domain) and len(text) <= _MAX_ADDRESS_CHARS and _is_plain(text) and " " not in text
    return text if is_address else None


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\0" not in text


def _tidy(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
