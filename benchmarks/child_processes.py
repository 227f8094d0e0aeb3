"""What it costs to read foreign files in child processes: `add` with them and without, on a small and a larger clip.

    python benchmarks/child_processes.py [--rounds 5] [--seconds 60]

The models are small stand-ins, so that only reading, cutting and storing are timed. Both sides run alternately; the
fastest round counts, with the server of the children already running, whose start is shown by itself.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from heimdex_core.ingest.pipeline import IngestRun  # noqa: E402 - the repository is not installed
from heimdex_core.media import child_server  # noqa: E402
from heimdex_core.media.child import ChildLimits, run_in_child  # noqa: E402
from heimdex_core.media.child_server_process import server_process  # noqa: E402
from tests.support import media  # noqa: E402
from tests.support.ingest import SmallModels, new_store, place_video, settings  # noqa: E402

LIMITS = ChildLimits(4 * 1024**3, 120.0)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the larger clip")
    args = parser.parse_args()
    show_server()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small = media.colour_clips(root / "small.mp4", [("red", 1.0), ("blue", 1.0)], tone_hz=440)
        half_s = args.seconds / 2
        large = media.colour_clips(
            root / "large.mp4", [("red", half_s), ("blue", half_s)], size=(1280, 720), noise=20, tone_hz=440
        )
        print(f"{'clip':>10} {'in this process':>16} {'in children':>12} {'difference':>11}")
        for name, path in (("small", small), ("large", large)):
            here, apart = compare(path, root / name, args.rounds)
            print(f"{name:>10} {here:>14.2f} s {apart:>10.2f} s {apart - here:>9.2f} s")


def show_server() -> None:
    """How long the server takes to start, what it holds, and what a child costs that does nothing."""
    began = time.perf_counter()
    nothing()
    started_s = time.perf_counter() - began
    times = sorted(nothing() for _ in range(50))
    server = next(p for p in psutil.Process().children() if p.name().startswith("python"))
    print(f"server: {started_s:.2f} s to start, {server.memory_info().rss / 1e6:.0f} MB resident")
    fastest_ms, median_ms = 1000 * times[0], 1000 * times[len(times) // 2]
    print(f"a child that does nothing: {fastest_ms:.0f} ms (median of {len(times)}: {median_ms:.0f} ms)")


def nothing() -> float:
    """Seconds of a child that does nothing."""
    began = time.perf_counter()
    run_in_child("operator:is_", None, filename="nothing", limits=LIMITS)  # of a module that is loaded already
    return time.perf_counter() - began


def compare(path: Path, root: Path, rounds: int) -> tuple[float, float]:
    """The fastest `add` (in this process, in children) of the same file."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds + 1):
        for here in (True, False):
            child_server._in_child = here
            store = new_store(root / f"{number}-{here}")
            video = place_video(store, path)
            began = time.perf_counter()
            IngestRun(store, SmallModels(), settings(), video).run()
            if number:  # the first one loads modules
                times[here].append(time.perf_counter() - began)
            store.close()
    return min(times[True]), min(times[False])


if __name__ == "__main__":
    try:
        main()
    finally:
        child_server._in_child = False
        server_process.stop()
