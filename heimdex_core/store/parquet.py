"""Reading Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.store.transaction import from_us

MOMENT = pa.timestamp("us", tz="UTC")


def read_table(path: Path) -> pa.Table:
    """The table of a Parquet file, which is opened once. Raises FileNotFoundError, OSError, pa.ArrowException.

    Arrow opens the file itself. Of a Python file its threads keep bytes for a moment after the table is there; if the
    interpreter ends in that moment, they ask for its lock, and the process aborts ("terminate called without an active
    exception", https://github.com/apache/arrow/issues/34314).

    Not `pq.read_table`: it reads through pyarrow.dataset, whose import brings pandas, half a second of a short search.
    """
    with pa.OSFile(str(path), "rb") as file, pq.ParquetFile(file) as parquet:
        return parquet.read()


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
