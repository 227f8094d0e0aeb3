"""Reels whose frames are copied from the sources."""

from __future__ import annotations

import base64
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from heimdex_core.errors import RenderCheckFailed
from heimdex_core.export import reel
from heimdex_core.export.fast import own_format
from heimdex_core.media import copying
from heimdex_core.media.copying import Stretch, find_stretches
from heimdex_core.media.graph import RenderFormat
from heimdex_core.media.render import RenderClip, RenderMeasure
from heimdex_core.settings import Settings
from heimdex_core.types import ReelOptions, WorkContext
from tests.media.rendering import clip
from tests.support import media

FPS = 24
TARGET = RenderFormat(160, 90, Fraction(FPS), 20, "ultrafast")
PARAMS = {
    **reel.params(Settings(_env_file=None)),
    **{"mode": "fast", "height_px": 90, "fps": float(FPS), "preset": "ultrafast"},
}
BT709 = ":colorprim=bt709:transfer=bt709:colormatrix=bt709"


PLAY = """async (data) => {
    const video = document.querySelector("video")
    const event = (name) => new Promise((done) => {
        video.addEventListener(name, done, {once: true})
        video.addEventListener("error", done, {once: true})
    })
    const failed = () => video.error && video.error.message
    let waiting = event("loadeddata")
    video.src = "data:video/mp4;base64," + data
    await waiting
    const pixels = []
    const canvas = Object.assign(document.createElement("canvas"), {width: 160, height: 90})
    const context = canvas.getContext("2d")
    for (let n = 0; n < 8 && !failed(); n++) {
        waiting = event("seeked")
        video.currentTime = n / 2 + 6.5 / 24
        await waiting
        context.drawImage(video, 0, 0)
        pixels.push(Array.from(context.getImageData(0, 0, 160, 90).data))
    }
    waiting = event("ended")
    video.currentTime = 0
    await video.play()
    await waiting
    return {error: failed(), ended_s: video.currentTime, pixels}
}"""


def made(path: Path, *args: str, pattern: str = "testsrc2", x264: str = "", fps: str = str(FPS)) -> Path:
    """2 s of a moving pattern with a tone, 160x90; an IDR picture every 12 frames, and B-frames."""
    shown = f"{pattern}=s=160x90:r={fps}:d=2"
    params = f"keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0{x264}{BT709}"
    inputs = ("-f", "lavfi", "-i", shown, "-f", "lavfi", "-i", "sine=440:d=2")
    encoder = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "12", "-pix_fmt", "yuv420p", "-x264-params", params)
    media.ffmpeg(*inputs, *encoder, "-c:a", "aac", *args, path)
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("fast") / "source.mp4")


def write(clips: list[RenderClip], out: Path, **params: Any) -> RenderMeasure:
    return reel.write(clips, out, {**PARAMS, **params}, 120, WorkContext())


def find_stretch(clip: RenderClip, target: RenderFormat, context: WorkContext) -> Stretch | str:
    [found] = find_stretches([clip], target, context)
    return found


def planes(path: Path) -> np.ndarray:
    """The samples of all frames as they are decoded, (n, 135, 160)."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray() for frame in container.decode(video=0)])


def psnr_db(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean(np.square(one.astype(float) - other))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_a_cut_on_keyframes_copies_all(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "reel.mp4"
    measured = write([clip(source, 0.5, 1.5)], out)
    assert measured.notes == ("frames_copied:24/24",)
    assert np.array_equal(planes(out), planes(source)[12:36])
    assert abs(measured.av_offset_s) < 0.001


def test_only_the_frames_before_the_keyframe_are_encoded(source: Path, tmp_path: Path) -> None:
    """Frames 5 to 35 and again 0 to 23: 7 are encoded before the keyframe 12."""
    clips = [clip(source, 5 / FPS, 1.5), clip(source, 0.0, 1.0)]
    fast, exact = tmp_path / "fast.mp4", tmp_path / "exact.mp4"
    assert write(clips, fast).notes == ("frames_copied:48/55",)
    write(clips, exact, mode="exact")
    seen, wanted, original = planes(fast), planes(exact), planes(source)
    assert len(seen) == len(wanted) == 55
    assert np.array_equal(seen[7:], np.concatenate([original[12:36], original[0:24]]))
    assert np.array_equal(seen[:7], wanted[:7])
    assert min(psnr_db(one, other) for one, other in zip(seen, wanted, strict=True)) > 25


def test_a_clip_that_ends_between_reordered_frames(source: Path) -> None:
    """The last copied frame is one up to which all are decoded from the packets before; the others are encoded."""
    for end in (14, 18, 19, 27):
        found = find_stretch(clip(source, 0.5, end / FPS), TARGET, WorkContext())
        if isinstance(found, str):
            assert end < 16
            continue
        assert (found.first, found.pts) == (0, 12 * 512)
        assert end - 12 - 3 <= found.end <= end - 12
        assert found.tail_s == pytest.approx((12 + found.end) / FPS, abs=1e-6)


@pytest.mark.long
def test_sources_with_other_parameter_sets(source: Path, tmp_path: Path) -> None:
    """Other sources, a Matroska file whose clock counts milliseconds, and encoded parts, in one file."""
    other = made(tmp_path / "other.mkv", pattern="testsrc", x264=":ref=1:cabac=0:bframes=0:weightp=0")
    clips = [clip(source, 0.3, 1.3), clip(other, 0.5, 1.7), clip(source, 1.4, 1.9), clip(other, 0.0, 0.5)]
    fast, exact = tmp_path / "fast.mp4", tmp_path / "exact.mp4"
    notes = write(clips, fast).notes
    write(clips, exact, mode="exact")
    seen, wanted = planes(fast), planes(exact)
    assert len(seen) == len(wanted) == 24 + 29 + 12 + 12
    assert min(psnr_db(one, other) for one, other in zip(seen, wanted, strict=True)) > 25
    assert notes[0].startswith("frames_copied:")
    assert np.array_equal(seen[24 : 24 + 24], planes(other)[12:36])


@pytest.mark.long
@pytest.mark.browser
def test_chromium_plays_it_to_its_end(source: Path, tmp_path: Path) -> None:
    """Every half a second it shows what libav decodes there, and it ends where it should."""
    from tests.e2e import driver

    other = made(tmp_path / "other.mp4", pattern="testsrc", x264=":ref=1:cabac=0:bframes=0:weightp=0")
    out = tmp_path / "reel.mp4"
    notes = write([clip(source, 0.3, 1.8), clip(other, 0.4, 1.9), clip(source, 0.0, 1.0)], out).notes
    assert notes[0].startswith("frames_copied:")
    with driver.browser() as browser:
        page = browser.new_page()
        page.set_content("<video muted></video>")
        shown = page.evaluate(PLAY, base64.b64encode(out.read_bytes()).decode())
    assert shown["error"] is None
    assert shown["ended_s"] == pytest.approx(4.0, abs=0.05)
    with av.open(str(out)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    assert len(frames) == 96
    for n, pixels in enumerate(shown["pixels"]):
        seen = np.array(pixels, float).reshape(90, 160, 4)[..., :3]
        assert np.abs(seen - frames[n * 12 + 6]).mean() < 6


def test_frames_before_damage_are_not_copied(source: Path, tmp_path: Path) -> None:
    """A packet that is no H.264 shortly after the keyframe 12: what can be copied begins with the keyframe 24."""

    def damage(kind: str, time_s: float, data: bytes) -> bytes:
        return b"\xff" * len(data) if kind == "video" and abs(time_s - 16 / FPS) < 0.01 else data

    damaged = media.rewrite_packets(source, tmp_path / "damaged.mp4", damage)
    good = clip(source, 0.25, 2.0)
    bad = replace(good, path=damaged)
    assert write([bad], tmp_path / "reel.mp4").notes == ("frames_copied:24/42",)
    assert planes(tmp_path / "reel.mp4").shape[0] == 42
    assert np.array_equal(planes(tmp_path / "reel.mp4")[18:], planes(source)[24:])


def test_open_gops_are_not_cut(tmp_path: Path) -> None:
    """With open GOPs only the first picture is IDR: frames of a later group refer to the one before."""
    path = made(tmp_path / "open.mp4", x264=":open-gop=1")
    assert find_stretch(clip(path, 0.2, 1.8), TARGET, WorkContext()) == "keyframes"
    found = find_stretch(clip(path, 0.0, 2.0), TARGET, WorkContext())
    assert isinstance(found, Stretch)
    assert (found.first, found.end) == (0, 48)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"crossfade_s": 0.2}, "crossfade"),
        ({"title_card": True, "title": "T"}, "drawing"),
        ({"strategy": "center_crop"}, "framing"),
    ],
)
def test_options_that_need_encoding(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], reason: str
) -> None:
    monkeypatch.setattr(reel, "_write", lambda *_: RenderMeasure(1, 1, 1, 24, 160, 90, "", "", "", 1, 0))
    assert write([clip(source, 0.5, 1.5)], tmp_path / "reel.mp4", **change).notes == (f"rendered_exactly:{reason}",)


@pytest.mark.parametrize(
    ("change", "reason", "frames"), [({"height_px": 180}, "size", 12), ({"fps": 25.0}, "rate", 12)]
)
def test_a_source_of_which_nothing_can_be_copied(
    source: Path, tmp_path: Path, change: dict[str, Any], reason: str, frames: int
) -> None:
    measured = write([clip(source, 0.5, 1.0)], tmp_path / "reel.mp4", **change)
    assert (measured.notes, measured.frame_count) == ((f"rendered_exactly:{reason}",), frames)


def test_sources_that_cannot_be_copied(source: Path) -> None:
    found = clip(source, 0.5, 1.5)
    treatment = found.info.treatment
    assert treatment is not None
    for changed, reason in (
        ({"video_codec": "hevc"}, "codec"),
        ({"pixel_format": "yuv422p"}, "codec"),
        ({"treatment": replace(treatment, field_order="tff")}, "codec"),
        ({"treatment": replace(treatment, matrix="bt601")}, "colours"),
        ({"rotation_deg": 180}, "size"),
        ({"coded_width": 120}, "size"),
        ({"fps": 23.0}, "rate"),
    ):
        odd = replace(found, info=replace(found.info, **changed))
        assert find_stretch(odd, TARGET, WorkContext()) == reason
    assert find_stretch(clip(source, 0.6, 0.9), TARGET, WorkContext()) == "keyframes"


def test_a_file_that_fails_its_check_is_rendered_exactly(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = iter([RenderCheckFailed(reason="it is too short"), None])

    def check(*_: Any, **__: Any) -> None:
        if (error := next(checks)) is not None:
            raise error

    monkeypatch.setattr(reel, "check_render", check)
    measured = write([clip(source, 0.5, 1.0)], tmp_path / "reel.mp4")
    assert (measured.notes, measured.frame_count) == (("rendered_exactly:failed",), 12)


def test_without_a_height_the_sources_give_size_and_rate(source: Path) -> None:
    clips = [clip(source, 0.0, 1.0)]
    assert own_format(clips, "16:9") == (160, 90, 24.0)
    assert own_format(clips, "1:1") is None
    assert own_format([*clips, replace(clips[0], info=replace(clips[0].info, fps=25.0))], "16:9") is None
    assert ReelOptions(mode="fast").params["own_format"]
    assert "own_format" not in ReelOptions(mode="fast", height_px=360).params
    assert "own_format" not in ReelOptions().params


def test_numbers_of_parameter_sets() -> None:
    """ue(v): "1" is 0, "010" is 1, "00000100000" is 31."""
    assert copying._identifier(bytes([0x68, 0b10000000])) == 0
    assert copying._identifier(bytes([0x68, 0b01000000])) == 1
    assert copying._identifier(bytes([0x67, 77, 0, 30, 0b00000100, 0b00000000])) == 31
