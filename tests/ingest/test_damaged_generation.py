"""Indexing a video again whose generation is damaged makes what is missing, although nothing else has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from heimdex_core.ingest.pipeline import IngestRun
from heimdex_core.ingest.stages import audio
from heimdex_core.store import Store, sidecar
from heimdex_core.types import Interval
from tests.support import media
from tests.support.ingest import USER, SmallModels, place_video, settings


def test_a_damaged_generation_is_made_again(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "speech_spans", lambda wav, context: (Interval(0.0, 1.5),))
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("blue", 2.0)], tone_hz=440)
    video = IngestRun(store, SmallModels(), settings(), place_video(store, path)).run()

    def again() -> int:
        return IngestRun(store, SmallModels(), settings(), store.video(USER, video.video_id)).run().generation or 0

    assert again() == 1, "nothing has changed"
    first = store.paths.generation(video.video_id, 1)
    whole = sidecar.read_scenes(first)
    shutil.rmtree(first / "vectors")
    (first / "frames" / str(whole[0].thumbnail)).unlink()
    assert again() == 2
    assert store.maintenance.is_intact(store.video(USER, video.video_id))
    assert [scene.transcript for scene in sidecar.read_scenes(store.paths.generation(video.video_id, 2))] == [
        scene.transcript for scene in whole
    ]
    assert store.maintenance.check_indexes() == []
