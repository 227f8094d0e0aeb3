"""Runs one operation again and again, each time killed (SIGKILL) one step later.

python -m tests.store.crash_driver OPERATION LIBRARY OUT [FOLDER] copies LIBRARY to OUT/0, OUT/1 ... and prints the
names of the steps as JSON. The step is a named point of the store or the moment before a file's rename.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import heimdex_core.store.store  # noqa: F401  loaded before forking
from heimdex_core.store import Store, visible
from tests.store.making import SPACES

NEW_TEXTS = ("fresh oranges", "fresh lemons")


def operate(operation: str, root: Path, extra: str) -> None:
    store = Store.open(root)
    if operation == "adopt":
        store.adopt(Path(extra), "local")
        return
    video = store.videos("local", include_deleted=True)[-1]  # the oldest
    if operation == "commit":
        staged = next((root / "videos" / video.video_id / "gen").glob(".tmp-*"))
        store.commit_generation(video.video_id, staged, n=2, spaces=SPACES, transcript_source="subtitles")
    elif operation == "purge":
        store.purge_video(video.video_id)
    elif operation == "switch":
        store.switch_set(2)
    elif operation == "drop":
        store.drop_sets([1])
    elif operation == "delete":
        store.delete_video("local", video.video_id)
    else:
        raise SystemExit(f"unknown operation {operation}")


def run_until(step: int | None, operation: str, root: Path, extra: str) -> list[str]:
    """Run in a child that dies at `step`; the names of the steps it passed, itself included."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        passed = 0

        def point(name: str) -> None:
            nonlocal passed
            os.write(writing, f"{name}\n".encode())
            if passed == step:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1

        rename = os.replace

        def replace(source: object, target: object) -> None:
            point(f"before renaming to {Path(str(target)).name}")
            rename(str(source), str(target))

        code = 1
        try:
            visible.hook = point
            os.replace = replace  # type: ignore[assignment]
            operate(operation, root, extra)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = pipe.read().split("\n")[:-1]
    _, status = os.waitpid(child, 0)
    wanted = -signal.SIGKILL if step is not None and len(names) > step else 0
    if os.waitstatus_to_exitcode(status) != wanted:
        raise SystemExit(f"step {step}: exit {os.waitstatus_to_exitcode(status)} instead of {wanted}")
    return names


def main() -> None:
    operation, library, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    extra = sys.argv[4] if len(sys.argv) > 4 else ""
    whole = out / "whole"
    shutil.copytree(library, whole)
    names = run_until(None, operation, whole, extra)
    for step in range(len(names)):
        root = out / str(step)
        shutil.copytree(library, root)
        run_until(step, operation, root, extra)
    print(json.dumps(names))


if __name__ == "__main__":
    main()
