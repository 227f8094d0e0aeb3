"""The parent's side of sql_server.py: starts the process, keeps it within its limits, and ends it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import psutil
import pyarrow as pa

from heimdex_core.errors import InvalidSql, SqlMemory, SqlTimeout
from heimdex_core.settings import Settings
from heimdex_core.store import sql_server

_START_S = 60.0
"""For the process to load DuckDB, on a machine that is busy."""
_GRACE_S = 2.0
"""For a query that was interrupted to end; then the process is killed."""
_LOOK_S = 0.02
_SLACK_BYTES = 64 * 1024**2

Params = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """What a query may use."""

    timeout_s: float
    memory_bytes: int
    """For the rows of the user, the query and its result."""
    threads: int

    @staticmethod
    def of(settings: Settings) -> SqlLimits:
        return SqlLimits(settings.sql_timeout_s, settings.sql_memory_bytes, settings.sql_threads)


class SqlProcess:
    """A process with an empty database in memory. For one thread at a time.

    Every method raises SqlMemory or SqlTimeout where the process exceeds its limits, InvalidSql where it crashes.
    After these it may have ended: see `is_alive`.
    """

    def __init__(self, limits: SqlLimits) -> None:
        self._limits = limits
        options = {"memory_bytes": limits.memory_bytes, "threads": limits.threads}
        self._process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            [sys.executable, "-P", sql_server.__file__, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # its own: Ctrl-C is for us, who then end it
            start_new_session=True,
            cwd=Path(sql_server.__file__).parent,
        )
        self._end = weakref.finalize(self, _end, self._process)
        self._base_bytes = 0
        try:
            self._receive(_START_S)
            self._base_bytes = self._resident_bytes()
        except BaseException:
            self.close()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked more."""
        return self._end.alive and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, statements: Sequence[tuple[str, Sequence[Any]]], table: pa.Table | None = None) -> None:
        """Run statements of our own, with parameters that are JSON; `table` is the table `incoming` in them."""
        request = {"op": "run", "statements": [[sql, list(params)] for sql, params in statements]}
        self._ask(request, _serialized(table) if table is not None else b"")

    def scenes(self, table: pa.Table, files: Sequence[Mapping[str, Any]]) -> None:
        """Make the table scenes, instead of the one before.

        Args:
            table: rows in memory, with the columns of the table.
            files: Arrow files that have more rows. Of each its `path`; `rows`, (start, stop) of those that count; and
                `generations`, (end, number): the generation of the rows before each end, counted in these rows.

        Raises FileNotFoundError if a file cannot be read.
        """
        self._ask({"op": "scenes", "files": files}, _serialized(table))

    def query(self, query: str, params: Params) -> pa.Table:
        """The result of a user's query. Raises InvalidSql where it cannot be run."""
        named = isinstance(params, Mapping)
        values = dict(params) if isinstance(params, Mapping) else {f"p{n}": value for n, value in enumerate(params)}
        try:
            data = _serialized(pa.table({name: [value] for name, value in values.items()})) if values else b""
        except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
            raise InvalidSql(reason=f"a parameter cannot be passed: {error}"[:500]) from error
        request = {"op": "query", "sql": query, "named": named, "timeout_s": self._limits.timeout_s}
        return sql_server.read_table(self._ask(request, data))

    def close(self) -> None:
        """End the process."""
        self._end()

    # --- asking -----------------------------------------------------------------------------------

    def _ask(self, request: Mapping[str, Any], data: bytes | pa.Buffer) -> memoryview:
        try:
            try:
                sql_server.write_frame(cast(BinaryIO, self._process.stdin), dict(request), data)
            except OSError:  # it has ended; what it said last is not in the pipe
                raise self._ended() from None
            response, body = self._receive(self._limits.timeout_s + _GRACE_S)
        except BaseException:
            # Killed, or a response would be left in the pipe: after Ctrl-C, too, it cannot be used any more.
            self.close()
            raise
        match response.get("error"):
            case None:
                return body
            case "memory":
                raise SqlMemory(limit_bytes=self._limits.memory_bytes)
            case "missing":
                raise FileNotFoundError("a file of scenes")
            case "timeout":
                raise SqlTimeout(limit_s=self._limits.timeout_s)
            case _:
                raise InvalidSql(reason=response["reason"])

    def _receive(self, timeout_s: float) -> tuple[dict[str, Any], memoryview]:
        ends_at = time.monotonic() + timeout_s
        head = self._read(sql_server.HEADER.size, ends_at)
        text_bytes, data_bytes = sql_server.HEADER.unpack(head)
        text = self._read(text_bytes, ends_at)
        # the result is there already, so it comes as fast as it can be copied
        return json.loads(bytes(text)), self._read(data_bytes, time.monotonic() + _START_S)

    def _read(self, size: int, ends_at: float) -> memoryview:
        """Exactly so many bytes; meanwhile the process is watched."""
        buffer = memoryview(bytearray(size))
        done = 0
        descriptor = cast(BinaryIO, self._process.stdout).fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while done < size:
                if selector.select(_LOOK_S):
                    part = os.readv(descriptor, [buffer[done:]])
                    if part == 0:
                        raise self._ended()
                    done += part
                elif time.monotonic() >= ends_at:
                    raise SqlTimeout(limit_s=self._limits.timeout_s)
                elif self._base_bytes and self._resident_bytes() - self._base_bytes > self._most_bytes:
                    raise SqlMemory(limit_bytes=self._limits.memory_bytes)
        return buffer

    @property
    def _most_bytes(self) -> int:
        """More than DuckDB's own limit, whose error is the gentler one: the process lives on after it."""
        return self._limits.memory_bytes + self._limits.memory_bytes // 4 + _SLACK_BYTES

    def _resident_bytes(self) -> int:
        try:
            memory = psutil.Process(self._process.pid).memory_info()
            return int(memory.rss) - int(getattr(memory, "shared", 0))  # mapped files are not the query's
        except psutil.Error:
            return 0

    def _ended(self) -> SqlMemory | InvalidSql:
        """The error of a process that ended by itself."""
        code = self._process.wait()
        if code == -signal.SIGKILL:  # nobody but the kernel does that, when memory is short
            return SqlMemory(limit_bytes=self._limits.memory_bytes)
        return InvalidSql(reason=f"it ended the process that runs queries (exit code {code})")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _serialized(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
