"""How scores of different spaces become comparable: each is read against what unrelated queries get in its space.

A cosine of 0.3 means something else in every space. The score here is the number of standard deviations by which a
scene's cosine with the query exceeds its mean cosine with background queries, which are about other things:

    z = (q . s - mean of b . s) / deviation = ((q - mean of b) / deviation) . s

for the query's vector q, a scene's vector s and the background queries' vectors b. It is linear in s, so the index
finds the nearest scenes by z as it finds them by cosine. Subtracting the scene's own mean also holds back scenes that
are near to every query (hubs; Radovanovic et al., "Hubs in Space", JMLR 2010).

docs/decisions/search-two-text-models.md has the measurements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from heimdex_core.models.base import Vectors
from heimdex_core.models.text.coverage import HANGUL, LATIN, share_of
from heimdex_core.types import Space

BACKGROUND_QUERIES: Mapping[str, tuple[str, ...]] = {
    "en": (
        "a child blowing out candles on a cake",
        "how to tie a necktie",
        "the price of petrol is going up again",
        "two people dancing in the rain",
        "an interview with a firefighter",
        "unboxing a new camera",
        "directions to the nearest hospital",
        "a poem about the sea",
        "why the sky is blue",
        "planting trees in the city",
        "a lawyer explains the new law",
        "how the heart pumps blood",
        "someone laughs and says goodbye",
        "the mayor opens a bridge",
        "learning to ride a bicycle",
        "a horse runs across a field",
        "what to wear to a wedding",
        "the first satellite in orbit",
        "making a paper boat",
        "a quarrel between neighbours",
    ),
    "ko": (
        "생일 케이크 촛불을 끄는 아이",
        "넥타이 매는 방법",
        "기름값이 또 올랐다는 소식",
        "비 속에서 춤추는 두 사람",
        "소방관과 나눈 대화",
        "새 카메라 상자를 여는 장면",
        "가까운 병원 가는 길",
        "바다에 대한 시",
        "하늘이 파란 이유",
        "도시에 나무 심기",
        "변호사가 설명하는 새 법",
        "심장이 피를 보내는 원리",
        "웃으면서 작별 인사를 하는 사람",
        "시장이 다리 개통식에 참석",
        "자전거를 처음 배우는 날",
        "들판을 달리는 말",
        "결혼식에 입고 갈 옷",
        "처음으로 쏘아 올린 인공위성",
        "종이배 접기",
        "이웃 사이의 다툼",
    ),
}
"""By language. A query is compared with background queries of its own language."""

DEVIATIONS: Mapping[str, float] = {
    "text/all-MiniLM-L6-v2": 0.079,
    "text/use-multilingual-3": 0.060,
}
"""Standard deviation of the cosines with background queries around a scene's mean, by the name of the space. It hardly
depends on the languages of query and scene (benchmarks/bilingual.py)."""

THRESHOLD = 2.5
"""The z that a scene must exceed to count as found: 98 of 100 unrelated scenes do not."""

_MOSTLY = 0.5


class Encoder(Protocol):
    """Encodes many queries at once."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors (n, d) of queries; rows of zeros for those that the model does not read."""
        ...


@dataclass(frozen=True)
class NullDistribution:
    """What background queries of one language get in one space."""

    mean: Vectors
    """(d,) the mean of their vectors; its cosine with a scene is the scene's mean score."""
    deviation: float
    """Standard deviation of their scores around a scene's mean, as cosine."""

    def standardised(self, query: Vectors) -> Vectors:
        """A vector (d,) whose inner product with a scene's vector is the scene's z."""
        return np.asarray((query - self.mean) / np.float32(self.deviation), dtype=np.float32)


def null_distribution(space: Space, encoder: Encoder, language: str | None) -> NullDistribution:
    """The null distribution of a space for queries in a language; None for one without background queries.

    Raises KeyError for a space without a measured deviation.
    """
    texts = BACKGROUND_QUERIES.get(language or "") or [text for some in BACKGROUND_QUERIES.values() for text in some]
    vectors = encoder.encode_queries(texts)
    return NullDistribution(vectors[vectors.any(axis=1)].mean(axis=0), DEVIATIONS[space.name])


def language_of(text: str) -> str | None:
    """The language of the background queries for a query: "ko" in Hangul, "en" in Latin script, else None.

    The other languages in Latin script have none of their own.
    """
    for language, script in (("ko", HANGUL), ("en", LATIN)):
        share = share_of(text, script)
        if share is not None and share >= _MOSTLY:
            return language
    return None
