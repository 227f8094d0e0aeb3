"""Nearly identical scenes under one card: what is folded, what is not, and that nothing is lost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heimdex_core.search import duplicates
from heimdex_core.search.duplicates import Collapsed, collapse
from heimdex_core.search.fusion.base import Fused, FusedScene, ScoredScenes, ranking
from heimdex_core.search.fusion.parts import Part
from heimdex_core.types import Scene, Space
from tests.search.fakes import scene

PALETTE = Space("vision/palette", "vision", "palette", "1", 2)
OTHER = Space("vision/other", "vision", "other", "1", 2)


def at(degrees: float) -> np.ndarray:
    """A unit vector; the cosine of two of them is that of the difference of their angles."""
    return np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))], np.float32)


class Pictures:
    """A view of scenes whose vectors are given by angle."""

    def __init__(self, scenes: list[Scene], angles: Mapping[str, float]) -> None:
        self.scenes = {one.scene_id: one for one in scenes}
        self.angles = angles

    def vectors(self, space: Space, scene_ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
        places = [place for place, one in enumerate(scene_ids) if one in self.angles]
        found = [at(self.angles[scene_ids[place]]) for place in places]
        return np.array(places, np.int64), np.array(found, np.float32).reshape(-1, 2)

    def scenes_by_id(self, scene_ids: list[str]) -> dict[str, Scene]:
        return {one: self.scenes[one] for one in scene_ids}


def ranked(*items: tuple[Scene, str]) -> Fused:
    """A ranking in this order; each scene was found by the named channel."""
    count = len(items)
    ranking = tuple(
        FusedScene(one.scene_id, 1 - n / count, {channel: Part(1 - n / count, 1 - n / count)})
        for n, (one, channel) in enumerate(items)
    )
    return Fused(ranking, {"vision": 1.0})


def folded(fused: Fused, pictures: Any, space: Space | None = PALETTE) -> Collapsed:
    return collapse(fused, pictures, space, said=("transcript",), words=("lexical",), terms=("sail", "morn"))


def names(found: Collapsed) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Indexes of the scenes instead of their ids."""

    def short(scene_id: str) -> str:
        return str(int(scene_id.rsplit("_", 2)[1]) // 10_000)

    duplicates = {short(card): tuple(map(short, under)) for card, under in found.duplicates.items()}
    return [short(item.scene_id) for item in found.ranking], duplicates


def test_scenes_that_look_the_same_are_folded_under_the_best() -> None:
    """cos 15 degrees = .966 and cos 17 = .956: the limit of .96 lies between. The third is like the second only."""
    scenes = [scene("v", n) for n in range(4)]
    angles = {one.scene_id: angle for one, angle in zip(scenes, (0.0, 15.0, 17.0, 90.0), strict=True)}
    found = folded(ranked(*((one, "vision") for one in scenes)), Pictures(scenes, angles))
    assert names(found) == (["0", "2", "3"], {"0": ("1",)})


@pytest.mark.parametrize(
    ("text", "channel", "is_folded"),
    [
        ("", "vision", True),
        ("we set sail", "vision", True),
        ("we set sail", "transcript", False),
        ("we set sail", "lexical", False),
        ("something else", "lexical", True),  # its tags or its title have the word
        ("Good   morning", "lexical", True),
    ],
)
def test_a_scene_that_is_found_by_what_is_said_is_folded_only_if_that_is_the_same(
    text: str, channel: str, is_folded: bool
) -> None:
    first, second = scene("v", 0, "good morning"), scene("v", 1, text)
    pictures = Pictures([first, second], {first.scene_id: 0.0, second.scene_id: 1.0})
    found = folded(ranked((first, "vision"), (second, channel)), pictures)
    assert names(found) == ((["0"], {"0": ("1",)}) if is_folded else (["0", "1"], {}))


def test_scenes_without_a_picture_stay_as_they_are() -> None:
    scenes = [scene("v", n) for n in range(3)]
    found = folded(ranked(*((one, "lexical") for one in scenes)), Pictures(scenes, {scenes[1].scene_id: 0.0}))
    assert names(found) == (["0", "1", "2"], {})
    assert names(folded(ranked(*((one, "vision") for one in scenes)), None, None)) == (["0", "1", "2"], {})
    assert folded(Fused((), {}), None) == Collapsed(())


def test_the_limit_is_that_of_the_space() -> None:
    """cos 12 degrees = .978: enough for palette (.96), not for a model that was not measured (.98)."""
    scenes = [scene("v", n) for n in range(2)]
    pictures = Pictures(scenes, {scenes[0].scene_id: 0.0, scenes[1].scene_id: 12.0})
    fused = ranked(*((one, "vision") for one in scenes))
    assert len(folded(fused, pictures, PALETTE).ranking) == 1
    assert len(folded(fused, pictures, OTHER).ranking) == 2


def test_every_scene_is_a_card_or_under_one_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several blocks, and beyond the cards that are folded under."""
    monkeypatch.setattr(duplicates, "_BLOCK", 64)
    rng = np.random.default_rng(7)
    scenes = [scene("v", n) for n in range(400)]
    angles = {one.scene_id: float(angle) for one, angle in zip(scenes, rng.uniform(0, 360, 400), strict=True)}
    found = folded(ranked(*((one, "vision") for one in scenes)), Pictures(scenes, angles))
    cards = [item.scene_id for item in found.ranking]
    under = [scene_id for ids in found.duplicates.values() for scene_id in ids]
    assert sorted([*cards, *under]) == sorted(angles)
    assert cards == [one.scene_id for one in scenes if one.scene_id in cards], "in the order of the ranking"
    assert set(found.duplicates) <= set(cards)
    for one, other in ((a, b) for a in cards for b in cards if a < b):
        assert at(angles[one]) @ at(angles[other]) < 0.96
    for card, ids in found.duplicates.items():
        assert all(at(angles[card]) @ at(angles[scene_id]) >= 0.96 - 1e-6 for scene_id in ids)


def test_what_lies_beyond_the_first_cards_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_CARDS", 64)
    monkeypatch.setattr(duplicates, "_BLOCK", 64)
    scenes = [scene("v", n) for n in range(130)]
    angles = {one.scene_id: 360 * n / 64 for n, one in enumerate(scenes)}
    monkeypatch.setattr(duplicates, "SAME", {PALETTE.name: 0.9999})
    fused = ranked(*((one, "vision") for one in scenes))
    found = folded(fused, Pictures(scenes, angles))
    assert len(found.ranking) == 130
    assert found.duplicates == {}
    vision = ScoredScenes(tuple((item.scene_id, item.score) for item in fused.ranking))
    lazy = ranking({"vision": vision}, {"vision": {item.scene_id: item.parts["vision"] for item in fused.ranking}})
    assert lazy == fused.ranking
    assert folded(replace(fused, ranking=lazy), Pictures(scenes, angles)).ranking == found.ranking
