"""Copying large tables of LanceDB in the background, with indexes made anew: to compact them, to search vectors by
clusters, and to be rid of rows that were purged.

LanceDB could do both in place, but a writer would have to wait for it. So the table is copied beside the others while
they are searched and written. The switch takes index.lock for as long as it takes to add what has come since.

Clusters are an inverted file over the vectors as they are (IVF_FLAT), so what is found has exact scores. How many of
its lists are searched is measured when it is made; where even many do not find what an exact search does, all vectors
are compared. HNSW was slower to make, and needs the vectors themselves besides to find as much.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from heimdex_core.files import disk_errors
from heimdex_core.store.keyframe_vectors import Floats
from heimdex_core.store.lance_tables import (
    LanceManifest,
    TableEntry,
    lance_errors,
    load_lancedb,
    name_of,
    read_manifest,
)
from heimdex_core.store.lance_vectors import probed
from heimdex_core.store.lance_writing import LanceWriter, make_indexes
from heimdex_core.store.locks import FileLock
from heimdex_core.store.vector_large import REQUIRED_RECALL
from heimdex_core.types import Json, WorkContext

log = logging.getLogger(__name__)

LARGE_ROWS = 40_000
"""Tables with more rows are copied. So many vectors are compared in some 20 ms."""
GROWTH = 1.5
"""Vectors are divided into clusters anew when there are so many times as many as when it was done."""
MAX_APPENDS = 128
"""With more additions since it was made, a large table is copied."""
QUERIES = 64
"""So many queries measure what clusters find."""
MAX_PROBED = 1 / 4
"""If more of the clusters are needed, all vectors are compared."""


def to_copy(manifest: LanceManifest) -> list[str]:
    """The roles of the tables that are to be copied."""
    return [role for role, entry in manifest.tables.items() if _is_due(role, entry)]


def _is_due(role: str, entry: TableEntry) -> bool:
    if entry.is_erasing:
        return True
    if entry.rows <= LARGE_ROWS:
        return False
    clustered = entry.clusters["rows"] if entry.clusters else 0
    is_new = role.startswith("vectors:") and entry.rows > GROWTH * clustered
    return is_new or entry.appends > MAX_APPENDS


def copy_one(folder: Path, database: Any, index_lock: FileLock, work: WorkContext) -> bool:
    """Copy a table that is due; False if none is, or if it has become another one meanwhile.

    Args:
        folder: that of the manifest.
        database: the connection.
        index_lock: index.lock, which the caller does not hold.
        work: cancellation is checked between the steps.

    Raises Cancelled, DiskFull, LibraryDamaged; then all is as it was.
    """
    with index_lock.hold():
        manifest = read_manifest(folder)
        due = to_copy(manifest) if manifest else []
        if manifest is None or not due:
            return False
        role, entry = due[0], manifest.tables[due[0]]
        writer = LanceWriter(folder, database)
        name = writer.reserve(role)
        writer.publish()
    with lance_errors(name_of(role)), disk_errors(name_of(role), folder):
        source = database.open_table(entry.table)
        source.checkout(entry.version)
        work.check()
        table = database.create_table(name, source.search().limit(None).to_batches(), schema=source.schema)
        work.check()
        make_indexes(table, table.schema)
        work.check()
        is_divided = role.startswith("vectors:") and entry.rows > LARGE_ROWS
        clusters = cluster(table, entry.rows) if is_divided else None
    with index_lock.hold():
        writer = LanceWriter(folder, database)
        if not writer.replace_table(role, entry, table, clusters):
            return False
        writer.remove_unused()
        writer.publish()
    return True


def cluster(table: Any, rows: int) -> Json:
    """Divide the vectors of a table into clusters. What it says is kept in the manifest.

    lists: their number, the power of 2 nearest to the square root of the rows; probes: how many are searched, 0 if all
    vectors are compared; rows: when it was done; recall_at_10.
    """
    lists = 1 << max(0, round(math.log2(rows**0.5)))
    index = load_lancedb().index
    table.create_index("vector", config=index.IvfFlat(distance_type="dot", num_partitions=lists))
    queries = _queries(table, rows)
    best = [_nearest(table, query, None) for query in queries]
    found, probes = 0.0, 1
    while probes <= max(1, lists * MAX_PROBED):
        clusters = {"lists": lists, "probes": probes, "rows": rows}
        results = [_nearest(table, query, clusters) for query in queries]
        found = float(np.mean([len(set(a) & set(b)) / max(len(b), 1) for a, b in zip(results, best, strict=True)]))
        if found >= REQUIRED_RECALL:
            return {**clusters, "recall_at_10": round(found, 4)}
        probes *= 2
    log.warning("clusters find %.3f of the 10 best vectors, so all are compared", found)
    return {"lists": lists, "probes": 0, "rows": rows, "recall_at_10": 1.0}


def _nearest(table: Any, query: Floats, clusters: Json | None) -> list[int]:
    asked = table.search(query, vector_column_name="vector").distance_type("dot").limit(10)
    found = probed(asked.select(["_distance"]).with_row_id(True), clusters, 10, 1.0).to_arrow()
    rows: list[int] = found.column("_rowid").to_pylist()
    return rows


def _queries(table: Any, rows: int) -> list[Floats]:
    """Vectors of the table, and sums of two of them, as a query may lie between what it is about."""
    places = np.linspace(0, rows - 1, min(QUERIES, rows)).astype(np.int64)
    found = table.take_offsets(np.unique(places).tolist()).select(["vector"]).to_arrow().column("vector").to_pylist()
    own = np.array(found, dtype=np.float32)
    half = len(own) // 2
    return [*own[half:], *(own[:half] + own[half : 2 * half])]
