"""Measure how well the palette encoder finds drawn scenes, and rank clips by description.

Prints a table; docs/palette.md has one.

python evaluation/palette.py                            drawn scenes only
python evaluation/palette.py --clips A.mp4 B.webm --query "green meadow" --query "노을"
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evaluation import palette_fresh, palette_scenes
from heimdex_core.models.base import Vectors
from heimdex_core.models.palette.encoder import Palette

FRAMES_PER_CLIP = 12

SETS = {
    "first": (palette_scenes.KINDS, palette_scenes.QUERIES),
    "fresh": (palette_fresh.KINDS, palette_fresh.QUERIES),
}


def measure_drawn(palette: Palette, name: str, seed: int) -> None:
    """Print how each query ranks the drawn pictures, and the means by language.

    `name` is one of SETS; the same `seed` draws the same pictures.
    """
    drawn, queries = SETS[name]
    scenes = palette_scenes.draw(drawn, seed)
    kinds = [kind for kind, pictures in scenes.items() for _ in pictures]
    vectors = palette.encode_images([picture for pictures in scenes.values() for picture in pictures])
    totals: dict[str, list[tuple[float, float, float]]] = {"en": [], "ko": []}
    print(f"{len(kinds)} drawn pictures, {palette_scenes.VARIANTS} of each of {len(scenes)} kinds (seed {seed})")
    print(f"{'query':40} {'first':22} P@1   P@4   MRR")
    for language, query, wanted in queries:
        vector = palette.encode_query(query).vector
        if vector is None:
            totals[language].append((0.0, 0.0, 0.0))
            print(f"{query:40} {'(abstains)':22} 0     0     0")
            continue
        order = np.argsort(-(vectors @ vector), kind="stable")
        hits = np.array([kinds[n] in wanted for n in order])
        row = float(hits[0]), float(hits[:4].mean()), 1 / (1 + int(np.argmax(hits)))
        totals[language].append(row)
        print(f"{query:40} {kinds[order[0]]:22} {row[0]:.0f}     {row[1]:.2f}  {row[2]:.2f}")
    for language, rows in totals.items():
        first, four, reciprocal = np.mean(rows, axis=0)
        print(f"{language}: {len(rows)} queries, P@1 {first:.2f}, P@4 {four:.2f}, MRR {reciprocal:.2f}")


def clip_vectors(palette: Palette, path: Path) -> Vectors:
    """Vectors of FRAMES_PER_CLIP evenly spaced frames, (n, d) float32."""
    from heimdex_core.media.decode import frame_at
    from heimdex_core.media.probe import probe

    info = probe(path, max_bytes=1 << 40, max_duration_s=1e6)
    times = (np.arange(FRAMES_PER_CLIP) + 0.5) / FRAMES_PER_CLIP * info.duration_s
    return palette.encode_images([frame_at(path, info, float(time), max_side_px=512).image for time in times])


def measure_clips(palette: Palette, paths: Sequence[Path], queries: Sequence[str]) -> None:
    """Print the clips in their order for each query; the score of a clip is that of its best frame."""
    vectors = {path.name: clip_vectors(palette, path) for path in paths}
    for query in queries:
        vector = palette.encode_query(query).vector
        if vector is None:
            print(f"{query}: abstains")
            continue
        scores = sorted(((float((found @ vector).max()), name) for name, found in vectors.items()), reverse=True)
        print(f"{query}: " + ", ".join(f"{name} {score:.3f}" for score, name in scores))


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=sorted(SETS), default="fresh")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--query", action="append", default=[])
    args = parser.parse_args()
    palette = Palette()
    if args.clips:
        measure_clips(palette, args.clips, args.query)
    else:
        measure_drawn(palette, args.set, args.seed)


if __name__ == "__main__":
    main()
