"""Where the GPU's memory runs out the video is indexed all the same, and says so. Only the running out is made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.library import Library
from heimdex_core.models.text.sentence import SentenceEncoder
from heimdex_core.models.vision.openclip import OpenClip, _Side
from heimdex_core.settings import Settings
from heimdex_core.types import VideoState
from tests.support.drawn_video import make_drawn_video

SMALL = Path(__file__).parents[1] / "models_small"
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB"


def full_above(most: int, owner: type, method: str, monkeypatch: pytest.MonkeyPatch, *, argument: int) -> list[int]:
    """Sizes that a method's batches are tried with; the memory is full with more than `most`."""
    real, tried = getattr(owner, method), []

    def measured(self: Any, *args: Any) -> Any:
        batch: Sequence[Any] = args[argument]
        tried.append(len(batch))
        if len(batch) > most:
            raise RuntimeError(FULL)
        return real(self, *args)

    monkeypatch.setattr(owner, method, measured)
    return tried


def test_smaller_batches_are_noted_at_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "drawn.mp4"
    make_drawn_video(path, [("blue star", None, 2.0), ("red ring", None, 2.0), ("yellow cross", None, 2.0)])
    path.with_suffix(".srt").write_text(
        "1\n00:00:00,200 --> 00:00:01,500\nthe old captain\n\n2\n00:00:02,200 --> 00:00:03,500\nthe river\n\n"
        "3\n00:00:04,200 --> 00:00:05,500\nthe garden\n"
    )
    settings = Settings(
        profile="offline",
        text_model=f"sentence:{SMALL / 'sentences'}",
        vision_model=f"openclip:local-dir:{SMALL / 'open_clip'}",
    )
    pictures = full_above(1, _Side, "_batch", monkeypatch, argument=0)
    texts = full_above(2, SentenceEncoder, "_run", monkeypatch, argument=1)
    with Library.open(tmp_path / "library", settings=settings) as library:
        vision = library.models.vision()
        assert isinstance(vision, OpenClip)
        vision._batch_size = 4  # as on a GPU; on a CPU it is 1
        video = library.add(path)
        assert video.state is VideoState.INDEXED
        assert max(pictures) > 1, "it was tried"
        assert texts[:2] == [3, 1]
        assert "batch_halved:1" in video.notes
        hits = library.search("blue star", weights={"vision": 1.0}).hits
        assert hits[0].scene.start_s == 0.0
