"""Trains the small open_clip model on drawings and writes it as an open_clip local-dir.

    nice python -m tests.models_small.make_clip [FOLDER]

The loss is CLIP's own: each drawing has to pick its caption out of all those of its batch, and each caption its
drawing. Batches hold groups that differ in one point only (the same two things, laid otherwise or with colours
swapped), as random captions can be told apart without looking at the layout. Besides, colours, shapes and layout are
to be read off both embeddings by the same few layers, which are thrown away afterwards: without them, which of the two
things comes first takes many times as long to learn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import create_model_and_transforms, get_tokenizer
from open_clip.loss import ClipLoss
from open_clip.model import CLIP
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset

from tests.models_small.drawings import (
    OPPOSITES,
    RELATIONS,
    SHADES,
    SHAPES,
    Caption,
    Thing,
    draw,
    held_out,
    pair_captions,
    things,
)

FOLDER = Path(__file__).parent / "open_clip"
SEED = 3
STEPS = 700
BATCH = 128
LEARNING_RATE = 2e-3
IMAGE_SIDE_PX = 64
CONTEXT_LENGTH = 20
EMBEDDING = 96
LAYOUTS = (None, "above", "left of", "inside")
PROMPTS = ("{}", "{}", "a {}", "the {}", "a photo of {}", "a photo of a {}", "a video frame of {}", "a drawing of a {}")
ASPECTS = (1.0, 4 / 3, 16 / 9)
MEAN, STD = (0.5, 0.5, 0.5), (0.27, 0.27, 0.27)
PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<start>", "<end>"


def vocabulary() -> list[str]:
    """All words of captions and prompts; the end marker last, as open_clip finds it as the highest id of a text."""
    prompts = " ".join(PROMPTS).replace("{}", " ")
    words = [*SHADES, *SHAPES, *" ".join((*RELATIONS, *OPPOSITES)).split(), *prompts.split(), "an", "and", "picture"]
    return [PAD, UNKNOWN, START, *dict.fromkeys(words), END]


def write_tokenizer(folder: Path) -> None:
    words = vocabulary()
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, words.index(START)), (END, words.index(END))]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": CONTEXT_LENGTH,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "bos_token": START,
        "eos_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def config() -> dict[str, object]:
    """open_clip_config.json: the model and how pictures are made ready for it (squeezed, never cropped)."""
    model = {
        "embed_dim": EMBEDDING,
        "vision_cfg": {"image_size": IMAGE_SIDE_PX, "layers": [1, 1, 1, 1], "width": 12, "head_width": 64},
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": len(vocabulary()),
            "hf_tokenizer_name": "tokenizer.json of this folder",
            "width": 96,
            "heads": 4,
            "layers": 2,
            "pool_type": "argmax",
        },
    }
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"}
    return {"model_cfg": model, "preprocess_cfg": preprocess}


def _alike(caption: Caption, rng: np.random.Generator) -> list[Caption]:
    """The caption and others that differ from it in one point."""
    first, second = caption.first, caption.second
    if second is None:
        others = [Caption(Thing(first.colour, shape)) for shape in rng.permutation([*SHAPES])[:2]]
        return [caption, *others, *(Caption(Thing(colour, first.shape)) for colour in rng.permutation([*SHADES])[:2])]
    group = [caption]
    for words in (
        (first, "above", second),
        (second, "above", first),
        (first, "left of", second),
        (second, "left of", first),
        (first, "inside", second),
        (Thing(second.colour, first.shape), caption.relation, Thing(first.colour, second.shape)),
        (Thing(str(rng.choice([*SHADES])), first.shape), caption.relation, second),
        (first, caption.relation, Thing(second.colour, str(rng.choice([*SHAPES])))),
    ):
        try:
            group.append(Caption(*words))
        except ValueError:
            continue  # nothing can be drawn inside that one
    return group


def _captions(rng: np.random.Generator, known: list[Caption]) -> list[Caption]:
    """One batch, all of different meaning, none that is held out."""
    batch: dict[Caption, None] = {}
    while len(batch) < BATCH:
        kind = rng.uniform()
        start = Caption(things()[rng.integers(len(things()))]) if kind < 0.1 else known[rng.integers(len(known))]
        for caption in _alike(start, rng) if kind < 0.5 else [start]:
            if caption.first != caption.second and not held_out(caption):
                batch[caption.meaning()] = None
    return list(batch)[:BATCH]


def _wording(caption: Caption, rng: np.random.Generator) -> str:
    text = str(caption.turned() if rng.uniform() < 0.5 else caption)
    if rng.uniform() < 0.3:
        text = text.replace(" an ", " a ").replace(" a ", str(rng.choice([" ", " the "])))
    return str(rng.choice(PROMPTS)).format(text)


def _answers(caption: Caption) -> list[int]:
    """What `Questions` asks, -1 where there is no answer."""
    meant = caption.meaning()
    colours, shapes = [*SHADES], [*SHAPES]
    out = [colours.index(meant.first.colour), shapes.index(meant.first.shape), LAYOUTS.index(meant.relation)]
    if meant.second is None:
        return [*out, -1, -1]
    return [*out, colours.index(meant.second.colour), shapes.index(meant.second.shape)]


class Questions(torch.nn.Module):
    """Colour and shape of the first thing, layout, colour and shape of the second thing."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = [len(SHADES), len(SHAPES), len(LAYOUTS), len(SHADES), len(SHAPES)]
        self.layer = torch.nn.Linear(EMBEDDING, sum(self.sizes))

    def forward(self, vectors: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        parts = self.layer(vectors * EMBEDDING**0.5).split(self.sizes, dim=-1)
        losses = [cross_entropy(part, answers[:, i], ignore_index=-1) for i, part in enumerate(parts)]
        return torch.stack(losses).mean()


class Batches(IterableDataset):
    """Fresh drawings, their captions and what is asked of them for `steps` batches."""

    def __init__(self, seed: int, steps: int, tokenizer: Any) -> None:
        self.seed, self.steps, self.tokenizer = seed, steps, tokenizer

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        rng = np.random.default_rng(self.seed)
        known = [caption for caption in pair_captions() if not held_out(caption)]
        mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
        for _ in range(self.steps):
            captions = _captions(rng, known)
            side = IMAGE_SIDE_PX
            drawn = [draw(c, rng, width=side, height=side, aspect=float(rng.choice(ASPECTS))) for c in captions]
            pictures = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 255
            answers = torch.tensor([_answers(c) for c in captions])
            yield (pictures - mean) / std, self.tokenizer([_wording(c, rng) for c in captions]), answers


def train(model: CLIP, tokenizer: Any, steps: int) -> None:
    questions = Questions()
    parameters = [*model.parameters(), *questions.parameters()]
    bare = [p for p in parameters if p.ndim < 2]
    rest = [p for p in parameters if p.ndim >= 2]
    optimizer = torch.optim.AdamW(
        [{"params": bare, "weight_decay": 0.0}, {"params": rest, "weight_decay": 0.05}], betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    loss_of, started = ClipLoss(), time.monotonic()
    model.train()
    # one process draws while this one learns
    loader = DataLoader(Batches(SEED, steps, tokenizer), batch_size=None, num_workers=1, prefetch_factor=4)
    for step, (pictures, texts, answers) in enumerate(loader, start=1):
        of_pictures, of_texts, scale = model(pictures, texts)
        loss = loss_of(of_pictures, of_texts, scale)
        asked = questions(of_pictures, answers) + questions(of_texts, answers)
        optimizer.zero_grad()
        (loss + asked).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(100))
        if step % 25 == 0:
            passed_s = time.monotonic() - started
            print(f"step {step} loss {loss.item():.3f}, asked {asked.item():.3f} after {passed_s:.0f} s", flush=True)
    model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    write_tokenizer(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(config(), indent=2) + "\n", encoding="utf-8")
    model, _, _ = create_model_and_transforms(f"local-dir:{folder}", pretrained=None, load_weights=False)
    train(model, get_tokenizer(f"local-dir:{folder}"), options.steps)
    # half precision is enough to keep; open_clip widens it when it loads
    weights = {name: (v.half() if v.is_floating_point() else v).contiguous() for name, v in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    print(f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.2f} MB in {folder}")


if __name__ == "__main__":
    main()
