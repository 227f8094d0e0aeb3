"""Users (who signs in), their tokens, and what they share. Somebody in the picture is a person: types/people.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Role = Literal["admin", "member"]
Scope = Literal["read", "write", "admin"]
"""What a token may be used for. read: asking. write: changing what is the user's. admin: what only admins may do."""
SCOPES: tuple[Scope, ...] = get_args(Scope)

Access = Literal["read", "write"]
"""What one may do with what another user shares. write: also rename, edit, and index again; never delete or share."""
ACCESSES: tuple[Access, ...] = get_args(Access)

ShareKind = Literal["video", "collection"]
SHARE_KINDS: tuple[ShareKind, ...] = get_args(ShareKind)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who uses the library."""

    user_id: str
    """Made by the library; a folder name."""
    name: str
    email: str | None
    """In lower case, and verified by the provider; None where there is none."""
    role: Role
    created_at: datetime
    last_seen_at: datetime | None
    """To the minute."""


@dataclass(frozen=True, slots=True)
class Token:
    """A key of other programs to the library of a user; without its secret, which is only shown when it is made."""

    token_id: str
    user_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    """None: it never expires."""
    last_used_at: datetime | None
    """To the minute."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose library a token opens, and what for."""

    user_id: str
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """What a user may do with a video or a collection of another one."""

    kind: ShareKind
    target_id: str
    """A video_id or collection_id."""
    user_id: str
    """Who may."""
    access: Access


@dataclass(frozen=True, slots=True)
class Collection:
    """Videos of one user under a title, to be shared and searched together."""

    collection_id: str
    owner_id: str
    title: str
    video_ids: tuple[str, ...]
    """In the order in which they were put in."""
