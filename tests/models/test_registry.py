from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from heimdex_core.errors import UnknownName
from heimdex_core.models.registry import ModelChoice, Models, choose_profile
from heimdex_core.models.text.minilm import MiniLM
from heimdex_core.settings import Settings

OFFLINE = choose_profile("offline")


@pytest.fixture
def models() -> Models:
    return Models(OFFLINE, Settings())


def test_another_profile_is_not_known() -> None:
    with pytest.raises(UnknownName) as caught:
        choose_profile("desktop")
    assert "offline" in caught.value.hint


def test_a_choice_survives_json() -> None:
    assert ModelChoice.from_dict(OFFLINE.to_dict()) == OFFLINE


@pytest.mark.parametrize("kind", ["speech", "text", "vision"])
def test_an_unknown_spec_is_refused(kind: str) -> None:
    choice = ModelChoice.from_dict({**OFFLINE.to_dict(), kind: "nothing:1"})
    with pytest.raises(UnknownName, match="nothing:1"):
        Models(choice, Settings())


def test_spaces_are_known_without_loading_or_heavy_imports() -> None:
    script = (
        "import sys\n"
        "from heimdex_core.models.registry import Models, choose_profile\n"
        "from heimdex_core.settings import Settings\n"
        "models = Models(choose_profile('offline'), Settings())\n"
        "print(sorted(space.name for space in models.spaces.values()))\n"
        "print([name for name in ('torch', 'sentence_transformers', 'pocketsphinx', 'cv2') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['text/all-MiniLM-L6-v2', 'vision/palette']", "[]"]


def test_spaces_are_those_of_the_models(models: Models) -> None:
    assert models.spaces == {"text": models.text().space, "vision": models.vision().space}
    assert models.spaces["text"].dim == 384


def test_there_is_one_of_each(models: Models) -> None:
    assert models.text() is models.text()
    assert models.vision() is models.vision()
    assert models.speech() is models.speech()


def test_doctors_table(models: Models) -> None:
    rows = {row["kind"]: row for row in models.describe()}
    assert set(rows) == {"speech", "text", "vision"}
    assert {row["state"] for row in rows.values()} == {"ready"}
    assert rows["text"]["dim"] == 384
    assert rows["text"]["size_bytes"] > 90_000_000
    assert rows["text"]["loaded"] is False, "looking does not load"
    assert rows["speech"]["dim"] is None
    assert "rough" in rows["speech"]["note"]


def test_doctor_tells_missing_from_broken(models: Models, tmp_path: Path) -> None:
    models._models["text"] = MiniLM(folder=tmp_path)
    row = next(row for row in models.describe() if row["kind"] == "text")
    assert row["state"] == "missing"
    assert "model.safetensors" in row["note"]
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"x")
    row = next(row for row in models.describe() if row["kind"] == "text")
    assert row["state"] == "broken"


def test_warming_loads_in_the_background(models: Models) -> None:
    models.warm(("text", "vision")).join(timeout=120)
    assert {row["kind"]: row["loaded"] for row in models.describe()}["text"] is True


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
