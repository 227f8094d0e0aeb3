"""The exports table. A record stays as history after its file has gone."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from heimdex_core.errors import ExportNotFound, InvalidValue
from heimdex_core.store.catalog import Row, Transaction, from_us, to_us
from heimdex_core.store.layout import check_user, check_uuid
from heimdex_core.types import Export, ExportState, ReelClip, to_json

_COLUMNS = """export_id, user_id, kind, title, state, clips, params, error, path, size_bytes, measured_duration_s,
    width, height, created_us, completed_us, expires_us, job_id"""
_FIXED = frozenset({"export_id", "user_id", "kind", "clips", "created_at"})
_CHANGEABLE = frozenset(Export.__dataclass_fields__) - _FIXED


def create(transaction: Transaction, export: Export) -> Export:
    """Insert a record; InvalidValue if the id is taken."""
    check_uuid(export.export_id, "export_id")
    check_user(export.user_id)
    if transaction.rows("select 1 from exports where export_id = ?", [export.export_id]):
        raise InvalidValue(name="export_id", value=export.export_id, reason="there is one already")
    fields = {name: getattr(export, name) for name in Export.__dataclass_fields__}
    transaction.insert("exports", _encode(fields))
    return get(transaction, export.export_id)


def update(transaction: Transaction, export_id: str, changes: dict[str, Any]) -> Export:
    """Change columns of a record; InvalidValue for one that is fixed."""
    unknown = set(changes) - _CHANGEABLE
    if unknown:
        raise InvalidValue(name="change", value=", ".join(sorted(unknown)), reason="it cannot be changed")
    get(transaction, export_id)
    if changes:
        transaction.update("exports", _encode(changes), {"export_id": export_id})
    return get(transaction, export_id)


def get(transaction: Transaction, export_id: str, user_id: str | None = None) -> Export:
    """One record; ExportNotFound where it is not there or not this person's."""
    rows = transaction.rows(
        f"select {_COLUMNS} from exports where export_id = ?",  # noqa: S608 - constant columns
        [export_id],
    )
    if not rows or (user_id is not None and rows[0]["user_id"] != user_id):
        raise ExportNotFound(export_id=export_id)
    return _export(rows[0])


def of_user(transaction: Transaction, user_id: str, limit: int | None) -> list[Export]:
    """A person's exports, newest first."""
    rows = transaction.rows(
        f"select {_COLUMNS} from exports where user_id = ? order by created_us desc, export_id limit ?",  # noqa: S608
        [user_id, limit if limit is not None else 2**62],
    )
    return [_export(row) for row in rows]


def expired(transaction: Transaction, now: datetime) -> list[Export]:
    """Exports past their time whose file is still kept."""
    rows = transaction.rows(
        f"""select {_COLUMNS} from exports where path is not null and expires_us is not null and expires_us <= ?
            order by expires_us, export_id""",  # noqa: S608 - constant columns
        [to_us(now)],
    )
    return [_export(row) for row in rows]


def encode_clips(clips: tuple[ReelClip, ...]) -> str:
    return json.dumps(to_json(clips))


def decode_clips(text: str | None) -> tuple[ReelClip, ...]:
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
    for name in ("params", "error"):
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
    return Export(**values)
