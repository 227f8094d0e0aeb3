"""Reels: named lists of clips, and each user's tray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heimdex_core.errors import ReelNotFound
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.exports import decode_clips, encode_clips
from heimdex_core.store.layout import check_user
from heimdex_core.store.transaction import Row, Transaction, from_us, to_us
from heimdex_core.types import Reel, ReelClip, utc_now

TRAY = "tray"
"""The reel_id of the tray; every user has one."""


class ReelRecords:
    """The reels of one library. Safe to share between threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def save(self, reel: Reel) -> Reel:
        """Insert or replace a reel. Raises ReelNotFound if its id belongs to another user."""
        check_user(reel.user_id)
        key: Row = {"reel_id": reel.reel_id, "user_id": reel.user_id}
        row: Row = {"title": reel.title, "clips": encode_clips(reel.clips), "updated_us": to_us(reel.updated_at)}
        with self._catalog.transaction() as transaction:
            if reel.reel_id != TRAY and transaction.rows(
                "select 1 from reels where reel_id = ? and user_id <> ?", list(key.values())
            ):
                raise ReelNotFound(reel_id=reel.reel_id)
            transaction.run("delete from reels where reel_id = ? and user_id = ?", list(key.values()))
            transaction.insert("reels", {**key, **row})
            return _get(transaction, reel.user_id, reel.reel_id)

    def get(self, user_id: str, reel_id: str) -> Reel:
        """One reel of a user. Raises ReelNotFound."""
        with self._catalog.transaction() as transaction:
            return _get(transaction, user_id, reel_id)

    def of_user(self, user_id: str) -> list[Reel]:
        """A user's reels without the tray, last changed first."""
        with self._catalog.transaction() as transaction:
            rows = transaction.rows(
                "select * from reels where user_id = ? and reel_id <> ? order by updated_us desc, reel_id",
                [user_id, TRAY],
            )
        return [_reel(row) for row in rows]

    def delete(self, user_id: str, reel_id: str) -> None:
        """Remove a reel. Raises ReelNotFound."""
        with self._catalog.transaction() as transaction:
            _get(transaction, user_id, reel_id)
            transaction.run("delete from reels where reel_id = ? and user_id = ?", [reel_id, user_id])

    def tray(self, user_id: str) -> Reel:
        """The user's tray; an empty one if nothing was saved yet."""
        try:
            return self.get(user_id, TRAY)
        except ReelNotFound:
            return Reel(TRAY, user_id, "", (), utc_now())

    def save_tray(self, user_id: str, title: str, clips: Sequence[ReelClip]) -> Reel:
        """Replace the user's tray."""
        return self.save(Reel(TRAY, user_id, title, tuple(clips), utc_now()))


def _get(transaction: Transaction, user_id: str, reel_id: str) -> Reel:
    rows = transaction.rows("select * from reels where reel_id = ? and user_id = ?", [reel_id, user_id])
    if not rows:
        raise ReelNotFound(reel_id=reel_id)
    return _reel(rows[0])


def _reel(row: Row) -> Reel:
    values: dict[str, Any] = dict(row)
    values["clips"] = decode_clips(row["clips"])
    values["updated_at"] = from_us(values.pop("updated_us"))
    return Reel(**values)
