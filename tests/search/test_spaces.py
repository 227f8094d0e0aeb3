"""Searches in requested spaces, with captions and with models that fail."""

from __future__ import annotations

import numpy as np
import pytest

from heimdex_core import schemas
from heimdex_core.errors import SpaceMismatch, UnknownName, WeightsMissing
from heimdex_core.models.base import QueryVector
from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.search.searcher import Searcher
from heimdex_core.types import Query, Space
from tests.search.fakes import TEXT, VISION, FakeEncoder

OTHER = Space("text/other", "text", "other", "1", 2)
SEEN = Space("vision/other", "vision", "seen", "1", 2)
CAPTION = Space("caption/fake", "text", "fake", "1", 2)


class ManyModels:
    """One encoder per space; captions are embedded by the first text encoder."""

    def __init__(self) -> None:
        self.encoders = {space.name: FakeEncoder(space) for space in (TEXT, VISION, OTHER, SEEN)}

    def encoder(self, space_name: str) -> FakeEncoder:
        return self.encoders[space_name]


@pytest.fixture
def many(bench):
    """The bench's four scenes in two spaces of each kind, with captions."""
    bench.models = ManyModels()
    bench.reader.spaces = {"text": TEXT, "vision": VISION, OTHER.name: OTHER, SEEN.name: SEEN, "caption": CAPTION}
    cosines_of = {OTHER: (0.1, 0.9, 0.0, 0.5), SEEN: (0.9, 0.2, 0.1, 0.3), CAPTION: (0.6, 0.0, 0.3, 0.0)}
    for space, cosines in cosines_of.items():
        bench.reader.vectors[space.name] = dict(zip(bench.ids, cosines, strict=True))
    return bench


def test_captions_share_the_weight_of_vision(many):
    weights = {"transcript": 0.4, "vision": 0.4, "lexical": 0.2}
    result = many.searcher().search(Query("bread", weights=weights), user_id="local")
    assert list(result.channels) == ["transcript", "vision", "caption", "lexical"]
    assert result.weights == pytest.approx({"transcript": 0.4, "vision": 0.2, "caption": 0.2, "lexical": 0.2})
    first = next(hit for hit in result if hit.scene_id == many.ids[0])
    # vision .1 is the lowest of .1 to .9; caption .6 is the best; transcript .8 too; no word
    assert first.score == pytest.approx(0.4 + 0.0 + 0.2)
    assert first.channels["caption"].score == pytest.approx(0.6)
    assert [result.channels[name].kind for name in result.channels] == ["transcript", "vision", "caption", "lexical"]
    assert result.channels["caption"].space == CAPTION.name


def test_transcript_and_captions_share_one_query_embedding(many):
    many.searcher().search(Query("bread"), user_id="local")
    assert many.models.encoders[TEXT.name].encoded == ["a first sentence", "bread"]


def test_captions_that_abstain_give_their_weight_to_vision(many):
    many.reader.vectors[CAPTION.name] = {}
    result = many.searcher().search(
        Query("bread", weights={"transcript": 0.4, "vision": 0.4, "lexical": 0.2}), user_id="local"
    )
    weights = {name: state.weight for name, state in result.channels.items()}
    assert weights == pytest.approx({"transcript": 0.4, "vision": 0.4, "caption": 0.0, "lexical": 0.2})
    assert result.channels["caption"].reason == "no_matches"


def test_a_requested_space_is_searched_instead_of_the_first(many):
    with pytest.raises(UnknownName):  # the short name is that of a text and of a vision space
        many.searcher().search(Query("bread", spaces=("other",)), user_id="local")
    result = many.searcher().search(
        Query("bread", weights={"transcript": 1.0}, spaces=("text/other",)), user_id="local"
    )
    assert list(result.channels) == ["text/other", "vision", "caption", "lexical"]
    assert [hit.scene_id for hit in result][:2] == [many.ids[1], many.ids[3]]
    assert result.spaces == ("text/other",)
    assert many.models.encoders[TEXT.name].encoded == []


def test_two_spaces_of_a_kind_are_fused(many):
    query = Query("bread", weights={"transcript": 1.0}, spaces=("text/fake", "text/other"))
    result = many.searcher().search(query, user_id="local")
    a = next(hit for hit in result if hit.scene_id == many.ids[0])
    # text/fake: .8 of 0 to .8 -> 1; text/other: .1 of 0 to .9 -> 1/9
    assert a.score == pytest.approx(0.5 + 0.5 / 9)
    assert list(a.channels) == ["text/fake", "text/other", "vision", "caption", "lexical"]
    table = result.to_pandas()
    assert {"text/fake_score", "text/other_score"} <= set(table.columns)
    assert list(schemas.search_result(result)["channels"]) == list(result.channels)
    assert "text/other" in result._repr_html_()


def test_the_cache_knows_a_space_under_either_name(many):
    searcher = many.searcher()
    searcher.search(Query("bread"), user_id="local")
    assert searcher.search(Query("bread", spaces=("text/fake",)), user_id="local").cached
    assert not searcher.search(Query("bread", spaces=("text/other",)), user_id="local").cached


def test_the_log_has_the_set_and_the_spaces(many):
    many.searcher().search(Query("bread", spaces=("text/other", "vision/fake")), user_id="local")
    (row,) = many.logged
    assert (row["set_id"], row["spaces"]) == (1, ["text/other", "vision/fake"])


# --- models that are missing ----------------------------------------------------------------------


def test_missing_weights_are_reported_and_the_others_go_on(many):
    def missing(space_name: str) -> FakeEncoder:
        if space_name == TEXT.name:
            raise WeightsMissing(name="fake", reason="no file")
        return ManyModels.encoder(many.models, space_name)

    many.models.encoder = missing
    result = many.searcher().search(Query("bread"), user_id="local")
    for name in ("transcript", "caption"):  # one model for both
        state = result.channels[name]
        assert (state.active, state.reason) == (False, "failed")
        assert "weights of fake are not on this machine" in state.detail
        assert state.error is not None
        assert "models pull" in state.error["hint"]
    assert schemas.search_result(result)["channels"]["transcript"]["error"]["code"] == "WEIGHTS_MISSING"
    assert result.total == 4
    # vision takes over the weight of the captions
    assert result.channels["vision"].weight == pytest.approx(0.35 / 0.55)


def test_another_revision_of_a_model_is_refused(many):
    many.models.encoders[TEXT.name] = FakeEncoder(Space("text/fake", "text", "fake", "2", 2))
    result = many.searcher().search(Query("bread"), user_id="local")
    error = result.channels["transcript"].error
    assert error is not None
    assert error["code"] == SpaceMismatch.code
    assert result.channels["vision"].active


def test_without_any_model_the_lexical_channel_still_works(bench):
    def models_of(set_id: int):
        raise UnknownName(kind="text model", name="newer:thing", known="minilm")

    searcher = Searcher(bench.reader, ChannelSets(models_of).of, bench.settings)
    result = searcher.search(Query("bread"), user_id="local")
    assert [hit.scene_id for hit in result] == [bench.ids[1]]
    error = result.channels["vision"].error
    assert error is not None
    assert error["code"] == "UNKNOWN_NAME"


def test_a_vector_is_shared_only_for_the_same_text(many):
    searcher = many.searcher()
    for text in ("bread", "ferry", "bread and ferry"):
        searcher.search(Query(text), user_id="local")
    assert many.models.encoders[TEXT.name].encoded[1:] == ["bread", "ferry", "bread and ferry"]


def test_an_encoder_that_failed_is_tried_again(many):
    encoder = many.models.encoders[TEXT.name]
    failing = [True]

    def before() -> None:
        if failing:
            failing.pop()
            raise RuntimeError("once")

    encoder.before = before
    searcher = many.searcher()
    assert searcher.search(Query("bread"), user_id="local").channels["transcript"].reason == "failed"
    encoder.answer = QueryVector(np.array([1.0, 0.0], np.float32))
    assert searcher.search(Query("bread"), user_id="local").channels["transcript"].active
