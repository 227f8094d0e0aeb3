"""A model that was replaced by another one of the same name: its vectors are not mixed with those that exist."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import SpaceMismatch
from heimdex_core.library import Library
from heimdex_core.settings import Settings
from heimdex_core.types import VideoState
from tests.models.random_models import random_open_clip, random_sentences
from tests.support.drawn_video import make_drawn_video

SMALL = Path(__file__).parents[1] / "models_small"


def files_of(root: Path) -> set[str]:
    """All lasting files of a library, except logs and the catalog."""
    kept = ("videos", "index")
    return {str(file.relative_to(root)) for name in kept for file in (root / name).rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", ["text", pytest.param("vision", marks=pytest.mark.long)])
def test_another_width_is_refused_before_anything_is_written(tmp_path: Path, kind: str) -> None:
    model = tmp_path / "model"
    shutil.copytree(SMALL / {"text": "sentences", "vision": "open_clip"}[kind], model)
    named: dict[str, Any] = (
        {"text_model": f"sentence:{model}"} if kind == "text" else {"vision_model": f"openclip:local-dir:{model}"}
    )
    settings = Settings(profile="offline", **named)
    root = tmp_path / "library"
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    make_drawn_video(first, [("blue star", None, 1.5), ("red ring", None, 1.5)])
    make_drawn_video(second, [("green square", None, 1.5)])
    for video in (first, second):
        video.with_suffix(".srt").write_text("1\n00:00:00,100 --> 00:00:01,000\nthe river opens the garden today\n")
    with Library.open(root, settings=settings) as library:
        assert library.add(first).state is VideoState.INDEXED
        space = library.model_sets.active().spaces[kind]

    shutil.rmtree(model)
    if kind == "text":
        random_sentences(model)
    else:
        random_open_clip(model)
    before = files_of(root)
    with Library.open(root, settings=settings) as library:
        with pytest.raises(SpaceMismatch) as caught:
            library.add(second)
        assert f"{space.dim}-d" in caught.value.message
        assert caught.value.hint
        added = {name for name in files_of(root) - before if "/gen/" in name or name.startswith("index/")}
        assert added == set()
        assert before <= files_of(root)
        # channels that do not need the model still find what is there
        weights = {"vision": 0.0, "transcript": 0.0, "lexical": 1.0}
        assert library.search("first", weights=weights).total == 2
