"""Searching by example: scenes, pictures, boxes, text beside them, and what liked and disliked scenes change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from heimdex_core.errors import ImageTooLarge, InvalidQuery, InvalidValue, NotAnImage, SceneNotFound
from heimdex_core.models.base import QueryVector, Vectors
from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.search.examples import ResolvedExample, moved, resolve
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings
from heimdex_core.store import Store, sidecar
from heimdex_core.store.keyframe_vectors import VectorRows
from heimdex_core.types import Example, Keyframe, Query, SearchResult, Then
from tests.search.test_pictures import png_header
from tests.store.making import SPACES, TEXT, VISION, axis, make_scenes, make_transcript, new_store, register

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "dark red": (200, 0, 60)}
VIDEOS: dict[str, list[tuple[str, ...]]] = {
    "first": [("red",), ("green", "blue"), ("dark red",)],
    "second": [("blue",), ("green",), ("red",)],
}
"""The keyframes of each scene by colour; a scene is 2 s long."""
SAID = {"first": ["a", "b", "c"], "second": ["c", "b", "a"]}


def colour_vector(rgb: Sequence[float]) -> Vectors:
    vector = np.array([*rgb, 0.0], np.float32)
    return vector / np.linalg.norm(vector)


class ColourModel:
    """The mean colour of pictures, and the colours of COLOURS by name."""

    space = VISION

    def encode_images(self, images: Sequence[np.ndarray]) -> Vectors:
        return np.stack([colour_vector(image.reshape(-1, 3).mean(axis=0)) for image in images])

    def encode_query(self, text: str) -> QueryVector:
        known = [word for word in text.split() if word in COLOURS]
        if not known:
            return QueryVector(None, "no_known_words", (), tuple(text.split()))
        return QueryVector(np.mean([colour_vector(COLOURS[word]) for word in known], axis=0), None, tuple(known))


class LetterModel:
    """A text is along the axis of its first letter from a to h."""

    space = TEXT

    def encode_query(self, text: str) -> QueryVector:
        return QueryVector(axis("abcdefgh".index(text[0]), 8) if text[0] in "abcdefgh" else None, "language")


class Models:
    def encoder(self, space_name: str) -> Any:
        return {VISION.name: ColourModel(), TEXT.name: LetterModel()}[space_name]


def add(store: Store, name: str) -> list[str]:
    """One of VIDEOS; the ids of its scenes."""
    video = register(store, name)
    folder = store.new_staging(video.video_id)
    scenes = make_scenes(video.video_id, SAID[name])
    (folder / "frames").mkdir()
    rows: list[tuple[str, str, Vectors]] = []
    for n, colours in enumerate(VIDEOS[name]):
        files = [f"{n}-{k}.webp" for k in range(len(colours))]
        for file, colour in zip(files, colours, strict=True):
            Image.new("RGB", (40, 20), COLOURS[colour]).save(folder / "frames" / file, lossless=True)
            rows.append((scenes[n].scene_id, file, colour_vector(COLOURS[colour])))
        keyframes = tuple(Keyframe(2.0 * n + 0.5 * k, 120.0, 500.0, 0.7 - k / 10, f) for k, f in enumerate(files))
        scenes[n] = replace(scenes[n], keyframes=keyframes, thumbnail=files[0])
    sidecar.write_scenes(folder, scenes)
    sidecar.write_words(folder, make_transcript(scenes), scenes)
    ids, names, vectors = zip(*rows, strict=True)
    sidecar.write_vectors(folder, VISION, VectorRows(ids, np.stack(vectors), names))
    sidecar.write_vectors(
        folder, TEXT, [s.scene_id for s in scenes], np.stack([axis("abc".index(s.transcript), 8) for s in scenes])
    )
    sidecar.write_provenance(folder, {"made": "up"})
    n = store.next_generation(video.video_id)
    store.commit_generation(video.video_id, folder, n=n, spaces=SPACES.values(), transcript_source="subtitles")
    return [scene.scene_id for scene in scenes]


class Library:
    """Two videos of three scenes: red (a), green and blue (b), dark red (c); blue (c), green (b), red (a)."""

    def __init__(self, root: Path) -> None:
        self.store = new_store(root)
        self.red, self.mixed, self.dark = add(self.store, "first")
        self.blue, self.green, self.red_again = add(self.store, "second")
        self.searcher = Searcher(
            self.store.reader(), ChannelSets(lambda set_id: Models()).of, Settings(_env_file=None, channel_timeout_s=60)
        )

    def search(self, text: str = "", **given: Any) -> SearchResult:
        given = {"weights": {"vision": 1.0}, "collapse": False, **given}
        return self.searcher.search(Query(text, **given), user_id="local")

    def best(self, text: str = "", **example: Any) -> list[str]:
        """The names of the scenes found by an example, best first."""
        names = {self.red: "red", self.mixed: "mixed", self.dark: "dark", self.blue: "blue", self.green: "green"}
        return [names.get(hit.scene_id, "red again") for hit in self.search(text, example=Example(**example))]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    made = Library(tmp_path_factory.mktemp("examples") / "library")
    yield made
    made.store.close()


# --- Rocchio --------------------------------------------------------------------------------------


def test_rocchio_by_hand() -> None:
    """1 (1, 0, 0) + .75 (0, 1, 0) - .15 (0, 0, 1) = (1, .75, -.15), of length 1.25897."""
    eye = np.eye(3, dtype=np.float32)
    found = moved([eye[0]], eye[1:2], eye[2:3], np.zeros((0, 3), np.float32))
    assert found == pytest.approx(np.array([1, 0.75, -0.15]) / 1.25897, abs=1e-4)
    # without a query: .75 times the mean of two, (.5, .5, 0), which is scaled to length 1
    liked = moved([], eye[:2], np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32))
    assert liked == pytest.approx(np.array([1, 1, 0]) / 2**0.5, abs=1e-6)


def test_parts_are_scaled_by_how_much_scenes_differ_in_them() -> None:
    """Of eight scenes the first component is +-.1 and the second +-.4: the parts are divided by .1 and .4, so that
    (1, 0) / .1 + (0, 1) / .4 = (10, 2.5), and both change the ranking alike."""
    signs = np.array([[x, y] for x in (-1, 1) for y in (-1, 1)] * 2, np.float32)
    sample = signs * np.array([0.1, 0.4], np.float32)
    eye, none = np.eye(2, dtype=np.float32), np.zeros((0, 2), np.float32)
    found = moved([eye[0], eye[1]], none, none, sample)
    assert found == pytest.approx(np.array([10, 2.5]) / np.hypot(10, 2.5), abs=1e-4)
    assert np.std(sample[:, 0] * found[0]) == pytest.approx(np.std(sample[:, 1] * found[1]), rel=1e-3)


def test_parts_that_cancel_out_leave_the_query() -> None:
    eye = np.eye(2, dtype=np.float32)
    found = moved([eye[0]], -eye[:1] / 0.75, np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    assert np.isfinite(found).all()
    assert np.linalg.norm(found) == pytest.approx(1.0)


# --- what can be an example -----------------------------------------------------------------------


def test_a_scene_finds_scenes_that_look_like_it_and_not_itself(library: Library) -> None:
    assert library.best(scene_ids=(library.red,))[:2] == ["red again", "dark"]
    assert library.best(scene_ids=(library.blue,))[0] == "mixed", "one of its keyframes is blue"


def test_a_scene_is_an_example_for_what_is_said_too(library: Library) -> None:
    found = library.search(example=Example(scene_ids=(library.dark,)), weights={"transcript": 1.0})
    assert found[0].scene_id == library.blue, "both say c"
    assert found.channels["lexical"].active is False


def test_a_picture_finds_what_looks_like_it_and_the_keyframe_that_matched(library: Library, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), COLOURS["blue"]).save(tmp_path / "a.png")
    found = library.search(example=Example(image=tmp_path / "a.png"))
    first, second = found[0], found[1]
    assert {first.scene_id, second.scene_id} == {library.blue, library.mixed}
    mixed = first if first.scene_id == library.mixed else second
    assert (mixed.keyframe, mixed.keyframe_s) == ("1-1.webp", 2.5)


def test_a_box_on_a_picture_or_on_the_keyframe_of_a_scene(library: Library, tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 50), COLOURS["green"])
    picture.paste(COLOURS["red"], (50, 0, 100, 50))
    picture.save(tmp_path / "a.png")
    assert library.best(image=tmp_path / "a.png", box=(0.5, 0, 1, 1))[2] == "dark"
    assert library.best(image=tmp_path / "a.png", box=(0, 0, 0.5, 1))[0] == "green"
    assert set(library.best(scene_ids=(library.red,), box=(0.2, 0.2, 0.8, 0.8))[:2]) == {"red", "red again"}


def test_a_picture_and_a_text_together(library: Library, tmp_path: Path) -> None:
    """Of the mean over keyframes: a blue picture is like "blue" and half of "mixed", and not like "green" at all."""
    Image.new("RGB", (64, 64), COLOURS["blue"]).save(tmp_path / "a.png")
    alone = library.search(example=Example(image=tmp_path / "a.png"), keyframe_temperature=math.inf)
    assert [hit.scene_id for hit in alone][:2] == [library.blue, library.mixed]
    assert library.green not in [hit.scene_id for hit in alone]
    found = library.search("green", example=Example(image=tmp_path / "a.png"), keyframe_temperature=math.inf)
    assert {hit.scene_id for hit in found.hits[:3]} == {library.mixed, library.blue, library.green}
    assert found.channels["vision"].used_words == ("green",)


def test_liked_scenes_draw_the_query_and_disliked_ones_push_it(library: Library) -> None:
    """Cosines with red, blue and dark red. Dark red is (200, 0, 60), of length 208.8: .958, .287 and 1.

    Liked:    (1, 0, 0) + .75 (.958, 0, .287) = (1.718, 0, .215), of length 1.732: red .992, dark red .986
    Disliked: (1, 0, 0) - .15 (.958, 0, .287) = (.856, 0, -.043), of length .857: red .999, dark red .942
    """

    def scores(**example: Any) -> dict[str, float | None]:
        found = library.search("red", example=Example(**example) if example else None)
        return {hit.scene_id: hit.channels["vision"].score for hit in found}

    plain, liked, disliked = scores(), scores(scene_ids=(library.dark,)), scores(less_like=(library.dark,))
    near = partial(pytest.approx, abs=2e-3)
    assert (plain[library.red], plain[library.dark]) == (near(1.0), near(0.958))
    assert (liked[library.red], liked[library.dark]) == (near(0.992), near(0.986))
    assert (disliked[library.red], disliked[library.dark]) == (near(0.999), near(0.942))
    assert library.blue not in plain
    assert library.blue in liked, "dark red is a little blue"


def test_the_same_example_is_searched_once(library: Library, tmp_path: Path) -> None:
    """By what the picture shows, not by what its file is called."""
    for name, colour in (("a", "red"), ("b", "red"), ("c", "blue")):
        Image.new("RGB", (30, 30), COLOURS[colour]).save(tmp_path / f"{name}.png")
    cached = [library.search(example=Example(image=tmp_path / f"{name}.png")).cached for name in "abc"]
    assert cached == [False, True, False]


# --- what cannot ----------------------------------------------------------------------------------


def test_examples_that_cannot_be_used(library: Library, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "large.png").write_bytes(png_header(20_000, 10_000))
    refused: list[tuple[Example, type[Exception]]] = [
        (Example(scene_ids=("nothing",)), SceneNotFound),
        (Example(scene_ids=("00000000-0000-0000-0000-000000000000_0_2000",)), SceneNotFound),
        (Example(image=tmp_path / "text.png"), NotAnImage),
        (Example(image=tmp_path / "large.png"), ImageTooLarge),
        (Example(less_like=(library.red,)), InvalidValue),
        (Example(scene_ids=(library.red,), less_like=(library.red,)), InvalidValue),
        (Example(scene_ids=(library.red, library.blue), box=(0, 0, 1, 1)), InvalidValue),
        (Example(scene_ids=(library.red,) * 201), InvalidValue),
    ]
    for example, error in refused:
        with pytest.raises(error):
            library.search(example=example)
    for empty in (None, Example()):
        with pytest.raises(InvalidQuery):
            library.search(example=empty)
        assert resolve(library.store.reader().view(), empty, "", "local") is None


def test_another_persons_scene_is_no_example(library: Library) -> None:
    with pytest.raises(SceneNotFound):
        resolve(library.store.reader().view(), Example(scene_ids=(library.red,)), "", "somebody")


def test_a_deleted_videos_scene_is_no_example(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    assert library.best(scene_ids=(library.red,))[0] == "red again"
    library.store.delete_video("local", library.red.rsplit("_", 2)[0])
    with pytest.raises(SceneNotFound, match="There is no scene") as refused:
        library.search(example=Example(scene_ids=(library.red,)))
    assert "deleted" in refused.value.hint


def test_a_scene_whose_bounds_moved_is_found_by_its_overlap(library: Library) -> None:
    video_id = library.red.rsplit("_", 2)[0]
    found = resolve(library.store.reader().view(), Example(scene_ids=(f"{video_id}_0_1800",)), "text", "local")
    assert found == ResolvedExample(liked=(library.red,))


# --- the whole search -----------------------------------------------------------------------------


def test_identical_scenes_are_one_card(library: Library) -> None:
    apart, folded = library.search("red"), library.search("red", collapse=True)
    (card,) = [hit for hit in folded if hit.duplicates]
    assert {card.scene_id, *card.duplicates} == {library.red, library.red_again}
    assert folded.total == len(folded) == apart.total - 1
    pages = [library.search("red", collapse=True, limit=1, offset=n) for n in range(folded.total)]
    assert [page[0].scene_id for page in pages] == [hit.scene_id for hit in folded]


def test_a_then_b_in_one_video(library: Library) -> None:
    """Red is followed by blue (0 s later) in the first video; in the second it comes last."""
    found = library.search("red", then=Then("blue", 1.0))
    assert (found[0].scene_id, found[0].then) == (library.red, library.mixed)
    assert library.red_again not in [hit.scene_id for hit in found]
    # blue ends at 2 s and red begins at 4 s; dark red begins where the scene of green and blue ends
    within = {s: {hit.scene_id for hit in library.search("blue", then=Then("red", s))} for s in (1.9, 2.0)}
    assert within == {1.9: {library.mixed}, 2.0: {library.mixed, library.blue}}
    with pytest.raises(InvalidValue):
        library.search("red", then=Then("blue", -1.0))
