"""Whether the model adapters compute on a GPU what they compute on the CPU, and what they do where its memory ends.

    python benchmarks/gpu.py [--only NAME]... [--speech FILE.wav]

The small trained models of the tests, and models of real size with random weights. Prints for every adapter the lowest
cosine between the vectors of both devices, or whether the words are the same. `--speech` is a recording for the small
Whisper, 16 kHz mono; without it the tests' synthesiser makes one, which needs libespeak-ng. Non-zero if the devices
differ, or if there is no GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SMALL = ROOT / "tests" / "models_small"
LEAST_COSINE = 0.99
DEVICES = ("cpu", "cuda")
# enough for one picture of ViT-B-16 and its weights, not for a batch of 256
MEMORY_SHARE_BYTES = 1_500_000_000


def main() -> int:
    """A line for each check; 0 if all held."""
    from heimdex_core.models.device import gpu_count

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(CHECKS), help="can be given again; without: all")
    parser.add_argument("--speech", type=Path, help="a recording, 16 kHz mono")
    args = parser.parse_args()
    if not gpu_count():
        print("There is no GPU that the driver reports.")
        return 1
    failed = 0
    for name in args.only or CHECKS:
        try:
            print(f"{name}: {CHECKS[name](args.speech)}", flush=True)
        except Exception:  # the other checks are wanted, too
            failed += 1
            print(f"{name}: FAILED", flush=True)
            traceback.print_exc()
    return 1 if failed else 0


def compare(encode: Callable[[str], np.ndarray]) -> str:
    """The lowest cosine between the vectors of both devices. Raises ValueError below LEAST_COSINE."""
    cpu, gpu = (encode(device) for device in DEVICES)
    lowest = float((cpu * gpu).sum(axis=1).min())
    if cpu.shape != gpu.shape or not lowest >= LEAST_COSINE:
        raise ValueError(f"the devices differ: lowest cosine {lowest:.5f} over {len(cpu)}")
    return f"lowest cosine {lowest:.6f} over {len(cpu)}"


def small_pictures(device: str) -> np.ndarray:
    """Vectors (n, d) of noise of many sizes."""
    from heimdex_core.models.vision.openclip import OpenClip

    rng = np.random.default_rng(1)
    sizes = [(int(height), int(width)) for height, width in rng.integers(20, 400, (64, 2))]
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    return OpenClip(f"local-dir:{SMALL / 'open_clip'}", device=device).encode_images(images)


def small_texts(device: str) -> np.ndarray:
    """Vectors (n, d) of queries."""
    from heimdex_core.models.vision.openclip import OpenClip

    model = OpenClip(f"local-dir:{SMALL / 'open_clip'}", device=device)
    things = [f"a {colour} {shape}" for colour in ("red", "blue", "green") for shape in ("circle", "star", "square")]
    return model.encode_queries(things)


def small_sentences(device: str) -> np.ndarray:
    """Vectors (n, d) of passages."""
    from heimdex_core.models.text.sentence import SentenceEncoder

    texts = [f"the {noun} opens the {other}" for noun in ("captain", "doctor") for other in ("window", "bridge", "x")]
    return SentenceEncoder(str(SMALL / "sentences"), device=device).encode_passages(texts)


def large_sentences() -> str:
    """As `compare`, for a model of real size with random weights."""
    from benchmarks.models import sentences
    from benchmarks.random_weights import sentence_folder
    from heimdex_core.models.text.sentence import SentenceEncoder

    with tempfile.TemporaryDirectory() as folder:
        size = {"width": 1024, "layers": 24, "heads": 16, "vocabulary": 250_002, "positions": 8192}
        made = str(sentence_folder(Path(folder) / "large", **size))
        return compare(lambda device: SentenceEncoder(made, device=device).encode_passages(sentences(8)))


def captions() -> str:
    """Captions of pictures that a small CoCa is trained on. Raises ValueError if they differ."""
    from heimdex_core.models.vision.captioner import CocaCaptioner
    from tests.models.vision.small_coca import COLOURS, picture, trained_coca

    images = [picture(colour) for colour in COLOURS.values()]
    cpu, gpu = (CocaCaptioner(f"local-dir:{trained_coca()}", device=device).caption(images) for device in DEVICES)
    if cpu != gpu:
        raise ValueError(f"the devices differ: {cpu} and {gpu}")
    return f"the same: {'; '.join(gpu)}"


def memory_ends() -> str:
    """Encode a batch that does not fit: the batch is halved, and the vectors are those of the CPU."""
    import open_clip
    import torch

    from benchmarks.models import pictures
    from benchmarks.random_weights import open_clip_folder
    from heimdex_core.models.vision.openclip import OpenClip

    architecture = "ViT-B-16"
    torch.manual_seed(0)
    model = open_clip.create_model(architecture)
    images = pictures(512)
    with tempfile.TemporaryDirectory() as folder:
        name = f"local-dir:{open_clip_folder(Path(folder) / 'model', model, architecture)}"
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(MEMORY_SHARE_BYTES / total)
        try:
            adapter = OpenClip(name, device="cuda", batch_size=512)
            gpu = adapter.encode_images(images)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        cpu = OpenClip(name, device="cpu").encode_images(images[:4])
    if not adapter.notes:
        raise ValueError("the batch was not halved")
    return f"{', '.join(adapter.notes)}; {compare(lambda device: cpu if device == 'cpu' else gpu[:4])}"


def speech(recording: Path | None) -> str:
    """What the small Whisper hears on both devices. Raises ValueError if the words differ."""
    from heimdex_core.models.speech.whisper import Whisper
    from heimdex_core.types import WorkContext

    with tempfile.TemporaryDirectory() as folder:
        path = recording or spoken(Path(folder))
        heard = []
        for device in DEVICES:
            model = Whisper(str(SMALL / "whisper"), device=device)
            found = model.transcribe(path, language="en", context=WorkContext())
            heard.append(" ".join(segment.text.strip() for segment in found.segments))
    if heard[0] != heard[1] or not heard[0]:
        raise ValueError(f"the devices differ: {heard[0]!r} and {heard[1]!r}")
    return f"the same {len(heard[0].split())} words: {heard[0]}"


def spoken(folder: Path) -> Path:
    """Six sentences that the small Whisper was not trained on."""
    from tests.models.speech.recordings import write_wav
    from tests.models_small.speech import RATE_HZ, new_sentence, speak

    rng = np.random.default_rng(1)
    pause = np.zeros(round(0.7 * RATE_HZ), dtype=np.float32)
    pieces = [pause]
    for _ in range(6):
        pieces += [speak(new_sentence(rng, "en", unseen=True), rng, "en").samples, pause]
    return write_wav(folder / "speech.wav", np.concatenate(pieces))


CHECKS: dict[str, Callable[[Path | None], str]] = {
    "pictures": lambda _: compare(small_pictures),
    "queries": lambda _: compare(small_texts),
    "passages": lambda _: compare(small_sentences),
    "large-passages": lambda _: large_sentences(),
    "captions": lambda _: captions(),
    "memory": lambda _: memory_ends(),
    "speech": speech,
}


if __name__ == "__main__":
    sys.exit(main())
