from __future__ import annotations

import pytest

from heimdex_core.models.palette import korean
from heimdex_core.models.palette.colours import FAMILY_NAMES
from heimdex_core.models.palette.layout import CELLS, SLICES
from heimdex_core.models.palette.query_encoder import group_mix, vector_of
from heimdex_core.models.palette.query_parser import Group, parse
from heimdex_core.models.palette.vocabulary import forms, tokens_of, vocabulary

Brief = tuple[str | None, tuple[str, ...], tuple[str, ...], str | None]


def brief(text: str) -> list[Brief]:
    """Each group as (thing, colours, looks, placed at)."""
    return [
        (
            group.thing.name if group.thing else None,
            tuple(concept.name for concept in group.colours),
            tuple(concept.name for concept in group.looks),
            group.at,
        )
        for group in parse(text, vocabulary()).groups
    ]


MEADOW_BELOW: Brief = ("meadow", ("green",), (), "bottom")
PINK_SKY_ABOVE: Brief = ("sky", ("pink",), (), "top")
LEAVES: Brief = ("autumn leaves", ("orange",), (), "centre")
ROCK: Brief = ("rock", (), (), "surround")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("green meadow under a pink sky", [MEADOW_BELOW, PINK_SKY_ABOVE]),
        ("pink sky above a green meadow", [PINK_SKY_ABOVE, MEADOW_BELOW]),
        ("분홍 하늘 아래 초록 초원", [PINK_SKY_ABOVE, MEADOW_BELOW]),
        ("분홍빛 하늘 아래의 초록색 초원이 펼쳐진 장면", [PINK_SKY_ABOVE, MEADOW_BELOW]),
        ("orange autumn leaves on a rock", [LEAVES, ROCK]),
        ("Orange Autumn-Leaf on rocks!", [LEAVES, ROCK]),
        ("바위 위의 주황색 단풍잎", [ROCK, LEAVES]),
        ("주황색 단풍잎이 바위 위에 있다", [LEAVES, ROCK]),
        ("the sky is pink", [("sky", ("pink",), (), None)]),
        ("하늘이 파랗다", [("sky", ("blue",), (), None)]),
        ("red and blue sky", [("sky", ("red", "blue"), (), None)]),
        ("dark forest", [("forest", (), ("dark",), None)]),
        ("darkest forests", [("forest", (), ("dark",), None)]),
        ("어두운 밤", [("night", (), ("dark",), None)]),
        ("파란 하늘", [("sky", ("blue",), (), None)]),
        ("푸른바다", [("sea", ("blue",), (), None)]),
        ("바닷가에서", [("beach", (), (), None)]),
        ("blue on the left, red on the right", [(None, ("blue",), (), "left"), (None, ("red",), (), "right")]),
        ("왼쪽에 나무", [("tree", (), (), None)]),
        ("black and white", [(None, (), ("black and white",), None)]),
        ("a black cat", [(None, ("black",), (), None)]),
        ("dark green", [(None, ("dark green",), (), None)]),
        ("flowers", [("flower", (), (), None)]),
        ("wolves in the fog", [("fog", (), (), None)]),
    ],
)
def test_things_colours_looks_and_places_of_a_query(text: str, groups: list[Brief]) -> None:
    assert brief(text) == groups


@pytest.mark.parametrize(
    ("text", "used", "unknown"),
    [
        ("a red car on the bridge", ("red",), ("car", "bridge")),
        ("a spectre is haunting Europe", (), ("spectre", "haunting", "europe")),
        ("노랗게 물든 가을 숲", ("노랗게", "가을", "숲"), ("물든",)),
        ("red red red", ("red",), ()),
        ("the video of it", (), ()),
        ("회의에서 예산을 논의했다", (), ("회의에서", "예산을", "논의했다")),
        ("日没 sunset", ("sunset",), ("日没",)),
    ],
)
def test_used_and_unknown_words(text: str, used: tuple[str, ...], unknown: tuple[str, ...]) -> None:
    query = parse(text, vocabulary())
    assert query.used_words == used
    assert query.unknown_words == unknown


@pytest.mark.parametrize("text", ["", "   ", "the of and", "under over", "Europe", "12 34", "이 그 저", "위에"])
def test_a_query_without_known_words_has_no_vector(text: str) -> None:
    assert vector_of(parse(text, vocabulary()).groups, vocabulary()) is None


def test_every_word_of_the_vocabulary_is_read_as_itself() -> None:
    words = vocabulary()
    for phrase, concept in words.phrases.items():
        groups = parse(" ".join(phrase), words).groups
        found = [c.name for g in groups for c in ([g.thing] if g.thing else []) + g.colours + g.looks]
        assert concept.name in found, phrase


def test_every_concept_asks_for_something() -> None:
    for concept in vocabulary().concepts:
        assert vector_of([Group.of(concept)], vocabulary()) is not None, concept.name


def cell(text: str, name: str) -> float:
    vector = vector_of(parse(text, vocabulary()).groups, vocabulary())
    assert vector is not None
    family, where = name.split("@")
    index = CELLS.index(where) * len(FAMILY_NAMES) + FAMILY_NAMES.index(family)
    return float(vector[SLICES["cell"]][index])


def test_a_colour_goes_where_its_thing_is() -> None:
    assert cell("pink sky", "pink@top centre") > 0
    assert cell("pink sky", "pink@bottom centre") == 0
    assert cell("pink sky", "pink@top centre") > cell("pink sky", "blue@top centre")
    assert cell("green meadow under a pink sky", "green@bottom left") > 0


def test_under_overrides_where_a_thing_usually_is() -> None:
    assert cell("sky under snow", "white@top centre") > cell("snow", "white@top centre")


def test_dimensions_that_are_not_asked_for_are_zero() -> None:
    vector = vector_of(parse("red", vocabulary()).groups, vocabulary())
    assert vector is not None
    for block in ("cell", "light", "saturation", "orientation", "scalar", "cell_light"):
        assert not vector[SLICES[block]].any()
    assert vector[-1] == 0


def mix_of(text: str) -> dict[str, float]:
    (group,) = parse(text, vocabulary()).groups
    return group_mix(group, vocabulary())


def test_dark_shifts_colours_to_their_dark_variants() -> None:
    plain, dark = mix_of("forest"), mix_of("dark forest")
    assert dark["dark green"] > plain["dark green"]
    assert "yellow green" not in dark
    assert mix_of("pale sky")["pale blue"] > mix_of("sky")["pale blue"]


def test_a_named_colour_replaces_the_usual_one_unless_it_is_one_of_them() -> None:
    blue = mix_of("blue fire")
    assert sum(blue.get(name, 0) for name in ("blue", "sky blue", "navy", "slate blue", "pale blue")) > 0.8
    orange = mix_of("orange autumn leaves")
    assert orange["orange"] > mix_of("autumn leaves")["orange"]
    assert orange["brown"] > 0.03, "leaves keep their other colours"


def test_english_forms() -> None:
    assert tokens_of("Close-Up, it's") == ["close", "up", "it's"]
    assert "leaf" in forms("leafs")
    assert "sky" in forms("skies")
    assert "dark" in forms("darker")
    assert "red" in forms("redder")
    assert "cloudy" in forms("cloudier")
    assert forms("grass") == ("grass",)


@pytest.mark.parametrize(
    ("token", "word"),
    [("하늘이", "하늘"), ("나무들이", "나무"), ("바다에서는", "바다"), ("숲속의", "숲"), ("눈", "눈")],
)
def test_particles(token: str, word: str) -> None:
    assert word in list(korean.without_particles(token))


def test_compounds_are_split_only_into_known_words() -> None:
    known = {"파란", "하늘", "단풍", "바위"}.__contains__
    assert korean.parts_of("파란하늘이", known) == ["파란", "하늘"]
    assert korean.parts_of("단풍바위", known) == ["단풍", "바위"]
    assert korean.parts_of("하늘나라", known) == []
