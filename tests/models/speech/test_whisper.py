from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core.errors import Cancelled, DeviceUnavailable, ModelBroken, OutOfGpuMemory, UnknownName, WeightsMissing
from heimdex_core.models import locate
from heimdex_core.models.speech import whisper
from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.models.speech.windows import open_wav
from heimdex_core.types import WorkContext
from tests.models.random_models import random_whisper
from tests.models.speech.recordings import speech_at_16k, write_wav


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_whisper(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of speech with long pauses between."""
    parts = tmp_path_factory.mktemp("speech")
    one = speech_at_16k(parts / "one.wav", "one two three four five six")
    with open_wav(one) as wav:
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2") / 32768.0
    pause = np.zeros(16_000 * 4)
    return write_wav(parts / "four.wav", np.concatenate([samples, pause] * 4))


def test_an_unknown_name_is_refused_with_similar_ones() -> None:
    with pytest.raises(UnknownName, match="no speech model called larg-v3") as caught:
        Whisper("larg-v3")
    assert "large-v3" in caught.value.hint


def test_two_names_of_the_same_model() -> None:
    assert Whisper("turbo").name == Whisper("large-v3-turbo").name == "faster-whisper-large-v3-turbo"


def test_a_size_that_is_not_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    small = Whisper("small")
    assert (small.name, small.languages, small.is_loaded) == ("faster-whisper-small", None, False)
    assert small.revision == whisper.PINNED["Systran/faster-whisper-small"].revision
    for use in (small.load, small.check):
        with pytest.raises(WeightsMissing) as caught:
            use()
        assert "models pull small" in caught.value.hint


def test_a_size_is_found_in_the_folder_of_models(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "Systran--faster-whisper-tiny")
    found = Whisper("tiny", models_dir=tmp_path)
    found.check()
    found.load()
    assert found.is_loaded
    assert found.revision == locate.fingerprint(folder)


def test_an_incomplete_model_is_missing(folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    (half / "tokenizer.json").unlink()
    with pytest.raises(WeightsMissing, match="tokenizer.json is missing"):
        Whisper(str(half)).load()


@pytest.mark.parametrize("file", ["model.bin", "tokenizer.json"])
def test_a_damaged_model_is_broken_not_a_crash(folder: Path, tmp_path: Path, file: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / file).write_bytes((folder / file).read_bytes()[:2000])
    with pytest.raises(ModelBroken):
        Whisper(str(broken)).load()


def test_languages_are_those_of_the_vocabulary(folder: Path, tmp_path: Path) -> None:
    assert Whisper(str(folder)).languages == {"en", "ko"}
    english = random_whisper(tmp_path / "english", languages=("en", "fr"), multilingual=False)
    assert Whisper(str(english)).languages == {"en"}


def test_a_language_that_the_model_does_not_know(folder: Path, spoken: Path) -> None:
    model = Whisper(str(folder))
    found = model.transcribe(spoken, language="fr", context=WorkContext())
    assert (found.segments, found.notes, found.language) == ((), ("language_unsupported",), None)
    assert not model.is_loaded, "the model is not loaded for nothing"


@pytest.mark.usefixtures("no_gpu")
def test_device_cuda_without_a_gpu(folder: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="no NVIDIA GPU"):
        Whisper(str(folder), device="cuda").load()


def calls_of(model: Whisper, monkeypatch: pytest.MonkeyPatch, *, most: int = 99) -> list[int]:
    """Batch sizes that the model is called with; with more than `most` clips the memory is full."""
    model.load()
    pipeline = model._model
    assert pipeline is not None
    real, sizes = pipeline.transcribe, []

    def counted(*args: Any, **kwargs: Any) -> Any:
        sizes.append(kwargs["batch_size"])
        if kwargs["batch_size"] > most:
            raise RuntimeError("CUDA failed with error out of memory")
        return real(*args, **kwargs)

    monkeypatch.setattr(pipeline, "transcribe", counted)
    return sizes


def test_cancelled_between_batches(folder: Path, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Whisper(str(folder), batch_size=1)
    sizes = calls_of(model, monkeypatch)
    with pytest.raises(Cancelled):
        model.transcribe(spoken, language="en", context=WorkContext(is_cancelled=lambda: len(sizes) == 2))
    assert sizes == [1, 1]


def test_progress_is_in_seconds_of_audio(folder: Path, spoken: Path) -> None:
    seen: list[tuple[float, float]] = []
    Whisper(str(folder), batch_size=1).transcribe(
        spoken, language="en", context=WorkContext(report=lambda done, total: seen.append((done, total)))
    )
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert len(set(done)) >= 5, "a step for each clip"
    assert done[-1] == seen[0][1] == pytest.approx(32, abs=8)


def test_a_full_gpu_makes_the_batches_smaller_and_notes_it(
    folder: Path, spoken: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = Whisper(str(folder)).transcribe(spoken, language="en", context=WorkContext())
    model = Whisper(str(folder), batch_size=4)
    sizes = calls_of(model, monkeypatch, most=2)
    with caplog.at_level(logging.WARNING, logger="heimdex_core"):
        found = model.transcribe(spoken, language="en", context=WorkContext())
    assert sizes == [4, 2, 2]
    assert found.notes == ("batch_halved:2",)
    assert "batches of 2" in caplog.text
    assert [s.text for s in found.segments] == [s.text for s in expected.segments]


def test_a_gpu_too_small_for_one_clip(folder: Path, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Whisper(str(folder))
    calls_of(model, monkeypatch, most=0)
    with pytest.raises(OutOfGpuMemory):
        model.transcribe(spoken, language="en", context=WorkContext())
