"""The users and preferences tables, and the published file that a user's preferences are read from.

    preferences/<user_id>.json     the catalog's values, rewritten after each commit that changes them

Reading the file takes no lock, so a search never waits for a writer.
"""

from __future__ import annotations

import json
from typing import Any

from heimdex_core.errors import InvalidValue
from heimdex_core.files import read_json_object, write_json
from heimdex_core.store.layout import LibraryPaths, check_user, is_user_id
from heimdex_core.store.transaction import Transaction, to_us
from heimdex_core.types import utc_now

LOCAL_USER = "local"
"""The user_id of whoever uses a library without signing in."""


def ensure_user(transaction: Transaction, user_id: str) -> None:
    """Insert the user unless the user exists already. Raises InvalidValue for a user_id that is not a folder name."""
    check_user(user_id)
    if not transaction.rows("select 1 from users where user_id = ?", [user_id]):
        transaction.insert("users", {"user_id": user_id, "name": user_id, "created_us": to_us(utc_now())})


def preferences(transaction: Transaction, user_id: str) -> dict[str, Any]:
    """All preferences of a user, by key, from the catalog."""
    rows = transaction.rows("select key, value from preferences where user_id = ? order by key", [user_id])
    # NaN and infinity are not JSON, but older versions stored them.
    return {row["key"]: json.loads(row["value"], parse_constant=lambda _: None) for row in rows}


def set_preference(transaction: Transaction, user_id: str, key: str, value: Any) -> None:
    """Set one preference; None removes it. Raises InvalidValue for a value that is not JSON."""
    check_user(user_id)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise InvalidValue(name=key, value=repr(value)[:80], reason=f"it is not JSON ({error})") from error
    transaction.run("delete from preferences where user_id = ? and key = ?", [user_id, key])
    if value is not None:
        transaction.insert("preferences", {"user_id": user_id, "key": key, "value": text})
    transaction.changed_preferences.add(user_id)


# --- the published file ---------------------------------------------------------------------------


def read_preferences(paths: LibraryPaths, user_id: str) -> dict[str, Any]:
    """All preferences of a user by key, read without a lock; empty if none were ever set."""
    return read_json_object(paths.preferences(user_id)) or {}


def write_preferences(paths: LibraryPaths, user_id: str, values: dict[str, Any]) -> None:
    """Publish a user's preferences. The caller holds the catalog's lock. Raises DiskFull."""
    write_json(paths.preferences(user_id), values)


def restore_preferences(transaction: Transaction, paths: LibraryPaths) -> None:
    """In a catalog that is rebuilt: take every user's preferences from the published files."""
    for path in sorted(paths.preferences_root.glob("*.json")):
        values = read_preferences(paths, path.stem) if is_user_id(path.stem) else {}
        for key, value in values.items():
            set_preference(transaction, path.stem, key, value)


def outdated_preferences(transaction: Transaction, paths: LibraryPaths) -> set[str]:
    """The ids of users whose file differs from the catalog: after a crash, or in a library of an older version."""
    user_ids = {row["user_id"] for row in transaction.rows("select distinct user_id from preferences")}
    # A crash after the last preference was removed leaves a file without a row.
    user_ids |= {path.stem for path in paths.preferences_root.glob("*.json") if is_user_id(path.stem)}
    return {user for user in user_ids if read_preferences(paths, user) != preferences(transaction, user)}
