"""The app in a process of its own, and a browser. Everything waits for conditions, never for time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_app(library: Path, log: Path, port: int, **environment: str) -> subprocess.Popen[bytes]:
    """Start `streamlit run app.py` over `library` and wait until it is ready. Its output is appended to `log`."""
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    own = {"HEIMDEX_LIBRARY": str(library), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **environment}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **own}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until_ready(f"http://localhost:{port}", process, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def stop_app(process: subprocess.Popen[bytes]) -> None:
    """Stop the app with SIGTERM."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running_app(library: Path, log: Path, **environment: str) -> Iterator[str]:
    """The app over `library` for the block; yields its address."""
    port = free_port()
    process = start_app(library, log, port, **environment)
    try:
        yield f"http://localhost:{port}"
    finally:
        stop_app(process)


def wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until /health/ready reports that catalog, worker, models and disk are fine."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=10) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.3)
    raise RuntimeError(f"the app was not ready within {START_TIMEOUT_S} s:\n{log.read_text()[-3000:]}")


def wait_for_text(log: Path, text: str) -> None:
    """Wait until a text is in the log of the app."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while text not in log.read_text(encoding="utf-8"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"never logged: {text}\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


@contextlib.contextmanager
def browser(*arguments: str) -> Iterator[Browser]:
    """Chromium, with more arguments for its command line."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", *arguments]
        )
        try:
            yield opened
        finally:
            opened.close()


def video_state(page: Page) -> dict[str, float | bool | str]:
    """The player's video: time, readyState, whether it is paused, source and duration."""
    state: dict[str, float | bool | str] = page.locator("video").first.evaluate(
        "v => ({time: v.currentTime, ready: v.readyState, paused: v.paused,"
        " source: v.currentSrc, duration: v.duration})"
    )
    return state


def wait_for_video(page: Page, condition: str, timeout_ms: int = 20_000) -> dict[str, float | bool | str]:
    """Wait until `condition`, a JavaScript expression of the video element `v`, is true."""
    video = page.locator("video").first
    video.evaluate(
        f"""(v) => new Promise((resolve, reject) => {{
            const end = performance.now() + {timeout_ms};
            const look = () => {{
                if ({condition}) resolve();
                else if (performance.now() > end) reject(new Error(
                    `never: {condition}; time ${{v.currentTime}} ready ${{v.readyState}} paused ${{v.paused}}`));
                else setTimeout(look, 20);
            }};
            look();
        }})"""
    )
    return video_state(page)
