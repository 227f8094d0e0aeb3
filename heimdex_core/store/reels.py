"""Reels: named lists of clips, and each user's tray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from heimdex_core.errors import ReelNotFound
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.exports import decode_clips, encode_clips
from heimdex_core.store.layout import check_user
from heimdex_core.store.transaction import Row, Transaction, from_us, to_us
from heimdex_core.store.tray_json import decode_changes, encode_changes
from heimdex_core.store.trays import TRAY
from heimdex_core.types import Reel, Tray, utc_now


class ReelRecords:
    """The reels of one library. Safe to share between threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def save(self, reel: Reel) -> Reel:
        """Insert or replace a named reel. Raises ReelNotFound if its id belongs to another user, or is the tray's."""
        check_user(reel.user_id)
        key: Row = {"reel_id": reel.reel_id, "user_id": reel.user_id}
        row: Row = {"title": reel.title, "clips": encode_clips(reel.clips), "updated_us": to_us(reel.updated_at)}
        with self._catalog.transaction() as transaction:
            taken = "select 1 from reels where reel_id = ? and user_id <> ?"
            if reel.reel_id == TRAY or transaction.rows(taken, list(key.values())):
                raise ReelNotFound(reel_id=reel.reel_id)
            transaction.run("delete from reels where reel_id = ? and user_id = ?", list(key.values()))
            transaction.insert("reels", {**key, **row})
            transaction.changed_trays.add(reel.user_id)
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
            transaction.changed_trays.add(user_id)

    def tray(self, user_id: str) -> Tray:
        """The user's tray; an empty one if nothing was saved yet."""
        return self.edited(user_id, TRAY)

    def edited(self, user_id: str, reel_id: str) -> Tray:
        """A reel with the history of its changes. Raises ReelNotFound."""
        with self._catalog.transaction() as transaction:
            return _edited(transaction, user_id, reel_id)

    def change_tray(self, user_id: str, change: Callable[[Tray], Tray]) -> Tray:
        """Change the user's tray; see `change`."""
        return self.change(user_id, TRAY, change)

    def change(self, user_id: str, reel_id: str, change: Callable[[Tray], Tray]) -> Tray:
        """Change the tray or a named reel in one transaction; what `change` raises leaves it as it was.

        Args:
            user_id: whose reel.
            reel_id: which reel.
            change: gives the reel as it shall be from the reel as it is; the same object if nothing changes.

        Raises ReelNotFound.
        """
        check_user(user_id)
        with self._catalog.transaction() as transaction:
            before = _edited(transaction, user_id, reel_id)
            after = change(before)
            if after is before:
                return before
            after = replace(after, updated_at=utc_now())
            transaction.run("delete from reels where reel_id = ? and user_id = ?", [reel_id, user_id])
            row: Row = {
                "reel_id": reel_id,
                "user_id": user_id,
                "title": after.title,
                "clips": encode_clips(after.clips),
                "updated_us": to_us(after.updated_at),
                "revision": after.revision,
                "changes": encode_changes(after.changes),
            }
            transaction.insert("reels", row)
            transaction.changed_trays.add(user_id)
            return after


def _edited(transaction: Transaction, user_id: str, reel_id: str) -> Tray:
    rows = _rows(transaction, user_id, reel_id)
    if not rows and reel_id == TRAY:
        return Tray(TRAY, user_id, "", (), utc_now())
    if not rows:
        raise ReelNotFound(reel_id=reel_id)
    reel = {name: getattr(_reel(rows[0]), name) for name in Reel.__dataclass_fields__}
    return Tray(**reel, revision=rows[0]["revision"] or 0, changes=decode_changes(rows[0]["changes"]))


def _rows(transaction: Transaction, user_id: str, reel_id: str) -> list[Row]:
    return transaction.rows("select * from reels where reel_id = ? and user_id = ?", [reel_id, user_id])


def _get(transaction: Transaction, user_id: str, reel_id: str) -> Reel:
    rows = _rows(transaction, user_id, reel_id)
    if not rows:
        raise ReelNotFound(reel_id=reel_id)
    return _reel(rows[0])


def _reel(row: Row) -> Reel:
    return Reel(
        reel_id=row["reel_id"],
        user_id=row["user_id"],
        title=row["title"],
        clips=decode_clips(row["clips"]),
        updated_at=from_us(row["updated_us"]) or utc_now(),
    )
