"""The whole way of a video: how well the branches overlap, and whether memory grows with its length.

Parts of benchmarks/ingest.py; each measurement runs in a process of its own.

The models are those of the offline profile (a recogniser that keeps one core busy, small encoders), or with
`--models small` the tests' own small ones, which go through faster-whisper, open_clip and
sentence-transformers. They are loaded, and everything is imported, before the clock starts.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heimdex_core.library import Library
    from heimdex_core.types import QueueDepth, Video, WorkerActivity

SMALL = Path(__file__).parents[1] / "tests" / "models_small"
WANTED_OVERLAP = 1.15
WANTED_GROWTH = 1.2
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def opened(models: str) -> Iterator[Library]:
    """An empty library with loaded models, used once so that nothing is imported later."""
    from benchmarks.make_media import short_video
    from heimdex_core.library import Library
    from heimdex_core.settings import Settings

    settings = Settings(max_duration_s=1e9, max_file_bytes=10**13, profile="offline")
    with (
        tempfile.TemporaryDirectory() as folder,
        Library.open(Path(folder) / "library", settings=settings) as library,
    ):
        if models == "small":
            library.model_sets.move_to(
                speech=f"whisper:{SMALL / 'whisper'}",
                text=f"sentence:{SMALL / 'sentences'}",
                vision=f"openclip:local-dir:{SMALL / 'open_clip'}",
            )
        library.add(short_video())
        yield library


def branch(path: Path, name: str, models: str) -> dict[str, float]:
    """A video of which only the first stages and one branch ("speech" or "picture") are run."""
    from heimdex_core.ingest import stages

    with opened(models) as library:
        run = library.work.ingest_run(_registered(library, path).video_id)
        names = [spec.name for spec in stages.SPECS if spec.branch in ("start", name)]
        began, before = time.perf_counter(), cpu_s()
        for stage in names:
            run.run_stage(stage)
        return {"seconds": time.perf_counter() - began, "cpu_s": cpu_s() - before}


def whole(path: Path, models: str) -> dict[str, float]:
    """All of it. `peak_bytes` is the most that this process ever held, with what its helper processes did."""
    with opened(models) as library:
        video = _registered(library, path)
        loaded = rss_bytes("VmRSS")
        began, before = time.perf_counter(), cpu_s()
        done = library.work.start_ingest(video, queue=False, progress=None)
        found = {"seconds": time.perf_counter() - began, "cpu_s": cpu_s() - before}
        return {
            **found,
            "scenes": done.scene_count,
            "after_models_bytes": loaded,
            "peak_bytes": rss_bytes("VmHWM"),
        }


def overlap_report(found: dict[str, dict[str, float]]) -> bool:
    """Print the time of everything against the larger of the slowest branch and the cores' share; whether wanted."""
    all_of_it = found["whole"]
    cores = len(os.sched_getaffinity(0))
    share = all_of_it["cpu_s"] / cores
    slowest = max(("speech", "picture"), key=lambda name: found[name]["seconds"])
    bound = max(found[slowest]["seconds"], share)
    ratio = all_of_it["seconds"] / bound
    for name in ("speech", "picture", "whole"):
        print(f"{name:8} {found[name]['seconds']:7.1f} s  {found[name]['cpu_s']:7.1f} s of CPU")
    print(
        f"whole / max({slowest} alone {found[slowest]['seconds']:.1f} s, CPU / {cores} cores {share:.1f} s):", end=" "
    )
    print(f"{ratio:.2f} (wanted: at most {WANTED_OVERLAP})")
    in_turn = found["speech"]["seconds"] + found["picture"]["seconds"]
    print(f"whole / one branch after the other ({in_turn:.1f} s): {all_of_it['seconds'] / in_turn:.2f}")
    return ratio <= WANTED_OVERLAP


def memory_report(found: dict[float, dict[str, float]]) -> bool:
    """Print the peaks by minutes of video; whether the longest needs little more than the shortest."""
    for minutes, one in found.items():
        print(f"{minutes:3.0f} minutes: {one['scenes']:.0f} scenes in {one['seconds']:.0f} s,", end=" ")
        print(f"peak RSS {one['peak_bytes'] / 1e6:.0f} MB ({one['after_models_bytes'] / 1e6:.0f} MB after loading)")
    ratio = found[max(found)]["peak_bytes"] / found[min(found)]["peak_bytes"]
    print(f"peak of {max(found):.0f} / peak of {min(found):.0f} minutes: {ratio:.2f} (wanted: at most {WANTED_GROWTH})")
    return ratio <= WANTED_GROWTH


class _NoWorker:
    """A queue that nobody works on."""

    def enqueue_ingest(self, video_id: str, *, owner_id: str | None = None, is_awaited: bool = True) -> str:
        return f"job-{video_id}"

    enqueue_reel = enqueue_ingest

    def enqueue_reindex(self) -> str:
        return "job"

    def enqueue_migration(self, set_id: int) -> str:
        return f"job-{set_id}"

    def enqueue_sweep(self, sweep_id: str) -> str:
        return f"job-{sweep_id}"

    def enqueue_faces(self, scan_id: str) -> str:
        return f"job-{scan_id}"

    def cancel(self, *job_ids: str) -> None:
        """Nothing runs."""

    def check(self, *, timeout_s: float) -> None:
        """It can always be used."""

    def depths(self) -> list[QueueDepth]:
        return []

    def workers(self) -> list[WorkerActivity]:
        return []


def _registered(library: Library, path: Path) -> Video:
    """The file in the library, and nothing done with it yet."""
    library.queue = _NoWorker()
    return library.add(path, queue=True)


def cpu_s() -> float:
    """CPU seconds of this process, of the helper processes that it has, and of those that have ended."""
    times = os.times()
    return sum(times[:4]) + sum(_cpu_of(pid) for pid in _helpers())


def rss_bytes(name: str) -> int:
    """VmRSS (held now) or VmHWM (the most ever held) of this process and the helper processes that it has."""
    return sum(_memory_of(pid, name) for pid in (os.getpid(), *_helpers()))


def _helpers() -> list[int]:
    """The living children and theirs."""
    found: list[int] = []
    todo = [os.getpid()]
    while todo:
        for path in Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            children = [int(pid) for pid in path.read_text().split()]
            found += children
            todo += children
    return found


def _cpu_of(pid: int) -> float:
    try:
        # after the name, which may hold spaces: fields 14 and 15 are user and system time
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _memory_of(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":")), 0)
