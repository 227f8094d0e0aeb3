"""What a run leaves for the page of activity: how long its stages took, or the stage that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.errors import DecoderCrashed
from heimdex_core.files import tree_bytes
from heimdex_core.store import Store
from heimdex_core.types import VideoState
from tests.ingest.running import PLAIN, break_stage, generation_of, run_of, three_colours
from tests.support.ingest import place_video


def test_times_of_every_stage_and_bytes_of_what_was_written(tmp_path: Path, store: Store):
    video = run_of(store, place_video(store, three_colours(tmp_path))).run()
    times = {one.stage: one for one in store.activity.processing()}
    assert set(times) == {"total", *PLAIN} - {"commit"}  # which is not over yet
    assert all(one.videos == 1 and one.real_time_factor is not None for one in times.values())
    assert 0 < times["total"].p50_s <= sum(one.p50_s for name, one in times.items() if name != "total") + 0.01
    (disk,) = store.activity.disk()
    assert disk.derived_bytes >= tree_bytes(generation_of(store, video))
    assert disk.unmeasured_videos == 0


def test_the_stage_that_failed(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    break_stage(monkeypatch, "tags", 1, DecoderCrashed(filename="a.mp4", reason="x"))
    video = place_video(store, three_colours(tmp_path))
    with pytest.raises(DecoderCrashed):
        run_of(store, video).run()
    counts, (failed,) = store.activity.failures()
    assert counts == {"tags": 1}
    assert (failed.video_id, failed.error["code"]) == (video.video_id, "DECODER_CRASHED")
    assert store.activity.states()[0][VideoState.FAILED] == 1
