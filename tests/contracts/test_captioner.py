"""The contract of Captioner."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from heimdex_core.models.base import Captioner
from tests.contracts.adapters import CAPTION

RED, GREEN, BLUE = (np.full((90, 160, 3), colour, np.uint8) for colour in ((210, 30, 30), (40, 160, 50), (30, 70, 200)))


@pytest.fixture(scope="module", params=sorted(CAPTION))
def captioner(request: pytest.FixtureRequest) -> Captioner:
    return CAPTION[request.param]()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)


def test_it_has_a_name_a_revision_and_a_language(captioner: Captioner) -> None:
    assert isinstance(captioner, Captioner)
    assert captioner.name
    assert captioner.revision
    assert len(captioner.language) == 2


def test_one_line_for_each_image(captioner: Captioner) -> None:
    lines = captioner.caption([RED, GREEN, BLUE, noise(90, 160, 3)])
    assert len(lines) == 4
    for line in lines:
        assert line == " ".join(line.split()), "one line without surplus white space"
        assert "<" not in line, "no special tokens"


def test_no_images_give_no_lines(captioner: Captioner) -> None:
    assert captioner.caption([]) == ()


def test_images_that_differ_much_get_different_lines(captioner: Captioner) -> None:
    assert len(set(captioner.caption([RED, GREEN, BLUE]))) == 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 1, 3), (17, 31, 3), (1080, 1920, 3)])
def test_images_of_any_size(captioner: Captioner, shape: tuple[int, ...]) -> None:
    assert len(captioner.caption([noise(*shape), np.zeros(shape, np.uint8)])) == 2


def test_an_image_gets_the_same_line_every_time_and_beside_any_other(captioner: Captioner) -> None:
    images = [RED, noise(40, 50, 3), GREEN, BLUE] * 5
    together = captioner.caption(images)
    assert together == captioner.caption(images)
    assert together[:4] == tuple(captioner.caption([image])[0] for image in images[:4])
    assert captioner.caption(images[::-1]) == together[::-1]


def test_the_image_is_not_changed(captioner: Captioner) -> None:
    image = noise(120, 200, 3)
    before = image.copy()
    captioner.caption([image])
    np.testing.assert_array_equal(image, before)


def test_arrays_need_not_be_contiguous(captioner: Captioner) -> None:
    wide = noise(200, 300, 3)
    assert captioner.caption([wide[::-1, ::2]]) == captioner.caption([np.ascontiguousarray(wide[::-1, ::2])])


def test_many_threads_get_their_own_lines(captioner: Captioner) -> None:
    images = [RED, GREEN, BLUE]
    alone = captioner.caption(images)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda image: captioner.caption([image])[0], images * 4))
    assert found == list(alone) * 4
