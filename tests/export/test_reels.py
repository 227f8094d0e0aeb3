"""Reels of every aspect, with crossfades, titles and captions, and with clips of one loudness."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdex_core.export import reel
from heimdex_core.media import reel_sound
from heimdex_core.media.arrangement import Arrangement
from heimdex_core.media.ffmpeg import run_ffmpeg
from heimdex_core.media.graph import exact_fps
from heimdex_core.media.levels import integrated_loudness
from heimdex_core.media.loudness import measure_loudness
from heimdex_core.media.reel_sound import join
from heimdex_core.media.render import RenderClip, RenderMeasure
from heimdex_core.settings import Settings
from heimdex_core.types import Cue, WorkContext
from heimdex_core.types.crop import CropKeyframe, CropPath
from tests.media.rendering import clip
from tests.support import media
from tests.support.decoding import centres, is_colour, pictures

PARAMS = {**reel.params(Settings(_env_file=None)), "height_px": 360, "fps": 25.0, "preset": "ultrafast"}
RED, BLUE = media.RGB["red"], media.RGB["blue"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of red, 2 s of blue and a tone, 320x180."""
    path = tmp_path_factory.mktemp("reels") / "source.mp4"
    media.colour_clips(path, [("red", 2.0), ("blue", 2.0)], size=(320, 180), tone_hz=440)
    return path


def write(clips: list[RenderClip], out: Path, **params: Any) -> RenderMeasure:
    return reel.write(clips, out, {**PARAMS, **params}, 120, WorkContext())


@pytest.mark.parametrize(
    ("aspect", "size", "corner"),
    [("9:16", (360, 640), RED), pytest.param("1:1", (360, 360), RED, marks=pytest.mark.long)],
)
def test_a_strategy_fills_the_frame(
    source: Path, tmp_path: Path, aspect: str, size: tuple[int, int], corner: tuple[int, int, int]
) -> None:
    out = tmp_path / "reel.mp4"
    measured = write([clip(source, 0.5, 1.0)], out, aspect=aspect, strategy="center_crop")
    assert (measured.width, measured.height) == size
    assert is_colour(pictures(out)[1][0][4, 4], corner)


def test_every_clip_is_cropped_along_its_faces(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = tmp_path / "yunet.onnx"
    asked: list[tuple[float, float, object]] = []

    def plan(path: Path, info: object, start_s: float, end_s: float, **options: Any) -> CropPath:
        asked.append((start_s, end_s, options["faces"]))
        return CropPath((CropKeyframe(start_s, 0.5),))

    monkeypatch.setattr(reel, "model_file", lambda folder: detector)
    monkeypatch.setattr(reel, "plan_crop", plan)
    write([clip(source, 0.5, 0.7), clip(source, 2.5, 2.7)], tmp_path / "r.mp4", aspect="9:16", strategy="smart_crop")
    assert asked == [(0.5, 0.7, detector), (2.5, 2.7, detector)]


def test_each_clip_is_framed_by_its_own_strategy(tmp_path: Path) -> None:
    """Red with blue sides, 320x180, in 360x640: the middle third is red only, and the whole picture 202 rows high."""
    source, out = tmp_path / "source.mp4", tmp_path / "reel.mp4"
    sides = "color=red:s=320x180:r=25:d=2,drawbox=0:0:80:180:blue:fill,drawbox=240:0:80:180:blue:fill"
    media.ffmpeg("-f", "lavfi", "-i", sides, "-pix_fmt", "yuv420p", source)
    own = [None, "letterbox", "blur_pad"]
    clips = [replace(clip(source, s, s + 0.4), strategy=name) for s, name in zip((0.0, 0.6, 1.2), own, strict=True)]
    measured = write(clips, out, aspect="9:16", strategy="center_crop", mode="fast")
    assert (measured.frame_count, measured.width, measured.height) == (30, 360, 640)
    assert "rendered_exactly:framing" in measured.notes
    images = pictures(out)[1]
    cropped, barred, blurred = images[0], images[10], images[20]
    for image in (cropped, images[9]):
        assert is_colour(image[4, 4], RED), "the crop fills the frame"
        assert is_colour(image[320, 10], RED), "and has nothing of the sides"
    for image in (barred, images[19]):
        assert is_colour(image[4, 180], (0, 0, 0))
        assert is_colour(image[630, 180], (0, 0, 0))
    for image in (blurred, images[29]):
        assert image[[4, 100, 540, 630], 180].max(axis=1).min() > 60, "no black is left"
    for image in (barred, blurred):
        assert is_colour(image[320, 10], BLUE), "the whole picture is there"
        assert is_colour(image[320, 180], RED)


def test_one_framed_clip_keeps_a_fast_reel_from_being_copied(source: Path, tmp_path: Path) -> None:
    clips = [clip(source, 0.0, 1.0), replace(clip(source, 2.0, 2.4), strategy="blur_pad")]
    measured = write(clips, tmp_path / "reel.mp4", mode="fast")
    assert "rendered_exactly:framing" in measured.notes


def test_a_crop_is_planned_once_for_a_stretch_and_counts_as_progress(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.4 s are planned and 1.2 s rendered: the paths are a quarter of the work."""
    planned: list[float] = []
    reported: list[tuple[float, float]] = []

    def plan(path: Path, info: object, start_s: float, end_s: float, *, context: WorkContext, **_: Any) -> CropPath:
        planned.append(start_s)
        context.report(end_s - start_s, end_s - start_s)
        return CropPath((CropKeyframe(start_s, 0.5),))

    monkeypatch.setattr(reel, "plan_crop", plan)
    monkeypatch.setattr(reel, "model_file", lambda folder: None)
    followed = replace(clip(source, 0.5, 0.9), strategy="smart_crop")
    clips = [followed, replace(followed, strategy="letterbox"), followed]
    context = WorkContext(report=lambda done, total: reported.append((done, total)))
    measured = reel.write(clips, tmp_path / "r.mp4", {**PARAMS, "aspect": "9:16"}, 120, context)
    assert planned == [0.5]
    assert reported[0] == (pytest.approx(0.4), pytest.approx(1.6))
    assert reported[-1] == (pytest.approx(1.6), pytest.approx(1.6))
    assert "no_face_detector" in measured.notes, "one of the clips would have been cropped along faces"


def test_crossfade_title_and_captions(source: Path, tmp_path: Path) -> None:
    """Title of 75 frames, 25 of red and 25 of blue; each pair shares 10 frames: 75 + 25 + 25 - 20."""
    out = tmp_path / "reel.mp4"
    first = RenderClip(**{**clip(source, 0.5, 1.5).__dict__, "cues": (Cue(0.5, 1.5, "Hello"),), "title": "A film"})
    clips = [first, clip(source, 3.0, 4.0)]
    options = {"crossfade_s": 0.4, "title_card": True, "title": "T", "captions": "plain", "lower_thirds": True}
    write(clips, out, **options)
    seen, (_, images) = centres(out), pictures(out)
    assert len(seen) == 105
    assert is_colour(seen[20], (255, 255, 255), 80) or images[20].max() > 200, "the title is drawn"
    assert is_colour(seen[76], RED)
    assert is_colour(seen[85], ((RED[0] + BLUE[0]) // 2, (RED[1] + BLUE[1]) // 2, (RED[2] + BLUE[2]) // 2), 45)
    assert is_colour(seen[104], BLUE)
    assert images[79][180:340].min(axis=2).max() > 200, "the caption is white"
    assert images[100][180:340].min(axis=2).max() < 100, "and gone with its clip"


def test_clips_are_brought_to_one_loudness(tmp_path: Path) -> None:
    loud, quiet = tmp_path / "loud.mp4", tmp_path / "quiet.mp4"
    media.colour_clips(loud, [("red", 1.5)], tone_hz=440)
    media.ffmpeg("-i", loud, "-c:v", "copy", "-af", "volume=-15dB", "-c:a", "aac", quiet)
    out = tmp_path / "reel.mp4"
    measured = write([clip(loud, 0.0, 1.4), clip(quiet, 0.0, 1.4)], out)
    assert measured.loudness_lufs == pytest.approx(-14, abs=1)
    assert measured.true_peak_dbtp is not None
    assert measured.true_peak_dbtp <= -1
    assert measure_loudness(out, context=WorkContext()).integrated_lufs == pytest.approx(
        measured.loudness_lufs, abs=0.2
    )


def test_peaks_between_samples_are_limited(tmp_path: Path) -> None:
    """A tone at a quarter of the rate peaks 3 dB above its samples, which alone do not call for the limiter."""
    times = np.arange(2 * 44_100)
    sound = 0.2 * np.sin(2 * np.pi * 997 / 44_100 * times)
    burst = slice(44_100, 44_276)
    sound[burst] = 0.629 * np.sign(np.sin(np.pi / 2 * times[burst] + np.pi / 4))
    np.stack([sound, sound], axis=1).astype(np.float32).tofile(tmp_path / "joined")

    def run(args: list[str], length_s: float) -> None:
        run_ffmpeg(args, total_s=length_s, context=WorkContext(), timeout_s=60)

    made = reel_sound._encode(tmp_path / "joined", tmp_path, len(times), 0.629, run, WorkContext(), even=True)
    assert made.notes == ()
    assert made.loudness is not None
    assert made.loudness.true_peak_dbtp is not None
    assert made.loudness.true_peak_dbtp <= -1


# --- arrangement ----------------------------------------------------------------------------------


def test_clips_that_continue_each_other_become_one(source: Path) -> None:
    clips = [clip(source, 0.0, 1.01), clip(source, 1.01, 2.0), clip(source, 3.0, 4.0)]
    found = Arrangement.of(clips, exact_fps(25))
    assert [(c.start_s, c.end_s) for c in found.clips] == [(0.0, 2.0), (3.0, 4.0)]
    assert (found.starts, found.frames) == ([0, 50], 75)


def test_a_crossfade_is_at_most_half_of_the_shortest_clip(source: Path) -> None:
    found = Arrangement.of([clip(source, 0.0, 2.0), clip(source, 3.0, 3.4)], exact_fps(25), crossfade_s=1.0)
    assert (found.crossfade, found.starts, found.frames) == (5, [0, 45], 55)


def test_joins_fade_to_nothing_and_crossfades_keep_their_power(source: Path, tmp_path: Path) -> None:
    clips = [clip(source, 0.0, 1.0), clip(source, 2.0, 3.0)]
    raw, out = tmp_path / "raw", tmp_path / "out"
    for crossfade_s, samples, middle in ((0.0, 88_200, 0.0), (0.4, 70_560, np.sqrt(2) * 0.5)):
        found = Arrangement.of(clips, exact_fps(25), crossfade_s=crossfade_s)
        np.full((88_200, 2), 0.5, np.float32).tofile(raw)
        join(found, raw, out, even=False)
        whole = np.fromfile(out, np.float32).reshape(-1, 2)
        assert len(whole) == samples
        join_at = samples // 2
        assert whole[join_at, 0] == pytest.approx(middle, abs=1e-3)
        assert whole[0, 0] == 0
        assert whole[400, 0] == 0.5


# --- loudness -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_the_reference_tone_of_ebu_tech_3341(rate_hz: int) -> None:
    """Case 1: a stereo sine of 1 kHz at -23 dBFS has -23 LUFS, within 0.1 LU."""
    times = np.arange(5 * rate_hz) / rate_hz
    tone = (10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * times)).astype(np.float32)
    assert integrated_loudness(np.stack([tone, tone], axis=1), rate_hz) == pytest.approx(-23.0, abs=0.1)


def test_quiet_parts_do_not_count() -> None:
    """Tech 3341, case 3: 10 s at -36, 60 s at -23 and 10 s at -36 dBFS have -23 LUFS; here a fifth as long."""
    times = np.arange(2 * 48_000) / 48_000
    tone = np.sin(2 * np.pi * 1000 * times).astype(np.float32)
    parts = [tone * 10 ** (db / 20) for db in (-36, *[-23] * 6, -36)]
    both = np.concatenate(parts).astype(np.float32)
    assert integrated_loudness(np.stack([both, both], axis=1), 48_000) == pytest.approx(-23.0, abs=0.1)


def test_silence_has_no_loudness() -> None:
    assert integrated_loudness(np.zeros((48_000, 2), np.float32), 48_000) is None
    assert integrated_loudness(np.ones((100, 2), np.float32), 48_000) is None
