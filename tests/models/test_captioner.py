"""A CoCa model that is taught three colours in some seconds, in open_clip's own format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from heimdex_core.errors import ModelBroken, OutOfGpuMemory, WeightsMissing
from heimdex_core.models.base import Captioner
from heimdex_core.models.vision.captioner import CocaCaptioner
from tests.models.random_models import random_open_clip

WORDS = ["a", "red", "green", "blue", "wall", "screen", "in", "the", "dark"]
COLOURS = {
    "a red wall": (210, 30, 30),
    "the green screen in a dark": (40, 160, 50),
    "blue": (30, 70, 200),
}
WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = random_open_clip(tmp_path_factory.mktemp("coca") / "coca", words=WORDS, captions=True)
    teach(folder)
    return folder


def teach(folder: Path) -> None:
    from open_clip import create_model_and_transforms, get_tokenizer
    from PIL import Image

    model, _, transform = create_model_and_transforms(f"local-dir:{folder}", require_pretrained=True)
    pictures = torch.stack([transform(Image.fromarray(picture(colour))) for colour in COLOURS.values()])
    texts = get_tokenizer(f"local-dir:{folder}")(list(COLOURS))[:, :-1]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    torch.set_num_threads(1)
    for _ in range(120):
        output = model(pictures + 0.1 * torch.randn_like(pictures), texts)
        loss = torch.nn.functional.cross_entropy(output["logits"].permute(0, 2, 1), output["labels"], ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05, "it has learned"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS)


def picture(colour: tuple[int, int, int], height: int = 36, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def captioner_of(folder: Path, **options: Any) -> CocaCaptioner:
    return CocaCaptioner(f"local-dir:{folder}", **options)


def test_says_what_it_is(folder: Path) -> None:
    found = captioner_of(folder)
    assert isinstance(found, Captioner)
    assert (found.name, found.language, found.is_loaded) == ("coca", "en", False)
    assert len(found.revision) == 12


def test_a_line_for_each_picture(folder: Path) -> None:
    pictures = [picture(colour) for colour in COLOURS.values()]
    found = captioner_of(folder)
    assert found.caption(pictures) == tuple(COLOURS)
    assert found.caption(pictures[::-1] * 5) == tuple(COLOURS)[::-1] * 5
    assert found.caption([]) == ()


def test_no_line_where_it_goes_round_in_circles(folder: Path) -> None:
    found = captioner_of(folder)
    found.load()
    start, end = found._marks()
    red = found._tokenizer.tokenizer.convert_tokens_to_ids("red")
    assert found._words([start, *[red] * 12]) == ""
    assert found._words([start, red, end, red, red]) == "red"


def test_a_model_without_a_decoder_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match="no CoCa model"):
        captioner_of(random_open_clip(tmp_path / "clip")).load()


def test_missing_and_damaged_weights(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:5000])
    with pytest.raises(ModelBroken):
        captioner_of(copy).load()
    (copy / WEIGHTS).unlink()
    with pytest.raises(WeightsMissing):
        captioner_of(copy).load()
    assert json.loads((copy / "open_clip_config.json").read_text())["model_cfg"]["multimodal_cfg"]


def test_a_full_gpu_halves_the_batch(folder: Path) -> None:
    found = captioner_of(folder, batch_size=4)
    found.load()

    def before(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    most = 1
    found._model.visual.register_forward_pre_hook(before)
    assert found.caption([picture(colour) for colour in COLOURS.values()]) == tuple(COLOURS)
    assert found._batches.note == "batch_halved:1"
    most = 0
    with pytest.raises(OutOfGpuMemory):
        found.caption([picture((1, 2, 3))])
