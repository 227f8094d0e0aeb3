"""Logging: text lines, or with HEIMDEX_LOG_FORMAT=json an object a line with the ids of the request and the job.

Log statements name no secrets, no texts of queries and no links. What is written is looked through all the same, since
errors of libraries quote what they were given.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from heimdex_core.settings import Settings, get_settings

Process = Literal["app", "worker", "serve", "mcp", "cli"]

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OURS = ("heimdex_core", "ui")
"""The loggers whose level is INFO; that of others is WARNING."""

_HIDDEN = "***"
_SECRETS = (
    (re.compile(r"\bhdx_[A-Za-z0-9_-]+"), _HIDDEN),
    (re.compile(r"(?i)(\bbearer\s+)[^\s\"',]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)"), rf"\1{_HIDDEN}"),
    # paths of signed links, and the parameters of addresses
    (re.compile(r"(/(?:files|sprites|faces|short-frames)/)[^\s\"'?]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)([?&](?:q|text|token|link|query|code|state)=)[^\s&\"']+"), rf"\1{_HIDDEN}"),
)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

_ids: ContextVar[dict[str, str]] = ContextVar("heimdex_log_ids")


@contextmanager
def ids(**named: str) -> Iterator[None]:
    """Add ids (request_id, job_id) to what this thread or task logs in the block."""
    reset = _ids.set({**_ids.get({}), **named})
    try:
        yield
    finally:
        _ids.reset(reset)


def redact(text: str) -> str:
    """The text without tokens, passwords of URLs, signed links and what was searched for in addresses."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class TextFormatter(logging.Formatter):
    """Lines of TEXT_FORMAT, redacted; only a traceback has more than one."""

    def __init__(self) -> None:
        super().__init__(TEXT_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is Python's
        """Names of files and titles may have line breaks, which would look like lines of their own."""
        record.message = _CONTROL.sub(lambda found: repr(found[0])[1:-1], record.message)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """An object a line: time (ISO 8601, UTC), level, logger, message, process, pid, and the ids of `ids`; `exception`
    is the traceback where there is one. Fields of `extra={"fields": {...}}` are added.

    Args:
        process: what the process is.
    """

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "process": self._process,
            "pid": os.getpid(),
            **_ids.get({}),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(process: Process, settings: Settings | None = None, *, text: bool = False) -> None:
    """Have this process log as HEIMDEX_LOG_FORMAT says, on stderr. May be called again, for loggers made meanwhile.

    Args:
        text: also with "text" everything of INFO that is ours is logged; else warnings only, as Python does by itself.
    """
    is_json = (settings or get_settings()).log_format == "json"
    if not is_json and not text:
        return
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter(process) if is_json else TextFormatter()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    # in place of those that Python, or a call before, has made for the terminal
    root.handlers[:] = [one for one in root.handlers if type(one) is not logging.StreamHandler] + [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    if is_json:
        logging.captureWarnings(capture=True)
        _take_over(formatter)


def _take_over(formatter: logging.Formatter) -> None:
    """The handlers of loggers that pass nothing on, as Streamlit's and uvicorn's, write the same lines."""
    for logger in list(logging.Logger.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):
            handler.setFormatter(formatter)
