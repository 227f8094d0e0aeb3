"""The contract of ImageTextEncoder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from heimdex_core.models.base import ImageTextEncoder
from tests.contracts.adapters import VISION

RED, GREEN, BLUE = (np.full((90, 160, 3), colour, np.uint8) for colour in ((210, 30, 30), (40, 160, 50), (30, 70, 200)))


@pytest.fixture(scope="module", params=sorted(VISION))
def encoder(request: pytest.FixtureRequest) -> ImageTextEncoder:
    return VISION[request.param]()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)


def test_it_has_a_space(encoder: ImageTextEncoder) -> None:
    assert isinstance(encoder, ImageTextEncoder)
    assert encoder.space.kind == "vision"
    assert encoder.space.name.startswith("vision/")
    assert encoder.space.revision
    assert encoder.space.dim > 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 700, 3), (700, 1, 3), (17, 31, 3), (180, 320, 3), (2160, 3840, 3)])
def test_images_of_any_size(encoder: ImageTextEncoder, shape: tuple[int, ...]) -> None:
    for picture in (noise(*shape), np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)):
        vectors = encoder.encode_images([picture])
        assert vectors.shape == (1, encoder.space.dim)
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()
        assert abs(float(np.linalg.norm(vectors[0])) - 1) < 1e-4


def test_no_images_give_no_rows(encoder: ImageTextEncoder) -> None:
    assert encoder.encode_images([]).shape == (0, encoder.space.dim)


def test_images_of_different_sizes_in_one_call_and_any_order(encoder: ImageTextEncoder) -> None:
    pictures = [RED, noise(40, 50, 3), GREEN]
    there, back = encoder.encode_images(pictures), encoder.encode_images(pictures[::-1])
    np.testing.assert_allclose(there, back[::-1], atol=1e-4)


def test_the_image_is_not_changed(encoder: ImageTextEncoder) -> None:
    picture = noise(120, 200, 3)
    before = picture.copy()
    encoder.encode_images([picture])
    np.testing.assert_array_equal(picture, before)


def test_arrays_need_not_be_contiguous(encoder: ImageTextEncoder) -> None:
    wide = noise(200, 300, 3)
    np.testing.assert_array_equal(
        encoder.encode_images([wide[::-1, ::2]]), encoder.encode_images([np.ascontiguousarray(wide[::-1, ::2])])
    )


@pytest.mark.parametrize(("query", "nearest"), [("red", 0), ("green", 1), ("blue", 2)])
def test_a_colour_finds_its_image(encoder: ImageTextEncoder, query: str, nearest: int) -> None:
    found = encoder.encode_query(query)
    assert found.vector is not None
    assert found.vector.shape == (encoder.space.dim,)
    assert found.vector.dtype == np.float32
    assert abs(float(np.linalg.norm(found.vector)) - 1) < 1e-4
    assert found.used_words == (query,)
    assert int(np.argmax(encoder.encode_images([RED, GREEN, BLUE]) @ found.vector)) == nearest


def test_it_abstains_with_a_reason(encoder: ImageTextEncoder) -> None:
    for query in ("", "?!"):
        found = encoder.encode_query(query)
        assert found.vector is None
        assert found.reason == "no_known_words"


def test_tags_are_a_few_different_names(encoder: ImageTextEncoder) -> None:
    for vector in encoder.encode_images([RED, GREEN, noise(90, 160, 3), np.zeros((9, 16, 3), np.uint8)]):
        tags = encoder.tags(vector)
        assert isinstance(tags, tuple)
        assert len(tags) == len(set(tags)) <= 8
        assert all(isinstance(tag, str) and tag == tag.strip().lower() and tag for tag in tags)


def test_many_threads_get_their_own_answers(encoder: ImageTextEncoder) -> None:
    pictures = [RED, GREEN, BLUE]
    alone = encoder.encode_images(pictures)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda picture: encoder.encode_images([picture])[0], pictures * 4))
    for n, vector in enumerate(found):
        np.testing.assert_allclose(vector, alone[n % 3], atol=1e-5)
