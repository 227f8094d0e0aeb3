"""Whisper tiny.en from its package, and in the place of the recogniser that libraries of version 1 are pinned to."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.errors import ModelBroken, ModelUnavailable, UnknownName
from heimdex_core.models import families
from heimdex_core.models.download.pull import Puller
from heimdex_core.models.inventory import check_models
from heimdex_core.models.speech import packaged
from heimdex_core.models.speech.packaged import PACKAGED
from heimdex_core.models.speech.replaced import ReplacedRecognizer
from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.settings import Settings
from heimdex_core.types import WorkContext
from tests.models.speech.recordings import speech_at_16k

TINY = PACKAGED["tiny.en"]


def test_it_is_named_by_its_model_and_knows_english() -> None:
    model = Whisper("tiny.en")
    model.check()
    assert (model.name, model.languages) == ("faster-whisper-tiny.en", {"en"})
    assert model.revision == "0d3d19a32d3338f10357c0889762bd8d64bbdeba"
    assert not model.is_loaded


def test_there_is_nothing_to_download() -> None:
    assert Puller(Settings()).plan("tiny.en", "whisper:tiny.en").items == ()
    (row,) = check_models(Settings(), "whisper:tiny.en")
    assert (row.state, row.by, row.problems) == ("ready", "sha256", ())


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the model in a copy of the package."""
    shutil.copytree(TINY.find().folder, tmp_path / "model")
    monkeypatch.setattr(packaged, "package_folder", lambda package, name: tmp_path)
    return tmp_path / "model"


@pytest.mark.parametrize("name", sorted(TINY.sha256))
def test_every_file_is_checked_before_it_is_read(copied: Path, name: str) -> None:
    Whisper("tiny.en").check()
    changed = bytearray((copied / name).read_bytes())
    changed[len(changed) // 2] ^= 1
    (copied / name).write_bytes(changed)
    model = Whisper("tiny.en")
    for use in (model.check, model.load):
        with pytest.raises(ModelBroken, match=f"{name} has sha256"):
            use()
    (copied / name).unlink()
    with pytest.raises(ModelUnavailable, match=f"{name} is missing"):
        Whisper("tiny.en").load()


def test_no_other_file_is_in_the_package() -> None:
    """What is not pinned would be read unchecked."""
    assert {path.name for path in TINY.find().folder.iterdir()} == set(TINY.sha256)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(packaged.PACKAGED, "tiny.en", replace(TINY, package="not_installed"))
    with pytest.raises(ModelUnavailable, match="not_installed is not installed"):
        Whisper("tiny.en").load()


# --- in the place of pocketsphinx -----------------------------------------------------------------


def test_it_takes_the_place_of_pocketsphinx_and_says_so(tmp_path: Path) -> None:
    model = families.make("speech", "pocketsphinx:en-us", Settings())
    assert isinstance(model, ReplacedRecognizer)
    assert (model.name, model.revision, model.version) == ("faster-whisper-tiny.en", "5.1.1-en-us", 1)
    wav = speech_at_16k(tmp_path / "one.wav", "the old captain crosses the river near the bridge")
    found = model.transcribe(wav, language="en", context=WorkContext())
    assert "captain" in found.segments[0].text
    assert found.model == "faster-whisper-tiny.en"
    assert found.notes == ("recogniser_replaced:tiny.en",)


def test_nobody_is_told_to_choose_pocketsphinx() -> None:
    assert not any("pocketsphinx" in name for name in families.known_names())
    with pytest.raises(UnknownName) as caught:
        families.make("speech", "nothing:x", Settings())
    assert "pocketsphinx" not in caught.value.hint
