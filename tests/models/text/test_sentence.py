from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heimdex_core.errors import DeviceUnavailable, ModelBroken, OutOfGpuMemory, UnknownName, WeightsMissing
from heimdex_core.models import locate
from heimdex_core.models.text import sentence
from heimdex_core.models.text.minilm import MiniLM, model_folder
from heimdex_core.models.text.sentence import SentenceEncoder
from tests.models.random_models import random_sentences


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_sentences(tmp_path_factory.mktemp("sentences") / "tiny")


@pytest.fixture(scope="module")
def minilm() -> SentenceEncoder:
    """A real model, by its folder."""
    return SentenceEncoder(str(model_folder()))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_a_single_word_is_not_a_name() -> None:
    with pytest.raises(UnknownName) as caught:
        SentenceEncoder("bge-m3")
    assert "BAAI/bge-m3" in caught.value.hint


def test_the_space_of_a_missing_pinned_model_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    encoder = SentenceEncoder("BAAI/bge-m3")
    assert (encoder.space.name, encoder.space.dim, encoder.space.revision) == ("text/bge-m3", 1024, "5617a9f61b02")
    with pytest.raises(WeightsMissing, match="BAAI/bge-m3 is not in") as caught:
        encoder.load()
    assert "models pull BAAI/bge-m3" in caught.value.hint
    with pytest.raises(WeightsMissing):
        _ = SentenceEncoder("somebody/else").space


def test_the_space_is_read_without_loading(folder: Path) -> None:
    encoder = SentenceEncoder(str(folder))
    assert (encoder.space.name, encoder.space.model, encoder.space.dim) == ("text/tiny", "tiny", 16)
    assert encoder.space.revision == locate.fingerprint(folder)
    assert encoder.understands("one two")
    assert not encoder.is_loaded


def test_vectors_of_another_width_than_the_files_state(folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(folder, wrong)
    os.remove(wrong / "modules.json")
    config = json.loads((wrong / "config.json").read_text())
    (wrong / "modules.json").write_text((folder / "modules.json").read_text())
    (wrong / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True})
    )
    assert config["hidden_size"] == 16
    with pytest.raises(ModelBroken, match="say 24 dimensions, but its vectors have 16"):
        SentenceEncoder(str(wrong)).load()


def test_the_same_vectors_as_the_model_itself(minilm: SentenceEncoder) -> None:
    texts = ["The river runs through the old town.", "Stock prices fell sharply today."]
    np.testing.assert_allclose(minilm.encode_passages(texts), MiniLM().encode_passages(texts), atol=1e-5)


def test_scripts_in_the_vocabulary_are_understood(minilm: SentenceEncoder) -> None:
    for text in ("an old bridge", "café über den Wolken", "1984", "the streets of 서울 at night"):
        assert minilm.understands(text), text
    for text in ("어두운 밤의 도시", "유령이 유럽을 배회하고 있다", "Привет, мир", "東京の夜"):
        assert not minilm.understands(text), text
    assert minilm.encode_query("어두운 밤의 도시").reason == "language"
    found = minilm.encode_query("the streets of 서울 at night")
    assert found.unknown_words == ("서울",)
    assert found.used_words == ("the", "streets", "of", "at", "night")


def test_words_that_are_not_in_the_vocabulary(folder: Path) -> None:
    encoder = SentenceEncoder(str(folder))
    assert encoder.encode_query("xylophone quartz").reason == "no_known_words"
    found = encoder.encode_query("one xylophone")
    assert (found.used_words, found.unknown_words) == (("one",), ("xylophone",))


def test_a_long_text_is_split_into_equal_pieces_and_averaged(folder: Path) -> None:
    encoder = SentenceEncoder(str(folder))
    words = ("one two three four five six seven eight nine ten " * 5).split()[:41]
    pieces = encoder._pieces(" ".join(words), 14)
    assert " ".join(text for text, _ in pieces).split() == words, "nothing is lost"
    assert [tokens for _, tokens in pieces] == [10, 10, 11, 10]
    encoder.load()
    assert encoder._model is not None
    limit = encoder._limit(encoder._model, "")
    assert limit <= 16 - 2
    parts = [(encoder.encode_passages([text])[0], tokens) for text, tokens in encoder._pieces(" ".join(words), limit)]
    expected = unit(sum(vector * tokens for vector, tokens in parts))
    np.testing.assert_allclose(encoder.encode_passages([" ".join(words)])[0], expected, atol=1e-5)


def test_a_word_longer_than_the_limit_is_split(minilm: SentenceEncoder) -> None:
    text = "river,bridge," * 100
    pieces = minilm._pieces(text, 100)
    assert len(pieces) > 3
    assert "".join(piece for piece, _ in pieces) == text
    assert max(tokens for _, tokens in pieces) <= 100


def test_the_end_of_a_long_text_counts_too(minilm: SentenceEncoder) -> None:
    filler = "The committee discussed the annual budget of the school. " * 60
    late = "A whale jumped out of the sea and everybody cheered. " * 30
    plain, with_late = minilm.encode_passages([filler, filler + late])
    query = minilm.encode_query("a whale jumping").vector
    assert query is not None
    assert with_late @ query > plain @ query + 0.1


def test_the_folders_prompts_are_put_before_queries_and_passages(folder: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    shutil.copytree(folder, asked)
    (asked / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "red ", "document": "green "}})
    )
    plain, encoder = SentenceEncoder(str(folder)), SentenceEncoder(str(asked))
    query = encoder.encode_query("one two").vector
    assert query is not None
    np.testing.assert_allclose(query, plain.encode_passages(["red one two"])[0], atol=1e-5)
    np.testing.assert_allclose(
        encoder.encode_passages(["one two"]), plain.encode_passages(["green one two"]), atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "query", "passage"),
    [
        ("multilingual-e5-small", "query: ", "passage: "),
        ("bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("bge-m3", "", ""),
        ("all-MiniLM-L6-v2", "", ""),
    ],
)
def test_prompts_that_models_were_trained_with(tmp_path: Path, name: str, query: str, passage: str) -> None:
    assert sentence.prompts(tmp_path, name) == (query, passage)


def test_torchs_own_format_gives_the_same(folder: Path, tmp_path: Path) -> None:
    other = random_sentences(tmp_path / "tiny", safe=False)
    assert not (other / "model.safetensors").exists()
    texts = ["one two three", "red and blue"]
    np.testing.assert_allclose(
        SentenceEncoder(str(other)).encode_passages(texts),
        SentenceEncoder(str(folder)).encode_passages(texts),
        atol=1e-6,
    )


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_that_runs_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    bad = random_sentences(tmp_path / "bad", safe=False)
    torch.save({"weights": _Evil(tmp_path / "touched")}, bad / "pytorch_model.bin")
    with pytest.raises(ModelBroken):
        SentenceEncoder(str(bad)).load()
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json", "modules.json"])
def test_a_damaged_file_is_broken_not_a_crash(folder: Path, tmp_path: Path, file: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / file).write_bytes((folder / file).read_bytes()[:100])
    with pytest.raises(ModelBroken):
        SentenceEncoder(str(broken)).load()


def test_without_weights_it_is_missing(folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    (half / "model.safetensors").unlink()
    with pytest.raises(WeightsMissing, match="model.safetensors or .* is missing"):
        SentenceEncoder(str(half)).check()


def full_above(encoder: SentenceEncoder, most: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches; the memory is full with more than `most`."""
    encoder.load()
    model = encoder._model
    assert model is not None
    real, sizes = model.encode, []

    def encode(texts: list[str], **kwargs: Any) -> Any:
        sizes.append(len(texts))
        if len(texts) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(texts, **kwargs)

    monkeypatch.setattr(model, "encode", encode)
    return sizes


def test_a_full_gpu_halves_the_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"one {word}" for word in ("two", "three", "four", "five", "six", "seven")]
    expected = SentenceEncoder(str(folder)).encode_passages(texts)
    encoder = SentenceEncoder(str(folder), batch_size=6)
    sizes = full_above(encoder, 2, monkeypatch)
    np.testing.assert_allclose(encoder.encode_passages(texts), expected, atol=1e-5)
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1]
    assert encoder.notes == ("batch_halved:1",)


def test_a_gpu_too_small_for_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = SentenceEncoder(str(folder))
    full_above(encoder, 0, monkeypatch)
    with pytest.raises(OutOfGpuMemory):
        encoder.encode_passages(["one"])


@pytest.mark.usefixtures("no_gpu")
def test_device_cuda_without_a_gpu(folder: Path) -> None:
    with pytest.raises(DeviceUnavailable):
        SentenceEncoder(str(folder), device="cuda").load()
