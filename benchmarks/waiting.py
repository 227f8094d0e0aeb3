"""What waiting costs: an idle worker that sleeps against one that polls, and a search beside a writer.

    python benchmarks/waiting.py [worker] [search] [--postgres] [--seconds 60] [--rounds 5]

`worker`: CPU of a worker without work, asleep and (with sleeping switched off) awake, each watched for SECONDS; then
the time from queueing a job to the beginning of its first stage, asleep and awake. `search`: the time of a search
alone, and while another process holds the catalog's lock again and again for a second at a time. Both without
either; with --postgres in a library in Postgres (needs requirements-dev.txt). Ends with 1 where what is wanted was not
reached.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.make_media import ffmpeg  # noqa: E402 - the repository is not installed
from heimdex_core.jobs import worker as worker_module  # noqa: E402
from heimdex_core.jobs.client import JobQueue  # noqa: E402
from heimdex_core.jobs.status import WorkerStatus  # noqa: E402
from heimdex_core.jobs.statuses import statuses_of  # noqa: E402
from heimdex_core.library import Library  # noqa: E402
from heimdex_core.settings import Settings  # noqa: E402
from heimdex_core.store import Store, users  # noqa: E402

WANTED_CPU = 0.01
WANTED_START_S = 1.0
WANTED_SEARCH_RATIO = 1.5
HOLD_S = 1.0
NEVER_S = "1e9"
QUERIES = ("a red light", "the blue sea", "yellow flowers", "green trees")


def main() -> int:
    """Print the tables; 0 if what is wanted was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="worker, search")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each worker is watched")
    parser.add_argument("--rounds", type=int, default=5, help="jobs queued to each worker; searches of each query")
    parser.add_argument("--postgres", action="store_true", help="keep catalog and queue in a Postgres of its own")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child[0], Path(args.child[1]))
    with server() if args.postgres else nullcontext():
        return measured(args)


@contextmanager
def server() -> Iterator[None]:
    """A Postgres that the libraries of this process and its children keep their catalogs in."""
    from tests.support.postgres import TestServer  # noqa: PLC0415 - not needed without --postgres

    started = TestServer()
    os.environ["HEIMDEX_DATABASE_URL"] = started.url()
    try:
        yield
    finally:
        connections_closed()
        started.close()


def connections_closed() -> None:
    """Close this process's connections, so that the end of the server is not taken for a loss."""
    from heimdex_core.store.postgres_connections import connections  # noqa: PLC0415

    connections.close()


def measured(args: argparse.Namespace) -> int:
    """Run the parts; 0 if what is wanted was reached."""
    failed = False
    for part in args.parts or ("worker", "search"):
        print(f"--- {part}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "library"
            video = Path(folder) / "clip.mp4"
            ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t", "2", "-pix_fmt", "yuv420p", str(video))
            failed |= {"worker": workers, "search": searches}[part](root, video, args)
    return int(failed)


def child(what: str, root: Path) -> int:
    """The other process: a worker with or without sleep, or a writer."""
    if what == "writer":
        with Store.open(root).catalog.transaction() as transaction:
            users.set_preference(transaction, "local", "written", "yes")
            time.sleep(HOLD_S)
        return 0
    worker_module.SLEEP_AFTER_S = 0.5 if what == "asleep" else float(NEVER_S)
    return worker_module.run_worker(root)


# --- worker ---------------------------------------------------------------------------------------


def workers(root: Path, video: Path, args: argparse.Namespace) -> bool:
    with Library.open(root, settings=Settings(profile="offline")) as library:
        library.add(video)
    found = {}
    for what in ("awake", "asleep"):
        with Library.open(root) as library, running(what, root) as process:
            await_state(library, "asleep" if what == "asleep" else "idle")
            share = cpu_share(process, args.seconds)
            starts = [start_latency(library, what) for _ in range(args.rounds)]
        found[what] = share, statistics.median(starts)
        print(
            f"{what:7} {share:8.3%} of a core   a job begins after {found[what][1]:.2f} s (worst {max(starts):.2f} s)"
        )
    print(f"awake / asleep: {found['awake'][0] / max(found['asleep'][0], 1e-6):.0f} x the CPU")
    return found["asleep"][0] > WANTED_CPU or found["asleep"][1] > WANTED_START_S


@contextmanager
def running(what: str, root: Path) -> Iterator[psutil.Process]:
    command = [sys.executable, __file__, "--child", what, str(root)]
    with subprocess.Popen(command, env={**os.environ, "HEIMDEX_PROFILE": "offline"}) as started:
        try:
            yield psutil.Process(started.pid)
        finally:
            started.terminate()


def await_state(library: Library, wanted: str) -> None:
    while (status := last_status(library)) is None or status.state != wanted or not psutil.pid_exists(status.pid):
        time.sleep(0.05)


def last_status(library: Library) -> WorkerStatus | None:
    found = statuses_of(library.work).all()
    return found[0] if found else None


def cpu_share(process: psutil.Process, seconds: float) -> float:
    """CPU seconds per second of the clock."""
    time.sleep(2)  # what follows the start
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / seconds


def start_latency(library: Library, what: str) -> float:
    """Seconds from queueing a job to its beginning, as the worker reports it."""
    queue = JobQueue(library)
    if what == "asleep":
        await_state(library, "asleep")
    began = time.perf_counter()
    job_id = queue.enqueue_reindex()
    seen = None
    while not queue.status(job_id).state.is_over:
        status = last_status(library)
        if seen is None and status is not None and any(job["job_id"] == job_id for job in status.jobs):
            seen = time.perf_counter()
        time.sleep(0.005)
    queue.close()
    return (seen or time.perf_counter()) - began


# --- search ---------------------------------------------------------------------------------------


def searches(root: Path, video: Path, args: argparse.Namespace) -> bool:
    with Library.open(root, settings=Settings(profile="offline", search_cache_size=1)) as library:
        library.add(video)
        library.search(QUERIES[0])
        alone = timed(library, args.rounds)
        writer = subprocess.Popen([sys.executable, __file__, "--child", "writer", str(root)])
        beside: list[float] = []
        while len(beside) < len(alone):
            if writer.poll() is not None:
                writer = subprocess.Popen([sys.executable, __file__, "--child", "writer", str(root)])
            beside += timed(library, 1)
        writer.wait()
    for what, times in (("alone", alone), ("beside a writer", beside)):
        print(f"{what:16} median {statistics.median(times) * 1000:6.1f} ms   worst {max(times) * 1000:6.1f} ms")
    ratio = statistics.median(beside) / statistics.median(alone)
    print(f"beside a writer / alone: {ratio:.2f} x (wanted: at most {WANTED_SEARCH_RATIO})")
    return ratio > WANTED_SEARCH_RATIO or max(beside) > HOLD_S / 2


def timed(library: Library, rounds: int) -> list[float]:
    """Seconds of each search, with the saved weights; no result comes from the cache."""
    found = []
    for _ in range(rounds):
        for query in QUERIES:
            began = time.perf_counter()
            library.search(query)
            found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    sys.exit(main())
