"""How well smart_crop keeps a moving target, beside center_crop and beside following it from moment to moment.

    python benchmarks/crop.py [--seconds 16] [--faces MODEL]

Prints for generated clips with a target at known places: the share of frames with a target wholly inside (wanted: at
least .98), the share with none (at most .03) and reversals a second inside shots (at most .13). `--faces` is the file
of the face detector: the clips are then looked at with it, too. Ends with 1 where a figure is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from heimdex_core.export.crop.motion import moving  # noqa: E402 - the repository is not installed
from heimdex_core.export.crop.smart import plan_crop  # noqa: E402
from heimdex_core.export.crop.tracks import Extent  # noqa: E402
from heimdex_core.media.decode import frames  # noqa: E402
from heimdex_core.media.images import Image  # noqa: E402
from heimdex_core.media.probe import probe  # noqa: E402
from heimdex_core.types import MediaInfo  # noqa: E402
from heimdex_core.types.crop import CropKeyframe, CropPath  # noqa: E402
from tests.support.moving_target import CLIPS, CropScore, make_clip, score  # noqa: E402

SHARE = 81 / 256
INSIDE, EMPTY, REVERSALS = 0.98, 0.03, 0.13


def main() -> int:
    """Print a table; 0 if smart_crop keeps to all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=16.0, help="length of each clip")
    parser.add_argument("--faces", type=Path, help="file of the face detector")
    args = parser.parse_args()
    print(f"{'clip':8}{'crop':16}{'inside':>8}{'empty':>8}{'reversals/s':>13}{'seconds':>9}")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, places in CLIPS.items():
            path = make_clip(Path(folder) / f"{name}.mp4", places, seconds=args.seconds)
            info = probe(path, max_bytes=2**30, max_duration_s=600)
            started = time.perf_counter()
            smart = plan_crop(path, info, 0.0, args.seconds, width=1080, height=1920, faces=args.faces)
            took_s = time.perf_counter() - started
            middle = CropPath((CropKeyframe(0.0, 0.5),))
            sides = {"smart_crop": smart, "center_crop": middle, "frame by frame": frame_by_frame(path, info)}
            for side, crop in sides.items():
                found = score(crop, places, seconds=args.seconds, share=SHARE)
                missed |= side == "smart_crop" and not is_good(found)
                figures = f"{found.inside:8.3f}{found.empty:8.3f}{found.reversals_per_s:13.3f}"
                print(f"{name:8}{side:16}{figures}" + (f"{took_s:9.2f}" if crop is smart else ""))
    return int(missed)


def is_good(found: CropScore) -> bool:
    """Whether all figures are as wanted."""
    return found.inside >= INSIDE and found.empty <= EMPTY and found.reversals_per_s <= REVERSALS


def frame_by_frame(path: Path, info: MediaInfo) -> CropPath:
    """The middle of the largest thing that moves, at every frame."""
    keyframes = [CropKeyframe(0.0, 0.5)]
    before: Image | None = None
    for frame in frames(path, info, max_side_px=320):
        found: list[Extent] = moving(before, frame.image, down=False) if before is not None else []
        if found and frame.time_s > keyframes[-1].time_s:
            keyframes.append(CropKeyframe(frame.time_s, max(found, key=lambda extent: extent.weight).middle))
        before = frame.image
    return CropPath(tuple(keyframes))


if __name__ == "__main__":
    sys.exit(main())
