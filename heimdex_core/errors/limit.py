"""A limit of the settings was reached."""

from __future__ import annotations

from heimdex_core.errors.base import LimitError


class SqlTimeout(LimitError):
    """A query of `Library.sql` took too long."""

    code = "SQL_TIMEOUT"
    message_template = "The query took longer than {limit_s} s and was stopped."
    hint_template = "Select fewer rows, look for a join without a condition, or increase HEIMDEX_SQL_TIMEOUT_S."


class SqlMemory(LimitError):
    """A query of `Library.sql`, its result, or the rows that it reads need too much memory."""

    code = "SQL_MEMORY"
    message_template = "The query, its result or the tables need more memory than allowed ({limit_bytes} bytes)."
    hint_template = "Select fewer rows or columns, or increase HEIMDEX_SQL_MEMORY_BYTES."
