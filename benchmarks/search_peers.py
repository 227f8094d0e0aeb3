"""One other way to search the vectors of benchmarks/search.py, in a process of its own. Prints one JSON object.

    python benchmarks/search_peers.py flat|hnsw|lancedb DATA_FOLDER --data clustered --scenes N

The pictures' vectors (768 wide) are indexed, and each query asks for the DEPTH scenes that fusion needs. FAISS searches
with one thread, as we do, and builds with two; LanceDB has threads of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.search_data import DIMS, Data, Files, Floats, MadeUp, memory_mb  # noqa: E402 - not installed

DEPTH = 1000
QUERIES = 100
BLOCK_ROWS = 10_000
BUILD_THREADS = 2
GRAPH_ROWS = 100_000

Ask = Callable[[Floats], npt.NDArray[np.int64]]
"""(d,) to the numbers of the nearest scenes."""


def flat(files: Files, made_up: MadeUp) -> Ask:
    """All vectors in 32 bits, compared one by one."""
    import faiss

    return _faiss(faiss.IndexFlatIP(DIMS["vision"]), files)


def hnsw(files: Files, made_up: MadeUp) -> Ask:
    """A graph of 32 neighbours over vectors in 32 bits; efSearch is DEPTH, the least that gives so many."""
    import faiss

    index = faiss.IndexHNSWFlat(DIMS["vision"], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 100
    index.hnsw.efSearch = DEPTH
    return _faiss(index, files)


def _faiss(index: Any, files: Files) -> Ask:
    import faiss

    faiss.omp_set_num_threads(BUILD_THREADS)
    vectors = files.vectors("vision")
    for at in range(0, len(vectors), BLOCK_ROWS):
        index.add(vectors[at : at + BLOCK_ROWS].astype(np.float32))
    faiss.omp_set_num_threads(1)

    def ask(query: Floats) -> npt.NDArray[np.int64]:
        found: npt.NDArray[np.int64] = index.search(query.reshape(1, -1), DEPTH)[1][0]
        return found

    return ask


def lancedb(files: Files, made_up: MadeUp) -> Ask:
    """A table on the disk; 20 partitions are searched, and several times as many candidates compared exactly.

    The index is IVF_HNSW_SQ (two candidates for each result), above GRAPH_ROWS IVF_PQ (four), because the graphs of a
    million vectors took more than half an hour.
    """
    import lancedb
    import pyarrow as pa

    folder = files.folder / "lancedb"
    shutil.rmtree(folder, ignore_errors=True)
    vectors = files.vectors("vision")
    schema = pa.schema([("scene", pa.int64()), ("vector", pa.list_(pa.float32(), DIMS["vision"]))])

    def batches() -> Any:
        for at in range(0, len(vectors), BLOCK_ROWS):
            block = vectors[at : at + BLOCK_ROWS].astype(np.float32)
            column = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), DIMS["vision"])
            yield pa.RecordBatch.from_arrays([pa.array(np.arange(at, at + len(block))), column], schema=schema)

    table = lancedb.connect(folder).create_table("scenes", pa.RecordBatchReader.from_batches(schema, batches()))
    has_graphs = made_up.scenes <= GRAPH_ROWS
    table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_HNSW_SQ" if has_graphs else "IVF_PQ")
    refined = 2 if has_graphs else 4

    def ask(query: Floats) -> npt.NDArray[np.int64]:
        search: Any = table.search(query)  # its type depends on what the query is, which is not in its signature
        search = search.distance_type("dot").nprobes(20).refine_factor(refined)
        search = search.ef(2 * DEPTH) if has_graphs else search
        found: npt.NDArray[np.int64] = search.select(["scene"]).limit(DEPTH).to_arrow()["scene"].to_numpy()
        return found

    return ask


PEERS: dict[str, Callable[[Files, MadeUp], Ask]] = {"flat": flat, "hnsw": hnsw, "lancedb": lancedb}


def run(peer: str, files: Files, made_up: MadeUp) -> dict[str, Any]:
    """Build the peer's index and ask it."""
    exact = files.exact("vision", QUERIES, 10)
    before = memory_mb()
    started = time.perf_counter()
    ask = PEERS[peer](files, made_up)
    built_s = time.perf_counter() - started
    queries = files.queries("vision")
    for query in queries[QUERIES : QUERIES + 5]:
        ask(query)
    times, shares = [], []
    for query, wanted in zip(queries[:QUERIES], exact, strict=True):
        started = time.perf_counter()
        found = ask(query)
        times.append((time.perf_counter() - started) * 1000)
        shares.append(len(np.intersect1d(found[:10], wanted)) / len(wanted))
    after = memory_mb()
    folder = files.folder / "lancedb"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if peer == "lancedb" else 0
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "recall_at_10": round(float(np.mean(shares)), 4),
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
        "build_s": round(built_s, 1),
        "private_mb": round(after["private_mb"] - before["private_mb"], 1),
        "mapped_mb": after["mapped_mb"],
        "disk_mb": round(size / 1e6, 1),
    }


def main() -> None:
    """Measure one peer; exit status 3 where it is not installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("files", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--scenes", type=int, required=True)
    args = parser.parse_args()
    data: Data = args.data
    try:
        print(json.dumps(run(args.peer, Files(args.files), MadeUp(data, args.scenes))))
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
        os._exit(3)
    sys.stdout.flush()
    os._exit(0)  # LanceDB's threads may outlive it


if __name__ == "__main__":
    main()
