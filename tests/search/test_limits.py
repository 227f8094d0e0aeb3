"""The limits of a dense channel, fitted to a library, and what the fusion is told of scenes without speech.

The encoder gives background queries the cosines that `Spread` names; all numbers are by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.search.calibration import CLOSE_CHANCE, Tail
from heimdex_core.search.channels.base import ChannelRequest, ChannelResult
from heimdex_core.search.channels.encoders import SharedEncoder
from heimdex_core.search.channels.limits import SpaceLimits
from heimdex_core.search.closeness import Closeness
from heimdex_core.search.fusion import ScoredScenes
from heimdex_core.search.modality import with_missing
from heimdex_core.types import Space
from tests.search.fakes import FakeReader, scene

OTHER = Space("text/other", "text", "other", "1", 2)
MINI = Space("text/all-MiniLM-L6-v2", "text", "mini", "1", 2)
PALETTE = Space("vision/palette", "vision", "palette", "1", 2)
KNOWN = QueryVector(np.array([1.0, 0.0], np.float32), None, ("red", "boat"), ())


@dataclass
class Spread:
    """Background queries with cosines of .0, .1, .2, .3 and .4 with the scene (1, 0): median .2, 95th percentile .4."""

    space: Space
    asked: list[Sequence[str]] = field(default_factory=list)

    def encode_query(self, text: str) -> QueryVector:
        return KNOWN

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(texts)
        return np.array([[0.1 * (n % 5), 1.0] for n in range(len(texts) - len(texts) % 5)], np.float32)


class Library:
    """A view of `count` scenes with the vector (1, 0)."""

    def __init__(self, count: int) -> None:
        self.token = f"{count} scenes"
        self.count = count
        self.sampled = 0

    def sample_vectors(self, space: Space, count: int, *, outside: Space | None = None) -> Vectors:
        self.sampled += 1
        return np.array([[1.0, 0.0]] * min(self.count, count), np.float32)


def request(view: Any, scenes: int, text: str = "a red boat", **more: Any) -> ChannelRequest:
    return ChannelRequest(view, text, "local", None, 10, scenes, **more)


def limits(space: Space) -> tuple[SpaceLimits, Spread]:
    encoder = Spread(space)
    return SpaceLimits(space, SharedEncoder(lambda: encoder, "a")), encoder


def test_the_tail_is_that_of_the_librarys_scenes_for_the_scenes_that_pass_the_filters() -> None:
    of_space, _ = limits(OTHER)
    of_space.prepare("a red boat")
    tail, view = Tail(0.0, 0.2 / 1.6448536), Library(100)  # damped: without the mean of .2
    for scenes in (100, 12):
        found = of_space.closeness(request(view, scenes), KNOWN)
        assert found is not None
        assert found.close_at == pytest.approx(tail.score_of_best(CLOSE_CHANCE, scenes), abs=1e-6)


def test_a_hub_loses_what_background_queries_get_from_it() -> None:
    of_space, _ = limits(OTHER)
    of_space.prepare("a red boat")
    # the mean of the background queries is (.2, 1), and the share of the query (.12 + .8) / (.04 + 1) = .8846
    damped = of_space.damped("a red boat", np.array([0.6, 0.8], np.float32))
    assert damped == pytest.approx([0.6 - 0.8846154 * 0.2, 0.8 - 0.8846154], abs=1e-6)
    # one that is about something else loses nothing, and one that shares more than the mean loses the mean once
    assert of_space.damped("a red boat", np.array([0.8, -0.6], np.float32)) == pytest.approx([0.8, -0.6])
    assert of_space.damped("a red boat", np.array([2.0, 1.0], np.float32)) == pytest.approx([1.8, 0.0], abs=1e-6)


def test_cosines_stay_as_they_are_where_a_threshold_was_measured_for_them() -> None:
    of_space, _ = limits(MINI)
    of_space.prepare("a red boat")
    assert of_space.damped("a red boat", np.array([0.6, 0.8], np.float32)) == pytest.approx([0.6, 0.8])
    found = of_space.closeness(request(Library(100), 100), KNOWN)
    assert found is not None
    assert found.close_at == pytest.approx(Tail(0.2, 0.2 / 1.6448536).score_of_best(CLOSE_CHANCE, 100), abs=1e-6)


def test_queries_are_encoded_once_a_language_and_the_tail_is_fitted_once_a_view() -> None:
    of_space, encoder = limits(OTHER)
    view = Library(100)
    for text in ("a red boat", "a blue boat", "빨간 배"):
        is_new = not of_space.is_ready(text)
        of_space.prepare(text)
        of_space.closeness(request(view, 100, text), KNOWN)
        assert is_new == (text != "a blue boat")
        assert of_space.is_ready(text)
    assert [len(texts) for texts in encoder.asked] == [164, 164]
    assert view.sampled == 2


def test_a_few_scenes_have_the_floor_of_the_model_and_nothing_without_one() -> None:
    for space, expected in ((MINI, Closeness(0.25, math.inf)), (OTHER, None)):
        of_space, _ = limits(space)
        of_space.prepare("a red boat")
        assert of_space.closeness(request(Library(3), 3), KNOWN) == expected


def test_nothing_is_close_to_a_query_of_which_most_words_are_unknown() -> None:
    of_space, _ = limits(OTHER)
    half = QueryVector(KNOWN.vector, None, ("red",), ("submarine",))
    less = QueryVector(KNOWN.vector, None, ("red",), ("submarine", "engine"))
    of_space.prepare("a red boat")
    assert of_space.closeness(request(Library(100), 100), less) == Closeness(math.inf, math.inf)
    assert of_space.closeness(request(Library(100), 100), half) == of_space.closeness(request(Library(100), 100), KNOWN)


def test_palette_keeps_its_threshold_however_many_scenes_there_are() -> None:
    of_space, _ = limits(PALETTE)
    of_space.prepare("a red boat")
    found = of_space.closeness(request(Library(1000), 1000), KNOWN)
    assert found is not None
    assert found.close_at == 0.05
    assert found.strong_at > 0.5


def test_a_query_with_an_example_has_no_limits() -> None:
    of_space, _ = limits(OTHER)
    of_space.prepare("a red boat")
    example: Any = object()
    assert of_space.closeness(request(Library(100), 100, example=example), KNOWN) is None


def test_a_model_without_background_queries_has_no_limits() -> None:
    class Single:
        space = OTHER

        def encode_query(self, text: str) -> QueryVector:
            return KNOWN

    of_space = SpaceLimits(OTHER, SharedEncoder(Single, "a"))
    of_space.prepare("a red boat")
    assert of_space.closeness(request(Library(100), 100), KNOWN) is None


def test_scenes_without_speech_are_missing_where_another_channel_calls_them_close() -> None:
    said, silent, dim = scene("v", 0, "a boat"), scene("v", 1), scene("v", 2)
    view: Any = FakeReader([said, silent, dim])
    seen = ScoredScenes(((said.scene_id, 0.9), (silent.scene_id, 0.8), (dim.scene_id, 0.1)))
    words = ScoredScenes(((said.scene_id, 2.0),))
    results = {
        "transcript": ChannelResult(words, closeness=Closeness(1.0, 3.0)),
        "vision": ChannelResult(seen, closeness=Closeness(0.3, 0.7)),
        "lexical": ChannelResult(words),
    }
    found = with_missing(view, "local", results, {"transcript": "said", "vision": "seen", "lexical": "words"})
    assert list(found["transcript"].missing) == list(found["lexical"].missing) == [silent.scene_id]
    assert (found["vision"].close_at, found["vision"].strong_at) == (0.3, 0.7)
    assert found["vision"].missing == frozenset()
    assert {name: one.hits for name, one in found.items()} == {
        name: result.scenes.hits for name, result in results.items()
    }


def test_a_channel_without_limits_is_certain_of_nothing() -> None:
    silent = scene("v", 0)
    view: Any = FakeReader([silent])
    results = {"transcript": ChannelResult(), "vision": ChannelResult(ScoredScenes(((silent.scene_id, 0.9),)))}
    found = with_missing(view, "local", results, {"transcript": "said", "vision": "seen"})
    assert found == {"transcript": ScoredScenes(()), "vision": results["vision"].scenes}
