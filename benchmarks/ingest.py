"""How long the one pass takes, against bare decoding and against the obvious way, and how much memory it needs.

    python benchmarks/ingest.py [pass] [overlap] [memory] [--file VIDEO] [--minutes 10] [--rounds 3] [--models offline]

`pass`: one pass against bare decoding and the obvious way. `overlap`: a talking video's whole way against the
larger of its slowest branch alone and the CPU's share of the cores. `memory`: the peak for a video of 10 and
one of 60 minutes. All three without any of them. Ends with 1 where what is wanted was not reached.

One pass: probe, scenes and keyframes of the library, in one process. Bare decoding: ffmpeg -f null. The
obvious way: scenedetect over the file, then ffmpeg once a scene for its pictures, then ffmpeg for the audio. Every way
runs in a process of its own; the rounds take turns, and the quickest of each counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import ingest_whole  # noqa: E402 - the repository is not installed

if TYPE_CHECKING:  # the core is imported where it is measured
    from heimdex_core.types import MediaInfo

PARTS = ("pass", "overlap", "memory")
WANTED_RATIO = 1.5
WANTED_BYTES = 600 * 10**6


def main() -> int:
    """Print a table; 0 if what is wanted was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="a video to measure with instead of the generated one")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the generated video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-obvious", action="store_true", help="leave out the obvious way, which is slow")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which of {', '.join(PARTS)}")
    parser.add_argument("--models", choices=("offline", "small"), default="offline", help="for the whole way")
    parser.add_argument("--long", type=float, default=60.0, help="minutes of the long video for memory")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args.child, args.file, args.models)))
        return 0
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    from benchmarks.make_media import generated_video, talking_video

    failed = 0
    for part in args.parts or PARTS:
        print(f"--- {part}", flush=True)
        if part == "pass":
            path = args.file or generated_video(args.minutes * 60)
            failed |= compare(path, rounds=args.rounds, obvious=not args.skip_obvious)
        elif part == "overlap":
            failed |= overlap(args.file or talking_video(args.minutes * 60), args.models, rounds=args.rounds)
        else:
            failed |= memory(
                {minutes: talking_video(minutes * 60) for minutes in (args.minutes, args.long)}, args.models
            )
    return failed


def child(way: str, path: Path, models: str) -> dict[str, float]:
    """One measurement, in this process."""
    if way in ("speech", "picture"):
        return ingest_whole.branch(path, way, models)
    if way == "whole":
        return ingest_whole.whole(path, models)
    return {"one-pass": one_pass, "obvious": obvious_way}[way](path)


def overlap(path: Path, models: str, *, rounds: int) -> int:
    """The branches alone and all of it, taking turns; the quickest of each counts."""
    describe(path)
    best: dict[str, dict[str, float]] = {}
    for n in range(rounds):
        for way in ("speech", "picture", "whole"):
            found = in_child(way, path, models)
            print(f"  round {n + 1}: {way:8} {found['seconds']:7.1f} s  {found['cpu_s']:7.1f} s of CPU", flush=True)
            if way not in best or found["seconds"] < best[way]["seconds"]:
                best[way] = found
    return 0 if ingest_whole.overlap_report(best) else 1


def memory(paths: dict[float, Path], models: str) -> int:
    """All of it for videos of several lengths."""
    return 0 if ingest_whole.memory_report({m: in_child("whole", path, models) for m, path in paths.items()}) else 1


def compare(path: Path, *, rounds: int, obvious: bool) -> int:
    """Measure every way `rounds` times, taking turns."""
    describe(path)
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "ffmpeg -f null": lambda: bare_decoding(path),
        "one pass": lambda: in_child("one-pass", path),
    }
    if obvious:
        ways["obvious way"] = lambda: in_child("obvious", path)
    best: dict[str, dict[str, float]] = {}
    for n in range(rounds):
        for name, way in ways.items():
            found = way()
            print(f"  round {n + 1}: {name:15} {found['seconds']:7.1f} s  {found['cpu_s']:7.1f} s of CPU", flush=True)
            if name not in best or found["seconds"] < best[name]["seconds"]:
                best[name] = found
    memory = in_child("whole", path)
    return report(best, memory)


def report(best: dict[str, dict[str, float]], memory: dict[str, float]) -> int:
    """The comparison in words."""
    bare, one = best["ffmpeg -f null"], best["one pass"]
    ratio = one["seconds"] / bare["seconds"]
    print(f"one pass: {one['scenes']:.0f} scenes, {one['keyframes']:.0f} keyframes")
    print(f"one pass / bare decoding: {ratio:.2f} x the time (wanted: at most {WANTED_RATIO})", end="")
    print(f", {one['cpu_s'] / bare['cpu_s']:.2f} x the CPU")
    if "obvious way" in best:
        obvious = best["obvious way"]
        print(f"obvious way / one pass: {obvious['seconds'] / one['seconds']:.2f} x the time", end="")
        print(f" ({obvious['scenes']:.0f} scenes; and it has no candidates to choose from)")
    grown = memory["peak_bytes"] - memory["after_models_bytes"]
    print(f"whole ingest: peak RSS {memory['peak_bytes'] / 1e6:.0f} MB,", end=" ")
    print(
        f"{memory['after_models_bytes'] / 1e6:.0f} MB after the models were loaded: {grown / 1e6:.0f} MB more", end=""
    )
    print(f" (wanted: under {WANTED_BYTES / 1e6:.0f} MB); {memory['seconds']:.1f} s in all")
    return 0 if ratio <= WANTED_RATIO and grown < WANTED_BYTES else 1


def describe(path: Path) -> None:
    """What is measured, and on what."""
    info = probed(path)
    megabits = info.size_bytes * 8 / info.duration_s / 1e6
    print(f"{path.name}: {info.duration_s:.0f} s, {info.width}x{info.height}, {info.fps:g} frames/s,", end=" ")
    print(f"{info.video_codec}, {megabits:.2f} Mb/s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)


def in_child(way: str, path: Path, models: str = "offline") -> dict[str, float]:
    """Run one way in a fresh process; what it prints, and its CPU time with that of its own children."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, __file__, "--child", way, "--file", str(path), "--models", models],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    after = os.times()
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu_s": spent, **found}


def bare_decoding(path: Path) -> dict[str, float]:
    """ffmpeg decodes the picture and throws it away."""
    before, began = os.times(), time.perf_counter()
    run_ffmpeg("-i", str(path), "-map", "0:v:0", "-f", "null", "-")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": time.perf_counter() - began, "cpu_s": cpu}


def one_pass(path: Path) -> dict[str, float]:
    """Probe, picture, scenes, keyframes; imports are not counted for any of the ways."""
    from heimdex_core.ingest.params import IngestParams
    from heimdex_core.ingest.stages import keyframes, picture, scenes
    from heimdex_core.settings import Settings
    from heimdex_core.types import WorkContext

    params = IngestParams.from_settings(Settings(), max_duration_s=1e9, max_file_bytes=10**13)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        candidates, out = Path(folder) / "candidates", Path(folder) / "frames"
        candidates.mkdir()
        out.mkdir()
        info = probed(path)
        seen = picture.look(path, info, candidates, params, WorkContext())
        spans = scenes.make_scenes(seen.cuts_s, info.duration_s, silences=(), lines=(), params=params)
        frames = keyframes.choose_frames(spans, seen, candidates, out, params, WorkContext())
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "scenes": len(spans), "keyframes": sum(len(f.keyframes) for f in frames)}


def obvious_way(path: Path) -> dict[str, float]:
    """scenedetect.detect, then a seek and three pictures a scene with ffmpeg, then the audio."""
    from scenedetect import ContentDetector, detect

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = detect(str(path), ContentDetector(27.0, min_scene_len=1.0), start_in_scene=True)
        for n, (start, end) in enumerate(found):
            length_s = end.seconds - start.seconds
            pictures = str(Path(folder) / f"{n:04d}_%d.webp")
            seek = ["-ss", f"{start.seconds + length_s / 6:.3f}", "-t", f"{length_s:.3f}", "-i", str(path)]
            rate = f"fps={3 / length_s:.6f},scale=512:-2"
            run_ffmpeg(*seek, "-an", "-vf", rate, "-frames:v", "3", "-c:v", "libwebp", "-quality", "90", pictures)
        run_ffmpeg("-i", str(path), "-vn", "-ac", "1", "-ar", "16000", str(Path(folder) / "audio.wav"))
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "scenes": len(found)}


def probed(path: Path) -> MediaInfo:
    """The file's MediaInfo, measured, whatever its size."""
    from heimdex_core.media.probe import probe

    return probe(path, max_bytes=10**13, max_duration_s=1e9)


def run_ffmpeg(*args: str) -> None:
    """The bundled ffmpeg, quietly; RuntimeError with its last words if it fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])


if __name__ == "__main__":
    sys.exit(main())
