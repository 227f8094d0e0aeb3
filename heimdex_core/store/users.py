"""The users and preferences tables, and the file that search reads a person's preferences from.

    preferences/<user_id>.json     the same values as the catalog's, rewritten after each commit that changes them

The file is what keeps a search from waiting for a writer: reading it takes no lock.
"""

from __future__ import annotations

import json
from typing import Any

from heimdex_core.files import read_json_object, write_json
from heimdex_core.store.layout import LibraryPaths, check_user
from heimdex_core.store.transaction import Transaction, to_us
from heimdex_core.types import utc_now

LOCAL_USER = "local"


def ensure_user(transaction: Transaction, user_id: str) -> None:
    """Insert the user unless the user exists already."""
    check_user(user_id)
    if not transaction.rows("select 1 from users where user_id = ?", [user_id]):
        transaction.insert("users", {"user_id": user_id, "name": user_id, "created_us": to_us(utc_now())})


def preferences(transaction: Transaction, user_id: str) -> dict[str, Any]:
    """All preferences of a person, by key."""
    rows = transaction.rows("select key, value from preferences where user_id = ? order by key", [user_id])
    return {row["key"]: json.loads(row["value"]) for row in rows}


def set_preference(transaction: Transaction, user_id: str, key: str, value: Any) -> None:
    """Set one preference; None removes it. Raises TypeError for a value that is not JSON."""
    check_user(user_id)
    transaction.run("delete from preferences where user_id = ? and key = ?", [user_id, key])
    if value is not None:
        text = json.dumps(value, ensure_ascii=False)
        transaction.insert("preferences", {"user_id": user_id, "key": key, "value": text})
    transaction.changed_preferences.add(user_id)


# --- the published file ---------------------------------------------------------------------------


def read_preferences(paths: LibraryPaths, user_id: str) -> dict[str, Any]:
    """All preferences of a person, read without a lock; empty where none were ever set."""
    return read_json_object(paths.preferences(user_id)) or {}


def write_preferences(paths: LibraryPaths, user_id: str, values: dict[str, Any]) -> None:
    """Publish a person's preferences. Raises DiskFull."""
    write_json(paths.preferences(user_id), values)


def outdated_preferences(transaction: Transaction, paths: LibraryPaths) -> set[str]:
    """The users whose file differs from the catalog: after a crash, or in a library of an older version."""
    user_ids = [row["user_id"] for row in transaction.rows("select distinct user_id from preferences")]
    return {one for one in user_ids if read_preferences(paths, one) != preferences(transaction, one)}
