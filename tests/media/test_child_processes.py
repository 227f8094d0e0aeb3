"""Child processes of scripts: a script runs once, and nothing outlives it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]

# no guard, and nothing that could be imported: as people write scripts and notebooks
WITHOUT_GUARD = """
import sys
sys.path.insert(0, {root!r})
with open({seen!r}, "a") as file:
    file.write("run\\n")
from tests.media import child_targets
from tests.media.child_calls import call
print(call(child_targets.echo, "works"))
"""

WAITS = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where Ctrl-C is ignored
sys.path.insert(0, {root!r})
from tests.media import child_targets
from tests.media.child_calls import call
call(child_targets.waits_with_a_child, {seen!r})
"""


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_script_without_a_guard_runs_once(way: str, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = WITHOUT_GUARD.format(root=str(ROOT), seen=str(seen))
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    words = [sys.executable, "script.py"] if way == "file" else [sys.executable, "-"]
    done = subprocess.run(
        words, cwd=tmp_path, input=script if way == "stdin" else None, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "works\n", "")
    assert seen.read_text() == "run\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "script.py"
    script.write_text(WAITS.format(root=str(ROOT), seen=str(seen)), encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE) as parent:
        pids = [int(pid) for pid in _when_written(seen).split()]
        processes = [psutil.Process(pid) for pid in pids]
        processes.append(processes[0].parent() or processes[0])  # the server
        began = time.monotonic()
        parent.send_signal(number)
        try:
            parent.wait(20)
        finally:
            parent.kill()  # leaving the block waits for it, without a limit
        _, alive = psutil.wait_procs(processes, timeout=10)
        assert alive == []
        assert time.monotonic() - began < 5.0


def _when_written(path: Path) -> str:
    give_up_at = time.monotonic() + 60
    while not path.exists() or len(path.read_text().split()) < 2:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    return path.read_text()
