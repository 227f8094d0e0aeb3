"""The published revision of each user's tray.

    trays/<user_id>.json     {"revision": n}, rewritten after each commit that changes the tray

An open page compares it with the tray that it shows; that takes no lock.
"""

from __future__ import annotations

from collections.abc import Collection

from heimdex_core.files import read_json_object, write_json
from heimdex_core.store.layout import LibraryPaths, is_user_id
from heimdex_core.store.transaction import Transaction

TRAY = "tray"
"""The reel_id of the tray; every user has one."""


def read_revision(paths: LibraryPaths, user_id: str) -> int:
    """The revision of a user's tray, read without a lock; 0 while nothing has been saved."""
    found = (read_json_object(paths.tray(user_id)) or {}).get("revision")
    return found if isinstance(found, int) else 0


def write_revision(paths: LibraryPaths, user_id: str, revision: int) -> None:
    """Publish the revision of a tray. The caller holds the catalog's lock. Raises DiskFull."""
    write_json(paths.tray(user_id), {"revision": revision}, durable=False)  # written again when the library is opened


def revisions(transaction: Transaction, user_ids: Collection[str] | None = None) -> dict[str, int]:
    """The revisions of the trays of these users (None: of all), from the catalog."""
    rows = transaction.rows("select user_id, revision from reels where reel_id = ?", [TRAY])
    wanted = [row for row in rows if user_ids is None or row["user_id"] in user_ids]
    return {row["user_id"]: int(row["revision"] or 0) for row in wanted}


def outdated(transaction: Transaction, paths: LibraryPaths) -> set[str]:
    """The ids of users whose published revision differs from the catalog, as after a crash."""
    return {
        user_id
        for user_id, revision in revisions(transaction).items()
        if is_user_id(user_id) and read_revision(paths, user_id) != revision
    }
