"""Which cuts the detector `content` finds, with and without gradual transitions, and what that costs.

    python benchmarks/cuts.py [found] [time] [--seeds 43 44] [--file VIDEO] [--rounds 3]

`found`: the labelled set of tests/support/labelled_cuts.py, once per seed: of every kind how many boundaries are
found and how many are wrong, next to PySceneDetect's ContentDetector(27). `time`: the stage `picture` with and without
gradual transitions over a generated video of two minutes or --file; the rounds take turns and the quickest of each
counts. Both without either. Ends with 1 where what is wanted was not reached. Seeds up to 41 were looked at while
the thresholds were chosen; 43 and 44 were not.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

WANTED_RATIO = 1.1
WANTED = {
    ("dissolve, 8 frames", "dissolve, 20 frames"): 24 / 26,
    ("dissolve, gamma 2.2",): 0.8,
    ("dissolve, 50 frames",): 0.8,
}


def main() -> int:
    """Print the tables; 0 if what is wanted was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="found or time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[43, 44])
    parser.add_argument("--file", type=Path, help="a video for `time` instead of the generated one")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if unknown := set(args.parts) - {"found", "time"}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    reached = [found(seed) for seed in args.seeds] if not args.parts or "found" in args.parts else []
    if not args.parts or "time" in args.parts:
        from benchmarks.make_media import generated_video

        reached.append(cost(args.file or generated_video(120.0), args.rounds))
    return 0 if all(reached) else 1


def found(seed: int) -> bool:
    """The table of one set; whether it is as wanted."""
    from tests.support.labelled_cuts import labelled_set

    wanted, ours, wrong = Counter[str](), Counter[str](), Counter[str]()
    print(f"{f'seed {seed}':28} {'there':>6} {'found':>6} {'wrong':>6}   ContentDetector(27): found, wrong")
    for kind, clips in labelled_set(seed).items():
        plain_found = plain_wrong = 0
        for clip in clips:
            frames = list(clip.frames())
            hits, others = judged(cuts_of(frames, clip.fps, gradual=True), clip.boundaries, frames[-1][0])
            wanted[kind] += len(clip.boundaries)
            ours[kind] += hits
            wrong[kind] += others
            hits, others = judged(cuts_of(frames, clip.fps, gradual=False), clip.boundaries, frames[-1][0])
            plain_found, plain_wrong = plain_found + hits, plain_wrong + others
        print(f"{kind:28} {wanted[kind]:6} {ours[kind]:6} {wrong[kind]:6}   {plain_found}, {plain_wrong}", flush=True)
    enough = all(
        sum(ours[k] for k in kinds) >= share * sum(wanted[k] for k in kinds) for kinds, share in WANTED.items()
    )
    return enough and not sum(wrong.values())


def cuts_of(frames: Sequence[tuple[float, object]], fps: float, *, gradual: bool) -> list[float]:
    """The cuts that the library's detector finds in (seconds, BGR) frames."""
    from heimdex_core.ingest.detectors import ShotDetector
    from heimdex_core.ingest.params import IngestParams
    from heimdex_core.settings import Settings

    params = IngestParams.from_settings(Settings(_env_file=None), gradual_transitions=gradual)
    detector = ShotDetector(params, fps)
    cuts = [cut for time_s, image in frames for cut in detector.process(time_s, image)]  # type: ignore[arg-type]
    return [*cuts, *detector.finish()]


def judged(cuts: Sequence[float], there: Sequence[tuple[float, float]], end_s: float) -> tuple[int, int]:
    """How many of the boundaries are found, each once, and how many cuts are none of them.

    Cuts within a second of either end are left out, as the library does.
    """
    inner = [cut for cut in cuts if 1.0 <= cut <= end_s - 1.0]
    hits = sum(any(abs(cut - middle_s) <= off_s + 1e-3 for cut in inner) for middle_s, off_s in there)
    return hits, len(inner) - hits


def cost(path: Path, rounds: int) -> bool:
    """The time of the stage `picture` both ways."""
    from heimdex_core.ingest.params import IngestParams
    from heimdex_core.ingest.stages import picture
    from heimdex_core.media.probe import probe
    from heimdex_core.settings import Settings
    from heimdex_core.types import WorkContext

    info = probe(path, max_bytes=10**13, max_duration_s=1e9)
    best: dict[bool, tuple[float, float]] = {}
    for n in range(rounds):
        for gradual in (False, True):
            params = IngestParams.from_settings(Settings(_env_file=None), gradual_transitions=gradual)
            with tempfile.TemporaryDirectory() as folder:
                began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
                picture.look(path, info, Path(folder), params, WorkContext())
                seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
            cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"  round {n + 1}: {'with' if gradual else 'without':8} {seconds:6.1f} s  {cpu_s:6.1f} s of CPU",
                flush=True,
            )
            best[gradual] = min(best.get(gradual, (seconds, cpu_s)), (seconds, cpu_s))
    ratio, cpu = (best[True][k] / best[False][k] for k in (0, 1))
    print(
        f"picture with gradual transitions / without: {ratio:.2f} x the time (wanted: at most {WANTED_RATIO}),", end=" "
    )
    print(f"{cpu:.2f} x the CPU; {info.duration_s:.0f} s of {info.width}x{info.height}")
    return ratio <= WANTED_RATIO


if __name__ == "__main__":
    sys.exit(main())
