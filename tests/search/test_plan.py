"""Which channels a search has, and how weights are distributed over them. All shares are worked out by hand."""

from __future__ import annotations

import pytest

from heimdex_core.errors import InvalidWeights, UnknownName
from heimdex_core.search.channels import kind_of
from heimdex_core.search.plan import plan_of, resolve
from heimdex_core.types import Space

MINI = Space("text/mini", "text", "org/mini", "1", 4)
BGE = Space("text/bge-m3", "text", "BAAI/bge-m3", "1", 4)
PALETTE = Space("vision/palette", "vision", "palette", "1", 4)
SIGLIP = Space("vision/ViT-B-16", "vision", "ViT-B-16", "1", 4)
CAPTION = Space("caption/mini", "text", "org/mini", "1", 4)

PLAIN = {"text": MINI, "vision": PALETTE}
DESCRIBED = {**PLAIN, "caption": CAPTION}
MANY = {**PLAIN, "text/bge-m3": BGE, "vision/ViT-B-16": SIGLIP, "caption": CAPTION}
GIVEN = {"transcript": 0.4, "vision": 0.4, "lexical": 0.2}


def test_by_default_the_first_space_of_each_kind_is_searched() -> None:
    assert plan_of(PLAIN).names == ("transcript", "vision", "lexical")
    plan = plan_of(MANY)
    assert plan.names == ("transcript", "vision", "caption", "lexical")
    assert [slot.space for slot in plan.slots] == [MINI, PALETTE, CAPTION, None]
    assert plan.requested == ()


def test_a_requested_space_replaces_the_first_of_its_kind() -> None:
    plan = plan_of(MANY, ["bge-m3"])
    assert plan.names == ("text/bge-m3", "vision", "caption", "lexical")
    assert plan.slots[0].space == BGE
    assert plan.requested == ("text/bge-m3",)


def test_two_spaces_of_a_kind_are_two_channels_in_the_sets_order() -> None:
    plan = plan_of(MANY, ["bge-m3", "vision/ViT-B-16", "text/mini", "bge-m3"])
    assert plan.names == ("text/mini", "text/bge-m3", "vision/ViT-B-16", "caption", "lexical")
    assert [slot.kind for slot in plan.slots] == ["transcript", "transcript", "vision", "caption", "lexical"]


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("text/mini", MINI),
        ("mini", MINI),  # the caption space of the same name does not make it ambiguous
        ("caption/mini", CAPTION),
        ("caption", CAPTION),
        ("text", MINI),
        ("vision", PALETTE),
        ("ViT-B-16", SIGLIP),
    ],
)
def test_names_of_spaces(name: str, space: Space) -> None:
    assert resolve(name, MANY) == space


def test_an_unknown_space_is_refused_with_the_most_similar_name_first() -> None:
    with pytest.raises(UnknownName) as caught:
        plan_of(MANY, ["bge-m4"])
    assert caught.value.details["known"].split(", ")[0] == "text/bge-m3"
    assert set(caught.value.details["known"].split(", ")) == {space.name for space in MANY.values()}


def test_a_short_name_of_two_spaces_is_not_guessed() -> None:
    clips = [Space("text/clip", "text", "c", "1", 4), Space("vision/clip", "vision", "c", "1", 4)]
    both = {**PLAIN, **{space.name: space for space in clips}}
    with pytest.raises(UnknownName) as caught:
        plan_of(both, ["clip"])
    assert caught.value.details["known"] == "text/clip, vision/clip"


def test_kinds_from_names() -> None:
    names = ("transcript", "text/x", "vision", "vision/x", "caption", "caption/x", "lexical")
    assert [kind_of(name) for name in names] == [
        "transcript", "transcript", "vision", "vision", "caption", "caption", "lexical"]  # fmt: skip


# --- weights --------------------------------------------------------------------------------------


def test_weights_of_a_plain_search_are_the_given_ones() -> None:
    assert plan_of(PLAIN).weights({"transcript": 0.3, "vision": 0.9}) == pytest.approx(
        {"transcript": 0.25, "vision": 0.75, "lexical": 0}
    )


def test_captions_take_half_of_the_weight_of_vision() -> None:
    assert plan_of(DESCRIBED).weights(GIVEN) == pytest.approx(
        {"transcript": 0.4, "vision": 0.2, "caption": 0.2, "lexical": 0.2}
    )


def test_two_of_a_kind_share_its_weight() -> None:
    plan = plan_of(MANY, ["mini", "bge-m3", "palette", "ViT-B-16"])
    assert plan.weights(GIVEN) == pytest.approx(
        {
            "text/mini": 0.2,
            "text/bge-m3": 0.2,
            "vision/palette": 0.1,
            "vision/ViT-B-16": 0.1,
            "caption": 0.2,
            "lexical": 0.2,
        }
    )


def test_a_channel_can_have_a_weight_of_its_own() -> None:
    plan = plan_of(MANY, ["mini", "bge-m3"])
    assert plan.weights({"text/bge-m3": 0.3, "transcript": 0.1, "caption": 0.2, "vision": 0.4}) == pytest.approx(
        {"text/mini": 0.1, "text/bge-m3": 0.3, "vision": 0.4, "caption": 0.2, "lexical": 0}
    )
    # the name of the space stands for the channel
    assert plan_of(PLAIN).weights({"text/mini": 1.0}) == {"transcript": 1.0, "vision": 0, "lexical": 0}
    assert plan_of(DESCRIBED).weights({"caption/mini": 1.0})["caption"] == 1.0


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"vision": 0.0},
        {"vision": -0.1},
        {"vision": 1.5},
        {"vision": True},
        {"vision": "0.5"},
        {"text/mini": 0.5, "transcript": 0.5},  # no channel is left for the weight of the kind
    ],
)
def test_weights_that_cannot_be_used(weights: dict[str, float]) -> None:
    with pytest.raises(InvalidWeights):
        plan_of(PLAIN).weights(weights)


@pytest.mark.parametrize("name", ["smell", "text/bge-m3", "caption"])
def test_a_weight_for_an_unknown_channel_is_refused(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        plan_of(PLAIN).weights({name: 1.0})
    assert caught.value.details["known"] == "transcript, vision, lexical"


def test_a_channel_that_abstains_gives_its_weight_to_its_own_side() -> None:
    plan = plan_of(DESCRIBED)
    weights = plan.weights(GIVEN)
    assert plan.within_sides(weights, ["transcript", "vision", "lexical"]) == pytest.approx(
        {"transcript": 0.4, "vision": 0.4, "caption": 0, "lexical": 0.2}
    )
    # the weight of a side that abstains as a whole is left for the fusion to divide
    assert plan.within_sides(weights, ["transcript", "lexical"]) == pytest.approx(weights)
    # a channel with a weight of 0 takes over nothing
    only = plan.weights({"vision": 0.5, "caption": 0.0, "lexical": 0.5})
    assert plan.within_sides(only, ["caption", "lexical"]) == pytest.approx(only)
