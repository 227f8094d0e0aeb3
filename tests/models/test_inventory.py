"""Listing and checking the models on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from heimdex_core.errors import UnknownName
from heimdex_core.models import locate
from heimdex_core.models.download.plan import FILES_FILE
from heimdex_core.models.inventory import OTHERS, ModelRow, check_models, list_models, size_to_check
from heimdex_core.models.profiles import PROFILES
from heimdex_core.settings import Settings

SENTENCES = Path(__file__).parents[1] / "models_small" / "sentences"
REPO = "tiny/said"
SPEC = f"sentence:{REPO}"
REVISION = "5a1d" * 10


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models_dir=tmp_path / "models", device="cpu")


@pytest.fixture
def folder(settings: Settings) -> Path:
    """The small sentence model, as a download leaves it."""
    folder = locate.folder_for(REPO, settings.models_dir or Path())
    shutil.copytree(SENTENCES, folder)
    files = {
        str(path.relative_to(folder)): {
            "size_bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in folder.rglob("*")
        if path.is_file()
    }
    note = {"repo": REPO, "spec": SPEC, "revision": REVISION, "licence": "mit", "files": files}
    (folder / FILES_FILE).write_text(json.dumps(note))
    (folder / locate.REVISION_FILE).write_text(REVISION)
    return folder


def row_of(settings: Settings, spec: str) -> ModelRow:
    (row,) = (row for row in list_models(settings) if row.spec == spec)
    return row


def test_the_models_of_all_profiles_are_listed(settings: Settings) -> None:
    used = [("text", "sentence:BAAI/bge-m3"), ("text", "sentence:some/model")]
    rows = list_models(settings, used)
    assert sorted(row.spec for row in rows[:10]) == sorted(
        spec for specs in PROFILES.values() for spec in specs.values()
    )
    assert [row.profile for row in rows[:10]] == ["offline"] * 4 + ["laptop"] * 3 + ["studio"] * 3
    assert {row.spec: row.profile for row in rows if row.is_used} == {
        "sentence:BAAI/bge-m3": "studio",
        "sentence:some/model": OTHERS,
    }
    whisper, palette = row_of(settings, "whisper:small"), row_of(settings, "palette:1")
    assert (whisper.state, whisper.size_bytes, whisper.licence) == ("missing", 486_212_000, "MIT")
    assert whisper.revision.startswith("536b0662")
    assert (palette.state, palette.repo, palette.licence, palette.revision) == ("ready", "", "Apache-2.0", "1")


@pytest.mark.usefixtures("folder")
def test_a_downloaded_model_is_listed_and_checked(settings: Settings) -> None:
    row = row_of(settings, SPEC)
    assert (row.profile, row.kind, row.state, row.licence, row.revision) == (OTHERS, "text", "ready", "mit", REVISION)
    read: list[int] = []
    (checked,) = check_models(settings, REPO, on_bytes=read.append)
    assert (checked.spec, checked.kind, checked.state, checked.by, checked.files) == (
        SPEC,
        "text",
        "ready",
        "sha256",
        9,
    )
    assert sum(read) == size_to_check(settings, REPO) > 100_000
    states = {row.spec: row.state for row in check_models(settings)}
    assert (states[SPEC], states["palette:1"], states["whisper:small"]) == ("ready", "ready", "missing")


def test_a_changed_byte_is_found_by_checking(settings: Settings, folder: Path) -> None:
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert row_of(settings, SPEC).state == "ready", "its size is right"
    (checked,) = check_models(settings, SPEC)
    assert (checked.state, checked.problems) == ("broken", ("model.safetensors differs from the download",))
    assert f"models pull {SPEC} --again" in checked.hint
    weights.write_bytes(whole[:-1])
    assert row_of(settings, SPEC).state == "broken"


def test_files_that_do_not_fit_their_adapter_are_found_by_checking(settings: Settings, folder: Path) -> None:
    (folder / FILES_FILE).unlink()
    (folder / "tokenizer.json").write_text("{}")
    (checked,) = check_models(settings, SPEC)
    assert (checked.state, checked.by, checked.files) == ("broken", "", 0)
    assert "tokenizer.json" in checked.problems[0]


def test_an_unfinished_download(settings: Settings, folder: Path) -> None:
    (folder / locate.INCOMPLETE_FILE).touch()
    assert row_of(settings, SPEC).state == "unfinished"
    (checked,) = check_models(settings, SPEC)
    assert checked.state == "unfinished"
    assert f"models pull {SPEC}" in checked.hint


def test_an_unknown_name(settings: Settings) -> None:
    with pytest.raises(UnknownName) as caught:
        check_models(settings, "labtop")
    assert "laptop" in caught.value.hint
