from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import UnknownName, WeightsMissing
from heimdex_core.models.families import make
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.settings import Settings
from tests.models.random_models import random_open_clip, random_sentences, random_whisper


@pytest.fixture(scope="module")
def choice(tmp_path_factory: pytest.TempPathFactory) -> ModelChoice:
    folder = tmp_path_factory.mktemp("models")
    return ModelChoice(
        "own",
        "asked",
        speech=f"whisper:{random_whisper(folder / 'heard')}",
        text=f"sentence:{random_sentences(folder / 'said')}",
        vision=f"openclip:local-dir:{random_open_clip(folder / 'seen')}",
    )


def test_a_choice_of_folders_is_a_set_of_models(choice: ModelChoice) -> None:
    models = Models(choice, Settings())
    assert {kind: space.name for kind, space in models.spaces.items()} == {"text": "text/said", "vision": "vision/seen"}
    rows = {row["kind"]: row for row in models.describe()}
    assert [rows[kind]["state"] for kind in ("speech", "text", "vision")] == ["ready"] * 3
    assert [rows[kind]["dim"] for kind in ("speech", "text", "vision")] == [None, 16, 16]
    assert not any(row["loaded"] for row in rows.values()), "looking does not load"
    assert models.text().encode_passages(["one two"]).shape == (1, 16)
    assert models.vision().encode_images([np.zeros((9, 16, 3), np.uint8)]).shape == (1, 16)
    models.warm(("text", "vision")).join(timeout=120)
    assert {row["kind"]: row["loaded"] for row in models.describe()} == {"speech": False, "text": True, "vision": True}


def test_weights_that_are_not_there_are_a_row_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice = ModelChoice("own", "asked", "whisper:small", "sentence:some/model", "openclip:ViT-B-16-SigLIP2/webli")
    rows = {row["kind"]: row for row in Models(choice, Settings()).describe()}
    assert {row["state"] for row in rows.values()} == {"missing"}
    assert rows["vision"]["dim"] == 768
    assert (rows["text"]["name"], rows["text"]["dim"]) == ("some/model", None)
    with pytest.raises(WeightsMissing):
        Models(choice, Settings()).text().encode_query("hello")


@pytest.mark.parametrize(
    ("kind", "spec", "near"), [("speech", "whisper:smal", "small"), ("text", "sentence:bge-m3", "BAAI/bge-m3")]
)
def test_a_name_that_is_nearly_right(kind: str, spec: str, near: str) -> None:
    with pytest.raises(UnknownName) as caught:
        make(kind, spec, Settings())
    assert near in caught.value.hint


def test_what_is_no_family_is_left_to_others() -> None:
    for kind, spec in (("speech", "pocketsphinx:en-us"), ("text", "whisper:small"), ("vision", "openclip:")):
        assert make(kind, spec, Settings()) is None


def test_settings_reach_the_models(tmp_path: Path) -> None:
    settings = Settings(models_dir=tmp_path, worker_threads=3, no_speech_limit=0.5, vision_prompts=("a {}",))
    whisper = make("speech", "whisper:small", settings)
    vision = make("vision", "openclip:ViT-B-16-SigLIP2/webli", settings)
    assert vars(whisper)["_threads"] == vars(vision)["_threads"] == 3
    assert vars(whisper)["_no_speech_limit"] == 0.5
    assert vars(vision)["_prompts"] == ("a {}",)
    with pytest.raises(WeightsMissing, match=str(tmp_path)):
        vision.load()  # type: ignore[union-attr]


def test_naming_models_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from heimdex_core.models.families import make\n"
        "from heimdex_core.settings import Settings\n"
        "for kind, spec in (('speech', 'whisper:small'), ('text', 'sentence:BAAI/bge-m3'),\n"
        "                   ('vision', 'openclip:ViT-SO400M-14-SigLIP/webli')):\n"
        "    make(kind, spec, Settings(device='cpu'))\n"
        "heavy = ('torch', 'open_clip', 'sentence_transformers', 'faster_whisper', 'transformers', 'PIL')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
