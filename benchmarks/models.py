"""How long the models of the profiles take for one picture, text or window of speech: plain library calls and ours.

    python benchmarks/models.py [--only vision-b16]... [--items N] [--rounds 3] [--threads N] [--device cpu]

Weights are random, as speed does not depend on them. Plain: the library's own call in 32 bits, one item after the
other. Ours: all items given to our adapter, which batches them, makes them ready beside the model and uses what the
hardware multiplies best. All sides get the same items and threads and run in one process, a process for each model;
the rounds take turns, and the quickest of each counts. Loading is not counted for anybody.

Wanted: pictures on a CPU that multiplies bfloat16, at least twice as fast as the plain call. Non-zero if not reached.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

WANTED = 2.0
PLAIN, OURS = "plain, 32 bits", "ours"
Side = Callable[[Sequence[Any]], object]


@dataclass(frozen=True)
class Options:
    items: int
    rounds: int
    threads: int
    device: str


@dataclass(frozen=True)
class Subject:
    """A model to measure; `items` of it on a CPU take some seconds."""

    title: str
    items: int
    measure: Callable[[Options, Path], dict[str, float]]
    unit: str
    is_wanted: bool = False


def main() -> int:
    """A table for each model; 0 if what is wanted was reached."""
    from heimdex_core.models.threads import usable_cores

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(SUBJECTS), help="can be given again; without: all")
    parser.add_argument("--items", type=int, default=0, help="items a round (default: by the model; 32 x on a GPU)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores(), help="for every side alike")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "both"), default="both", help="both: and a GPU")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    names = args.only or list(SUBJECTS)
    if args.child:
        return report(names[0], args)
    failed = 0
    for name in names:
        for device in devices(args.device):
            command = [sys.executable, __file__, "--child", "--only", name, "--device", device]
            for option in ("items", "rounds", "threads"):
                command += [f"--{option}", str(getattr(args, option))]
            failed |= subprocess.run(command, check=False).returncode
    return 1 if failed else 0


def devices(asked: str) -> list[str]:
    """Where to measure; "both" is the CPU, and the GPU where there is one."""
    from heimdex_core.models.device import choose_device

    if asked != "both":
        return [choose_device(asked)]
    return list(dict.fromkeys(("cpu", choose_device("auto"))))


def report(name: str, args: argparse.Namespace) -> int:
    """Measure one model and say what came out."""
    import torch

    from heimdex_core.models.device import has_fast_bf16

    subject = SUBJECTS[name]
    items = args.items or subject.items * (32 if args.device == "cuda" else 1)
    options = Options(items, args.rounds, args.threads, args.device)
    bf16 = has_fast_bf16(args.device)
    torch.set_num_threads(options.threads)
    machine = torch.cuda.get_device_name() if args.device == "cuda" else f"{options.threads} threads"
    print(f"{subject.title} on {args.device} ({machine}, {'fast' if bf16 else 'no fast'} bf16,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}): {items} {subject.unit}s a round", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        best = subject.measure(options, Path(folder))
    for side, seconds in best.items():
        per_item = seconds / items
        print(f"  {side:28} {per_item * 1000:9.1f} ms a {subject.unit} {1 / per_item:9.1f} {subject.unit}s/s", end="")
        print(f"  {best[PLAIN] / seconds:5.2f} x plain", flush=True)
    if not subject.is_wanted or args.device != "cpu":
        return 0
    if not bf16:
        print("  this CPU does not multiply bfloat16: nothing is wanted of it")
        return 0
    ratio = best[PLAIN] / best[OURS]
    print(f"  wanted: at least {WANTED} x plain: {'reached' if ratio >= WANTED else 'NOT reached'} ({ratio:.2f})")
    return 0 if ratio >= WANTED else 1


def take_turns(sides: dict[str, Side], items: Sequence[Any], rounds: int) -> dict[str, float]:
    """Seconds of the quickest round of each side; one item each goes before, uncounted, to load and to warm up."""
    for side in sides.values():
        side(items[:1])
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.perf_counter()
            side(items)
            best[name] = min(best[name], time.perf_counter() - began)
    return best


@contextmanager
def in_bf16(device: str) -> Iterator[None]:
    """What is computed in here is multiplied in bfloat16."""
    import torch

    with torch.autocast(device, dtype=torch.bfloat16):
        yield


def sentences(count: int) -> list[str]:
    """Texts as long as what is said in a scene: 8 to 120 words."""
    from benchmarks.random_weights import WORDS

    rng = np.random.default_rng(1)
    return [" ".join(rng.choice(WORDS, rng.integers(8, 121))) for _ in range(count)]


def pictures(count: int) -> list[np.ndarray]:
    """RGB pictures as keyframes are, 512 x 288, with something in them."""
    from PIL import Image

    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (count, 18, 32, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(picture).resize((512, 288), Image.Resampling.BICUBIC)) for picture in small]


def vision(architecture: str) -> Callable[[Options, Path], dict[str, float]]:
    """An open_clip model's picture side."""

    def measure(options: Options, folder: Path) -> dict[str, float]:
        import open_clip
        import torch
        from PIL import Image

        from benchmarks.random_weights import open_clip_folder
        from heimdex_core.models.vision.openclip import OpenClip

        torch.manual_seed(0)
        model, _, transform = open_clip.create_model_and_transforms(architecture, pretrained=None)
        model.eval()
        if hasattr(model, "text"):
            del model.text  # not asked, and of SigLIP 2 the greater part
        made = open_clip_folder(folder / architecture, model, architecture)
        adapter = OpenClip(f"local-dir:{made}", device=options.device, threads=options.threads)
        model.to(options.device)

        def plain(images: Sequence[np.ndarray]) -> list[np.ndarray]:
            with torch.inference_mode():
                ready = (transform(Image.fromarray(image)).unsqueeze(0).to(options.device) for image in images)
                return [model.encode_image(one, normalize=True).float().cpu().numpy() for one in ready]

        def plain_bf16(images: Sequence[np.ndarray]) -> list[np.ndarray]:
            with in_bf16(options.device):
                return plain(images)

        items = pictures(options.items)
        likeness = float((np.concatenate(plain(items[:2])) * adapter.encode_images(items[:2])).sum(1).min())
        if likeness < 0.99:
            raise RuntimeError(f"the sides do not compute the same: cosine {likeness:.3f}")
        sides: dict[str, Side] = {PLAIN: plain, "plain, bf16": plain_bf16, OURS: adapter.encode_images}
        return take_turns(sides, items, options.rounds)

    return measure


def text(**size: int) -> Callable[[Options, Path], dict[str, float]]:
    """A sentence encoder of this size."""

    def measure(options: Options, folder: Path) -> dict[str, float]:
        from sentence_transformers import SentenceTransformer

        from benchmarks.random_weights import sentence_folder
        from heimdex_core.models.text.sentence import SentenceEncoder

        made = sentence_folder(folder / "sentences", **size)
        adapter = SentenceEncoder(str(made), device=options.device, threads=options.threads)
        model = SentenceTransformer(str(made), device=options.device, local_files_only=True)

        def plain(texts: Sequence[str]) -> list[np.ndarray]:
            return [model.encode([one], normalize_embeddings=True, show_progress_bar=False) for one in texts]

        def plain_bf16(texts: Sequence[str]) -> list[np.ndarray]:
            with in_bf16(options.device):
                return plain(texts)

        items = sentences(options.items)
        likeness = float((np.concatenate(plain(items[:2])) * adapter.encode_passages(items[:2])).sum(1).min())
        if likeness < 0.99:
            raise RuntimeError(f"the sides do not compute the same: cosine {likeness:.3f}")
        sides: dict[str, Side] = {PLAIN: plain, "plain, bf16": plain_bf16, OURS: adapter.encode_passages}
        return take_turns(sides, items, options.rounds)

    return measure


def speech(options: Options, folder: Path) -> dict[str, float]:
    """whisper-small's encoder: what 30 s of speech cost however much is said. Words cost besides."""
    from ctranslate2 import Device
    from faster_whisper import WhisperModel

    from benchmarks.random_weights import whisper_folder
    from heimdex_core.models.speech.whisper import BATCH, Whisper

    made = str(whisper_folder(folder / "whisper", width=768, layers=12, heads=12))
    settings: dict[str, Any] = {"device": options.device, "cpu_threads": options.threads, "local_files_only": True}
    model = WhisperModel(made, compute_type="float32", **settings)
    adapter = Whisper(made, device=options.device, threads=options.threads)
    adapter.load()
    ours = adapter._model
    if ours is None:
        raise RuntimeError("the adapter holds no model after loading")
    batch = BATCH["cuda" if options.device == "cuda" else "cpu"]

    def plain(windows: Sequence[np.ndarray], asked: WhisperModel = model) -> None:
        for window in windows:
            asked.encode(window).to_device(Device.cpu)  # waits for a GPU

    def batched(windows: Sequence[np.ndarray]) -> None:
        for start in range(0, len(windows), batch):
            ours.model.encode(np.stack(windows[start : start + batch])).to_device(Device.cpu)

    sides: dict[str, Side] = {PLAIN: plain}
    if options.device == "cpu":
        quick = WhisperModel(made, compute_type="int8", **settings)
        sides["plain, 8 bits"] = lambda windows: plain(windows, quick)
    sides[OURS] = batched
    rng = np.random.default_rng(1)
    items = list(rng.normal(0, 0.5, (options.items, 80, 3000)).astype(np.float32))
    return take_turns(sides, items, options.rounds)


SUBJECTS: dict[str, Subject] = {
    "vision-b16": Subject("ViT-B-16-SigLIP2", 16, vision("ViT-B-16-SigLIP2"), "picture", is_wanted=True),
    "vision-so400m": Subject("ViT-SO400M-14-SigLIP", 4, vision("ViT-SO400M-14-SigLIP"), "picture", is_wanted=True),
    "text-small": Subject(
        "text model the size of multilingual-e5-small",
        64,
        text(width=384, layers=12, heads=12, vocabulary=250_037, positions=512),
        "text",
    ),
    "text-large": Subject(
        "text model the size of bge-m3",
        8,
        text(width=1024, layers=24, heads=16, vocabulary=250_002, positions=8192),
        "text",
    ),
    "speech-small": Subject("encoder of whisper-small", 8, speech, "window"),
}


if __name__ == "__main__":
    sys.exit(main())
