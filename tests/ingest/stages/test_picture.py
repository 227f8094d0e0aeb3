"""The one pass: cuts at known times, as PySceneDetect alone finds them; candidates, motion, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import Cancelled
from heimdex_core.ingest.detectors import make_detector
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages.picture import Picture, look
from heimdex_core.media.images import read_image
from heimdex_core.media.probe import probe
from heimdex_core.types import WorkContext, to_json
from tests.support import colour_media, media
from tests.support.ingest import settings
from tests.support.transitions import Shot, mixed


def params(**changes: object) -> IngestParams:
    return IngestParams.from_settings(settings(), **changes)


def seen(path: Path, *, context: WorkContext | None = None, **changes: object) -> Picture:
    folder = path.with_suffix(".candidates")
    folder.mkdir()
    info = probe(path, max_bytes=10**9, max_duration_s=3600.0)
    return look(path, info, folder, params(**changes), context or WorkContext())


def scenedetect_alone(path: Path, **changes: object) -> list[float]:
    from scenedetect import SceneManager, open_video

    manager = SceneManager()
    found = params(**changes)
    manager.add_detector(make_detector(found))
    manager.detect_scenes(open_video(str(path), backend="pyav"))
    return [start.seconds for start, _ in manager.get_scene_list()][1:]


def test_cuts_are_found_at_their_frames(tmp_path: Path):
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("blue", 3.0), ("white", 1.6)], fps=25)
    found = seen(path)
    assert found.cuts_s == pytest.approx([2.0, 5.0], abs=0.001)
    assert found.frame_count == 165
    assert found.damaged_count == 0


def test_a_flash_shorter_than_the_minimum_is_no_scene(tmp_path: Path):
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 2.0), ("white", 0.2), ("red", 2.0)], fps=25)
    assert len(seen(path).cuts_s) <= 1


def textured(path: Path, seconds: list[float]) -> Path:
    """Shots of coloured blocks with grain, the third one black: something for every kind of detector."""
    rng = np.random.default_rng(7)
    grain = [rng.integers(-12, 13, (360, 640, 3)) for _ in range(5)]
    images, number = [], 0
    for shot, length_s in enumerate(seconds):
        blocks = rng.integers(40, 216, (9, 16, 3)) if shot != 2 else np.zeros((9, 16, 3), int)
        picture = blocks.repeat(40, axis=0).repeat(40, axis=1)
        for _ in range(round(length_s * 25)):
            images.append(np.clip(picture + (grain[number % 5] if shot != 2 else 0), 0, 255).astype(np.uint8))
            number += 1
    return media.encode_frames(path, images, [n / 25 for n in range(len(images))])


@pytest.mark.parametrize(
    "detector", ["content", *(pytest.param(name, marks=pytest.mark.long) for name in ("adaptive", "threshold", "hash"))]
)
def test_it_agrees_with_scenedetect_alone(tmp_path: Path, detector: str):
    path = textured(tmp_path / "a.mp4", [1.6, 2.0, 1.2, 1.8, 1.2])
    expected = scenedetect_alone(path, detector=detector)
    assert expected  # the comparison would prove nothing
    assert seen(path, detector=detector).cuts_s == pytest.approx(expected, abs=0.002)


def test_it_agrees_where_the_grain_decides(tmp_path: Path):
    # red and yellow differ by less than the threshold; the grain decides whether there is a cut
    clips = [("red", 1.5), ("yellow", 1.7), ("orange", 1.1), ("gray", 2.0), ("white", 1.2)]
    path = media.colour_clips(tmp_path / "a.mp4", clips, fps=30, size=(640, 360), noise=40)
    found = seen(path, gradual_transitions=False).cuts_s
    assert found == pytest.approx(scenedetect_alone(path), abs=0.002)


def film(path: Path, *, cut: bool) -> Path:
    """Three shots of 3 s: joined by cuts, or by dissolves of 0.8 s."""
    rng = np.random.default_rng(3)
    shots = [Shot(rng, mean=mean) for mean in (60.0, 170.0, 100.0)]
    images = []
    for n in range(225):
        t = n / 25
        of = min(1, int(t // 4.5))
        at_s = 3.0 * (of + 1)
        share = float(t >= at_s) if cut else float(np.clip((t - at_s + 0.4) / 0.8, 0, 1))
        mixture = mixed(shots[of].frame(t), shots[of + 1].frame(t), share)
        images.append(np.clip(mixture + 0.5, 0, 255).astype(np.uint8)[..., ::-1])
    return media.encode_frames(path, images, [n / 25 for n in range(len(images))])


def test_dissolves_are_found_in_the_same_pass(tmp_path: Path):
    found = seen(film(tmp_path / "a.mp4", cut=False))
    assert found.cuts_s == pytest.approx([3.0, 6.0], abs=0.1)
    # a boundary is where a frame begins
    assert all(abs(cut * 25 - round(cut * 25)) < 0.01 for cut in found.cuts_s)
    # each shot has its candidates though its beginning became known only later
    for start_s in (0.0, 3.0, 6.0):
        assert sum(start_s + 0.1 < c.time_s < start_s + 2.9 for c in found.candidates) >= 3


def test_waiting_for_cuts_changes_no_candidates(tmp_path: Path):
    path = film(tmp_path / "a.mp4", cut=True)
    found = seen(path)
    (tmp_path / "a.candidates").rename(tmp_path / "first")
    assert found == seen(path, gradual_transitions=False)
    assert found.cuts_s == pytest.approx([3.0, 6.0], abs=0.001)


def test_variable_frame_rate_is_timed_by_presentation_times(tmp_path: Path):
    times = [*(n * 0.1 for n in range(20)), *(2.0 + n * 0.02 for n in range(75))]
    images = [media.plain("red")] * 20 + [media.plain("blue")] * 75
    path = media.encode_frames(tmp_path / "a.mkv", images, times)
    assert seen(path).cuts_s == pytest.approx([2.0], abs=0.0015)


def test_candidates_are_about_one_a_second_and_know_their_quality(tmp_path: Path):
    path = media.moving_pattern(tmp_path / "a.mp4", 6.0, size=(1280, 720))
    found = seen(path)
    assert 5 <= len(found.candidates) <= 8
    for candidate in found.candidates:
        image = read_image(tmp_path / "a.candidates" / candidate.file)
        assert image.shape == (288, 512, 3)
        assert candidate.sharpness > 50
        assert 15 < candidate.brightness < 250


def test_a_short_shot_has_candidates_in_each_third(tmp_path: Path):
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 1.5), ("blue", 1.5)])
    times = [c.time_s for c in seen(path).candidates]
    for third in range(6):
        assert any(third * 0.5 <= t < third * 0.5 + 0.5 for t in times), (third, times)


def test_stillness_and_motion(tmp_path: Path):
    still = media.colour_clips(tmp_path / "still.mp4", [("gray", 2.0)])
    moving = media.moving_pattern(tmp_path / "moving.mp4", 2.0)
    assert all(value < 0.5 for _, _, value in seen(still).motion)
    assert max(value for _, _, value in seen(moving).motion) > 1.0


def test_pictures_are_upright(tmp_path: Path):
    path = media.rotated(tmp_path / "a.mp4", 90, size=(320, 180))
    found = seen(path)
    image = read_image(tmp_path / "a.candidates" / found.candidates[0].file)
    assert image.shape == (320, 180, 3)


def test_one_frame(tmp_path: Path):
    found = seen(media.one_frame(tmp_path / "a.mp4"))
    assert (found.frame_count, found.cuts_s, len(found.candidates)) == (1, (), 1)


def test_damaged_frames_are_counted_and_told(tmp_path: Path):
    found = seen(media.damaged_frame(tmp_path / "a.mp4", at_s=1.0))
    assert found.damaged_count >= 1
    assert found.damaged_s[0] == pytest.approx(1.0, abs=0.1)
    assert found.notes == (f"damaged_frames:{found.damaged_count}",)


def test_a_change_of_size_is_told(tmp_path: Path):
    found = seen(colour_media.resized(tmp_path / "a.webm"))
    assert found.notes == ("picture_size_changes",)
    assert found.frame_count == 30
    assert Picture.from_json(to_json(found)) == found


def test_it_stops_when_asked(tmp_path: Path):
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 2.0)])
    with pytest.raises(Cancelled):
        seen(path, context=WorkContext(is_cancelled=lambda: True))


def test_it_survives_the_way_through_json(tmp_path: Path):
    found = seen(media.colour_clips(tmp_path / "a.mp4", [("red", 1.5), ("blue", 1.5)]))
    assert Picture.from_json(to_json(found)) == found
