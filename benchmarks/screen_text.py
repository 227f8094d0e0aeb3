"""On-screen text: what reading it costs for each keyframe, and how much of drawn English text is read.

    python benchmarks/screen_text.py [--pictures 40] [--threads 1]

Pictures are 512 x 288, as keyframes of HD video are: sentences of the sample's transcript on flat and on noisy grounds,
in letters of several sizes. Times are those of the processor, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[1]))

from heimdex_core.export.captions import fonts  # noqa: E402 - the repository is not installed
from heimdex_core.models.ocr.rapid import RapidReader  # noqa: E402
from heimdex_core.settings import get_settings  # noqa: E402

SIZE = (512, 288)
SIZES_PX = (6, 7, 8, 10, 12, 18, 24)
FONT = Path(fonts.__file__).parent / "fonts" / "DejaVuSans-Bold.ttf"
TRANSCRIPT = Path(__file__).parents[1] / "data" / "sample" / "heimdex_sample.srt"
Picture = npt.NDArray[np.uint8]


def sentences() -> list[str]:
    """The words of the sample in pieces of four."""
    lines = [line for line in TRANSCRIPT.read_text(encoding="utf-8").splitlines() if line and not line[0].isdigit()]
    words = " ".join(lines).split()
    return [" ".join(words[n : n + 4]) for n in range(0, len(words) - 4, 4)]


def drawn(lines: Sequence[str], size_px: int, rng: np.random.Generator, *, noise: float) -> Picture:
    """Lines below each other, white on a grey ground; `noise` is the standard deviation of what is added."""
    image = Image.new("RGB", SIZE, (int(rng.integers(20, 90)),) * 3)
    pen, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, size_px)
    for n, line in enumerate(lines):
        pen.text((20, 20 + 2.2 * size_px * n), line, font=font, fill="white")
    return np.clip(np.array(image) + rng.normal(0, noise, (SIZE[1], SIZE[0], 3)), 0, 255).astype(np.uint8)


def cost_ms(reader: RapidReader, pictures: Sequence[Picture]) -> float:
    """Milliseconds of the processor for each picture."""
    began = time.process_time()
    for picture in pictures:
        reader.read(picture)
    return 1000 * (time.process_time() - began) / len(pictures)


def share_read(reader: RapidReader, pictures: Sequence[Picture], texts: Sequence[str], least: float) -> float:
    """The share of the letters that were read, in order, by lines with at least this confidence."""
    right = total = 0
    for picture, text in zip(pictures, texts, strict=True):
        found = " ".join(line.text for line in reader.read(picture) if line.confidence >= least)
        matcher = difflib.SequenceMatcher(None, text, found, autojunk=False)
        right += sum(block.size for block in matcher.get_matching_blocks())
        total += len(text)
    return right / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rng, texts = np.random.default_rng(2026), sentences()
    process = psutil.Process()
    before = process.memory_info().rss
    reader = RapidReader("english", threads=args.threads)
    began = time.process_time()
    reader.load()
    print(f"load: {time.process_time() - began:.2f} s")
    for count in (0, 1, 3, 8):
        pictures = [
            drawn([texts[(n + at) % len(texts)] for at in range(count)], 14, rng, noise=8) for n in range(args.pictures)
        ]
        print(f"{count} lines: {cost_ms(reader, pictures):.0f} ms a picture")
    print(f"memory: {(process.memory_info().rss - before) / 1e6:.0f} MB")
    least = get_settings().ocr_min_confidence
    for size_px in SIZES_PX:
        shares = []
        for noise in (0.0, 20.0):
            chosen = [texts[n % len(texts)] for n in range(args.pictures)]
            pictures = [drawn([text], size_px, rng, noise=noise) for text in chosen]
            shares.append(share_read(reader, pictures, chosen, least))
        print(f"letters of {size_px} px: {shares[0]:.1%} read, with noise {shares[1]:.1%}")


if __name__ == "__main__":
    main()
