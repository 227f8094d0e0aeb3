"""What a transaction of the catalog takes where DuckDB keeps running, and where it is started for each.

    python benchmarks/catalog.py [--rounds 7] [--count 30]

Makes a catalog in a temporary folder. Both sides take turns; "read" is a transaction that reads a row, "write" one that
also changes a row and rewrites what is published of it. Prints the median of the rounds and the ratio.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from heimdex_core.store import catalog_engine  # noqa: E402 - the repository is not installed
from heimdex_core.store.catalog import Catalog  # noqa: E402
from heimdex_core.store.layout import LibraryPaths  # noqa: E402

USER = "local"


def main() -> int:
    """A line for each kind of transaction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=30, help="transactions of a round")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(LibraryPaths(Path(folder)))
        catalog.prepare()
        with catalog.transaction() as transaction:
            transaction.insert("users", {"user_id": USER, "name": USER})
        for name, call in (("read", read), ("write", write)):
            started, kept = [], []
            for _ in range(args.rounds):
                started.append(milliseconds(call, catalog, args.count, is_kept=False))
                kept.append(milliseconds(call, catalog, args.count, is_kept=True))
            before, now = median(started), median(kept)
            print(f"{name:6} started for each {before:6.2f} ms   kept running {now:6.2f} ms   ratio {now / before:.2f}")
    return 0


def read(catalog: Catalog) -> None:
    """One row."""
    with catalog.transaction() as transaction:
        transaction.rows("select name from users where user_id = ?", [USER])


def write(catalog: Catalog) -> None:
    """One row, and the file that lists the users."""
    with catalog.transaction() as transaction:
        transaction.update("users", {"last_seen_us": time.time_ns() // 1000}, {"user_id": USER})


def milliseconds(call: Callable[[Catalog], None], catalog: Catalog, count: int, *, is_kept: bool) -> float:
    """What one of `count` calls takes, where the DuckDB of the one before is used again or not."""
    began = time.perf_counter()
    for _ in range(count):
        if not is_kept:
            catalog_engine._idle.clear()
        call(catalog)
    return (time.perf_counter() - began) * 1000 / count


if __name__ == "__main__":
    sys.exit(main())
