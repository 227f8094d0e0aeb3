"""Running ffmpeg: progress, stopping it, and the errors that its failures become."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from heimdex_core.errors import Cancelled, DiskFull, RenderFailed, RenderTimeout
from heimdex_core.media.ffmpeg import removed_on_failure, run_ffmpeg
from heimdex_core.types import WorkContext

ROOT = Path(__file__).parents[2]
# -re reads at the speed of playing, so an hour outlasts any test; zerolatency makes ffmpeg report progress at once
SOURCE = ["-re", "-f", "lavfi", "-i", "color=c=red:s=64x64:r=25:d=3600"]
ENDLESS = [*SOURCE, "-c:v", "libx264", "-tune", "zerolatency", "-f", "matroska"]
QUIET = WorkContext()


def child_pids() -> set[int]:
    """Processes whose parent is this one."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == os.getpid():
                found.add(int(entry.name))
    return found


def fake_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    exe = tmp_path / "ffmpeg"
    exe.write_text(f"#!/bin/sh\n{body}\n")
    exe.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(exe))


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []
    out = tmp_path / "out.mp4"
    context = WorkContext(report=lambda done, total: seen.append((done, total)))
    run_ffmpeg(
        ["-f", "lavfi", "-i", "color=c=red:s=64x64:r=25:d=2", str(out)], total_s=2.0, context=context, timeout_s=60
    )
    assert out.stat().st_size > 0
    assert seen[-1] == (2.0, 2.0)
    assert all(0 <= done <= total == 2.0 for done, total in seen)


def test_the_reason_is_the_line_that_names_the_cause(tmp_path: Path) -> None:
    with pytest.raises(RenderFailed) as caught:
        run_ffmpeg(["-i", "missing.mp4", str(tmp_path / "x.mp4")], total_s=1, context=QUIET, timeout_s=60)
    assert "No such file or directory" in caught.value.details["reason"]
    assert "Error opening input files" not in caught.value.details["reason"]


def test_generic_last_lines_are_not_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "echo '[h264 @ 0x55d0] clip 3 is broken' >&2; echo 'Conversion failed!' >&2; exit 1"
    fake_ffmpeg(tmp_path, monkeypatch, body)
    with pytest.raises(RenderFailed) as caught:
        run_ffmpeg(["out.mp4"], total_s=1, context=QUIET, timeout_s=60)
    assert caught.value.details["reason"] == "clip 3 is broken"


def test_a_full_disk_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ffmpeg(tmp_path, monkeypatch, "echo 'Error submitting a packet: No space left on device' >&2; exit 228")
    out = tmp_path / "out.mp4"
    out.write_bytes(b"12345")
    with pytest.raises(DiskFull) as caught:
        run_ffmpeg([str(out)], total_s=1, context=QUIET, timeout_s=60)
    assert caught.value.details["what"] == "out.mp4"
    assert caught.value.details["needed_bytes"] == 5


def test_a_killed_ffmpeg_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ffmpeg(tmp_path, monkeypatch, "kill -9 $$")
    with pytest.raises(RenderFailed, match="memory"):
        run_ffmpeg(["out.mp4"], total_s=1, context=QUIET, timeout_s=60)


def test_a_flood_of_messages_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # more than a pipe holds, on both pipes: whoever reads only one of them hangs
    fake_ffmpeg(tmp_path, monkeypatch, "yes out_time_us=1 | head -c 500000; yes noise | head -c 500000 >&2; exit 0")
    run_ffmpeg(["out.mp4"], total_s=1, context=QUIET, timeout_s=60)


def test_the_time_limit(tmp_path: Path) -> None:
    before = child_pids()
    with pytest.raises(RenderTimeout) as caught:
        run_ffmpeg([*ENDLESS, str(tmp_path / "x.mkv")], total_s=3600, context=QUIET, timeout_s=0.2)
    assert caught.value.details["limit_s"] == 0.2
    assert child_pids() <= before


def test_cancelling_ends_the_process(tmp_path: Path) -> None:
    before = child_pids()
    started = threading.Event()
    context = WorkContext(report=lambda done, total: started.set(), is_cancelled=started.is_set)
    with pytest.raises(Cancelled):
        run_ffmpeg([*ENDLESS, str(tmp_path / "x.mkv")], total_s=3600, context=context, timeout_s=60)
    assert child_pids() <= before


def test_an_error_of_the_listener_ends_the_process(tmp_path: Path) -> None:
    before = child_pids()

    def report(done: float, total: float) -> None:
        raise KeyError("listener")

    with pytest.raises(KeyError):
        run_ffmpeg([*ENDLESS, str(tmp_path / "x.mkv")], total_s=3600, context=WorkContext(report=report), timeout_s=60)
    assert child_pids() <= before


def test_cancelled_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        run_ffmpeg(["x"], total_s=1, context=WorkContext(is_cancelled=lambda: True), timeout_s=60)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_ffmpeg_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.media.test_ffmpeg import ENDLESS, child_pids
from heimdex_core.media.ffmpeg import run_ffmpeg
from heimdex_core.types import WorkContext
def report(done, total):
    print(*child_pids(), flush=True)
run_ffmpeg([*ENDLESS, {str(tmp_path / "x.mkv")!r}], total_s=1, context=WorkContext(report=report), timeout_s=60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            pids = [int(pid) for pid in parent.stdout.readline().split()]
            watches = [os.pidfd_open(pid) for pid in pids]
        finally:
            parent.send_signal(signal.SIGKILL)
    assert len(watches) == 1
    deadline = time.monotonic() + 20
    for watch in watches:
        ended, _, _ = select.select([watch], [], [], max(0.0, deadline - time.monotonic()))
        os.close(watch)
        assert ended, "ffmpeg outlived its parent"


def test_removed_on_failure(tmp_path: Path) -> None:
    def write(path: Path, *, fail: bool) -> None:
        with removed_on_failure(path) as out:
            out.write_text("x")
            if fail:
                raise RuntimeError

    write(tmp_path / "kept", fail=False)
    with pytest.raises(RuntimeError):
        write(tmp_path / "gone", fail=True)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
