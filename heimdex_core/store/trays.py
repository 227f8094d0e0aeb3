"""The published revisions of each user's tray and named reels.

    trays/<user_id>.json     {"revision": n, "reels": {reel_id: n}}, rewritten after each commit that changes one

An open page compares them with what it shows; that takes no lock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from heimdex_core.files import read_json_object, write_json
from heimdex_core.store.layout import LibraryPaths, is_user_id
from heimdex_core.store.transaction import Transaction

TRAY = "tray"
"""The reel_id of the tray; every user has one."""


@dataclass(frozen=True)
class Revisions:
    """How often a user's tray and named reels have been changed."""

    tray: int = 0
    reels: Mapping[str, int] = field(default_factory=dict)
    """By reel_id; those that exist."""


def read_revisions(paths: LibraryPaths, user_id: str) -> Revisions:
    """The revisions of a user's tray and reels, read without a lock; 0 while nothing has been saved."""
    found = read_json_object(paths.tray(user_id)) or {}
    tray, reels = found.get("revision"), found.get("reels")
    named = {str(k): n for k, n in reels.items() if isinstance(n, int)} if isinstance(reels, dict) else {}
    return Revisions(tray if isinstance(tray, int) else 0, named)


def write_revisions(paths: LibraryPaths, user_id: str, found: Revisions) -> None:
    """Publish a user's revisions. The caller holds the catalog's lock. Raises DiskFull."""
    # not durable: written again when the library is opened
    write_json(paths.tray(user_id), {"revision": found.tray, "reels": dict(found.reels)}, durable=False)


def revisions(transaction: Transaction, user_ids: Collection[str] | None = None) -> dict[str, Revisions]:
    """The revisions of these users (None: of all who have a tray or reels), from the catalog."""
    reels: dict[str, dict[str, int]] = {user_id: {} for user_id in user_ids or ()}
    for row in transaction.rows("select user_id, reel_id, revision from reels order by reel_id"):
        if user_ids is None or row["user_id"] in user_ids:
            reels.setdefault(row["user_id"], {})[row["reel_id"]] = int(row["revision"] or 0)
    return {user_id: Revisions(found.pop(TRAY, 0), found) for user_id, found in reels.items()}


def outdated(transaction: Transaction, paths: LibraryPaths) -> set[str]:
    """The ids of users whose published revisions differ from the catalog, as after a crash."""
    return {
        user_id
        for user_id, found in revisions(transaction).items()
        if is_user_id(user_id) and read_revisions(paths, user_id) != found
    }
