"""What the treatment of the picture costs: on an ordinary file, where nothing has to be done, and where it is needed.

    python benchmarks/colour.py [--file VIDEO] [--seconds 60] [--rounds 3]

Each file goes through probe and the one pass for shots and keyframes, once as it is treated and once as if nothing were
looked at or done ("plain"). The sides take turns, and the quicker run of each counts. Ends with 1 where the ordinary
file takes more than 5 % longer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import imageio_ffmpeg

sys.path.insert(0, str(Path(__file__).parents[1]))

from heimdex_core.media import treatment  # noqa: E402 - the repository is not installed
from heimdex_core.media.decode import two_size_frames  # noqa: E402
from heimdex_core.media.probe import probe  # noqa: E402
from heimdex_core.types import PictureTreatment  # noqa: E402

WANTED_RATIO = 1.05
_HDR = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
FILES = {
    "ordinary": ("testsrc2=s=1280x720:r=25", ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]),
    "interlaced": (
        "testsrc2=s=1280x720:r=50,tinterlace=interleave_top,setfield=tff",
        ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme"],
    ),
    "HDR (PQ)": (
        "testsrc2=s=1280x720:r=25,format=yuv420p10le",
        ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"log-level=error:{_HDR}"],
    ),
}


def main() -> int:
    """Print a table; 0 if the ordinary file is quick enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="a video to measure with instead of the generated ones")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the generated videos")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = (
            {"ordinary": args.file} if args.file else {name: make(name, Path(folder), args.seconds) for name in FILES}
        )
        print(f"{'file':12}{'treated':>10}{'plain':>10}{'ratio':>8}")
        ratios = {}
        for name, path in files.items():
            treated_s, plain_s = (min(times) for times in zip(*(sides(path) for _ in range(args.rounds)), strict=True))
            ratios[name] = treated_s / plain_s
            print(f"{name:12}{treated_s:9.2f}s{plain_s:9.2f}s{ratios[name]:8.3f}")
    return int(ratios["ordinary"] > WANTED_RATIO)


def sides(path: Path) -> tuple[float, float]:
    """Seconds of one run (treated, plain)."""
    treated_s = run(path)
    plain = PictureTreatment()
    with patch.object(treatment, "choose_treatment", lambda *_: plain):
        return treated_s, run(path)


def run(path: Path) -> float:
    """Seconds of probe and the one pass."""
    started = time.perf_counter()
    info = probe(path, max_bytes=2**40, max_duration_s=1e6)
    wanted = iter(range(10**9))
    for _ in two_size_frames(
        path, info, detect_width_px=256, max_side_px=512, want_candidate=lambda _: next(wanted) % 5 == 0
    ):
        pass
    return time.perf_counter() - started


def make(name: str, folder: Path, seconds: float) -> Path:
    """Write one of FILES."""
    source, codec = FILES[name]
    path = folder / f"{name}.mkv"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", "-f", "lavfi", "-i", source]
    subprocess.run([*command, "-t", str(seconds), *codec, str(path)], check=True)  # noqa: S603 - our own command
    return path


if __name__ == "__main__":
    sys.exit(main())
