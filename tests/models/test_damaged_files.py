"""Whatever is wrong with a model's files is one of our errors, with a hint, and never a bare traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import ModelBroken, ModelError, WeightsMissing
from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.models.text.sentence import SentenceEncoder
from heimdex_core.models.vision.captioner import CocaCaptioner
from heimdex_core.models.vision.openclip import OpenClip
from heimdex_core.types import WorkContext
from tests.models.random_models import random_open_clip
from tests.models.speech.recordings import speech_at_16k

SMALL = Path(__file__).parents[1] / "models_small"
PICTURE = np.full((32, 32, 3), 90, np.uint8)
Use = Callable[[Path], object]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speech_at_16k(tmp_path_factory.mktemp("speech") / "one.wav", "the old captain crosses the river today")


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_open_clip(tmp_path_factory.mktemp("coca") / "coca", captions=True)


def use_whisper(folder: Path, spoken: Path) -> None:
    model = Whisper(str(folder))
    model.check()
    model.transcribe(spoken, language="en", context=WorkContext())


def use_sentences(folder: Path) -> None:
    model = SentenceEncoder(str(folder))
    model.check()
    _ = model.space
    model.encode_passages(["a red car on the road"])


def use_open_clip(folder: Path) -> None:
    model = OpenClip(f"local-dir:{folder}")
    model.check()
    _ = model.space
    vectors = model.encode_images([PICTURE])
    model.encode_query("red circle")
    model.tags(vectors[0])


def use_captioner(folder: Path) -> None:
    model = CocaCaptioner(f"local-dir:{folder}")
    model.check()
    model.caption([PICTURE])


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda whole: whole[: len(whole) // 2],
    "last bytes missing": lambda whole: whole[:-7],
    "zeros": lambda whole: bytes(len(whole)),
    "a page of a proxy": lambda whole: b"<!DOCTYPE html><html><body>Sign in to the network</body></html>",
    "an empty list": lambda whole: b"[]",
    "an empty object": lambda whole: b"{}",
}


DAMAGES = [
    *("half", "a page of a proxy", "an empty object"),
    *(pytest.param(name, marks=pytest.mark.long) for name in ("last bytes missing", "zeros", "an empty list")),
]


def damaged(folder: Path, copy: Path, file: str, damage: str) -> Path:
    shutil.copytree(folder, copy)
    (copy / file).write_bytes(DAMAGE[damage]((folder / file).read_bytes()))
    return copy


def is_reported(use: Use, folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        use(folder)
    assert isinstance(caught.value, ModelBroken | WeightsMissing)
    assert folder.name in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 700, "a reason, not a listing"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_whisper(tmp_path: Path, spoken: Path, file: str, damage: str) -> None:
    folder = damaged(SMALL / "whisper", tmp_path / "broken", file, damage)
    is_reported(lambda path: use_whisper(path, spoken), folder)


WHISPER_CONFIGS = {
    **{f"no {field}": {field: ...} for field in ("alignment_heads", "lang_ids", "suppress_ids", "suppress_ids_begin")},
    "no heads": {"alignment_heads": []},
    "heads without a layer": {"alignment_heads": [1, 0]},
    "a head before the first": {"alignment_heads": [[-1, 0]]},
    "a layer of a larger model": {"alignment_heads": [[1, 0], [9, 0]]},
    "a head of a larger model": {"alignment_heads": [[1, 19]]},
    "no languages": {"lang_ids": []},
    "a language beyond the vocabulary": {"lang_ids": [533, 10**8]},
    "a token beyond the vocabulary": {"suppress_ids_begin": [10**8]},
    "a word for a token": {"suppress_ids": ["<|en|>"]},
}
"""Most of these end the process if CTranslate2 reads them."""


@pytest.mark.parametrize("changes", WHISPER_CONFIGS.values(), ids=WHISPER_CONFIGS)
@pytest.mark.parametrize("language", ["auto", pytest.param("en", marks=pytest.mark.long)])
def test_whisper_of_an_impossible_configuration(
    tmp_path: Path, spoken: Path, changes: dict[str, object], language: str
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(SMALL / "whisper", folder)
    config = {**json.loads((folder / "config.json").read_text()), **changes}
    (folder / "config.json").write_text(json.dumps({name: part for name, part in config.items() if part is not ...}))
    is_reported(lambda path: Whisper(str(path)).check(), folder)
    is_reported(lambda path: Whisper(str(path)).transcribe(spoken, language=language, context=WorkContext()), folder)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "file", ["model.safetensors", "config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json"]
)
def test_sentences(tmp_path: Path, file: str, damage: str) -> None:
    is_reported(use_sentences, damaged(SMALL / "sentences", tmp_path / "broken", file, damage))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_config.json", "tokenizer.json"])
def test_open_clip(tmp_path: Path, file: str, damage: str) -> None:
    is_reported(use_open_clip, damaged(SMALL / "open_clip", tmp_path / "broken", file, damage))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_config.json", "tokenizer.json"])
def test_captions(tmp_path: Path, captions: Path, file: str, damage: str) -> None:
    is_reported(use_captioner, damaged(captions, tmp_path / "broken", file, damage))


def test_whole_files_work(spoken: Path, captions: Path) -> None:
    """So the other tests fail because of the damage alone."""
    use_whisper(SMALL / "whisper", spoken)
    use_sentences(SMALL / "sentences")
    use_open_clip(SMALL / "open_clip")
    use_captioner(captions)
