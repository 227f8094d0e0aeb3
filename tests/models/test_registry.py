"""The models of a choice by role: the primary ones, the captioner, and further spaces to compare with."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import InvalidValue, UnknownName, WeightsMissing
from heimdex_core.models.registry import ModelChoice, Models, choose_profile
from heimdex_core.models.text.minilm import MiniLM
from heimdex_core.models.threads import threads_for
from heimdex_core.models.vision.openclip import OpenClip
from heimdex_core.settings import Settings
from tests.models.random_models import random_open_clip, random_sentences, random_whisper

OFFLINE = choose_profile("offline")


@pytest.fixture
def models() -> Models:
    return Models(OFFLINE, Settings())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    random_whisper(root / "heard")
    random_sentences(root / "said")
    random_open_clip(root / "seen")
    random_open_clip(root / "told", captions=True)
    return root


@pytest.fixture(scope="module")
def choice(folders: Path) -> ModelChoice:
    return ModelChoice(
        "own",
        "asked",
        speech=f"whisper:{folders / 'heard'}",
        text=f"sentence:{folders / 'said'}",
        vision="palette:1",
        caption=f"openclip:local-dir:{folders / 'told'}",
        extra=("text=minilm:all-MiniLM-L6-v2", f"vision=openclip:local-dir:{folders / 'seen'}"),
    )


# --- choices --------------------------------------------------------------------------------------


def test_a_choice_survives_json(choice: ModelChoice) -> None:
    for one in (choice, OFFLINE):
        assert ModelChoice.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_a_choice_of_an_older_library_has_no_captions_and_no_extras() -> None:
    data = {"name": "offline", "reason": "asked", "speech": "a:1", "text": "b:1", "vision": "c:1"}
    assert ModelChoice.from_dict(data) == ModelChoice("offline", "asked", "a:1", "b:1", "c:1", "", ())


@pytest.mark.parametrize("kind", ["speech", "text", "vision"])
def test_an_unknown_spec_is_refused(kind: str) -> None:
    choice = ModelChoice.from_dict({**OFFLINE.to_dict(), kind: "nothing:1"})
    with pytest.raises(UnknownName, match="nothing:1"):
        Models(choice, Settings())


@pytest.mark.parametrize("extra", ["sentence:BAAI/bge-m3", "speech=whisper:small", "text="])
def test_an_extra_space_states_its_kind(extra: str) -> None:
    with pytest.raises(InvalidValue, match="text=SPEC"):
        Models(ModelChoice("own", "asked", OFFLINE.speech, OFFLINE.text, OFFLINE.vision, extra=(extra,)), Settings())


# --- roles and spaces -----------------------------------------------------------------------------


def test_spaces_are_those_of_the_models(models: Models) -> None:
    second = models.encoder("multilingual")
    assert models.spaces == {
        "text": models.text().space,
        "vision": models.vision().space,
        "multilingual": second.space,
    }
    assert models.encoder(second.space.name) is second
    assert [models.spaces[role].dim for role in ("text", "multilingual")] == [384, 512]


def test_there_is_one_of_each(models: Models) -> None:
    assert models.text() is models.text()
    assert models.vision() is models.vision()
    assert models.speech() is models.speech()


def test_spaces_by_role(choice: ModelChoice) -> None:
    spaces = Models(choice, Settings()).spaces
    assert {role: space.name for role, space in spaces.items()} == {
        "text": "text/said",
        "vision": "vision/palette",
        "text/all-MiniLM-L6-v2": "text/all-MiniLM-L6-v2",
        "vision/seen": "vision/seen",
        "caption": "caption/said",
    }
    text, caption = spaces["text"], spaces["caption"]
    assert (caption.kind, caption.model, caption.revision, caption.dim) == ("text", "said", text.revision, 16)


def test_every_space_has_its_encoder(choice: ModelChoice) -> None:
    models = Models(choice, Settings())
    for role, space in models.spaces.items():
        encoder = models.encoder(space.name)
        assert models.encoder(role) is encoder
        assert encoder.space.model == space.model
    assert models.encoder("caption/said") is models.text()
    assert models.encoder("vision/palette") is models.vision()
    with pytest.raises(UnknownName, match="text/bge-m3") as caught:
        models.encoder("text/bge-m3")
    assert "text/said" in caught.value.hint
    with pytest.raises(UnknownName):
        models.encoder("speech")


def test_the_captioner_of_a_choice(choice: ModelChoice) -> None:
    captioner = Models(choice, Settings()).captioner()
    assert captioner is not None
    assert len(captioner.caption([np.zeros((9, 16, 3), np.uint8)])) == 1
    models = Models(OFFLINE, Settings())
    assert models.captioner() is None
    assert "caption" not in models.spaces
    with pytest.raises(UnknownName):
        models.encoder("caption")


def test_an_extra_space_that_is_the_primary_one_counts_once() -> None:
    models = Models(
        ModelChoice("own", "asked", OFFLINE.speech, OFFLINE.text, OFFLINE.vision, extra=(f"text={OFFLINE.text}",) * 2),
        Settings(),
    )
    assert set(models.spaces) == {"text", "vision"}
    assert models.encoder("text/all-MiniLM-L6-v2") is models.text()
    assert len(models.describe()) == 3


def test_two_models_cannot_share_the_name_of_a_space(folders: Path, tmp_path: Path) -> None:
    other = tmp_path / "said"
    other.symlink_to(folders / "said")
    extra = tuple(f"text=sentence:{folder}" for folder in (folders / "said", other))
    with pytest.raises(InvalidValue, match="already a space text/said"):
        Models(ModelChoice("own", "asked", OFFLINE.speech, OFFLINE.text, OFFLINE.vision, extra=extra), Settings())


def test_for_queries_only_the_encoders_are_made(choice: ModelChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heimdex_core.models.threads.usable_cores", lambda: 32)
    working, asking = Models(choice, Settings()), Models(choice, Settings(), "query")
    assert asking.speech() is None
    assert asking.captioner() is None
    assert asking.spaces == working.spaces
    for role in ("text", "vision/seen"):
        assert vars(asking.encoder(role))["_threads"] == threads_for("query", cores=32) == 4
        assert vars(working.encoder(role))["_threads"] == 16
    asking.warm(("text", "vision/seen")).join(timeout=120)
    seen = asking.encoder("vision/seen")
    assert isinstance(seen, OpenClip)
    assert seen.encode_query("one").vector is not None
    assert seen.is_loaded
    assert seen._images is None


# --- describing -----------------------------------------------------------------------------------


def test_models_are_described_without_loading_them(models: Models) -> None:
    rows = {row["role"]: row for row in models.describe()}
    assert set(rows) == {"speech", "text", "vision", "multilingual"}
    assert {row["state"] for row in rows.values()} == {"ready"}
    assert (rows["multilingual"]["kind"], rows["multilingual"]["dim"]) == ("text", 512)
    assert rows["text"]["dim"] == 384
    assert rows["text"]["size_bytes"] > 90_000_000
    assert rows["text"]["loaded"] is False, "describing does not load"
    assert rows["speech"]["dim"] is None
    assert (rows["speech"]["name"], rows["speech"]["licence"]) == ("faster-whisper-tiny.en", "MIT")


def test_missing_and_broken_models_differ(models: Models, tmp_path: Path) -> None:
    models._models["text"] = MiniLM(folder=tmp_path)
    row = next(row for row in models.describe() if row["kind"] == "text")
    assert row["state"] == "missing"
    assert "model.safetensors" in row["note"]
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"x")
    row = next(row for row in models.describe() if row["kind"] == "text")
    assert row["state"] == "broken"


def test_every_model_is_described(choice: ModelChoice) -> None:
    rows = {row["role"]: row for row in Models(choice, Settings(), "query").describe()}
    assert {role: (row["kind"], row["dim"]) for role, row in rows.items()} == {
        "speech": ("speech", None),
        "text": ("text", 16),
        "vision": ("vision", 259),
        "caption": ("caption", None),
        "text/all-MiniLM-L6-v2": ("text", 384),
        "vision/seen": ("vision", 16),
    }
    assert {row["state"] for row in rows.values()} == {"ready"}
    assert rows["caption"]["name"] == "told"
    assert {role for role, row in rows.items() if row["loaded"]} == {"vision"}, "palette has nothing to load"


def test_missing_models_are_described_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice = ModelChoice(
        "own",
        "asked",
        speech="whisper:small",
        text="sentence:some/model",
        vision="openclip:ViT-B-16-SigLIP2/webli",
        caption="openclip:coca_ViT-B-32/laion2b_s13b_b90k",
        extra=(f"text={OFFLINE.text}",),
    )
    models = Models(choice, Settings(models_dir=tmp_path))
    rows = {row["role"]: row for row in models.describe()}
    assert {role: (row["state"], row["name"], row["dim"]) for role, row in rows.items()} == {
        "speech": ("missing", "faster-whisper-small", None),
        "text": ("missing", "some/model", None),
        "vision": ("missing", "ViT-B-16-SigLIP2", 768),
        "caption": ("missing", "coca_ViT-B-32", None),
        "text/all-MiniLM-L6-v2": ("ready", "all-MiniLM-L6-v2", 384),
    }
    assert rows["text"]["error"]["code"] == "WEIGHTS_MISSING"
    assert models.encoder("text/model") is models.text(), "the name of its space is known without its files"
    with pytest.raises(WeightsMissing):
        models.text().encode_query("hello")


# --- loading --------------------------------------------------------------------------------------


def test_warming_loads_in_the_background(models: Models) -> None:
    models.warm(("text", "vision")).join(timeout=120)
    loaded = {row["role"]: row["loaded"] for row in models.describe()}
    assert (loaded["text"], loaded["multilingual"]) == (True, False)


def test_warming_what_cannot_be_loaded_is_logged(
    models: Models, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models._models["text"] = MiniLM(folder=tmp_path)
    with caplog.at_level(logging.WARNING):
        models.warm(("text",)).join(timeout=60)
    assert "The text model was not loaded" in caplog.text


def test_warming_another_kind_is_refused(models: Models) -> None:
    with pytest.raises(UnknownName):
        models.warm(("faces",))
