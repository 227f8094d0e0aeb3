"""Both towers, built by themselves, have the weights of open_clip's whole model. No file is read for this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.coca_model import CoCa
from open_clip.factory import get_model_config
from open_clip.model import CLIP, CustomTextCLIP

from heimdex_core.models.vision import openclip_files
from heimdex_core.models.vision.openclip_files import Files, Spec


def whole(config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Names and shapes of the model that open_clip builds."""
    options = {**config, "vision_cfg": {**config["vision_cfg"], "timm_model_pretrained": False}}
    custom = options.pop("custom_text", False)
    kind = CLIP if not custom else CoCa if "multimodal_cfg" in options else CustomTextCLIP
    with torch.device("meta"):
        return dict(kind(**options).state_dict())


@pytest.mark.parametrize(
    "name",
    [
        "ViT-B-16-SigLIP2",
        "ViT-B-32-quickgelu",
        "coca_ViT-B-32",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("ViT-SO400M-14-SigLIP", "RN50", "PE-Core-B-16")),
    ],
)
def test_both_towers_take_every_weight(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = get_model_config(name)
    expected = whole(config)
    files = Files(Path("/nowhere"), "", Spec(name, name), Path("/nowhere/x.safetensors"), config, {})
    monkeypatch.setattr(
        openclip_files, "_read", lambda files, wanted: {key: value for key, value in expected.items() if wanted(key)}
    )
    with torch.device("meta"):
        # raises where a weight is missing, is left over or has another shape
        text = openclip_files.text_tower(files, None)
        images = openclip_files.image_tower(files)
    count = sum(value.numel() for value in expected.values())
    others = sum(v.numel() for k, v in expected.items() if k.startswith(("logit_", "text_decoder.")))
    own = [sum(value.numel() for value in tower.state_dict().values()) for tower in (text, images)]
    assert sum(own) == count - others
    assert openclip_files._built_in(name) == config
