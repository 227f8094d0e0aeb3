"""Parquet files of a generation: their metadata, and what is left out of one that is not as it should be."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from heimdex_core.errors import LibraryDamaged
from heimdex_core.files import atomic_write, make_folder
from heimdex_core.store.parquet import read_table
from heimdex_core.store.rows import Rule, usable

log = logging.getLogger(__name__)

FORMAT_VERSION = 1


def write_file(path: Path, table: pa.Table, metadata: Mapping[str, str]) -> None:
    """Write a table with this metadata besides kind and format. Raises DiskFull."""
    described = table.replace_schema_metadata({"format": str(FORMAT_VERSION), "kind": path.stem, **metadata})
    make_folder(path.parent, levels=2)
    with atomic_write(path) as file:
        pq.write_table(described, file, compression="zstd", write_page_checksum=True)


def read_rows(path: Path, schema: pa.Schema, rules: Sequence[Rule], max_rows: int) -> tuple[pa.Table, list[str]]:
    """(the rows that keep the rules, what is wrong with the others). Raises FileNotFoundError, LibraryDamaged."""
    table = read_columns(path, schema, max_rows)
    kept, problems = usable(table, rules)
    return kept.replace_schema_metadata(table.schema.metadata), problems


def read_columns(path: Path, schema: pa.Schema, max_rows: int) -> pa.Table:
    """The columns of a schema, null where the file lacks them, with the metadata of the file.

    Raises FileNotFoundError, LibraryDamaged.
    """
    table = read_file(path, max_rows)
    metadata = table.schema.metadata
    try:
        for field in schema:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        return table.select(schema.names).cast(schema).replace_schema_metadata(metadata)
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise LibraryDamaged(what=path.name, reason=str(error)[:200]) from error


def read_file(path: Path, max_rows: int, newest: int = FORMAT_VERSION) -> pa.Table:
    """The whole file, of a format up to `newest`. Raises FileNotFoundError, LibraryDamaged."""
    try:
        table = read_table(path, max_rows)
        found = int((table.schema.metadata or {}).get(b"format", b"0"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise LibraryDamaged(what=path.name, reason=str(error)[:200]) from error
    if not 1 <= found <= newest:
        raise LibraryDamaged(what=path.name, reason=f"it has format {found}; up to {newest} is known")
    return table


_said: set[tuple[str, str]] = set()
"""(path, problem) of what this process has logged."""


def log_left_out(path: Path, problems: Sequence[str]) -> None:
    """Log what is wrong with the rows of a file that are left out, each problem once."""
    for problem in problems:
        if (str(path), problem) not in _said:
            _said.add((str(path), problem))
            log.warning("rows of %s are left out: %s", path, problem)
