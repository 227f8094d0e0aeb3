"""Runs one operation and keeps what a crash at each of its steps would leave.

python -m tests.store.crash_driver OPERATION LIBRARY OUT [FOLDER] prints the names of the steps as JSON. OUT/0, OUT/1
and so on are the library as it is at each of them. A step is a crash point of the store, or the moment before a rename.

Most are copies that the running process makes: what it has in memory does not reach the disk when it is killed. Every
tenth is left by a process that was killed (SIGKILL) at the step, and must have the same files as the copy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import heimdex_core.store.store  # noqa: F401  loaded before forking
from heimdex_core import files
from heimdex_core.store import Store
from heimdex_core.store.commit import StagedGeneration
from tests.store.making import SPACES

NEW_TEXTS = ("fresh oranges", "fresh lemons")
KILL_EVERY = 10

REPOSITORY = Path(__file__).parents[2]

INSIDE_A_VECTOR_INDEX = re.compile(r"(index|rows)-written|before renaming to (index|rows)-\d+\..*")
"""Steps before a vector index is switched to its new files. Readers cannot tell them apart, whatever the operation."""


def drive(operation: str, library: Path, out: Path, extra: str = "") -> list[str]:
    """Run this module in another process; the names of the steps."""
    command = [sys.executable, "-m", "tests.store.crash_driver", operation, str(library), str(out), extra]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    names: list[str] = json.loads(done.stdout)
    return names


def telling(names: list[str]) -> Iterator[tuple[int, str]]:
    """The steps and their numbers, without those that test_commit_killed_anywhere proves for every operation."""
    return ((step, name) for step, name in enumerate(names) if not INSIDE_A_VECTOR_INDEX.fullmatch(name))


def operate(operation: str, root: Path, extra: str) -> None:
    store = Store.open(root)
    if operation == "adopt":
        store.adopt(Path(extra), "local")
        return
    video = store.videos("local", include_deleted=True)[-1]  # the oldest
    if operation == "commit":
        staged = next((root / "videos" / video.video_id / "gen").glob(".tmp-*"))
        store.commit_generation(video.video_id, staged, n=2, spaces=SPACES.values(), transcript_source="subtitles")
    elif operation == "batch":
        staged_of = [(path.parts[-3], path) for path in sorted((root / "videos").glob("*/gen/.tmp-*"))]
        store.commit_generations([StagedGeneration(video_id, path, 2) for video_id, path in staged_of])
    elif operation == "purge":
        store.purge_video(video.video_id)
    elif operation == "switch":
        store.switch_set(2)
    elif operation == "drop":
        store.sets.drop([1])
    elif operation == "delete":
        store.delete_video("local", video.video_id)
    else:
        raise SystemExit(f"unknown operation {operation}")


def run(operation: str, root: Path, extra: str, at_step: Callable[[int], object]) -> tuple[list[str], int]:
    """Run in a child that calls `at_step` with the number of each step; (names of the steps, exit code)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        passed = 0

        def point(step: str) -> None:
            nonlocal passed
            os.write(writing, f"{step}\n".encode())
            at_step(passed)
            passed += 1

        rename = os.replace

        def replace(source: object, target: object) -> None:
            point(f"before renaming to {Path(str(target)).name}")
            rename(str(source), str(target))

        code = 1
        try:
            files.crash_point = point
            with mock.patch.object(os, "replace", replace):
                operate(operation, root, extra)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = pipe.read().split("\n")[:-1]
    _, status = os.waitpid(child, 0)
    return names, os.waitstatus_to_exitcode(status)


def kill_at(number: int) -> Callable[[int], None]:
    def at_step(passed: int) -> None:
        if passed == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return at_step


def names_below(root: Path) -> list[str]:
    """The files and folders, with the random parts of temporary names left out."""
    return sorted(re.sub(r"[0-9a-f]{32}", "", str(path.relative_to(root))) for path in root.rglob("*"))


def main() -> None:
    operation, library, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    extra = sys.argv[4] if len(sys.argv) > 4 else ""
    whole = out / "whole"
    shutil.copytree(library, whole)
    names, code = run(operation, whole, extra, lambda number: shutil.copytree(whole, out / str(number)))
    if code != 0:
        raise SystemExit(f"exit {code}")
    for number in range(0, len(names), KILL_EVERY):
        killed = out / f"{number}-killed"
        shutil.copytree(library, killed)
        passed, code = run(operation, killed, extra, kill_at(number))
        if (len(passed), code) != (number + 1, -signal.SIGKILL):
            raise SystemExit(f"step {number}: exit {code} after {passed}")
        if names_below(killed) != names_below(out / str(number)):
            raise SystemExit(f"step {number}: {names_below(killed)} instead of {names_below(out / str(number))}")
        shutil.rmtree(out / str(number))
        killed.rename(out / str(number))
    print(json.dumps(names))


if __name__ == "__main__":
    main()
