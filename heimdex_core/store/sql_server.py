"""The process that runs the queries of `lib.sql`; sql_process.py starts it and talks to it.

    python -P sql_server.py '{"memory_bytes": ..., "threads": ..., "schemas": [...]}'

A process of its own, because DuckDB's limits do not hold everywhere: `select repeat('x', 20000000000)` heeds neither
its memory limit nor an interrupt. It is a plain script, so that only DuckDB and Arrow are loaded, and nobody's
`__main__` is imported again. Requests come on stdin, responses go to stdout: frames of JSON and Arrow bytes.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

HEADER = struct.Struct("<IQ")
"""Before a frame: the bytes of its JSON, the bytes of its Arrow data."""

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_BATCH_ROWS = 10_000
_INTERRUPT_EVERY_S = 0.05
_LOOK_AT_PARENT_S = 1.0

Request = dict[str, Any]


class Refused(Exception):
    """A query that is not run; the text says why."""


class ResultTooLarge(Exception):
    """The result takes more memory than allowed."""


def write_frame(stream: BinaryIO, value: Request, data: bytes | memoryview | pa.Buffer = b"") -> None:
    """Send a frame."""
    text = json.dumps(value).encode()
    stream.write(HEADER.pack(len(text), len(data)))
    stream.write(text)
    stream.write(memoryview(data))
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[Request, bytes] | None:
    """The next frame; None at the end."""
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    text_bytes, data_bytes = HEADER.unpack(head)
    text, data = stream.read(text_bytes), stream.read(data_bytes)
    return (json.loads(text), data) if len(text) == text_bytes and len(data) == data_bytes else None


def read_table(data: bytes | memoryview) -> pa.Table:
    """The table of a frame."""
    return pa.ipc.open_stream(data).read_all()


def map_table(path: str) -> pa.Table:
    """The table of an Arrow file, mapped into memory."""
    with pa.memory_map(path) as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()


class Database:
    """One user's rows, in memory, with access to nothing else."""

    def __init__(self, options: Request) -> None:
        self._memory_bytes = int(options["memory_bytes"])
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": int(options["threads"]),
                # the threads for reading files; there are eight otherwise
                "async_threads": 0,
                "memory_limit": f"{self._memory_bytes}B",
                # nothing is spilled: a query that needs more fails
                "temp_directory": "",
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._mapped: dict[str, pa.Table] = {}

    def run(self, request: Request, data: bytes) -> tuple[Request, pa.Buffer | bytes]:
        """Our own statements, each with its parameters; `incoming` is the table that was sent."""
        if data:
            self._connection.register("incoming", read_table(data))
        for statement, params in request["statements"]:
            self._connection.execute(statement, params)
        if data:
            self._connection.unregister("incoming")
        return {"ok": True}, b""

    def scenes(self, request: Request, data: bytes) -> tuple[Request, pa.Buffer | bytes]:
        """Make the table scenes of the rows that were sent and of rows of Arrow files, which are mapped into memory."""
        parts = [read_table(data)]
        mapped: dict[str, pa.Table] = {}
        for file in request["files"]:
            path = file["path"]
            try:
                mapped[path] = self._mapped[path] if path in self._mapped else map_table(path)
            except (OSError, pa.ArrowException):
                return {"error": "missing"}, b""
            rows = pa.concat_tables([mapped[path].slice(start, stop - start) for start, stop in file["rows"]])
            ends, values = (pa.array(column, pa.int32()) for column in zip(*file["generations"], strict=True))
            numbers = pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, values))
            parts.append(rows.append_column("generation", numbers).replace_schema_metadata(None))
        self._mapped = mapped
        self._connection.register("scenes", pa.concat_tables(parts))
        return {"ok": True}, b""

    def query(self, request: Request, data: bytes) -> tuple[Request, pa.Buffer | bytes]:
        """One SELECT or EXPLAIN of a user, and its result."""
        row = read_table(data).to_pylist()[0] if data else {}
        params = row if request["named"] else list(row.values())
        with interrupted_after(request["timeout_s"], self._connection.interrupt) as is_late:
            try:
                self._connection.execute("begin transaction read only")
                self._check(request["sql"])
                return {"ok": True}, self._result(request["sql"], params)
            except duckdb.Error:
                if is_late.is_set():
                    return {"error": "timeout"}, b""
                raise
            finally:
                with suppress(duckdb.Error):
                    self._connection.execute("rollback")

    def _check(self, query: str) -> None:
        statements = self._connection.extract_statements(query)
        if len(statements) != 1:
            raise Refused(f"one statement is needed, not {len(statements)}")
        if statements[0].type not in _READING:
            raise Refused(f"only SELECT and EXPLAIN are allowed, not {statements[0].type.name}")

    def _result(self, query: str, params: Any) -> pa.Buffer:
        reader = self._connection.sql(query, params=params).to_arrow_reader(_BATCH_ROWS)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
                if sink.tell() > self._memory_bytes:
                    raise ResultTooLarge
        return sink.getvalue()


@contextmanager
def interrupted_after(timeout_s: float, interrupt: Callable[[], None]) -> Iterator[threading.Event]:
    """Interrupt what runs in the block after `timeout_s`; the event that is given says whether that has begun."""
    done, is_late = threading.Event(), threading.Event()

    def watch() -> None:
        if not done.wait(timeout_s):
            is_late.set()
            # again and again: an interrupt between two statements is forgotten
            while not done.wait(_INTERRUPT_EVERY_S):
                interrupt()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield is_late
    finally:
        done.set()
        thread.join()


def answer(database: Database, request: Request, data: bytes) -> tuple[Request, pa.Buffer | bytes]:
    """The response to a request; errors are responses too."""
    operations = {"run": database.run, "scenes": database.scenes, "query": database.query}
    try:
        return operations[request["op"]](request, data)
    except (duckdb.OutOfMemoryException, ResultTooLarge, MemoryError, pa.ArrowMemoryError):
        return {"error": "memory"}, b""
    except (duckdb.Error, pa.ArrowException, Refused, ValueError, TypeError, OverflowError) as error:
        return {"error": "invalid", "reason": str(error).split("\n\n")[0][:500]}, b""


def end_with_parent() -> None:
    """End this process when its parent has ended, also in the middle of a query."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_AT_PARENT_S)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Serve requests until stdin is closed."""
    end_with_parent()
    requests, responses = sys.stdin.buffer, sys.stdout.buffer
    database = Database(json.loads(sys.argv[1]))
    write_frame(responses, {"ok": True})
    while (frame := read_frame(requests)) is not None:
        write_frame(responses, *answer(database, *frame))


if __name__ == "__main__":
    main()
