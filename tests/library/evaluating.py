"""A library with made-up scenes that are found by their words, and judgements of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.library import Library
from heimdex_core.models.profiles import profile_choice
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.store.judgements import NewJudgement
from heimdex_core.types import parse_scene_id
from tests.store import making

WORDS: dict[str, Any] = {"weight_transcript": 0.0, "weight_vision": 0.0, "weight_lexical": 1.0}
"""Scenes are found by their words, so no model is loaded."""
TEXTS = ("harbour harbour boat", "harbour crane", "bakery bread", "boat race")
QUERIES = [f"{word} {number}" for number in range(12) for word in ("harbour", "boat")]
"""24 queries; 6 of them are held out."""


def open_library(path: Path, **settings: Any) -> Library:
    models = profile_choice("offline").to_dict()
    Store.create(path, profile="offline", models=models, spaces=making.SPACES).close()
    return Library.open(path, settings=Settings(**{**WORDS, **settings}), create=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of four scenes, to be copied."""
    path = tmp_path_factory.mktemp("made") / "library"
    with open_library(path) as opened:
        making.add(opened._store, "port", TEXTS)
    return path


@pytest.fixture
def lib(made: Path, tmp_path: Path) -> Iterator[Library]:
    shutil.copytree(made, tmp_path / "library")
    with Library.open(tmp_path / "library", settings=Settings(**WORDS), create=False) as opened:
        yield opened


def scene_ids(lib: Library) -> list[str]:
    (video,) = lib.searchable_videos()
    return [scene.scene_id for scene in lib.scenes(video.video_id)]


def judge_all(lib: Library, query_set: str = "default") -> None:
    """Grades for QUERIES: the harbour with a boat is best for both words."""
    first, second, _, fourth = (parse_scene_id(scene_id) for scene_id in scene_ids(lib))
    new = []
    for text in QUERIES:
        is_boat = text.startswith("boat")
        graded = ((first, 3), (fourth if is_boat else second, 2), (second if is_boat else fourth, 0))
        new += [NewJudgement(text, *scene, grade, "local") for scene, grade in graded]
    lib._store.judgements.save("local", query_set, new)
