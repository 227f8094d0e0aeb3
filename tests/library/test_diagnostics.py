"""What `doctor` reports about models: which ones, why, the device, what is missing, and a better profile."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from heimdex_core.cli.main import main
from heimdex_core.errors import ProfileMismatch
from heimdex_core.library import Library
from heimdex_core.models import locate
from heimdex_core.models.profiles import REASONS
from heimdex_core.settings import Settings
from tests.support.frozen import SPOKEN, SUBTITLED, frozen_library

SMALL = Path(__file__).resolve().parents[1] / "models_small"
NAME = "tiny/sentences"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("heimdex_core.models.profiles.gpu_count", lambda: 0)
    folder = locate.folder_for(NAME, tmp_path / "models")
    shutil.copytree(SMALL / "sentences", folder)
    (folder / locate.REVISION_FILE).write_text("5a1d" * 10)
    return Settings(models_dir=tmp_path / "models", device="cpu", worker_threads=3)


def test_which_models_and_why(settings: Settings, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", settings=settings) as lib:
        report = lib.doctor()
    assert (report["profile"], report["profile_reason"]) == ("offline", "no_weights")
    assert report["profile_reason_text"] == REASONS["no_weights"]
    assert report["device"] == "cpu"
    assert report["threads"] == dict.fromkeys(("query", "speech", "vision", "text"), 3)
    assert {row["role"]: row["state"] for row in report["models"]} == dict.fromkeys(
        ("speech", "text", "multilingual", "vision"), "ready"
    )
    assert all(row["revision"] and row["size_bytes"] for row in report["models"])
    assert report["problems"] == []


def test_a_better_profile_and_its_size(settings: Settings, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", settings=settings, profile="offline") as lib:
        better = lib.doctor()["step_up"]
    assert (better["profile"], better["gigabytes"], len(better["missing"])) == ("laptop", 2.5, 3)
    assert better["commands"] == [
        "python -m heimdex_core models pull laptop",
        "python -m heimdex_core reindex --profile laptop",
    ]


def test_a_library_opens_without_its_weights(settings: Settings, tmp_path: Path) -> None:
    named = settings.model_copy(update={"text_model": f"sentence:{NAME}"})
    with Library.open(tmp_path / "library", settings=named) as lib:
        assert (lib.models.choice.name, lib.models.spaces["text"].dim) == ("custom", 64)
    shutil.rmtree(settings.models_dir or tmp_path)
    with Library.open(tmp_path / "library", settings=settings) as lib:
        report = lib.doctor()
    assert report["profile_reason"] == "models_by_name"
    row = next(row for row in report["models"] if row["role"] == "text")
    assert (row["name"], row["state"]) == (NAME, "missing")
    (problem,) = report["problems"]
    assert problem["code"] == "WEIGHTS_MISSING"
    assert f"models pull {NAME}" in problem["hint"]
    assert report["step_up"] is None, "no better profile is proposed for models chosen by name"


def test_a_requested_gpu_that_is_missing(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    wants = settings.model_copy(update={"device": "cuda"})
    with Library.open(tmp_path / "library", settings=wants) as lib:
        report = lib.doctor()
    assert report["device"] == "none"
    assert [problem["code"] for problem in report["problems"]] == ["DEVICE_UNAVAILABLE"]


def test_as_json_and_as_text(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEIMDEX_DEVICE", "cpu")
    Library.open(tmp_path / "library").close()
    words = ["--library", str(tmp_path / "library"), "doctor"]
    assert main([*words, "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert {"profile", "profile_reason", "device", "threads", "models", "step_up", "problems"} <= set(report)
    assert main(words) == 0
    text = capfd.readouterr().out
    assert "better profile: laptop (2.5 GB to download): python -m heimdex_core models pull laptop && " in text
    assert "model: text  all-MiniLM-L6-v2  ready  92 MB" in text
    assert text.endswith("No problems.\n")


def test_the_profile_is_the_one_that_the_library_was_moved_to(settings: Settings, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", settings=settings, profile="offline") as lib:
        lib.model_sets.move_to(text=f"sentence:{NAME}")
        assert lib.doctor()["profile"] == "custom"
    moved = settings.model_copy(update={"profile": "offline", "text_model": f"sentence:{NAME}"})
    with Library.open(tmp_path / "library", settings=moved) as lib:
        assert lib.models.choice.text == f"sentence:{NAME}"
    with pytest.raises(ProfileMismatch) as caught:
        Library.open(tmp_path / "library", settings=settings, profile="offline")
    assert "reindex --profile offline" in caught.value.hint
    # a setting is for new libraries: one that has moved can still be opened, and the difference is reported
    unchanged = settings.model_copy(update={"profile": "offline"})
    with Library.open(tmp_path / "library", settings=unchanged) as lib:
        problems = lib.doctor()["problems"]
    assert [problem["code"] for problem in problems] == ["PROFILE_MISMATCH"]


def test_damage_is_among_the_problems_with_its_step(settings: Settings, tmp_path: Path) -> None:
    root = frozen_library(tmp_path / "library")
    shutil.rmtree(root / "videos" / SPOKEN / "gen" / "1" / "vectors")
    (root / "videos" / SUBTITLED / "source.mp4").unlink()
    with Library.open(root, settings=settings) as lib:
        problems = {problem["code"]: problem for problem in lib.doctor()["problems"]}
        assert set(problems) == {"GENERATION_DAMAGED", "SOURCE_DAMAGED"}
        assert f"reindex {SPOKEN}" in problems["GENERATION_DAMAGED"]["hint"]
        assert f"relink {SUBTITLED}" in problems["SOURCE_DAMAGED"]["hint"]
        assert any(SPOKEN in problem for problem in lib.reindex()["problems"])
