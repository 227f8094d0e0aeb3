"""The transcript channel over two text spaces, with the models of the offline profile and made-up scenes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from heimdex_core.models.base import TextEncoder
from heimdex_core.models.profiles import profile_choice
from heimdex_core.models.registry import Models
from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.search.searcher import Searcher
from heimdex_core.settings import Settings
from heimdex_core.store import Store, sidecar
from heimdex_core.types import MULTILINGUAL, Query, SearchResult
from tests.store.making import make_scenes, make_transcript, register

ENGLISH = ("The last ferry leaves the harbour at seven.", "This dough has to rest for four weeks.", "Welcome back.")
KOREAN = ("고양이가 갑자기 밥을 먹지 않으면 병원에 데려가세요.", "지진이 나면 책상 밑으로 들어가세요.", "안녕하세요.")
GERMAN = ("Der Vulkan ist seit Montag wieder aktiv.",)
SAID = {"transcript": 1.0}
SETTINGS = Settings(_env_file=None, device="cpu", channel_timeout_s=60)


def models() -> Models:
    return Models(profile_choice("offline"), SETTINGS, "query")


@pytest.fixture(scope="module")
def encoders() -> Models:
    """Loaded once for the whole file; searches that look at what is loaded take their own."""
    return models()


def new_library(root: Path, encoders: Models, videos: Mapping[str, Sequence[str]]) -> Store:
    """A library with one video for each name, whose scenes say the given texts; vectors as ingest makes them."""
    spaces = encoders.spaces
    store = Store.create(root, profile="offline", models=encoders.choice.to_dict(), spaces=spaces)
    for name, texts in videos.items():
        video = register(store, name)
        scenes = make_scenes(video.video_id, texts)
        folder = store.new_staging(video.video_id)
        sidecar.write_scenes(folder, scenes)
        sidecar.write_words(folder, make_transcript(scenes), scenes)
        sidecar.write_provenance(folder, {"made": "up"})
        for role in ("text", MULTILINGUAL):
            is_german = name == "german" and role == "text"
            vectors = cast(TextEncoder, encoders.encoder(role)).encode_passages([] if is_german else texts)
            rows = [row for row in range(len(vectors)) if vectors[row].any()]
            sidecar.write_vectors(folder, spaces[role], [scenes[row].scene_id for row in rows], vectors[rows])
        sidecar.write_vectors(folder, spaces["vision"], [], np.zeros((0, spaces["vision"].dim), np.float32))
        n = store.next_generation(video.video_id)
        store.commit_generation(video.video_id, folder, n=n, spaces=spaces.values(), transcript_source="subtitles")
    return store


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, encoders: Models) -> Path:
    root = tmp_path_factory.mktemp("mixed") / "library"
    new_library(root, encoders, {"english": ENGLISH, "korean": KOREAN, "german": GERMAN}).close()
    return root


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory, encoders: Models) -> Path:
    root = tmp_path_factory.mktemp("english") / "library"
    new_library(root, encoders, {"english": ENGLISH}).close()
    return root


@pytest.fixture(scope="module")
def in_mixed(mixed: Path, encoders: Models) -> Iterator[Callable[..., SearchResult]]:
    """Searches the mixed library; its encoders are loaded once."""
    store = Store.open(mixed)
    yield partial(search, searcher_of(store, encoders))
    store.close()


def searcher_of(store: Store, encoders: Models) -> Searcher:
    return Searcher(store.reader(), ChannelSets(lambda set_id: encoders).of, SETTINGS)


def search(searcher: Searcher, text: str, **given: object) -> SearchResult:
    return searcher.search(Query(text, weights=SAID, **given), user_id="local")  # type: ignore[arg-type]


def search_afresh(root: Path, encoders: Models, text: str) -> SearchResult:
    store = Store.open(root)
    try:
        return search(searcher_of(store, encoders), text)
    finally:
        store.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a boat departs in the evening", ENGLISH[0]),
        ("take the cat to a vet", KOREAN[0]),
        ("what to do in an earthquake", KOREAN[1]),
        ("고양이가 아플 때", KOREAN[0]),
        ("배가 항구를 떠나는 시간", ENGLISH[0]),
        ("an erupting volcano", GERMAN[0]),
        ("the cat 고양이 is sick", KOREAN[0]),
        ("вулкан", GERMAN[0]),
    ],
)
def test_what_is_said_is_found_in_any_language(in_mixed: Callable[..., SearchResult], text: str, said: str) -> None:
    result = in_mixed(text)
    assert result[0].scene.transcript == said
    assert result.channels["transcript"].active


@pytest.mark.parametrize("text", ["quantum chromodynamics lattice", "양자 색역학 격자 계산", "..."])
def test_it_abstains_where_nothing_is_near(in_mixed: Callable[..., SearchResult], text: str) -> None:
    result = in_mixed(text)
    assert result.total == 0
    expected = "no_known_words" if text == "..." else "no_matches"
    assert result.channels["transcript"].reason == expected


def test_a_language_that_neither_model_reads_is_named(in_mixed: Callable[..., SearchResult]) -> None:
    state = in_mixed("το πλοίο").channels["transcript"]
    assert (state.reason, state.detail) == ("language", "το, πλοίο")


def test_each_scene_is_scored_in_one_space(in_mixed: Callable[..., SearchResult]) -> None:
    hits = in_mixed("the cat eats at the harbour").hits
    assert len({hit.scene_id for hit in hits}) == len(hits)


def test_a_space_by_name_is_searched_alone_with_its_cosines(in_mixed: Callable[..., SearchResult]) -> None:
    result = in_mixed("a ferry in the harbour", spaces=("use-multilingual-3",))
    (score,) = (hit.channels["text/use-multilingual-3"].score for hit in result if hit.scene.transcript == ENGLISH[0])
    assert score is not None
    assert 0 < score < 1


def test_in_an_english_library_english_loads_the_english_model_alone(english: Path) -> None:
    fresh = models()
    assert search_afresh(english, fresh, "a ferry in the harbour")[0].scene.transcript == ENGLISH[0]
    text, second = fresh.encoder("text"), fresh.encoder(MULTILINGUAL)
    assert text.is_loaded  # type: ignore[union-attr]
    assert not second.is_loaded  # type: ignore[union-attr]


def test_korean_loads_the_second_model_alone(english: Path) -> None:
    fresh = models()
    assert search_afresh(english, fresh, "배가 항구를 떠난다")[0].scene.transcript == ENGLISH[0]
    text, second = fresh.encoder("text"), fresh.encoder(MULTILINGUAL)
    assert not text.is_loaded  # type: ignore[union-attr]
    assert second.is_loaded  # type: ignore[union-attr]


def test_the_library_decides_which_models_are_loaded_in_advance(english: Path, mixed: Path) -> None:
    for root, expected in ((english, [True, False]), (mixed, [True, True])):
        fresh = models()
        store = Store.open(root)
        searcher_of(store, fresh).warm("local")
        store.close()
        assert [fresh.encoder(role).is_loaded for role in ("text", MULTILINGUAL)] == expected  # type: ignore[union-attr]


def test_only_the_searched_videos_decide(mixed: Path) -> None:
    store = Store.open(mixed)
    view = store.reader().view()
    ids = {video.title: video.video_id for video in view.visible_videos("local")}
    second, first = view.spaces[MULTILINGUAL], view.spaces["text"]

    def needed(*titles: str) -> bool:
        return view.has_vectors_outside(second, first, user_id="local", video_ids=[ids[title] for title in titles])

    assert [needed("english"), needed("korean"), needed("german"), needed("english", "korean"), needed()] == [
        False,
        True,
        True,
        True,
        False,
    ]
    found = view.vector_search(second, np.ones(second.dim), k=10, user_id="local", outside=first)
    assert {scene_id.rsplit("_", 2)[0] for scene_id, _ in found} == {ids["korean"], ids["german"]}
    store.close()


SCRIPT = """
import sys
from heimdex_core.library import Library

with Library.open(sys.argv[1], purpose="query") as library:
    for query in sys.argv[2:]:
        found = library.search(query)
        print(found.channels["transcript"].reason, found[0].scene.transcript)
print([name for name in ("torch", "sentence_transformers", "transformers", "scipy", "pandas") if name in sys.modules])
"""


def test_a_search_in_a_fresh_process_imports_nothing_heavy(mixed: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(mixed), "a ferry in the harbour", "고양이가 아플 때"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines() == [f"None {ENGLISH[0]}", f"None {KOREAN[0]}", "[]"], done.stderr


def test_a_small_library_has_the_measured_tail_for_the_number_of_its_scenes(
    in_mixed: Callable[..., SearchResult],
) -> None:
    result = in_mixed("the ferry leaves the harbour at seven")
    assert not result.nothing_close
    assert result[0].scene.transcript == ENGLISH[0]
    assert result[0].strength == "strong"
    assert in_mixed("quantum computers and prime numbers").nothing_close
