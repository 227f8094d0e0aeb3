"""Null distributions: what background queries get, and scores in their units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from heimdex_core.models.base import Vectors
from heimdex_core.search.channels import background
from heimdex_core.search.channels.background import NullDistribution, language_of, null_distribution
from heimdex_core.types import Space

SPACE = Space("text/made-up", "text", "made-up", "1", 2)


class Alternating:
    """Encodes queries in turn as (1, 0) and (0, 1); does not read Korean."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        vectors = np.eye(2, dtype=np.float32)[[n % 2 for n in range(len(texts))]]
        return vectors * np.array([[language_of(text) != "ko"] for text in texts])


@pytest.fixture(autouse=True)
def deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "DEVIATIONS", {SPACE.name: 0.2})


def test_a_score_is_the_distance_from_the_mean_score_in_standard_deviations() -> None:
    null = NullDistribution(np.array([0.3, 0.1], np.float32), 0.2, np.zeros((0, 2), np.float32))
    query, scene = np.array([0.6, 0.8], np.float32), np.array([0.8, 0.6], np.float32)
    # cosine .96; background queries get .3 * .8 + .1 * .6 = .30 from this scene
    assert null.standardised(query) @ scene == pytest.approx((0.96 - 0.30) / 0.2)


def test_the_mean_is_that_of_the_background_queries_in_the_language() -> None:
    encoder = Alternating()
    null = null_distribution(SPACE, encoder, "en")
    assert tuple(encoder.asked) == background.background_queries("en")
    assert np.allclose(null.mean, [0.5, 0.5])
    assert null.deviation == 0.2


def test_without_own_background_queries_all_count_that_the_model_reads() -> None:
    encoder = Alternating()
    null = null_distribution(SPACE, encoder, None)
    assert encoder.asked == [*background.background_queries("en"), *background.background_queries("ko")]
    assert np.allclose(null.mean, [0.5, 0.5])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a boat on the sea", "en"),
        ("un bateau sur la mer", "en"),
        ("바다 위의 배", "ko"),
        ("BTS 공연 영상", "ko"),
        ("the streets of 서울 at night", "en"),
        ("лодка на море", None),
        ("1984", None),
    ],
)
def test_the_language_of_a_query_is_told_by_its_script(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("language", background.LANGUAGES)
def test_background_queries_are_of_their_language_and_differ(language: str) -> None:
    texts = background.background_queries(language)
    assert len(set(texts)) == len(texts) >= 150
    assert {language_of(text) for text in texts} == {language}


def test_standardised_background_queries_score_a_scene_by_their_deviations_from_the_mean() -> None:
    # half of the queries have a cosine of 1 with the scene and half of 0: (1 - .5) / .2 and (0 - .5) / .2
    null = null_distribution(SPACE, Alternating(), "en")
    scores = null.queries @ np.array([1.0, 0.0], np.float32)
    assert scores[:4] == pytest.approx([2.5, -2.5, 2.5, -2.5])


def test_a_model_that_understands_too_few_background_queries_has_none() -> None:
    class Rare:
        def encode_queries(self, texts: Sequence[str]) -> Vectors:
            return np.array([[1.0, 0.0]] * 7 + [[0.0, 0.0]] * (len(texts) - 7), np.float32)

    assert background.background_vectors(SPACE, Rare(), "en") is None
    assert background.background_vectors(SPACE, object(), "en") is None
    vectors = background.background_vectors(SPACE, Alternating(), "en")
    assert vectors is not None
    assert vectors.shape == (len(background.background_queries("en")), 2)


def test_a_model_for_images_encodes_a_part_of_the_background_queries() -> None:
    encoder = Alternating()
    vectors = background.background_vectors(Space("vision/made-up", "vision", "made-up", "1", 2), encoder, "ko")
    assert vectors is None  # it does not read Korean
    assert 20 <= len(encoder.asked) <= 24
    assert len(set(encoder.asked)) == len(encoder.asked)
