"""What Postgres raises, as errors that say what to do. The password is in none of them."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import errors as pg

from heimdex_core.errors import (
    CatalogDamaged,
    DatabaseInterrupted,
    DatabaseNotFound,
    DatabaseRefused,
    DatabaseUnavailable,
    HeimdexError,
    InvalidValue,
)

# A connection that fails has no SQLSTATE: libpq keeps the server's text only.
_NO_DATABASE = ("database", "does not exist")
_REFUSED = ("password authentication failed", "authentication failed", "no password supplied", "pg_hba.conf", "role ")
_RESTARTING = ("is starting up", "is shutting down", "in recovery mode", "not yet accepting connections")


def check_url(url: str) -> None:
    """Raise InvalidValue for what is no URL of a Postgres database. Says nothing of its password."""
    reason = None
    if not url.startswith(("postgresql://", "postgres://")):
        reason = "it has to begin with postgresql://"
    elif url.split("://", 1)[1].split("/", 1)[0].count("@") > 1:
        reason = "an @ in the password is written %40, a / is written %2F"
    else:
        try:
            psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            reason = "it has the form postgresql://user:password@host:port/database; write % in the password as %25"
    if reason is not None:
        raise InvalidValue(name="HEIMDEX_DATABASE_URL", value="(hidden)", reason=reason)


def is_restarting(error: psycopg.Error) -> bool:
    """Whether a connection failed because the server is just starting or stopping."""
    return any(text in str(error) for text in _RESTARTING)


def not_connected(url: str, error: psycopg.Error) -> DatabaseUnavailable:
    """The error of a connection that was not made."""
    text, user, database = without_password(url, error), *_names(url)
    if all(part in text for part in _NO_DATABASE) and "role " not in text:
        return DatabaseNotFound(database=database)
    if any(part in text for part in _REFUSED) or "permission denied" in text:
        return DatabaseRefused(user=user, reason=text)
    return DatabaseUnavailable(reason=text)


def failed(url: str, schema: str, root: str, error: psycopg.Error) -> HeimdexError | None:
    """The error of a statement; None for one that is a mistake of ours."""
    text = without_password(url, error)
    if isinstance(error, pg.DiskFull):
        # not its own words, which files.disk_errors would take for those of the library's disk
        return DatabaseUnavailable(reason="the disk of the database server is full")
    if isinstance(error, pg.InsufficientPrivilege | pg.ReadOnlySqlTransaction):
        return DatabaseRefused(user=_names(url)[0], reason=text)
    if isinstance(error, pg.UndefinedTable | pg.InvalidSchemaName | pg.DataCorrupted | pg.IndexCorrupted):
        return CatalogDamaged(path=root, reason=f"{text} (schema {schema})")
    if isinstance(error, pg.DataError | pg.DatatypeMismatch):
        return InvalidValue(name="value", value="(given)", reason=text)
    if isinstance(error, psycopg.OperationalError):
        return DatabaseInterrupted(reason=text)
    return None


def without_password(url: str, error: BaseException) -> str:
    """The first line of an error's text, without what is secret in `url`."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    secret = urlsplit(url).password or ""
    for hidden in (url, secret, unquote(secret), str(psycopg.conninfo.conninfo_to_dict(url).get("password") or "")):
        text = text.replace(hidden, "***") if hidden else text
    return text[:300]


def _names(url: str) -> tuple[str, str]:
    """(user, database) as the server gets them."""
    given = psycopg.conninfo.conninfo_to_dict(url)
    user = str(given.get("user") or "")
    return user, str(given.get("dbname") or user)
