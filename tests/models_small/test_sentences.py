"""The small sentence-transformers folder, loaded by the library itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from tests.models_small.make_sentences import MAX_TOKENS, PROMPTS, WIDTH, wordings

FOLDER = Path(__file__).parent / "sentences"


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        # no requests to a hub
        patch.setenv("HF_HUB_OFFLINE", "1")
        return SentenceTransformer(str(FOLDER), device="cpu", local_files_only=True)


def test_the_folder_is_small_and_has_no_pickle() -> None:
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 1_000_000
    assert {file.suffix for file in files} == {".json", ".safetensors"}


def test_the_configuration_in_the_folder(model: SentenceTransformer) -> None:
    assert model.get_embedding_dimension() == WIDTH
    assert model.max_seq_length == MAX_TOKENS == 32
    assert {name: model.prompts[name] for name in PROMPTS} == {"query": "query: ", "passage": "passage: "}
    assert model.default_prompt_name is None


def test_vectors_have_length_one(model: SentenceTransformer) -> None:
    vectors = model.encode(["the captain opens the window", "xylophone"])
    assert vectors.shape == (2, WIDTH)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_a_sentence_finds_its_other_wording(model: SentenceTransformer) -> None:
    pairs = [wordings(np.random.default_rng(1000 + i)) for i in range(60)]
    queries = model.encode_query([pair[0] for pair in pairs])
    passages = model.encode_document([pair[1] for pair in pairs])
    assert np.mean((queries @ passages.T).argmax(1) == np.arange(60)) >= 0.9


@pytest.mark.parametrize(
    ("query", "related", "unrelated"),
    [
        ("the physician visits the castle", "a doctor attends the old fortress", "the train crosses the river"),
        ("a bunny behind the hill", "the rabbit is after the mountain", "the skipper opens the kitchen"),
        ("boat", "the golden ship", "the broken piano"),
    ],
)
def test_related_is_more_similar_than_unrelated(
    model: SentenceTransformer, query: str, related: str, unrelated: str
) -> None:
    near, far = (model.encode_query([query]) @ model.encode_document([related, unrelated]).T)[0]
    assert near > far + 0.2


def test_prompts_change_the_vector_and_are_used_by_kind(model: SentenceTransformer) -> None:
    text = "the farmer follows the horse"
    bare, by_hand = model.encode([text, "query: " + text])
    query, passage = model.encode_query([text])[0], model.encode_document([text])[0]
    assert query == pytest.approx(by_hand, abs=1e-5)
    assert not np.allclose(query, bare, atol=1e-3)
    assert not np.allclose(query, passage, atol=1e-3)


def test_text_beyond_the_limit_is_not_read(model: SentenceTransformer) -> None:
    long = " ".join(["horse"] * MAX_TOKENS)
    one, other = model.encode([long, long + " captain"])
    assert one == pytest.approx(other, abs=1e-6)
