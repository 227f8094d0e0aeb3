"""How well smart_crop keeps a moving target, beside center_crop and beside following it from moment to moment.

    python benchmarks/crop.py [--seconds 16] [--faces MODEL [--face-picture PICTURE]]

Prints for generated clips with a target at known places: the share of frames with a target wholly inside (wanted: at
least .98), the share with none (at most .03), the share in which an edge cuts the nearest one, and reversals a second
inside shots (at most .13). With `--faces`, the file of the face detector, the targets are also faces: that of
PICTURE, which is by default the photograph of Grace Hopper that comes with matplotlib. Ends with 1 where a figure is
missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from heimdex_core.export.crop.motion import moving  # noqa: E402 - the repository is not installed
from heimdex_core.export.crop.smart import plan_crop  # noqa: E402
from heimdex_core.media.decode import frames  # noqa: E402
from heimdex_core.media.images import Image  # noqa: E402
from heimdex_core.media.probe import probe  # noqa: E402
from heimdex_core.models.faces.yunet import YuNet  # noqa: E402
from heimdex_core.types import MediaInfo  # noqa: E402
from heimdex_core.types.crop import CropKeyframe, CropPath  # noqa: E402
from tests.support.moving_face import FaceTarget, read_picture  # noqa: E402
from tests.support.moving_target import (  # noqa: E402
    CLIPS,
    FACE_CLIPS,
    CropScore,
    Draw,
    Places,
    draw_ellipse,
    make_clip,
    score,
)

SHARE = 81 / 256
INSIDE, EMPTY, REVERSALS = 0.98, 0.03, 0.13
Find = Callable[[Image], float | None]
"""The middle of the largest target in the next picture of a clip, as a share of its width."""


def main() -> int:
    """Print the tables; 0 if smart_crop keeps to all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=16.0, help="length of each clip")
    parser.add_argument("--faces", type=Path, help="file of the face detector")
    parser.add_argument("--face-picture", type=Path, help="a photograph with a face")
    args = parser.parse_args()
    missed = table("moving objects", CLIPS, draw_ellipse, args.seconds, None)
    if args.faces:
        photograph = read_picture(args.face_picture or _packaged_picture())
        faces = YuNet(args.faces).detect(photograph)
        if not faces:
            parser.error("the detector finds no face in the picture")
        missed |= table("faces", FACE_CLIPS, FaceTarget(photograph, faces), args.seconds, args.faces)
    return int(missed)


def table(title: str, clips: dict[str, Places], draw: Draw, seconds: float, faces: Path | None) -> bool:
    """Print the figures of some clips. Returns whether smart_crop misses one."""
    print(f"{title:16}{'crop':16}{'inside':>8}{'empty':>8}{'at edge':>9}{'reversals/s':>13}{'jumps':>7}{'seconds':>9}")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, places in clips.items():
            path = make_clip(Path(folder) / f"{name}.mp4", places, seconds=seconds, draw=draw)
            info = probe(path, max_bytes=2**30, max_duration_s=600)
            started = time.perf_counter()
            smart = plan_crop(path, info, 0.0, seconds, width=1080, height=1920, faces=faces)
            took_s = time.perf_counter() - started
            middle = CropPath((CropKeyframe(0.0, 0.5),))
            find = face_finder(YuNet(faces)) if faces else movement_finder()
            sides = {"smart_crop": smart, "center_crop": middle, "frame by frame": frame_by_frame(path, info, find)}
            for side, crop in sides.items():
                found = score(crop, places, seconds=seconds, share=SHARE)
                missed |= side == "smart_crop" and not is_good(found)
                figures = f"{found.inside:8.3f}{found.empty:8.3f}{found.at_edge:9.3f}{found.reversals_per_s:13.3f}"
                jumps = sum(keyframe.cut for keyframe in crop.keyframes)
                print(f"{name:16}{side:16}{figures}{jumps:7}" + (f"{took_s:9.2f}" if crop is smart else ""))
    return missed


def is_good(found: CropScore) -> bool:
    """Whether all figures are as wanted."""
    return found.inside >= INSIDE and found.empty <= EMPTY and found.reversals_per_s <= REVERSALS


def frame_by_frame(path: Path, info: MediaInfo, find: Find) -> CropPath:
    """The middle of the largest target at every frame."""
    keyframes = [CropKeyframe(0.0, 0.5)]
    for frame in frames(path, info, max_side_px=640):
        found = find(frame.image)
        if found is not None and frame.time_s > keyframes[-1].time_s:
            keyframes.append(CropKeyframe(frame.time_s, min(max(found, 0.0), 1.0)))
    return CropPath(tuple(keyframes))


def movement_finder() -> Find:
    """Finds what moves."""
    before: list[Image] = []

    def find(image: Image) -> float | None:
        found = moving(before[-1], image, down=False) if before else []
        before[:] = [image]
        return max(found, key=lambda extent: extent.weight).middle if found else None

    return find


def face_finder(detector: YuNet) -> Find:
    """Finds faces."""

    def find(image: Image) -> float | None:
        found = detector.detect(image)
        largest = max(found, key=lambda face: face.width * face.height, default=None)
        return largest.x + largest.width / 2 if largest else None

    return find


def _packaged_picture() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


if __name__ == "__main__":
    sys.exit(main())
