"""Exports from the request to the file that only a real library, worker or many pieces show. All of them are long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from heimdex_core.errors import SceneTooLong
from heimdex_core.export import quality
from heimdex_core.library import Library
from heimdex_core.media.short import NOTE_TWO_PASSES
from heimdex_core.settings import Settings
from heimdex_core.types import Export, ExportState, ReelClip, ShortRequest
from tests.jobs.bench import Bench
from tests.jobs.waiting import until
from tests.support import media

pytestmark = pytest.mark.long

OPTIONS = {"min_free_bytes": 0, "short_preset": "ultrafast", "render_preset": "ultrafast"}
SETTINGS = Settings(_env_file=None, profile="offline", pause_min_s=0.6, **OPTIONS)  # type: ignore[arg-type]
WORDS = 60


@pytest.fixture
def lib(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library", settings=SETTINGS) as opened:
        yield opened


def whole(lib: Library) -> ReelClip:
    """The whole of the only video, as a clip that has grown from its first scene."""
    [video] = lib.videos()
    scene = lib.scenes(video.video_id)[0]
    assert video.info is not None
    return ReelClip(video.video_id, 0.0, video.info.duration_s, scene.start_s, scene.end_s)


def test_a_clip_without_its_pauses_has_more_pieces_than_a_reel_may_have_clips(lib: Library, tmp_path: Path) -> None:
    """A word of .4 s every 1.2 s: of each silence of .8 s, .5 s go, and .15 s stay beside each word."""
    film = media.colour_clips(tmp_path / "talk.mp4", [("red", WORDS * 1.2)], size=(64, 36), fps=10, tone_hz=440)
    spoken = [(number * 1.2 + 0.2, number * 1.2 + 0.6, f"word{number}") for number in range(WORDS)]
    film.with_suffix(".srt").write_text(media.srt(spoken), encoding="utf-8")
    lib.add(film)
    clip = whole(lib)
    pauses = lib.pauses([clip])
    assert len(pauses) == WORDS - 1
    made = lib.reel([clip], remove_silence=True, keep=[pauses[0].pause_id], height_px=360)
    assert made.state is ExportState.COMPLETED
    assert len(made.clips) == WORDS - 1
    assert made.measured_duration_s == pytest.approx(WORDS * 1.2 - (WORDS - 2) * 0.5, abs=0.1)


def test_a_short_has_180_seconds_at_most(lib: Library, tmp_path: Path) -> None:
    film = media.colour_clips(tmp_path / "long.mp4", [("red", 182.0)], size=(64, 36), fps=10, tone_hz=440)
    lib.add(film)
    scene_id = lib.scenes(lib.videos()[0].video_id)[0].scene_id
    with pytest.raises(SceneTooLong):
        lib.short(scene_id, trim=(1.0, 181.04))
    assert lib.exports.list() == []
    made = lib.short(scene_id, trim=(1.0, 181.0))
    assert made.measured_duration_s == pytest.approx(180.0, abs=0.04)


def test_above_its_size_limit_a_short_is_encoded_again_to_fit(
    lib: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 400_000
    monkeypatch.setattr(quality, "QUALITIES", {"medium": replace(quality.quality("medium"), limit_bytes=limit)})
    lib.add(media.colour_clips(tmp_path / "noise.mp4", [("red", 2.0)], noise=30, tone_hz=440))
    made = lib.short(lib.scenes(lib.videos()[0].video_id)[0].scene_id)
    assert NOTE_TWO_PASSES in made.notes
    assert made.size_bytes is not None
    assert limit / 2 < made.size_bytes <= limit


def test_a_worker_renders_a_batch(tmp_path: Path) -> None:
    bench = Bench.make(tmp_path / "library", **OPTIONS)
    try:
        bench.library.add(media.colour_clips(tmp_path / "film.mp4", [("red", 1.5), ("blue", 1.5)], tone_hz=440))
        video_id = bench.library.videos()[0].video_id
        asked = [
            ShortRequest(scene.scene_id, strategy=strategy)
            for scene in bench.library.scenes(video_id)
            for strategy in ("blur_pad", "letterbox")
        ]
        made = bench.library.shorts.make_all(asked)
        assert {export.state for export in made} == {ExportState.PENDING}
        bench.start("heimdex_core.jobs.worker")

        def now() -> list[Export]:
            return [bench.library.exports.get(export.export_id) for export in made]

        until(lambda: all(export.state is ExportState.COMPLETED for export in now()), "the batch", limit_s=180)
        for export in now():
            assert bench.library.exports.file(export).stat().st_size == export.size_bytes
            assert export.loudness_lufs == pytest.approx(-14.0, abs=1.0)
    finally:
        bench.close()
