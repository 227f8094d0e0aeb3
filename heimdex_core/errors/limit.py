"""A limit of the settings was reached."""

from __future__ import annotations

from heimdex_core.errors.base import LimitError


class RateLimited(LimitError):
    """A user or a token has sent more requests than the settings allow."""

    code = "RATE_LIMITED"
    message_template = "Too many requests."
    hint_template = "Try again in {retry_after_s} s."


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


class SceneTooLong(LimitError):
    """A short would be longer than the limit."""

    code = "SCENE_TOO_LONG"
    message_template = "The short would last {scene_duration_s} s; the limit is {max_duration_s} s."
    hint_template = "Trim it: choose where it begins and where it ends."


class ExportLimitExceeded(LimitError):
    """A person has made as many shorts in the last 24 hours as the settings allow.

    `asked` is how many were asked for together, `allowed` how many of these would still fit.
    """

    code = "EXPORT_LIMIT_EXCEEDED"
    message_template = (
        "{current_count} of {limit} shorts of the last 24 hours are used. New ones asked for: {asked}, possible:"
        " {allowed}; none was made."
    )
    hint_template = (
        "The oldest of them stops counting in {hours_until_reset} hours. HEIMDEX_SHORT_DAILY_LIMIT changes the limit"
        " (0: none)."
    )
