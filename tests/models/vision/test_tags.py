from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import ModelBroken
from heimdex_core.models.vision.openclip import MOST_TAGS, OpenClip, Tagger, Vocabulary, read_vocabulary

SMALL_CLIP = Path(__file__).parents[2] / "models_small" / "open_clip"
AXES = np.eye(6, dtype=np.float32)
WORDS = {"red": 0, "green": 1, "blue": 2, "dog": 3, "cat": 4, "nothing": 5}


def axes(texts: Sequence[str]) -> np.ndarray:
    return np.stack([AXES[WORDS[text]] for text in texts])


@pytest.fixture
def tagger() -> Tagger:
    groups = {"colours": {"red": "빨강", "green": "초록", "blue": "파랑"}, "animals": {"dog": "개", "cat": "고양이"}}
    return Tagger(Vocabulary(groups, ("nothing",)), set(WORDS), axes, scale=20.0)


def test_clear_winners_are_tags_most_certain_first(tagger: Tagger) -> None:
    vector = AXES[3] + 0.9 * AXES[0]
    assert tagger.tags(vector / np.linalg.norm(vector)) == ("dog", "red")


def test_an_image_like_the_neutral_sentences_has_no_tag(tagger: Tagger) -> None:
    assert tagger.tags(AXES[5]) == ()


def test_two_equally_probable_names_are_both_tags(tagger: Tagger) -> None:
    vector = (AXES[0] + AXES[2]) / np.sqrt(2)
    assert set(tagger.tags(vector)) & {"red", "blue", "green"} == {"red", "blue"}


def test_names_with_unknown_words_are_left_out() -> None:
    groups = {"colours": {"red": "빨강", "green": "초록"}, "animals": {"dog": "개", "cat": "고양이"}}
    tagger = Tagger(Vocabulary(groups, ("nothing",)), {"red", "green", "dog"}, axes, scale=20.0)
    assert tagger.tags(AXES[3]) == (), "one name alone would win by default"
    assert tagger.tags(AXES[0]) == ("red",)


def test_the_vocabulary_is_complete() -> None:
    vocabulary = read_vocabulary()
    assert set(vocabulary.groups) == {"entities", "places", "actions", "looks", "light"}
    assert len(vocabulary.names) > 200
    assert vocabulary.nothing
    for name, korean in [pair for group in vocabulary.groups.values() for pair in group.items()]:
        assert any("가" <= char <= "힣" for char in korean), name
        assert name.isascii()


@pytest.mark.parametrize(
    "text", ["[a]\nred = '빨강'", "nothing = ['x']\n[a]\nRed = '빨강'", "nothing = [", "nothing = ['x']\na = 3"]
)
def test_a_broken_vocabulary(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.toml"
    path.write_text(text)
    with pytest.raises(ModelBroken):
        read_vocabulary(path)


def test_drawings_are_tagged_by_a_model_that_knows_them(tmp_path: Path) -> None:
    from tests.models_small.drawings import Caption, Thing, draw

    path = tmp_path / "words.toml"
    path.write_text(
        'nothing = ["picture"]\n[things]\n"red circle" = "빨간 원"\n"blue square" = "파란 네모"\n'
        '"green triangle" = "초록 세모"\n"yellow xylophone" = "노란 실로폰"\n'
    )
    encoder = OpenClip(f"local-dir:{SMALL_CLIP}", vocabulary=path)
    rng = np.random.default_rng(7)
    things = [Thing("red", "circle"), Thing("blue", "square"), Thing("green", "triangle")]
    pictures = [draw(Caption(thing), rng, width=96, height=64) for thing in things]
    named = [encoder.tags(vector) for vector in encoder.encode_images(pictures)]
    assert [tags[0] for tags in named] == ["red circle", "blue square", "green triangle"]
    assert all(len(tags) <= MOST_TAGS and "yellow xylophone" not in tags for tags in named)
