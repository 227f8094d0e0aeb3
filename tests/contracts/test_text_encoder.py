"""The contract of TextEncoder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from heimdex_core.models.base import TextEncoder
from tests.contracts.adapters import TEXT

# with words that the small model of the tests knows too
PASSAGES = (
    "The captain crosses the river.",
    "A broken piano in an old castle.",
    "The doctor visits the farmer today.",
)


@pytest.fixture(scope="module", params=sorted(TEXT))
def encoder(request: pytest.FixtureRequest) -> TextEncoder:
    return TEXT[request.param]()


def test_it_has_a_space(encoder: TextEncoder) -> None:
    assert isinstance(encoder, TextEncoder)
    assert encoder.space.kind == "text"
    assert encoder.space.name.startswith("text/")
    assert encoder.space.revision
    assert encoder.space.dim > 0


def test_passages_are_unit_rows(encoder: TextEncoder) -> None:
    vectors = encoder.encode_passages(PASSAGES)
    assert vectors.shape == (3, encoder.space.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_no_passages_give_no_rows(encoder: TextEncoder) -> None:
    assert encoder.encode_passages([]).shape == (0, encoder.space.dim)


def test_what_it_does_not_understand_has_rows_of_zeros(encoder: TextEncoder) -> None:
    vectors = encoder.encode_passages(["", "   ", PASSAGES[0], "..."])
    assert [encoder.understands(text) for text in ("", "   ", PASSAGES[0], "...")] == [False, False, True, False]
    assert not vectors[[0, 1, 3]].any()
    assert vectors[2].any()


def test_a_passage_does_not_depend_on_its_neighbours(encoder: TextEncoder) -> None:
    together = encoder.encode_passages([*PASSAGES, "A much longer line that makes the others be padded. " * 8])
    alone = np.concatenate([encoder.encode_passages([text]) for text in PASSAGES])
    np.testing.assert_allclose(together[:3], alone, atol=1e-4)


def test_the_same_text_gives_the_same_vector(encoder: TextEncoder) -> None:
    np.testing.assert_array_equal(encoder.encode_passages(PASSAGES), encoder.encode_passages(PASSAGES))


@pytest.mark.parametrize(
    ("query", "nearest"),
    [("a skipper near the stream", 0), ("the damaged keyboard", 1), ("the physician and the peasant now", 2)],
)
def test_a_query_is_most_similar_to_what_means_the_same(encoder: TextEncoder, query: str, nearest: int) -> None:
    found = encoder.encode_query(query)
    assert found.vector is not None
    assert found.vector.shape == (encoder.space.dim,)
    assert found.vector.dtype == np.float32
    assert abs(float(np.linalg.norm(found.vector)) - 1) < 1e-4
    assert int(np.argmax(encoder.encode_passages(PASSAGES) @ found.vector)) == nearest
    assert found.reason is None
    assert found.used_words


@pytest.mark.parametrize("query", ["", "?!", " ", "🙂"])
def test_it_abstains_where_there_is_no_word(encoder: TextEncoder, query: str) -> None:
    found = encoder.encode_query(query)
    assert found.vector is None
    assert found.reason == "no_known_words"


def test_many_threads_get_their_own_answers(encoder: TextEncoder) -> None:
    alone = [encoder.encode_query(text).vector for text in PASSAGES]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda text: encoder.encode_query(text).vector, PASSAGES * 4))
    for n, vector in enumerate(found):
        expected = alone[n % 3]
        assert vector is not None
        assert expected is not None
        np.testing.assert_allclose(vector, expected, atol=1e-5)
