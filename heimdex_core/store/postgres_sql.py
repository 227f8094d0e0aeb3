"""The catalog's SQL, which is written for both databases, as psycopg takes it."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKENS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|[?%]""")
_DEFINITION = re.compile(r"\s*(?:create|alter) table\b")
_TYPES = {
    # Sorted by code point as in DuckDB, whatever the language of the database.
    "varchar": 'text collate "C"',
    "double": "double precision",
}


@lru_cache(maxsize=512)
def translate(sql: str) -> bytes:
    """A statement with `%s` for each `?` outside strings, names in quotes and comments; `%` is doubled everywhere.

    In definitions of tables the types are those of Postgres.
    """
    if _DEFINITION.match(sql):
        sql = re.sub(r"\b(varchar|double)\b(?! precision)", lambda found: _TYPES[found[1]], sql)
    return _TOKENS.sub(lambda found: "%s" if found[0] == "?" else found[0].replace("%", "%%"), sql).encode()
