"""Precision and recall of matching people by their faces, on a folder of labelled photos.

    python evaluation/faces.py FOLDER [--enrol N]

FOLDER has a folder for each person, with photos (JPEG, PNG, WebP) that show this person alone. The first N of each (by
name; 3 unless given) are those that the person is enrolled by; all others are matched as in a library: to the person
with the largest cosine, if that reaches the threshold.

    precision   of the photos that were matched, the share that was matched to the right person
    recall      of all photos, the share that was matched to the right person

It prints both at the threshold of the settings (HEIMDEX_FACE_THRESHOLD), and the threshold with the largest F1. Photos
without a face or with several are left out and counted. Nothing is stored.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from heimdex_core.errors import HeimdexError  # noqa: E402
from heimdex_core.library.people import PHOTO_SIDE_PX  # noqa: E402
from heimdex_core.models.faces.finding import FaceModels, face_models  # noqa: E402
from heimdex_core.search.pictures import read_picture  # noqa: E402
from heimdex_core.settings import get_settings  # noqa: E402

Floats = npt.NDArray[np.float32]
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Score:
    """How well photos were matched at one threshold."""

    threshold: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def vectors_of(models: FaceModels, folder: Path) -> tuple[list[Floats], int]:
    """(a vector for each photo with one face, the number of photos that were left out)."""
    found, left_out = [], 0
    for path in sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES):
        try:
            faces, vectors = models.find(read_picture(path, side_px=PHOTO_SIDE_PX))
        except HeimdexError as error:
            print(f"{path}: {error.message}", file=sys.stderr)
            faces = []
        if len(faces) == 1:
            found.append(vectors[0])
        else:
            left_out += 1
    return found, left_out


def score(cosines: Floats, own: npt.NDArray[np.int64], threshold: float) -> Score:
    """Precision and recall.

    Args:
        cosines: (photos, people).
        own: (photos,) the number of the person who is on each photo.
        threshold: the least cosine of a match.
    """
    best = cosines.argmax(axis=1)
    matched = cosines[np.arange(len(best)), best] >= threshold
    right = int((matched & (best == own)).sum())
    return Score(round(threshold, 3), right / max(int(matched.sum()), 1), right / max(len(own), 1))


def compare(people: list[list[Floats]], enrol: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """(photos, people) cosines of the photos that nobody was enrolled by, and whose photo each is."""
    means = np.stack([np.sum(vectors[:enrol], axis=0) for vectors in people])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    rest = [(vector, number) for number, vectors in enumerate(people) for vector in vectors[enrol:]]
    own = np.array([number for _, number in rest], dtype=np.int64)
    return np.stack([vector for vector, _ in rest]) @ means.T, own


def main() -> None:
    """Read the folder and print the scores as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--enrol", type=int, default=3, metavar="N", help="photos that a person is known by (1 to 10)")
    args = parser.parse_args()
    settings = get_settings()
    models = face_models(settings)
    read = {one.name: vectors_of(models, one) for one in sorted(args.folder.iterdir()) if one.is_dir()}
    usable = [vectors for vectors, _ in read.values() if len(vectors) > args.enrol]
    if not usable or args.enrol < 1:
        sys.exit(f"no person has more than {args.enrol} photos with one face")
    cosines, own = compare(usable, args.enrol)
    scores = [score(cosines, own, threshold) for threshold in np.arange(0.05, 0.95, 0.005).tolist()]
    best = max(scores, key=lambda one: (one.f1, -one.threshold))
    report = {
        "people": len(usable),
        "photos": len(own),
        "left_out": sum(count for _, count in read.values()),
        "at_settings": asdict(score(cosines, own, settings.face_threshold)),
        "best": {**asdict(best), "f1": best.f1},
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
