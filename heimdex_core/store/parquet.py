"""Reading Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.store.transaction import from_us

MOMENT = pa.timestamp("us", tz="UTC")


MAX_FILE_BYTES = 1 << 30
MAX_TABLE_BYTES = 1 << 30
"""Of a foreign file, in memory. A hundred thousand scenes with long texts take less."""
_BATCH_ROWS = 256


def read_table(path: Path, max_rows: int | None = None, columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a Parquet file, which is opened once. Raises FileNotFoundError, OSError, pa.ArrowException.

    `max_rows` is a limit, None for none; a file that claims more rows raises pa.ArrowInvalid before they are read.
    `columns` are read, None for all. Pages that have a checksum are compared with it.

    Arrow opens the file itself. Of a Python file its threads keep bytes for a moment after the table is there; if the
    interpreter ends in that moment, they ask for its lock, and the process aborts ("terminate called without an active
    exception", https://github.com/apache/arrow/issues/34314).

    Not `pq.read_table`: it reads through pyarrow.dataset, whose import brings pandas, half a second of a short search.
    """
    with _opened(path) as parquet:
        _check_count(parquet, max_rows)
        return parquet.read(columns)


def read_about(path: Path) -> tuple[int, Mapping[bytes, bytes]]:
    """The number of rows of a Parquet file, and what its writer noted of the table; no row is read.

    Raises FileNotFoundError, OSError, pa.ArrowException.
    """
    with _opened(path) as parquet:
        return parquet.metadata.num_rows, parquet.schema_arrow.metadata or {}


def check_size(path: Path, max_rows: int) -> None:
    """Refuse a foreign file that is too large, or becomes so when it is unpacked: it is read in small parts.

    Raises FileNotFoundError, OSError, pa.ArrowException; pa.ArrowInvalid says what is too large.
    """
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise pa.ArrowInvalid(f"it has {size} bytes, more than {MAX_FILE_BYTES}")
    total = 0
    with _opened(path) as parquet:
        _check_count(parquet, max_rows)
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
            total += batch.nbytes
            if total > MAX_TABLE_BYTES:
                raise pa.ArrowInvalid(f"its content is larger than {MAX_TABLE_BYTES} bytes")


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    with pa.OSFile(str(path), "rb") as file, pq.ParquetFile(file, page_checksum_verification=True) as parquet:
        yield parquet


def _check_count(parquet: pq.ParquetFile, max_rows: int | None) -> None:
    if max_rows is not None and (found := parquet.metadata.num_rows) > max_rows:
        raise pa.ArrowInvalid(f"it has {found} rows, more than {max_rows}")


def python_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as dicts. Moments are read as numbers first: `to_pylist` would import pandas for them."""
    moments = [field.name for field in table.schema if field.type == MOMENT]
    for name in moments:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table.column(at).cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row.update({name: from_us(row[name]) for name in moments})
    return rows
