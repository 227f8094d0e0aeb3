from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from heimdex_core.errors import ModelBroken, ModelUnavailable
from heimdex_core.models.text import minilm
from heimdex_core.models.text.minilm import MiniLM


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    return MiniLM()


def test_nothing_is_loaded_before_the_first_use() -> None:
    encoder = MiniLM()
    assert not encoder.is_loaded
    encoder.encode_passages([""])
    assert not encoder.is_loaded, "a text without words needs no model"


def test_other_weights_are_refused(tmp_path: Path) -> None:
    for name in minilm.SHA256:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(ModelBroken, match="sha256"):
        MiniLM(folder=tmp_path).encode_passages(["hello"])


def test_one_changed_byte_is_noticed(tmp_path: Path) -> None:
    folder = minilm.model_folder()
    for name in minilm.SHA256:
        shutil.copy(folder / name, tmp_path / name)
    MiniLM(folder=tmp_path).check()
    with (tmp_path / "tokenizer.json").open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ModelBroken, match="tokenizer.json"):
        MiniLM(folder=tmp_path).check()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="model.safetensors"):
        MiniLM(folder=tmp_path).load()


def test_it_uses_the_given_number_of_threads() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(limits=2, user_api="blas"):
        MiniLM(threads=1).encode_passages(["one thread"])
        assert 1 in threads()


def test_it_is_the_model_of_sentence_transformers(encoder: MiniLM) -> None:
    from sentence_transformers import SentenceTransformer

    texts = [
        "hello",
        "A much longer sentence, so that the batch needs padding; and 1984 café!",
        "word " * 140,
        "unsplittable" * 40,
        "an emoji 🙂 and a tab\tand \u200b nothing",
    ]
    theirs = SentenceTransformer(str(minilm.model_folder()), device="cpu", local_files_only=True)
    expected = theirs.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    assert np.abs(encoder.encode_passages(texts) - expected).max() < 1e-6


def test_a_vector_does_not_depend_on_the_batch(encoder: MiniLM) -> None:
    texts = [f"sentence {n} " + "and so on " * n for n in range(12)]
    together = encoder.encode_passages(texts)
    assert np.abs(together - np.concatenate([encoder.encode_passages([text]) for text in texts])).max() < 1e-6


def test_a_cut_file_of_weights_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in minilm.model_folder().glob("*.json"):
        shutil.copy(file, tmp_path / file.name)
    whole = (minilm.model_folder() / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(MiniLM, "sha256", {})  # as if the checksum had not noticed
    with pytest.raises(ModelBroken):
        MiniLM(folder=tmp_path).load()


@pytest.mark.parametrize("text", ["half a surrogate \ud83d here", "bytes of a shell \udcff", "two \udcff\udcfe"])
def test_characters_that_are_none_are_replaced(encoder: MiniLM, text: str) -> None:
    vector = encoder.encode_query(text).vector
    assert vector is not None
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-4


def test_queries_in_korean_abstain_and_passages_have_no_vector(encoder: MiniLM) -> None:
    found = encoder.encode_query("어두운 밤의 도시")
    assert found.vector is None
    assert found.reason == "language"
    assert found.unknown_words == ("어두운", "밤의", "도시")
    vectors = encoder.encode_passages(["유령이 유럽을 배회하고 있다", "A spectre is haunting Europe"])
    assert not vectors[0].any()
    query = encoder.encode_query("a ghost wanders through Europe").vector
    assert query is not None
    scores = vectors @ query
    assert scores[0] == 0 < scores[1]


def test_a_foreign_word_among_english_ones_is_reported(encoder: MiniLM) -> None:
    found = encoder.encode_query("the streets of 서울 at night")
    assert found.vector is not None
    assert found.used_words == ("the", "streets", "of", "at", "night")
    assert found.unknown_words == ("서울",)


def test_numbers_are_words(encoder: MiniLM) -> None:
    assert encoder.encode_query("1984").vector is not None


def test_the_end_of_a_long_text_counts_too(encoder: MiniLM) -> None:
    filler = "The committee discussed the annual budget of the school. " * 60
    late = "A whale jumped out of the sea and everybody cheered. " * 30
    plain, with_late = encoder.encode_passages([filler, filler + late])
    query = encoder.encode_query("a whale jumping").vector
    assert query is not None
    assert with_late @ query > plain @ query + 0.1
    assert abs(float(np.linalg.norm(with_late)) - 1) < 1e-4
