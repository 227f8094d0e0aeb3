"""What a search costs without its models, at 10,000 and 100,000 scenes, against an older version in the same run.

    python benchmarks/search_before.py [--scenes 10000 100000] [--before COMMIT] [--rounds 2] [--keep DIR]

Three copies of a library of made-up scenes: with the indexes of the older version (a commit of this repository), with
those of the present one, and with those of the present one and three vectors of the picture a scene, one for each
keyframe. Measured are a whole hybrid search (three channels, fusion, a page of 20 hits), the same with filters, with
other weights, and the next page. Query vectors take no time. Each figure is the median of the repetitions in a process,
and the least of the rounds, which alternate.

Wanted: with equal rows at most 1.1 times the time of before; other weights under 16 ms. Non-zero if not reached.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHILD = Path(__file__).with_name("search_before_child.py")
BEFORE = "2ca6c59"
"""The last commit before searches had filters, calibration and keyframes with vectors of their own."""
AT_MOST = 1.1
REWEIGHTING_MS = 16.0
"""One frame of a screen with 60 of them a second."""


def main() -> int:
    """A table for each size; 0 if what is wanted was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--before", default=BEFORE, help="commit to compare with")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--keep", type=Path, help="keep the libraries in this folder, and use them the next time")
    args = parser.parse_args()
    is_reached = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = extract(args.before, folder / "before")
        for scenes in args.scenes:
            is_reached &= compare((args.keep or folder) / str(scenes), before, scenes, args)
    return 0 if is_reached else 1


def extract(commit: str, folder: Path) -> Path:
    """The files of a commit in a folder of their own."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def compare(folder: Path, before: Path, scenes: int, args: argparse.Namespace) -> bool:
    """Build and measure one size, and print its table; whether what is wanted was reached."""
    sides = {"before": (before, 1), "now": (ROOT, 1), "keyframes": (ROOT, 3)}
    made = folder / "made.json"
    if not made.exists():
        make(folder, before, scenes, sides)
    built = json.loads(made.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = {side: {"ms": {}, "resident_mb": 0.0} for side in sides}
    for _ in range(args.rounds):
        for side, (code, _keyframes) in sides.items():
            one = child(code, "measure", folder / side, "--repeat", args.repeat)
            best = found[side]["ms"]
            best.update({name: min(ms, best.get(name, ms)) for name, ms in one["ms"].items()})
            found[side]["resident_mb"] = max(found[side]["resident_mb"], one["resident_mb"])
    return report(scenes, built, found)


def make(folder: Path, before: Path, scenes: int, sides: Mapping[str, tuple[Path, int]]) -> None:
    """Make the libraries of one size, and made.json with what their indexes cost."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    child(before, "build", folder / "before", "--scenes", scenes)
    for side in ("now", "keyframes"):
        shutil.copytree(folder / "before", folder / side)
    built = {
        side: child(code, "index", folder / side, "--keyframes", keyframes) for side, (code, keyframes) in sides.items()
    }
    (folder / "made.json").write_text(json.dumps(built), encoding="utf-8")


def child(code: Path, what: str, library: Path, *options: object) -> dict[str, Any]:
    """Run search_before_child.py and return what it prints."""
    command = [sys.executable, str(CHILD), str(code), what, str(library), *(str(option) for option in options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what} failed for {code}:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def report(scenes: int, built: Mapping[str, Mapping[str, float]], found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Print the table; whether what is wanted was reached."""
    before, now, keyframes = (found[side]["ms"] for side in ("before", "now", "keyframes"))
    print(f"\n{scenes} scenes")
    print(f"{'':30s} {'before':>10s} {'now':>10s} {'ratio':>7s} {'keyframes':>10s} {'ratio':>7s}")
    is_reached = True
    for name, ms in now.items():
        old = before.get(name)
        ratio = "" if old is None else f"{ms / old:.2f}"
        missed = old is not None and name != "first" and ms > AT_MOST * old
        missed |= name == "re-weighting" and ms >= REWEIGHTING_MS
        is_reached &= not missed
        old_ms = "" if old is None else f"{old:.1f} ms"
        cells = f"{old_ms:>10s} {ms:>7.1f} ms {ratio:>7s} {keyframes[name]:>7.1f} ms {keyframes[name] / ms:>7.2f}"
        print(f"{name:30s} {cells}{'  MISSED' if missed else ''}")
    for name, values, unit in (
        ("index", {side: one["index_mb"] for side, one in built.items()}, "MB"),
        ("making the indexes", {side: one["indexed_s"] for side, one in built.items()}, "s"),
        ("resident memory", {side: one["resident_mb"] for side, one in found.items()}, "MB"),
    ):
        print(f"{name:30s} " + ", ".join(f"{side} {value:.1f} {unit}" for side, value in values.items()))
    return is_reached


if __name__ == "__main__":
    sys.exit(main())
