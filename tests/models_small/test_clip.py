"""The small open_clip model, loaded by open_clip itself, on drawings of pairs that are held out from training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from tests.models_small.drawings import RELATIONS, Caption, Picture, draw, held_out, pair_captions, things

FOLDER = Path(__file__).parent / "open_clip"
NAME = f"local-dir:{FOLDER}"
SEED = 2026


class Clip:
    """open_clip's model, transform and tokenizer, all from the folder."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.model, _, self.ready = open_clip.create_model_and_transforms(NAME, require_pretrained=True)
        self.model.eval()
        self.tokenizer = open_clip.get_tokenizer(NAME)

    def pictures(self, pictures: Sequence[Picture]) -> np.ndarray:
        batch = torch.stack([self.ready(Image.fromarray(picture)) for picture in pictures])
        with torch.inference_mode():
            return self.model.encode_image(batch, normalize=True).numpy()

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        with torch.inference_mode():
            return self.model.encode_text(self.tokenizer(list(texts)), normalize=True).numpy()


@pytest.fixture(scope="module")
def clip(request: pytest.FixtureRequest) -> Clip:
    with pytest.MonkeyPatch.context() as patch:
        # no requests to a hub
        patch.setenv("HF_HUB_OFFLINE", "1")
        return Clip()


def unseen(count: int) -> list[Caption]:
    captions = [caption for caption in pair_captions() if held_out(caption)]
    return [captions[i] for i in np.random.default_rng(SEED).permutation(len(captions))[:count]]


def test_the_folder_is_small_and_has_no_pickle() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert set(files) == {
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(files.values()) <= 4_000_000


def test_held_out_pairs_are_apart_from_training_whatever_their_order_and_place() -> None:
    assert held_out(Caption.of("green triangle above a red circle"))
    for caption in pair_captions():
        assert held_out(caption) == held_out(caption.turned())
        assert caption.second is not None
        same_pair = Caption(caption.second, "left of", caption.first)
        assert held_out(caption) == held_out(same_pair)


def test_text_finds_the_drawing_and_the_drawing_its_text(clip: Clip) -> None:
    captions = unseen(100)
    assert len({caption.meaning() for caption in captions}) == 100
    rng = np.random.default_rng(SEED)
    scores = (
        clip.texts([str(c) for c in captions]) @ clip.pictures([draw(c, rng, width=160, height=90) for c in captions]).T
    )
    assert np.mean(scores.argmax(1) == np.arange(100)) >= 0.9
    assert np.mean(scores.argmax(0) == np.arange(100)) >= 0.9


def test_the_same_two_things_differ_by_their_relation(clip: Clip) -> None:
    rng = np.random.default_rng(SEED + 1)
    right = 0
    starts = [c for c in unseen(400) if c.relation == "above"][:60]
    for caption in starts:
        first, second = caption.first, caption.second
        assert second is not None
        others = [caption, Caption(second, "above", first), Caption(first, "left of", second)]
        others.append(Caption(second, "left of", first))
        scores = clip.texts([str(c) for c in others]) @ clip.pictures([draw(caption, rng, width=160, height=120)])[0]
        right += int(scores.argmax() == 0)
    # by chance a quarter
    assert right / len(starts) >= 0.85


def test_both_wordings_are_similar(clip: Clip) -> None:
    captions = [c for c in unseen(300) if c.relation != "inside"][:50]
    one, other = clip.texts([str(c) for c in captions]), clip.texts([str(c.turned()) for c in captions])
    assert np.mean((one @ other.T).argmax(1) == np.arange(50)) >= 0.9


def test_single_things_and_prompts(clip: Clip) -> None:
    rng = np.random.default_rng(SEED + 2)
    names = [str(thing) for thing in things()]
    pictures = clip.pictures([draw(name, rng, width=128, height=128) for name in names])
    for prompt in ("{}", "a photo of {}", "a video frame of {}"):
        scores = clip.texts([prompt.format(name) for name in names]) @ pictures.T
        assert np.mean(scores.argmax(1) == np.arange(len(names))) >= 0.9, prompt


def test_words_that_it_does_not_know_are_one_unknown_word(clip: Clip) -> None:
    ids = clip.tokenizer(["Green TRIANGLE", "green triangle", "green xylophone"]).numpy()
    assert (ids[0] == ids[1]).all()
    unknown = clip.tokenizer.tokenizer.unk_token_id
    assert unknown not in ids[0]
    assert list(ids[2]).count(unknown) == 1


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    for name in ("open_clip_config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    with pytest.raises(RuntimeError, match="[Nn]o pretrained weights|could not be loaded|weights"):
        open_clip.create_model_and_transforms(f"local-dir:{tmp_path}", require_pretrained=True)


@pytest.mark.parametrize(
    ("text", "first", "relation", "second"),
    [
        ("green triangle above a red circle", "green triangle", "above", "red circle"),
        ("an orange star right of the white ring", "orange star", "right of", "white ring"),
        ("blue cross", "blue cross", None, None),
    ],
)
def test_captions_are_read(text: str, first: str, relation: str | None, second: str | None) -> None:
    caption = Caption.of(text)
    assert (str(caption.first), caption.relation) == (first, relation)
    assert (None if caption.second is None else str(caption.second)) == second


@pytest.mark.parametrize(
    "text",
    [
        "",
        "green",
        "green triangle over a red circle",
        "mauve star",
        "red star inside a blue ring",
        "red star inside a red circle",
    ],
)
def test_what_cannot_be_drawn_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        draw(text, np.random.default_rng(0))


def test_a_drawing_shows_its_colours_where_the_caption_says() -> None:
    for seed in range(20):
        picture = draw("red circle above a blue square", np.random.default_rng(seed), width=160, height=90).astype(int)
        red, blue = (picture[:, :, i] - picture[:, :, [j for j in range(3) if j != i]].max(2) > 60 for i in (0, 2))
        assert red.sum() > 100
        assert blue.sum() > 100
        assert np.nonzero(red)[0].max() < np.nonzero(blue)[0].min()
    assert len(RELATIONS) == 5
