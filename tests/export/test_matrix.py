"""Sources of every kind through every strategy and mode, pairwise: what is measured in the files, and in a browser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.export.matrix import (
    FACTORS,
    ROWS,
    Rendered,
    is_possible,
    part_of,
    render_reel,
    render_short,
    row_id,
    source_of,
)
from tests.export.matrix_checks import decoding_errors, halves, is_faststart, look
from tests.support.clips import ffmpeg
from tests.support.decoding import pictures
from tests.support.flash_media import FlashSource
from tests.support.pairwise import Row, pairs_of, possible_pairs

MAX_APART_S = 0.040
"""How far picture and sound may be from each other."""
_BEEP_S = 0.004
"""How exactly the beginning of a beep is found."""

Make = Callable[[Row, str], Rendered]


@pytest.fixture(scope="module")
def made() -> dict[str, Rendered]:
    """What was rendered, by row and kind."""
    return {}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, made: dict[str, Rendered]) -> Make:
    """make(row, "short" or "reel"): rendered once."""
    folder = tmp_path_factory.mktemp("matrix")
    plain = FlashSource().write(folder)

    def rendered(row: Row, kind: str) -> Rendered:
        name = f"{kind}-{row_id(row)}"
        if name not in made:
            out = folder / f"{name}.mp4"
            source = source_of(row).write(folder)
            made[name] = render_short(row, source, out) if kind == "short" else render_reel(row, source, plain, out)
        return made[name]

    return rendered


def check(made: Rendered) -> None:
    """Everything that holds for every rendered file."""
    found = look(made.path)
    assert found.size == made.size
    assert (found.video_codec, found.pixel_format) == ("h264", "yuv420p")
    assert (found.audio_codec, found.sample_rate_hz) == ("aac", 44_100)
    assert is_faststart(made.path)
    assert decoding_errors(made.path) == ""
    frame_s = float(1 / made.fps)
    lasts_s = len(found.frame_times_s) * frame_s
    assert lasts_s == pytest.approx(made.duration_s, abs=made.clips * frame_s + 1e-3)
    assert np.diff(found.frame_times_s) == pytest.approx(frame_s, abs=1e-4), "every frame at its time"
    assert found.flashes_s == pytest.approx(made.flashes_s, abs=frame_s + 1e-3)
    assert found.beeps_s == pytest.approx(made.beeps_s, abs=_BEEP_S + made.clips * frame_s / 2)
    for beep_s in found.beeps_s:
        apart_s = min(abs(flash_s - beep_s) for flash_s in found.flashes_s)
        assert apart_s <= MAX_APART_S


def check_short(made: Rendered, row: Row) -> None:
    """And for shorts: upright, and as loud as wanted."""
    check(made)
    red, blue = halves(pictures(made.path)[1][3])
    assert red < blue, "it is upright"
    if row["sound"] == "none":
        assert made.measured.loudness_lufs is None
        assert "no_sound" in made.measured.notes
        return
    assert made.measured.loudness_lufs == pytest.approx(-14, abs=1)
    assert made.measured.true_peak_dbtp is not None
    assert made.measured.true_peak_dbtp <= -1


def test_every_pair_is_in_a_row() -> None:
    missing = possible_pairs(FACTORS, is_possible).difference(*(pairs_of(row) for row in ROWS))
    assert not missing
    assert all(is_possible(row) for row in ROWS)
    assert len(ROWS) <= 50


def test_what_is_late_is_found_to_be_late(tmp_path: Path) -> None:
    source = FlashSource()
    found = look(source.write(tmp_path))
    assert found.flashes_s == pytest.approx(source.flashes_s, abs=1e-3)
    assert found.beeps_s == pytest.approx(source.flashes_s, abs=_BEEP_S)
    late = tmp_path / "late.mp4"
    plain = next(tmp_path.glob("*.mp4"))
    # 3000 samples are 62.5 ms
    ffmpeg("-i", plain, "-c:v", "copy", "-af", "adelay=3000S:all=1", late)
    assert look(late).beeps_s == pytest.approx([time_s + 0.0625 for time_s in source.flashes_s], abs=_BEEP_S)
    assert not is_faststart(late)


# --- a few that tell most ---------------------------------------------------------------------------------------------


def test_a_turned_source_of_variable_rate_in_a_short(make: Make) -> None:
    row = part_of(rotation="90", rate="variable", sound="short", strategy="letterbox")
    check_short(make(row, "short"), row)


def test_a_wide_hdr_source_in_a_styled_reel(make: Make) -> None:
    check(make(part_of(shape="21:9", coding="hdr", mode="styled", captions="karaoke", frame="9:16 blur_pad"), "reel"))


def test_frames_that_are_copied(make: Make) -> None:
    made = make(part_of(rate="29.97", sound="5.1", mode="fast"), "reel")
    assert made.measured.notes[0].startswith("frames_copied")
    check(made)


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_shorts(make: Make, row: Row) -> None:
    check_short(make(row, "short"), row)


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_reels(make: Make, row: Row) -> None:
    check(make(row, "reel"))


PLAY = """async (data) => {
    const video = document.querySelector("video")
    const event = (name) => new Promise((done) => {
        video.addEventListener(name, done, {once: true})
        video.addEventListener("error", done, {once: true})
    })
    let waiting = event("canplaythrough")
    video.src = "data:video/mp4;base64," + data
    await waiting
    const ready = video.readyState, size = [video.videoWidth, video.videoHeight], lasts_s = video.duration
    waiting = event("ended")
    video.playbackRate = 4
    if (!video.error) await video.play()
    await waiting
    return {error: video.error && video.error.message, ready, size, lasts_s, ended_s: video.currentTime}
}"""


@pytest.mark.long
@pytest.mark.browser
def test_chromium_plays_all_of_them_to_their_ends(make: Make, made: dict[str, Rendered]) -> None:
    from tests.e2e import driver

    if not made:
        make(ROWS[0], "short")
    with driver.browser() as browser:
        page = browser.new_page()
        page.set_content("<video></video>")
        for name, one in made.items():
            shown = page.evaluate(PLAY, base64.b64encode(one.path.read_bytes()).decode())
            assert shown["error"] is None, name
            assert shown["ready"] >= 3, name
            assert tuple(shown["size"]) == one.size, name
            assert shown["lasts_s"] == pytest.approx(one.duration_s, abs=0.1), name
            assert shown["ended_s"] == pytest.approx(shown["lasts_s"], abs=0.05), name
