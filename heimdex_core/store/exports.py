"""Exports: their records in the catalog, and their files. A record is kept after its file has been removed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from heimdex_core.errors import Cancelled, ExportNotFound, HeimdexError, InvalidValue
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths, check_user, check_uuid
from heimdex_core.store.transaction import Row, Transaction, from_us, to_us
from heimdex_core.types import Export, ExportState, ReelClip, to_json

_FIXED = frozenset({"export_id", "user_id", "kind", "clips", "created_at"})
_CHANGEABLE = frozenset(Export.__dataclass_fields__) - _FIXED

UNFINISHED = (ExportState.PENDING, ExportState.PROCESSING)
"""The states of exports that wait for a worker or are being rendered."""


class ExportRecords:
    """The exports of one library. Safe to share between threads."""

    def __init__(self, paths: LibraryPaths, catalog: Catalog) -> None:
        self._paths = paths
        self._catalog = catalog

    def create(self, export: Export) -> Export:
        """Insert a record. Raises InvalidValue if its id is taken or malformed."""
        check_uuid(export.export_id, "export_id")
        check_user(export.user_id)
        with self._catalog.transaction() as transaction:
            if transaction.rows("select 1 from exports where export_id = ?", [export.export_id]):
                raise InvalidValue(name="export_id", value=export.export_id, reason="an export with this id exists")
            fields = {name: getattr(export, name) for name in Export.__dataclass_fields__}
            transaction.insert("exports", _encode(fields))
            return _get(transaction, export.export_id)

    def update(self, export_id: str, *, unless_cancelled: bool = False, **changes: Any) -> Export:
        """Change fields of Export by name.

        `path` may be absolute or relative to the library; it must lie inside it. Raises ExportNotFound, InvalidValue
        for a field that is fixed; with `unless_cancelled` Cancelled for an export that was cancelled.
        """
        unknown = set(changes) - _CHANGEABLE
        if unknown:
            raise InvalidValue(name="change", value=", ".join(sorted(unknown)), reason="it cannot be changed")
        if changes.get("path") is not None:
            changes["path"] = self._paths.relative(self._paths.root / changes["path"])
        with self._catalog.transaction() as transaction:
            if _get(transaction, export_id).state == ExportState.CANCELLED and unless_cancelled:
                raise Cancelled()
            if changes:
                transaction.update("exports", _encode(changes), {"export_id": export_id})
            return _get(transaction, export_id)

    def unfinished_jobs(self) -> list[Row]:
        """user_id, export_id and job_id of the exports whose job has not ended, oldest first."""
        with self._catalog.transaction() as transaction:
            return transaction.rows(
                """select user_id, export_id, job_id from exports
                   where state in ('pending', 'processing') and job_id is not null order by created_us"""
            )

    def replace_job(self, export_id: str, old: str | None, new: str) -> bool:
        """Name another job of an unfinished export; False if it is finished, gone, or names another job than `old`."""
        try:
            with self._catalog.transaction() as transaction:
                export = _get(transaction, export_id)
                if export.state not in UNFINISHED or export.job_id not in (old, new):
                    return False
                transaction.update("exports", {"job_id": new}, {"export_id": export_id})
        except ExportNotFound:
            return False
        return True

    def get(self, user_id: str, export_id: str) -> Export:
        """One record of a user. Raises ExportNotFound."""
        with self._catalog.transaction() as transaction:
            return _get(transaction, export_id, user_id)

    def of_user(self, user_id: str, limit: int | None = None, *, timeout_s: float | None = None) -> list[Export]:
        """A user's exports, newest first, those whose file has been removed too. `limit` None returns all.

        `timeout_s` is how long the catalog is awaited; None is its own limit. Raises LibraryBusy.
        """
        with self._catalog.transaction(timeout_s) as transaction:
            rows = transaction.rows(
                "select * from exports where user_id = ? order by created_us desc, export_id limit ?",
                [user_id, limit if limit is not None else 2**62],
            )
        return [_export(row) for row in rows]

    def file(self, export: Export) -> Path:
        """The rendered file. Raises ExportNotFound if it has been removed or is not rendered yet."""
        path = self._paths.inside(export.path) if export.path else None
        if path is None or not path.is_file():
            raise ExportNotFound(export_id=export.export_id)
        return path

    def mark_failed(self, user_id: str, export_id: str, error: HeimdexError) -> bool:
        """End an unfinished export with `error`; False if it is unknown, another user's or finished already.

        The state is cancelled for Cancelled, failed for any other error.
        """
        state = ExportState.CANCELLED if isinstance(error, Cancelled) else ExportState.FAILED
        try:
            with self._catalog.transaction() as transaction:
                if _get(transaction, export_id, user_id).state not in UNFINISHED:
                    return False
                changes = _encode({"state": state, "error": error.to_dict()})
                transaction.update("exports", changes, {"export_id": export_id})
        except ExportNotFound:
            return False
        return True

    def set_expiry(self, user_id: str, export_id: str, expires_at: datetime | None) -> Export:
        """Set when the file of a user's export is removed; None keeps it. Raises ExportNotFound if it has gone."""
        with self._catalog.transaction() as transaction:
            self.file(_get(transaction, export_id, user_id))
            transaction.update("exports", _encode({"expires_at": expires_at}), {"export_id": export_id})
            return _get(transaction, export_id)

    def remove_expired_files(self, now: datetime) -> int:
        """Remove the files of exports that have expired by `now` (timezone-aware) and keep the records; how many."""
        with self._catalog.transaction() as transaction:  # until the end, so that none is kept in the meantime
            rows = transaction.rows(
                "select export_id, path from exports where path is not null and expires_us <= ?", [to_us(now)]
            )
            for row in rows:
                self._paths.inside(row["path"]).unlink(missing_ok=True)
                transaction.update("exports", {"path": None}, {"export_id": row["export_id"]})
        return len(rows)


def _get(transaction: Transaction, export_id: str, user_id: str | None = None) -> Export:
    """One record; of any user if `user_id` is None. Raises ExportNotFound."""
    rows = transaction.rows("select * from exports where export_id = ?", [export_id])
    if not rows or (user_id is not None and rows[0]["user_id"] != user_id):
        raise ExportNotFound(export_id=export_id)
    return _export(rows[0])


def encode_clips(clips: tuple[ReelClip, ...]) -> str:
    """Clips as the text of a column."""
    return json.dumps(to_json(clips))


def decode_clips(text: str | None) -> tuple[ReelClip, ...]:
    """The clips that `encode_clips` wrote; none for NULL."""
    return tuple(ReelClip(**clip) for clip in json.loads(text or "[]"))


def _encode(changes: dict[str, Any]) -> Row:
    row: Row = dict(changes)
    for name in ("created_at", "completed_at", "expires_at"):
        if name in row:
            row[name.removesuffix("_at") + "_us"] = to_us(row.pop(name))
    if "state" in row:
        row["state"] = str(ExportState(row["state"]))
    if "clips" in row:
        row["clips"] = encode_clips(row["clips"])
    for name in ("params", "error", "left_out"):
        if row.get(name) is not None:
            row[name] = json.dumps(to_json(row[name]), ensure_ascii=False)
    return row


def _export(row: Row) -> Export:
    values: dict[str, Any] = dict(row)
    for name in ("created", "completed", "expires"):
        values[f"{name}_at"] = from_us(values.pop(f"{name}_us"))
    values["state"] = ExportState(row["state"])
    values["clips"] = decode_clips(row["clips"])
    values["params"] = json.loads(row["params"] or "{}")
    values["error"] = json.loads(row["error"]) if row["error"] else None
    values["left_out"] = tuple(json.loads(row["left_out"] or "[]"))
    return Export(**values)
