from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from heimdex_core.errors import ModelBroken, OutOfGpuMemory, WeightsMissing
from heimdex_core.models.vision.captioner import CocaCaptioner
from heimdex_core.models.vision.openclip import OpenClip
from tests.models.random_models import random_open_clip
from tests.models.vision.small_coca import COLOURS, WEIGHTS, picture, trained_coca


@pytest.fixture(scope="module")
def folder() -> Path:
    return trained_coca()


def captioner_of(folder: Path, **options: Any) -> CocaCaptioner:
    return CocaCaptioner(f"local-dir:{folder}", **options)


def test_its_name_and_revision_are_known_without_loading(folder: Path) -> None:
    found = captioner_of(folder)
    assert (found.name, found.language, found.is_loaded) == ("coca", "en", False)
    assert len(found.revision) == 12


def test_a_caption_for_each_image(folder: Path) -> None:
    pictures = [picture(colour) for colour in COLOURS.values()]
    found = captioner_of(folder)
    assert found.caption(pictures) == tuple(COLOURS)
    assert found.caption(pictures[::-1] * 5) == tuple(COLOURS)[::-1] * 5
    assert found.caption([]) == ()


def test_no_caption_where_the_model_repeats_itself(folder: Path) -> None:
    found = captioner_of(folder)
    found.load()
    start, end = found._start_and_end()
    red = found._tokenizer.tokenizer.convert_tokens_to_ids("red")
    assert found._words([start, *[red] * 12]) == ""
    assert found._words([start, red, end, red, red]) == "red"


def test_a_model_without_a_decoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match="not a CoCa model"):
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


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [("text_cfg", "hf_model_name", "evil/tower"), ("vision_cfg", "timm_model_name", "hf-hub:evil/tower")],
)
def test_a_configuration_that_refers_to_the_hub_is_refused(
    folder: Path, tmp_path: Path, part: str, key: str, value: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["model_cfg"][part][key] = value
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelBroken, match="refers to another repository"):
        captioner_of(copy).load()
    # where the text tower is another repository's, the encoder looks for that on this machine
    with pytest.raises((ModelBroken, WeightsMissing), match="another repository|evil/tower is not in"):
        OpenClip(f"local-dir:{copy}").load()


def test_a_full_gpu_halves_the_batch(folder: Path) -> None:
    found = captioner_of(folder, batch_size=4)
    found.load()

    def before(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    most = 1
    found._loaded().visual.register_forward_pre_hook(before)
    assert found.caption([picture(colour) for colour in COLOURS.values()]) == tuple(COLOURS)
    assert found.notes == ("batch_halved:1",)
    most = 0
    with pytest.raises(OutOfGpuMemory):
        found.caption([picture((1, 2, 3))])
