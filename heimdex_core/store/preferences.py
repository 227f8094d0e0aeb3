"""The preferences table: JSON values by person and key."""

from __future__ import annotations

import json
from typing import Any

from heimdex_core.store.catalog import Transaction
from heimdex_core.store.layout import check_user


def of_user(transaction: Transaction, user_id: str) -> dict[str, Any]:
    """Everything a person has set."""
    rows = transaction.rows("select key, value from preferences where user_id = ? order by key", [user_id])
    return {row["key"]: json.loads(row["value"]) for row in rows}


def put(transaction: Transaction, user_id: str, key: str, value: Any) -> None:
    """Set one; None removes it. TypeError for what is not JSON."""
    check_user(user_id)
    transaction.run("delete from preferences where user_id = ? and key = ?", [user_id, key])
    if value is not None:
        text = json.dumps(value, ensure_ascii=False)
        transaction.insert("preferences", {"user_id": user_id, "key": key, "value": text})
