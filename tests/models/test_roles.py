"""The models of a choice by role: the primary ones, descriptions of pictures, and further spaces to compare with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import InvalidValue, UnknownName
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.models.threads import threads_for
from heimdex_core.settings import Settings
from tests.models.random_models import random_open_clip, random_sentences

OFFLINE = ModelChoice("own", "asked", "pocketsphinx:en-us", "minilm:all-MiniLM-L6-v2", "palette:1")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("roles")
    random_sentences(root / "said")
    random_open_clip(root / "seen")
    random_open_clip(root / "told", captions=True)
    return root


@pytest.fixture(scope="module")
def choice(folders: Path) -> ModelChoice:
    return ModelChoice(
        "own",
        "asked",
        speech="pocketsphinx:en-us",
        text=f"sentence:{folders / 'said'}",
        vision="palette:1",
        caption=f"openclip:local-dir:{folders / 'told'}",
        extra=("text=minilm:all-MiniLM-L6-v2", f"vision=openclip:local-dir:{folders / 'seen'}"),
    )


def test_a_choice_survives_json_with_all_it_has(choice: ModelChoice) -> None:
    assert ModelChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


def test_a_choice_of_an_older_library_has_no_captions_and_no_extras() -> None:
    data = {"name": "offline", "reason": "asked", "speech": "a:1", "text": "b:1", "vision": "c:1"}
    assert ModelChoice.from_dict(data) == ModelChoice("offline", "asked", "a:1", "b:1", "c:1", "", ())


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


def test_pictures_are_described_by_the_captioner_of_the_choice(choice: ModelChoice) -> None:
    captioner = Models(choice, Settings()).captioner()
    assert captioner is not None
    assert len(captioner.caption([np.zeros((9, 16, 3), np.uint8)])) == 1
    models = Models(OFFLINE, Settings())
    assert models.captioner() is None
    assert "caption" not in models.spaces
    with pytest.raises(UnknownName):
        models.encoder("caption")


def test_an_extra_that_is_the_primary_one_is_not_made_twice() -> None:
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
    with pytest.raises(InvalidValue, match="text/said already"):
        Models(ModelChoice("own", "asked", OFFLINE.speech, OFFLINE.text, OFFLINE.vision, extra=extra), Settings())


@pytest.mark.parametrize("extra", ["sentence:BAAI/bge-m3", "speech=whisper:small", "text="])
def test_an_extra_says_which_kind_it_is(extra: str) -> None:
    with pytest.raises(InvalidValue, match="text=SPEC"):
        Models(ModelChoice("own", "asked", OFFLINE.speech, OFFLINE.text, OFFLINE.vision, extra=(extra,)), Settings())


def test_for_queries_nothing_that_only_a_worker_needs(choice: ModelChoice, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert seen.encode_query("one").vector is not None
    assert seen.sides_loaded == ("text",)  # type: ignore[union-attr]


def test_every_model_has_its_row(choice: ModelChoice) -> None:
    rows = {row["role"]: row for row in Models(choice, Settings(), "query").describe()}
    assert {role: (row["kind"], row["dim"]) for role, row in rows.items()} == {
        "speech": ("speech", None),
        "text": ("text", 16),
        "vision": ("vision", rows["vision"]["dim"]),
        "caption": ("caption", None),
        "text/all-MiniLM-L6-v2": ("text", 384),
        "vision/seen": ("vision", 16),
    }
    assert {row["state"] for row in rows.values()} == {"ready"}
    assert rows["caption"]["name"] == "told"


def test_what_is_missing_is_a_row_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    choice = ModelChoice(
        "own",
        "asked",
        OFFLINE.speech,
        OFFLINE.text,
        OFFLINE.vision,
        caption="openclip:coca_ViT-B-32/laion2b_s13b_b90k",
        extra=("text=sentence:some/model",),
    )
    models = Models(choice, Settings(models_dir=tmp_path))
    rows = {row["role"]: row for row in models.describe()}
    assert {role: row["state"] for role, row in rows.items()} == {
        "speech": "ready",
        "text": "ready",
        "vision": "ready",
        "caption": "missing",
        "text/model": "missing",
    }
    assert rows["text/model"]["error"]["code"] == "WEIGHTS_MISSING"
    assert models.encoder("text/model") is not None, "who it is, is known without its weights"
