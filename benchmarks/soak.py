"""Whether anything is lost while everything is killed: a soak of the app, its worker and three busy clients.

    python benchmarks/soak.py [--minutes 60] [--seed 1] [--keep DIR]

The app (with its worker) serves a new library. Three processes add videos, search and export at random, and cancel,
delete, restore and retry what the others began. Meanwhile app and worker are killed (SIGKILL), ended (SIGTERM) and
stopped for some seconds (SIGSTOP). At the end all is awaited, and every video and export that a client was given is
looked for. Prints operations, errors by code and memory; ends with 1 if anything was lost, damaged or left unfinished,
or if an error was not one of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.make_media import ffmpeg  # noqa: E402 - the repository is not installed
from heimdex_core.errors import HeimdexError  # noqa: E402
from heimdex_core.jobs.client import JobQueue  # noqa: E402
from heimdex_core.library import Library  # noqa: E402
from heimdex_core.types import ExportState, Video, VideoState  # noqa: E402

CLIENTS = ("add", "search", "export")
PAUSE_S = {"add": (4.0, 12.0), "search": (0.2, 1.5), "export": (3.0, 10.0)}
"""How long a client waits between two operations."""
DISTURBANCE_S = (5.0, 25.0)
"""How long the app is left alone between two disturbances."""
STOPPED_S = (2.0, 15.0)
DRAIN_S = 900.0
"""For what is queued at the end."""
QUERIES = ("a red picture", "blue sky", "green grass", "yellow flowers", "빨간 화면", "파란 하늘", "something dark")
COLOURS = ("red", "blue", "green", "yellow", "orange", "purple", "gray", "white")
SETTLED = (VideoState.INDEXED, VideoState.FAILED, VideoState.DELETED)
EXPORTS_OVER = (ExportState.COMPLETED, ExportState.FAILED, ExportState.CANCELLED)


def main() -> int:
    """Run the soak; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a new folder for library and logs, which is not removed")
    parser.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.client:
        return run_client(args.client[0], Path(args.client[1]), int(args.client[2]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        (folder / "logs").mkdir(parents=True)
        return soak(folder, args.minutes * 60, random.Random(args.seed))  # noqa: S311 - not for secrets


def soak(folder: Path, duration_s: float, rng: random.Random) -> int:
    """The whole run in an empty folder."""
    library_path = folder / "library"
    Library.open(library_path, profile="offline").close()
    disturbed: Counter[str] = Counter()
    with ExitStack() as stack:
        app = App(library_path, folder / "logs" / "app.log")
        stack.callback(app.stop)
        app.start()
        memory = [app.memory()]
        clients = [stack.enter_context(client(kind, folder, number)) for number, kind in enumerate(CLIENTS)]
        ends_at = time.monotonic() + duration_s
        while (left := ends_at - time.monotonic()) > 0:
            time.sleep(min(left, rng.uniform(*DISTURBANCE_S)))
            disturbed[disturb(app, rng)] += 1
            print(f"{max(0.0, ends_at - time.monotonic()) / 60:5.1f} min left, {dict(disturbed)}", flush=True)
        app.ensure_running()
        for process in clients:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(120) for process in clients]
        given = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.open(encoding="utf-8")]
        problems = [f"client {kind} ended with {code}" for kind, code in zip(CLIENTS, codes, strict=True) if code]
        problems += examine(library_path, given)
        memory.append(app.memory())
    report(given, disturbed, memory, problems)
    return 1 if problems else 0


# --- the app and what happens to it ---------------------------------------------------------------


class App:
    """`streamlit run app.py`, which starts the worker."""

    def __init__(self, library: Path, log: Path) -> None:
        self._library = library
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        port = _free_port()
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
        environment = {"HEIMDEX_LIBRARY": str(self._library), "HEIMDEX_PROFILE": "offline"}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
            )
        self._address = f"http://127.0.0.1:{port}"
        wait_until(self.is_ready, 180, "the app is ready")

    def is_ready(self) -> bool:
        """What /health/ready says."""
        try:
            with urllib.request.urlopen(f"{self._address}/health/ready", timeout=30) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def process(self) -> psutil.Process | None:
        """The app; None when it has ended."""
        with suppress(psutil.NoSuchProcess):
            if self._process is not None and self._process.poll() is None:
                return psutil.Process(self._process.pid)
        return None

    def worker(self) -> psutil.Process | None:
        """The worker that the app has started; None while there is none."""
        app = self.process()
        with suppress(psutil.NoSuchProcess):
            for child in app.children() if app else ():
                if "heimdex_core.jobs.worker" in child.cmdline():
                    return child
        return None

    def memory(self) -> dict[str, float]:
        """Resident megabytes of app and worker."""
        found = {"app": self.process(), "worker": self.worker()}
        return {name: process.memory_info().rss / 1e6 for name, process in found.items() if process is not None}

    def ensure_running(self) -> None:
        """Start it again if it has ended, and wait until it is ready."""
        if self.process() is None:
            self.start()
        wait_until(self.is_ready, 180, "the app is ready")

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()


def disturb(app: App, rng: random.Random) -> str:
    """Do one thing to the app or its worker; what it was."""
    what = rng.choice(["worker killed", "worker stopped", "worker ended", "app killed", "app stopped", "app restarted"])
    whom, done = what.split()
    process = app.process() if whom == "app" else app.worker()
    if process is None:
        app.ensure_running()
        return "nothing to disturb"
    with suppress(psutil.NoSuchProcess):
        if done == "killed":
            process.kill()
        elif done == "stopped":
            process.suspend()
            time.sleep(rng.uniform(*STOPPED_S))
            process.resume()
        else:
            process.terminate()
    if whom == "app" and done != "stopped":
        with suppress(psutil.TimeoutExpired):
            process.wait(60)
        app.ensure_running()
    return what


# --- clients --------------------------------------------------------------------------------------


@contextmanager
def client(kind: str, folder: Path, number: int) -> Iterator[subprocess.Popen[bytes]]:
    """A client in a process of its own, which works until it gets SIGTERM."""
    command = [sys.executable, __file__, "--client", kind, str(folder), str(number)]
    with (folder / "logs" / f"{kind}.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()


def run_client(kind: str, folder: Path, seed: int) -> int:
    """Do operations until SIGTERM; each is a line of KIND.jsonl: {"operation", "result", "video" or "export"}."""
    ended: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    with Library.open(folder / "library", purpose="query") as library:
        library.queue = JobQueue(library)
        work = Operations(library, folder, rng)
        with (folder / f"{kind}.jsonl").open("w", encoding="utf-8") as lines:
            while not ended:
                operation, run = work.choose(kind)
                began = time.monotonic()
                try:
                    line: dict[str, Any] = {"result": "done", **(run() or {})}
                except HeimdexError as error:
                    line = {"result": error.code}
                except Exception as error:  # what must not happen is shown by the report
                    line = {"result": f"{type(error).__name__}: {error}"}
                line |= {"operation": operation, "took_s": round(time.monotonic() - began, 3)}
                print(json.dumps(line), file=lines, flush=True)
                time.sleep(rng.uniform(*PAUSE_S[kind]))
    return 0


class Operations:
    """What clients do with the library."""

    def __init__(self, library: Library, folder: Path, rng: random.Random) -> None:
        self._library = library
        self._folder = folder
        self._rng = rng
        self._made = 0

    def choose(self, kind: str) -> tuple[str, Callable[[], dict[str, Any] | None]]:
        """An operation of a kind of client, by its name."""
        if kind == "add":
            operations: list[tuple[str, Any]] = [("add", self.add), ("cancel", self.cancel), ("retry", self.retry)]
            operations += [("delete", self.delete), ("restore", self.restore)]
            return self._rng.choices(operations, [6, 2, 1, 1, 1])[0]
        if kind == "export":
            return self._rng.choices([("export", self.export), ("cancel export", self.cancel_export)], [4, 1])[0]
        return "search", self.search

    def add(self) -> dict[str, Any]:
        """A new video of two or three plain shots, with a tone."""
        self._made += 1
        path = self._folder / f"clip{self._made}.mp4"
        colours = self._rng.sample(COLOURS, k=self._rng.randint(2, 3))
        inputs = [arg for name in colours for arg in ("-f", "lavfi", "-i", f"color={name}:s=160x90:r=25:d=1.5")]
        tone = f"sine=frequency={300 + self._made}:duration={1.5 * len(colours)}"
        joined = f"concat=n={len(colours)}"
        ffmpeg(*inputs, "-f", "lavfi", "-i", tone, "-filter_complex", joined, "-shortest", str(path))
        try:
            return {"video": self._library.add(path, queue=True).video_id}
        finally:
            path.unlink()

    def search(self) -> None:
        """One of the queries."""
        self._library.search(self._rng.choice(QUERIES))

    def export(self) -> dict[str, Any] | None:
        """A reel of what a search finds."""
        hits = self._library.search(self._rng.choice(QUERIES), limit=5).hits
        clips = [hit.scene.scene_id for hit in hits if self._rng.random() < 0.6]
        return {"export": self._library.reel(clips, queue=True).export_id} if clips else None

    def cancel(self) -> None:
        """The work on one of the videos."""
        self._with_one(self._library.cancel, VideoState.VALIDATING, VideoState.PROCESSING)

    def delete(self) -> None:
        """One of the videos."""
        self._with_one(self._library.delete, VideoState.INDEXED)

    def restore(self) -> None:
        """One of the deleted videos."""
        self._with_one(self._library.restore, VideoState.DELETED)

    def retry(self) -> None:
        """One of the failed videos."""
        self._with_one(lambda video_id: self._library.retry(video_id, queue=True), VideoState.FAILED)

    def cancel_export(self) -> None:
        """One of the exports that are not over."""
        found = [item.export_id for item in self._library.exports.list() if item.state not in EXPORTS_OVER]
        if found:
            self._library.exports.cancel(self._rng.choice(found))

    def _with_one(self, act: Callable[[str], Any], *states: VideoState) -> None:
        found = [video.video_id for video in self._library.videos(include_deleted=True) if video.state in states]
        if found:
            act(self._rng.choice(found))


# --- the end --------------------------------------------------------------------------------------


def examine(library_path: Path, given: list[dict[str, Any]]) -> list[str]:
    """Wait until all work is over; what is lost, damaged or unfinished."""
    with Library.open(library_path, create=False) as library:
        library.queue = JobQueue(library)

        def videos() -> dict[str, Video]:
            return {video.video_id: video for video in library.videos(include_deleted=True)}

        def is_over() -> bool:
            exports = library.exports.list()
            return all(video.state in SETTLED for video in videos().values()) and all(
                item.state in EXPORTS_OVER for item in exports
            )

        problems = []
        try:
            wait_until(is_over, DRAIN_S, "all work is over")
        except TimeoutError:
            stuck = [f"{video.video_id} {video.state}" for video in videos().values() if video.state not in SETTLED]
            problems.append(f"not over after {DRAIN_S:.0f} s: {stuck}")
        known = videos()
        added = {line["video"] for line in given if "video" in line}
        problems += [f"video {video_id} is lost" for video_id in sorted(added - set(known))]
        made = {line["export"] for line in given if "export" in line}
        exports = {item.export_id for item in library.exports.list()}
        problems += [f"export {export_id} is lost" for export_id in sorted(made - exports)]
        for video in known.values():
            if video.state is VideoState.INDEXED and len(library.scenes(video.video_id)) not in (2, 3):
                problems.append(f"video {video.video_id} has {len(library.scenes(video.video_id))} scenes")
            if video.state is VideoState.FAILED and (video.error or {}).get("code") != "CANCELLED":
                problems.append(f"video {video.video_id} failed: {video.error}")
        problems += [f"doctor: {problem}" for problem in library.doctor()["problems"]]
        problems += [f"not ours: {line['operation']}: {line['result']}" for line in given if ": " in line["result"]]
        return problems


def report(
    given: list[dict[str, Any]], disturbed: Counter[str], memory: list[dict[str, float]], problems: list[str]
) -> None:
    """Print what was done, what it answered, and what is wrong."""
    counts = Counter((line["operation"], line["result"]) for line in given)
    print(f"\n{len(given)} operations")
    for (operation, result), count in sorted(counts.items()):
        slowest_s = max(line["took_s"] for line in given if (line["operation"], line["result"]) == (operation, result))
        print(f"{operation:>14} {result:<24} {count:>6}  slowest {slowest_s:.1f} s")
    print("disturbances:", ", ".join(f"{name} {count}" for name, count in sorted(disturbed.items())))
    for name in ("app", "worker"):
        start_mb, end_mb = (f"{one[name]:.0f} MB" if name in one else "not running" for one in memory)
        print(f"memory of the {name}: {start_mb} at the start, {end_mb} at the end")
    print("\n".join(problems) if problems else "nothing was lost")


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Raise TimeoutError where a condition does not come true."""
    ends_at = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"never: {what}")
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
