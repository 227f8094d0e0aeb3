"""What is published to files after a commit, so that readers need no lock and no database.

These are visible.parquet (visible.py), each user's preferences (users.py), the revisions of each user's tray and reels
(trays.py), each user's people (named_people.py), users and tokens (accounts.py), shares (shares.py), the copies of
tables (copies.py) and video.json (video_json.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from heimdex_core import files
from heimdex_core.store import accounts, copies, named_people, shares, trays, users, video_json, visible
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.transaction import Transaction
from heimdex_core.store.trays import Revisions
from heimdex_core.types import Json, Video


@dataclass(frozen=True)
class Publication:
    """The new contents of the files that a transaction's changes concern."""

    visible: pa.Table | None
    preferences: Mapping[str, dict[str, Any]]
    trays: Mapping[str, Revisions]
    accounts: Json | None
    shares: Json | None
    people: Mapping[str, dict[str, Any]]
    copies: dict[str, pa.Table]
    videos: list[Video]

    @classmethod
    def collect(cls, transaction: Transaction, paths: LibraryPaths) -> Publication:
        """Read them in the transaction."""
        return cls(
            visible.collect(transaction) if transaction.visibility_changed else None,
            {user: users.preferences(transaction, user) for user in transaction.changed_preferences},
            trays.revisions(transaction, transaction.changed_trays) if transaction.changed_trays else {},
            accounts.collect(transaction, paths) if transaction.accounts_changed else None,
            shares.collect(transaction, paths) if transaction.shares_changed else None,
            {user: named_people.collect(transaction, user) for user in transaction.changed_people},
            copies.collect(transaction, paths),
            video_json.collect(transaction),
        )

    def write(self, paths: LibraryPaths) -> None:
        """Write the files. The caller holds the catalog's lock. Raises DiskFull."""
        if self.visible is not None:
            files.crash_point("catalog-committed")
            visible.write(paths.visible, self.visible)
        for user_id, values in self.preferences.items():
            users.write_preferences(paths, user_id, values)
        for user_id, found in self.trays.items():
            trays.write_revisions(paths, user_id, found)
        if self.accounts is not None:
            accounts.write(paths, self.accounts)
        if self.shares is not None:
            shares.write(paths, self.shares)
        for user_id, named in self.people.items():
            named_people.write_people(paths, user_id, named)
        copies.write(paths, self.copies)
        video_json.write_all(paths, self.videos)
