"""What several workers on one shared library lose to each other: catalog and queue in Postgres, files in a folder.

    python benchmarks/cluster.py [--workers 1 2 4] [--videos 24] [--gpu-s 2] [--scenes 20] [--json]

The workers are processes on this machine. Every stage is a step of the queue as always, and the
commit is the real one, of made-up scenes; but no stage computes anything. One of them, `keyframes`, sleeps for GPU_S,
as a worker does that waits for its GPU: so two cores are enough for four workers, and what no coordination would take
is known:

    ideal_s             videos / workers, rounded up, times gpu_s
    seconds             from queueing the first video until the last one is committed; the workers are ready before
    coordination_share  1 - ideal_s / seconds

So the share has in it whatever is not the stage itself: taking jobs from the queue and recording their steps, waiting
for the locks, the transactions, and writing generation and indexes, which one worker does at a time. The other columns
say where it goes, in seconds of a worker for each video:

    queue_s             before the first stage of a video, since the worker's last one or since the videos were queued
    steps_s             between the stages of a video, but for the time spent in the catalog
    catalog_wait_s      until a transaction of the catalog has begun
    catalog_s           in such transactions
    index_wait_s        until the index lock is held
    commit_s            in the index lock, but for the time in the catalog

`catalog_bytes` and `queue_bytes` are the rows of a video in Postgres, without indexes and free space.

`speed_up` and `contention_share` compare with the first row: videos_per_min divided, and 1 - speed_up / workers, the
share that the workers lose to each other. Needs requirements-dev.txt and
requirements-cluster.txt. Every number of workers begins with a new database and a new library.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from heimdex_core.ingest.execution import StageOutcome  # noqa: E402 - the repository is not installed
from heimdex_core.ingest.pipeline import IngestRun  # noqa: E402
from heimdex_core.jobs import worker  # noqa: E402
from heimdex_core.store.postgres import PostgresEngine  # noqa: E402
from heimdex_core.types import VideoState  # noqa: E402
from tests.jobs.bench import Bench  # noqa: E402
from tests.jobs.waiting import until  # noqa: E402
from tests.store import making  # noqa: E402
from tests.support.postgres import TestServer, run  # noqa: E402

SLEEPING_STAGE = "keyframes"
START_LIMIT_S = 120.0
PARTS = ("queue_s", "steps_s", "catalog_wait_s", "catalog_s", "index_wait_s", "commit_s")


def main() -> int:
    """Print a table or JSON; 0 unless a video was not indexed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--gpu-s", type=float, default=2.0, help="how long the stage of each video sleeps")
    parser.add_argument("--scenes", type=int, default=20, help="of each video")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        library, name, gpu_s, scenes = args.child
        return child(Path(library), name, float(gpu_s), int(scenes))
    server = TestServer(is_durable=True)
    try:
        rows = [measure(server, count, args) for count in args.workers]
    finally:
        server.close()
    for row in rows:
        row["speed_up"] = round(rows[0]["seconds"] / row["seconds"], 2)
        row["contention_share"] = round(1 - row["speed_up"] * rows[0]["workers"] / row["workers"], 3)
    print(json.dumps(rows, indent=1) if args.json else table(rows))
    return int(any(row["indexed"] != row["videos"] for row in rows))


def table(rows: list[dict[str, Any]]) -> str:
    """One line a row, the columns as wide as their names."""
    names = [name for name in rows[0] if name not in ("gpu_s", "scenes", "indexed")]
    lines = ["  ".join(names)]
    lines += ["  ".join(f"{row[name]:>{len(name)}}" for name in names) for row in rows]
    return "\n".join(lines)


# --- the measured side ----------------------------------------------------------------------------


def measure(server: TestServer, count: int, args: argparse.Namespace) -> dict[str, Any]:
    """One row: `count` workers on a new library."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        url = server.new_database()
        bench = Bench.make(Path(folder) / "library", database_url=url)
        opened.callback(bench.close)
        videos = [bench.video() for _ in range(args.videos)]
        logs = [opened.enter_context(running(bench, f"machine-{n}", args)) for n in range(count)]
        began = time.time()
        for video in videos:
            bench.enqueue(video)
        until(lambda: committed(logs) >= args.videos, "the last commit", limit_s=args.videos * (args.gpu_s + 10))
        states = [bench.state(video) for video in videos]
        catalog, queue = f"heimdex_{bench.library.work.key}_catalog", f"heimdex_{bench.library.work.key}"
        sizes = [row_bytes(url, schema) // args.videos for schema in (catalog, queue)]
        events = [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]
    seconds = max(event["ended"] for log in events for event in log if event["what"] == "commit") - began
    ideal_s = math.ceil(args.videos / count) * args.gpu_s
    return {
        "workers": count,
        "videos": args.videos,
        "gpu_s": args.gpu_s,
        "scenes": args.scenes,
        "indexed": states.count(VideoState.INDEXED),
        "seconds": round(seconds, 2),
        "ideal_s": round(ideal_s, 2),
        "videos_per_min": round(60 * args.videos / seconds, 1),
        "coordination_share": round(1 - ideal_s / seconds, 3),
        "catalog_bytes": sizes[0],
        "queue_bytes": sizes[1],
        **{part: round(total / args.videos, 3) for part, total in parts(events, began).items()},
    }


@contextmanager
def running(bench: Bench, name: str, args: argparse.Namespace) -> Iterator[Path]:
    """A worker that is ready for jobs; the file in which it notes what it does."""
    log = bench.library.path / "toy" / f"{name}.jsonl"
    command = [sys.executable, __file__, "--child", str(bench.library.path), name, str(args.gpu_s), str(args.scenes)]
    with subprocess.Popen(command, env={**os.environ, **bench.environment}) as process:
        try:
            until(lambda: log.exists() or process.poll() is not None, f"{name} to be ready", limit_s=START_LIMIT_S)
            yield log
        finally:
            process.kill()


def row_bytes(url: str, schema: str) -> int:
    """The bytes of all rows of a schema."""
    names = [row[0] for row in run(url, f"select tablename from pg_tables where schemaname = '{schema}'")]  # noqa: S608
    sums = [run(url, f"select sum(pg_column_size(t.*)) from {schema}.{name} t")[0][0] for name in names]  # noqa: S608
    return sum(int(str(found)) for found in sums if found is not None)


def committed(logs: list[Path]) -> int:
    """How many commits the workers have noted."""
    return sum(log.read_text().count('"commit"') for log in logs)


def parts(events: list[list[dict[str, Any]]], began: float) -> dict[str, float]:
    """Seconds of all workers by PARTS, from `began` until each has committed its last video."""
    total = dict.fromkeys(PARTS, 0.0)
    for log in events:
        videos: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for event in log:
            videos[event["video"]].append(event)
        in_order = sorted(videos.values(), key=lambda stages: min(stage["began"] for stage in stages))
        ends = [began, *(max(stage["ended"] for stage in stages) for stages in in_order)]
        begins = [min(stage["began"] for stage in stages) for stages in in_order]
        total["queue_s"] += sum(begin - end for begin, end in zip(begins, ends[:-1], strict=True))
        for stages, begin, end in zip(in_order, begins, ends[1:], strict=True):
            spent = {part: sum(stage.get(part, 0.0) for stage in stages) for part in PARTS[2:]}
            spent["steps_s"] = end - begin - sum(stage["slept_s"] for stage in stages) - sum(spent.values())
            for part, seconds in spent.items():
                total[part] += seconds
    return total


# --- the worker -----------------------------------------------------------------------------------


class Clock:
    """Seconds that the stages of one thread spend in locks and in what they protect."""

    def __init__(self) -> None:
        self._of = threading.local()

    def begin(self) -> None:
        self._of.spent = defaultdict(float)

    def spent(self) -> dict[str, float]:
        spent: dict[str, float] = self._of.spent
        # the catalog is entered inside the index lock as well, and counted once
        spent["commit_s"] -= spent.pop("within", 0.0)
        return spent

    def add(self, part: str, seconds: float) -> None:
        if hasattr(self._of, "spent"):
            self._of.spent[part] += seconds

    def timed(self, hold: Callable[..., AbstractContextManager[Any]], waiting: str, held: str) -> Callable[..., Any]:
        """A context manager's function that notes how long it takes to enter, and the block."""

        @contextmanager
        def noted(*args: Any, **kwargs: Any) -> Iterator[Any]:
            began = time.perf_counter()
            is_inside = getattr(self._of, "is_held", False)
            with hold(*args, **kwargs) as value:
                entered = time.perf_counter()
                self._of.is_held = True
                try:
                    yield value
                finally:
                    self._of.is_held = is_inside
            self.add(waiting, entered - began)
            self.add(held, time.perf_counter() - entered)
            if is_inside:
                self.add("within", time.perf_counter() - began)

        return noted


def child(library: Path, name: str, gpu_s: float, scenes: int) -> int:
    """A worker on a machine called `name`."""
    log, clock = library / "toy" / f"{name}.jsonl", Clock()

    def run_stage(self: IngestRun, stage: str) -> StageOutcome:
        clock.begin()
        event: dict[str, Any] = {"what": stage, "video": self.video_id, "began": time.time(), "slept_s": 0.0}
        if stage == "probe":
            self.store.set_state(self.video_id, VideoState.PROCESSING, info=making.INFO)
        elif stage == SLEEPING_STAGE:
            before = time.time()
            time.sleep(gpu_s)
            event["slept_s"] = time.time() - before
        elif stage == "commit":
            commit(self, scenes)
        with log.open("a") as file:
            file.write(json.dumps(event | {"ended": time.time()} | clock.spent()) + "\n")
        return StageOutcome(stage, "toy", skipped=False, seconds=0.0)

    def ready(self: worker._Worker) -> None:
        lock = type(self._library._store.context.index_lock)
        with mock.patch.object(lock, "hold", clock.timed(lock.hold, "index_wait_s", "commit_s")):
            log.touch()
            watch(self)

    watch = worker._Worker._watch
    connect = clock.timed(PostgresEngine.connect, "catalog_wait_s", "catalog_s")
    mock.patch.object(worker._Worker, "_watch", ready).start()
    mock.patch.object(IngestRun, "run_stage", run_stage).start()
    mock.patch.object(PostgresEngine, "connect", connect).start()
    return worker.run_worker(library)


def commit(run: IngestRun, scenes: int) -> None:
    """Commit made-up scenes with vectors of the library's own models."""
    store = run.store
    video = store.video("local", run.video_id)
    spaces = store.sets.active().spaces
    texts = [f"what is said in scene {n} of {run.video_id}" for n in range(scenes)]
    staged = making.stage(store, video, texts, spaces=spaces)
    store.commit_generation(
        run.video_id,
        staged,
        n=store.next_generation(run.video_id),
        spaces=list(spaces.values()),
        transcript_source="subtitles",
    )


if __name__ == "__main__":
    sys.exit(main())
