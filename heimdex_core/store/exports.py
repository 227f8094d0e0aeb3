"""Exports: their records in the catalog, and their files. A record is kept after its file has been removed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from heimdex_core.errors import (
    Cancelled,
    ExportExpired,
    ExportLimitExceeded,
    ExportNotFound,
    HeimdexError,
    InvalidValue,
)
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.layout import LibraryPaths, check_user, check_uuid
from heimdex_core.store.transaction import Row, Transaction, behind, from_us, to_us
from heimdex_core.types import Export, ExportState, Json, ReelClip, to_json, utc_now

_FIXED = frozenset({"export_id", "user_id", "kind", "clips", "created_at"})
_CHANGEABLE = frozenset(Export.__dataclass_fields__) - _FIXED

WINDOW = timedelta(hours=24)
"""Exports that were made in the last 24 hours count towards a limit."""
MAX_ERROR_CHARS = 500
"""Of the message of an error that is kept with an export."""

UNFINISHED = (ExportState.PENDING, ExportState.PROCESSING)
"""The states of exports that wait for a worker or are being rendered."""


class ExportRecords:
    """The exports of one library. Safe to share between threads."""

    def __init__(self, paths: LibraryPaths, catalog: Catalog) -> None:
        self._paths = paths
        self._catalog = catalog

    def create(self, export: Export) -> Export:
        """Insert a record. Raises InvalidValue if its id is taken or malformed."""
        return self.create_all([export])[0]

    def create_all(self, exports: Sequence[Export], *, limit: int = 0) -> list[Export]:
        """Insert records of one user and kind, all or none. They are counted and inserted in one transaction.

        Args:
            exports: made at the same moment.
            limit: how many of this kind the user may make in WINDOW; 0 for no limit.

        Raises ExportLimitExceeded if they would be too many, InvalidValue if an id is taken or malformed.
        """
        for export in exports:
            check_uuid(export.export_id, "export_id")
            check_user(export.user_id)
        with self._catalog.transaction() as transaction:
            if limit and exports:
                first = exports[0]
                counted = _counted(transaction, first.user_id, first.kind, first.created_at)
                if len(counted) + len(exports) > limit:
                    raise _limit_exceeded(counted, len(exports), limit, first.created_at)
            for export in exports:
                if transaction.rows("select 1 from exports where export_id = ?", [export.export_id]):
                    raise InvalidValue(name="export_id", value=export.export_id, reason="an export with this id exists")
                fields = {name: getattr(export, name) for name in Export.__dataclass_fields__}
                transaction.insert("exports", _encode(fields))
            return [_get(transaction, export.export_id) for export in exports]

    def counted(self, user_id: str, kind: str, now: datetime) -> list[datetime]:
        """When the exports of a kind were made that count towards a limit at `now`, oldest first."""
        with self._catalog.transaction() as transaction:
            return _counted(transaction, user_id, kind, now)

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
            self._catalog.upload(self._paths.root / changes["path"])
        with self._catalog.transaction() as transaction:
            if _get(transaction, export_id).state == ExportState.CANCELLED and unless_cancelled:
                raise Cancelled()
            if changes.get("path") is not None:
                transaction.changed_files.add(changes["path"])
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

    def of_user(
        self,
        user_id: str,
        limit: int | None = None,
        *,
        after: tuple[datetime, str] | None = None,
        timeout_s: float | None = None,
    ) -> list[Export]:
        """A user's exports, newest first, those whose file has been removed too. `limit` None returns all.

        `after` is the created_at and the export_id of the one that they come behind. `timeout_s` is how long the
        catalog is awaited; None is its own limit. Raises LibraryBusy.
        """
        is_behind, place = behind(after, "export_id")
        with self._catalog.transaction(timeout_s) as transaction:
            rows = transaction.rows(
                f"""select * from exports where user_id = ? and {is_behind}
                   order by created_us desc, export_id limit ?""",  # noqa: S608 - our own condition
                [user_id, *place, limit if limit is not None else 2**62],
            )
        return [_export(row) for row in rows]

    def file(self, export: Export, *, fetch: bool = True) -> Path:
        """The rendered file; in object storage it need not be here without `fetch`.

        Raises ExportExpired from its expiry on and once it is removed, ExportNotFound before it is rendered.
        """
        if export.path is None and export.state is not ExportState.COMPLETED:
            raise ExportNotFound(export_id=export.export_id)
        path = self._paths.inside(export.path) if export.path else None
        is_past = export.expires_at is not None and export.expires_at <= utc_now()
        if path is None or is_past or not (self._paths.fetched(path).is_file() if fetch else self._paths.is_kept(path)):
            raise ExportExpired(export_id=export.export_id)
        return path

    def remove_file(self, user_id: str, export_id: str, now: datetime) -> Export:
        """Remove the file of a user's export and keep the record, as if it had expired. Raises ExportNotFound."""
        with self._catalog.transaction() as transaction:
            export = _get(transaction, export_id, user_id)
            if export.path is not None:
                self._paths.inside(export.path).unlink(missing_ok=True)
                transaction.removed_files.add(export.path)
            if export.state is ExportState.COMPLETED:
                transaction.update("exports", _encode({"path": None, "expires_at": now}), {"export_id": export_id})
            return _get(transaction, export_id)

    def mark_failed(self, user_id: str, export_id: str, error: HeimdexError) -> bool:
        """End an unfinished export with `error`; False if it is unknown, another user's or finished already.

        The state is cancelled for Cancelled, failed for any other error.
        """
        state = ExportState.CANCELLED if isinstance(error, Cancelled) else ExportState.FAILED
        try:
            with self._catalog.transaction() as transaction:
                if _get(transaction, export_id, user_id).state not in UNFINISHED:
                    return False
                changes = _encode({"state": state, "error": _stored_error(error)})
                transaction.update("exports", changes, {"export_id": export_id})
        except ExportNotFound:
            return False
        return True

    def without_job(self, user_id: str | None = None) -> list[Export]:
        """Unfinished exports that no job works on, of all users if `user_id` is None."""
        with self._catalog.transaction() as transaction:
            rows = transaction.rows(
                """select * from exports where state in ('pending', 'processing') and job_id is null
                   and (? is null or user_id = ?)""",
                [user_id, user_id],
            )
        return [_export(row) for row in rows]

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
                transaction.removed_files.add(row["path"])
                transaction.update("exports", {"path": None}, {"export_id": row["export_id"]})
        return len(rows)


def _counted(transaction: Transaction, user_id: str, kind: str, now: datetime) -> list[datetime]:
    """When those were made that count, oldest first. What failed or was cancelled does not count."""
    rows = transaction.rows(
        """select created_us from exports where user_id = ? and kind = ? and created_us > ?
           and state not in ('failed', 'cancelled') order by created_us""",
        [user_id, kind, to_us(now - WINDOW)],
    )
    found = (from_us(row["created_us"]) for row in rows)
    return [moment for moment in found if moment is not None]


def _limit_exceeded(counted: Sequence[datetime], asked: int, limit: int, now: datetime) -> ExportLimitExceeded:
    wait = counted[0] + WINDOW - now if counted else timedelta(0)
    return ExportLimitExceeded(
        current_count=len(counted),
        limit=limit,
        hours_until_reset=math.ceil(wait / timedelta(hours=1) * 100) / 100,
        asked=asked,
        allowed=max(0, limit - len(counted)),
    )


def _stored_error(error: HeimdexError) -> Json:
    """An error as it is kept: its message is cut, and so are the texts that it was filled from."""
    stored = error.to_dict()
    stored["message"] = _cut(stored["message"])
    stored["details"] = {name: _cut(value) for name, value in stored["details"].items()}
    return stored


def _cut(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > MAX_ERROR_CHARS
    return value[: MAX_ERROR_CHARS - 3] + "..." if is_long else value


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
