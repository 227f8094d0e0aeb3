"""Several machines on one library: workers that are started again when they die, and readers that search meanwhile."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from heimdex_core.errors import JobsUnavailable
from heimdex_core.ingest.execution import PASSES
from heimdex_core.types import Video
from tests.cluster import processes
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.store import making
from tests.support import media

IMPORTED_BEFORE = ["dbos", "heimdex_core.jobs.workflows", "heimdex_core.library", "tests.cluster.processes"]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(IMPORTED_BEFORE)


@dataclass
class Machines:
    bench: Bench
    library: str
    """The folder or the address that the processes are given."""
    caches: Path
    """Where every machine has its working folder of a library in object storage."""
    real: bool = False
    """Whether the stages are the real ones."""
    workers: dict[str, ForkServerProcess] = field(default_factory=dict)
    """By the name of the machine."""
    readers: dict[str, ForkServerProcess] = field(default_factory=dict)
    kills: int = 0
    """How many workers have died by SIGKILL. One that cannot open the library while the database is away ends, too."""

    @property
    def folder(self) -> Path:
        """Where the processes are given orders, and report; not a part of the library."""
        return self.bench.library.path / "toy"

    def add(self, number: int) -> Video:
        """Queue a video with SCENES scenes; its state names the job."""
        library = self.bench.library
        if not self.real:
            video = making.register(library._store, f"clip {number}")
            self.bench.enqueue(video)
            return video
        clips = [("red", 1.5 + number / 10), ("blue", 1.5)]
        file = media.colour_clips(self.folder / f"clip {number}.avi", clips, size=(160, 90), tone_hz=440)
        lines = [(0.2, 1.2, f"The {processes.WORD}"), (1.8 + number / 10, 2.8, f"Boats in the {processes.WORD}")]
        file.with_suffix(".srt").write_text(media.srt(lines))
        return library.add(file, queue=True)

    def start_worker(self, name: str) -> None:
        """Start the worker of a machine."""
        self.workers[name] = self._start(processes.work, name, real=self.real)

    def start_reader(self, name: str) -> None:
        """Start a process that searches, and wait for its first search."""
        self.readers[name] = self._start(processes.search, name)
        until(lambda: self._report(name) or not self.readers[name].is_alive(), f"the first search of {name}")

    def revive_until(self, condition: Callable[[], object], what: str) -> None:
        """Start workers that have died again, as a service manager does, until the condition holds."""

        def holds() -> bool:
            for name, worker in self.workers.items():
                if not worker.is_alive():
                    self.kills += worker.exitcode == -signal.SIGKILL
                    self.start_worker(name)
            try:
                return bool(condition())
            except (*PASSES, JobsUnavailable):  # where other programs have the cores, a holder takes its time
                return False

        until(holds, what, limit_s=1800)  # fourteen starts of a worker, each 20 s where other programs have the cores

    def stop_readers(self, videos: int) -> list[dict[str, Any]]:
        """Have every reader search until it has seen so many videos, and end; what they report."""

        def seen(name: str) -> bool:
            report = self._report(name) or {}
            return report.get("videos") == videos or not self.readers[name].is_alive()

        until(lambda: all(map(seen, self.readers)), f"the readers to see {videos} videos")
        (self.folder / "stop-readers").touch()
        for name, reader in self.readers.items():
            reader.join(60)
            assert reader.exitcode == 0, f"{name} ended with {reader.exitcode}"
        return [self._report(name) or {} for name in self.readers]

    def close(self) -> None:
        for process in (*self.workers.values(), *self.readers.values()):
            process.kill()
            process.join()
        self.bench.close()

    def _report(self, reader: str) -> dict[str, Any] | None:
        path = self.folder / f"{reader}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def _start(self, target: Callable[..., None], name: str, **options: Any) -> ForkServerProcess:
        cache = {"HEIMDEX_CACHE": str(self.caches / name)}
        arguments = (self.library, self.folder, name, {**os.environ, **self.bench.environment, **cache})
        process = _forks.Process(target=target, args=arguments, kwargs=options)
        process.start()
        return process
