"""A CoCa model in open_clip's format that is trained to describe three colours, in a few seconds."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tests.models.random_models import random_open_clip

WORDS = ["a", "red", "green", "blue", "wall", "screen", "in", "the", "dark"]
COLOURS = {
    "a red wall": (210, 30, 30),
    "the green screen in a dark": (40, 160, 50),
    "blue": (30, 70, 200),
}
WEIGHTS = "open_clip_model.safetensors"


def picture(colour: tuple[int, int, int], height: int = 36, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


@lru_cache(maxsize=1)
def _root() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="coca-")


@lru_cache(maxsize=1)
def trained_coca() -> Path:
    """The model's folder, trained once per process. Do not change it."""
    from open_clip import create_model_and_transforms, get_tokenizer
    from PIL import Image

    folder = random_open_clip(Path(_root().name) / "coca", words=WORDS, captions=True)
    model, _, transform = create_model_and_transforms(f"local-dir:{folder}", require_pretrained=True)
    images = torch.stack([transform(Image.fromarray(picture(colour))) for colour in COLOURS.values()])
    texts = get_tokenizer(f"local-dir:{folder}")(list(COLOURS))[:, :-1]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    torch.set_num_threads(1)
    for _ in range(120):
        output = model(images + 0.1 * torch.randn_like(images), texts)
        loss = torch.nn.functional.cross_entropy(output["logits"].permute(0, 2, 1), output["labels"], ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05, "the training has converged"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)
    return folder
