"""Files that claim, or turn into, something enormous: refused before it takes the memory. The limits are lowered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from av.codec.context import ThreadType
from PIL import Image

from heimdex_core.errors import FileUnreadable, FrameTooLarge, RenderFailed, UndecodableVideo
from heimdex_core.media import limits, packet_scan, raw_frames
from heimdex_core.media.audio import extract_audio
from heimdex_core.media.child import ChildLimits
from heimdex_core.media.child_probe import probe_in_child
from heimdex_core.media.decode import two_size_frames
from heimdex_core.media.images import read_image
from heimdex_core.media.limits import DecodingLimits
from heimdex_core.media.preview import make_preview
from heimdex_core.media.probe import probe
from heimdex_core.media.sound import SoundFrame, SoundMeter
from heimdex_core.settings import Settings
from heimdex_core.types import MediaInfo, WorkContext
from tests.support import media
from tests.support.decoding import info_of
from tests.support.outsized import jpeg_frames, matroska, picture_track, sound_track

SMALL, LARGE = (96, 64), (320, 240)
BETWEEN = 40_000
"""Pixels: more than SMALL has, fewer than LARGE."""


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of more than BETWEEN pixels are too large."""
    monkeypatch.setattr(limits, "_given", DecodingLimits(4 * BETWEEN, 2**32))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return jpeg_frames(tmp_path_factory.mktemp("small"), SMALL, 5)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return jpeg_frames(tmp_path_factory.mktemp("large"), LARGE, 5)


def look(path: Path, *, measure: bool = True) -> MediaInfo:
    return probe(path, max_bytes=2**30, max_duration_s=600, measure=measure)


# --- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "pixel_format", "refused"),
    [
        (7680, 4320, "yuv420p", False),
        (8192, 4320, "yuv444p10le", False),
        (8192, 4320, "yuva444p12le", False),
        (8192, 8192, "yuv444p10le", False),
        (12288, 6480, "yuv422p10le", False),
        (12000, 12000, "gray", True),
        (12000, 12000, "rgb24", True),
        (12000, 12000, None, True),
        (8192, 8192, "rgba64le", True),
        (16000, 16000, "monow", True),
    ],
)
def test_8k_is_decoded_and_144_megapixels_are_not(
    width: int, height: int, pixel_format: str | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_given", DecodingLimits.of(Settings(_env_file=None)))
    assert limits.is_too_large(width, height, pixel_format) == refused


def test_a_frame_counts_by_its_depth_and_never_less_than_four_bytes_a_pixel() -> None:
    assert limits.frame_bytes(10, 10, "gray") == 400
    assert limits.frame_bytes(10, 10, "yuv444p10le") == 600
    assert limits.frame_bytes(10, 10, "gbrapf32le") == 1600


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("measure", [False, True])
def test_a_claim_is_refused_before_anything_is_decoded(
    tmp_path: Path, small: list[bytes], measure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(scan: packet_scan.VideoScan, packet: object) -> None:
        raise AssertionError("a packet was decoded")

    monkeypatch.setattr(packet_scan.VideoScan, "try_decode", decode)
    path = matroska(tmp_path / "a.mkv", [picture_track(1, "V_MJPEG", (16000, 16000))], [(1, p) for p in small])
    with pytest.raises(FrameTooLarge) as caught:
        look(path, measure=measure)
    assert caught.value.details == {
        "filename": "a.mkv",
        "width": 16000,
        "height": 16000,
        "frame_bytes": 4 * 16000 * 16000,
        "limit_bytes": 4 * BETWEEN,
    }


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("name", ["a.mov", "a.avi", "a.mp4", "a.mkv", "a.webm"])
def test_every_container_is_asked(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = media.colour_clips(tmp_path / name, [("red", 0.2)], size=LARGE)
    with pytest.raises(FrameTooLarge, match="320 x 240"):
        look(path)
    monkeypatch.setattr(limits, "_given", None)
    assert look(path).width == 320


@pytest.mark.usefixtures("low")
def test_frames_that_are_larger_than_the_container_claims_are_refused(tmp_path: Path, large: list[bytes]) -> None:
    path = matroska(tmp_path / "a.mkv", [picture_track(1, "V_MJPEG", (16, 16))], [(1, p) for p in large])
    with pytest.raises(UndecodableVideo, match=f"more than {BETWEEN} pixels"):
        look(path)


@pytest.mark.usefixtures("low")
def test_frames_that_become_too_large_count_as_damaged(tmp_path: Path, small: list[bytes], large: list[bytes]) -> None:
    packets = [*small, *large, *small]
    path = matroska(tmp_path / "a.mkv", [picture_track(1, "V_MJPEG", SMALL)], [(1, p) for p in packets])
    damaged: list[float] = []
    options = {"detect_width_px": 96, "max_side_px": 96, "want_candidate": lambda time_s: False}
    shown = [f[0] for f in two_size_frames(path, look(path), **options, on_damage=damaged.append)]  # type: ignore[arg-type]
    assert shown == pytest.approx([0.04 * n for n in (*range(5), *range(10, 15))])
    assert damaged == pytest.approx([0.04 * n for n in range(5, 10)])


@pytest.mark.usefixtures("low")
def test_frames_that_become_too_deep_count_as_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = media.colour_clips(tmp_path / "a.mkv", [("red", 0.2)], size=SMALL)
    info = look(path)
    monkeypatch.setattr(raw_frames, "is_too_large", lambda width, height, pixel_format: True)
    with pytest.raises(UndecodableVideo):
        next(raw_frames.raw_frames(path, info, 0.0, 0, None))


@pytest.mark.usefixtures("low")
def test_a_poster_that_is_too_large_is_passed_over(tmp_path: Path, small: list[bytes], large: list[bytes]) -> None:
    tracks = [picture_track(1, "V_MJPEG", LARGE), picture_track(2, "V_MJPEG", SMALL)]
    path = matroska(tmp_path / "a.mkv", tracks, [(1, large[0]), *((2, p) for p in small * 8)])
    info = look(path)
    assert info.picture is not None
    assert (info.video_stream_index, info.picture.passed_over) == (1, {"0": "too_large"})
    assert look(path, measure=False).video_stream_index == 1


@pytest.mark.usefixtures("low")
def test_a_poster_does_not_stand_for_a_film_that_is_too_large(
    tmp_path: Path, small: list[bytes], large: list[bytes]
) -> None:
    tracks = [picture_track(1, "V_MJPEG", SMALL), picture_track(2, "V_MJPEG", LARGE)]
    path = matroska(tmp_path / "a.mkv", tracks, [(1, small[0]), *((2, p) for p in large * 8)])
    with pytest.raises(FrameTooLarge, match="320 x 240"):
        look(path)


@pytest.mark.usefixtures("low")
def test_cover_art_is_not_decoded_and_may_be_of_any_size(tmp_path: Path) -> None:
    film = media.colour_clips(tmp_path / "film.mp4", [("red", 0.4)], size=SMALL)
    cover = tmp_path / "cover.png"
    media.ffmpeg("-f", "lavfi", "-i", "color=c=red:s=640x640", "-frames:v", "1", cover)
    maps = ["-map", "0:v", "-map", "1:v", "-c", "copy", "-disposition:v:1", "attached_pic"]
    media.ffmpeg("-i", film, "-i", cover, *maps, tmp_path / "a.mp4")
    assert look(tmp_path / "a.mp4").width == SMALL[0]


@pytest.mark.usefixtures("low")
def test_ffmpeg_refuses_them_too(tmp_path: Path, large: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    path = matroska(tmp_path / "a.mkv", [picture_track(1, "V_MJPEG", LARGE)], [(1, p) for p in large])
    with monkeypatch.context() as patched:
        patched.setattr(limits, "_given", None)
        info = look(path)
        make_preview(path, info, tmp_path / "b.mp4", "transcode", height_px=144, context=WorkContext())
    with pytest.raises(RenderFailed):
        make_preview(path, info, tmp_path / "c.mp4", "transcode", height_px=144, context=WorkContext())


def test_a_child_gets_the_limit_of_its_parent(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 0.2)], size=LARGE)

    def look_in_child(frame_bytes: int) -> MediaInfo:
        limits = ChildLimits(2**32, 60.0, frame_bytes)
        return probe_in_child(
            path, limits=limits, max_bytes=2**30, max_duration_s=600, filename="film.mp4", measure=True
        )

    assert look_in_child(4 * 320 * 240).width == 320
    with pytest.raises(FrameTooLarge, match=r"film\.mp4"):
        look_in_child(4 * 320 * 240 - 1)


def test_the_threads_that_hold_frames_fit_into_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr(limits, "_given", DecodingLimits(2**30, memory_bytes=4 * 10**9))
    # a quarter of the memory: 1000 MB
    assert limits.frame_threads(8_000_000) == 0  # libav may choose
    assert limits.frame_threads(8_000_000, 3) == 3
    assert limits.frame_threads(200_000_000) == 5
    assert limits.frame_threads(200_000_000, 3) == 3
    assert limits.frame_threads(600_000_000, 3) == 1
    assert limits.frame_threads(2 * 10**9) == 1


def test_a_decoder_of_large_frames_uses_threads_within_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 0.4)], size=LARGE)
    info = info_of(path)
    size = 4 * 320 * 240
    used: list[tuple[bool, int]] = []
    create = raw_frames._Decoder.__init__

    def note(decoder: raw_frames._Decoder, container: object, *args: object) -> None:
        create(decoder, container, *args)  # type: ignore[arg-type]
        stream = decoder._stream
        used.append((bool(stream.thread_type & ThreadType.FRAME), stream.codec_context.thread_count))

    monkeypatch.setattr(raw_frames._Decoder, "__init__", note)
    for memory_bytes in (100 * size, 4 * size):
        monkeypatch.setattr(limits, "_given", DecodingLimits(size, memory_bytes))
        assert len(list(raw_frames.raw_frames(path, info, 0.0, 8, None))) == 10
    assert used == [(True, 8), (False, 8)]


def test_a_picture_file_with_too_many_pixels_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.webp"
    Image.new("RGB", LARGE).save(path)
    assert read_image(path).shape == (240, 320, 3)
    monkeypatch.setattr(limits, "_given", DecodingLimits(4 * BETWEEN, 2**32))
    with pytest.raises(FileUnreadable, match="320 x 240"):
        read_image(path)


# --- sound, tracks, names -------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [1, 100_000_000])
def test_sound_at_an_absurd_rate_counts_as_broken(tmp_path: Path, small: list[bytes], rate_hz: int) -> None:
    """At 1 Hz, one packet would become hours of samples at 16 kHz; at 100 MHz the resampler takes minutes."""
    tracks = [picture_track(1, "V_MJPEG", SMALL), sound_track(2, "A_PCM/INT/LIT", rate_hz, 1, 16)]
    path = matroska(tmp_path / "a.mkv", tracks, [(1, small[0]), (2, bytes(20)), (1, small[1])])
    result = extract_audio(path, info_of_any_length(path), tmp_path / "a.wav", WorkContext())
    assert result.notes == ("no_audio", "audio_broken:0.0")


def info_of_any_length(path: Path) -> MediaInfo:
    return probe(path, max_bytes=2**30, max_duration_s=10**9, measure=False)


def test_what_a_meter_holds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 channels at 768 kHz: a block of 4 s would be 786 MB."""
    monkeypatch.setattr("heimdex_core.media.sound._BLOCK_VALUES", 64 * 2000)
    meter = SoundMeter()
    most = 0
    for n in range(100):
        samples = np.full((64, 500), 0.1, np.float32)
        meter.add(SoundFrame(n * 500 / 768_000, samples, 768_000, ()))
        most = max(most, sum(part.size for part in meter._waiting))
    meter.finish()
    assert most <= 64 * 2000
    assert meter.peak == pytest.approx(0.1)
    assert len(meter._blocks) == 100 * 500 / 2000


def test_tracks_beyond_the_limit_are_left_out_and_counted(tmp_path: Path, small: list[bytes]) -> None:
    most = limits.MAX_TRACKS["audio"]
    tracks = [picture_track(1, "V_MJPEG", SMALL)]
    tracks += [sound_track(n, "A_PCM/INT/LIT", 8000, 1, 16) for n in range(2, most + 5)]
    info = look(matroska(tmp_path / "a.mkv", tracks, [(1, p) for p in small]))
    assert len(info.audio_tracks) == most
    assert "tracks_left_out:3" in info.notes


def test_long_names_are_cut(tmp_path: Path, small: list[bytes]) -> None:
    tracks = [
        picture_track(1, "V_MJPEG", SMALL, name="p" * 100_000),
        sound_track(2, "A_PCM/INT/LIT", 8000, 1, 16, name="s" * 100_000),
    ]
    info = look(matroska(tmp_path / "a.mkv", tracks, [(1, p) for p in small]))
    assert info.video_tracks[0].title == "p" * 200
    assert info.audio_tracks[0].title == "s" * 200
    film = media.colour_clips(tmp_path / "b.mov", [("red", 0.2)], metadata={"make": "m" * 5000, "model": "x" * 5000})
    assert look(film).camera == "m" * 200 + " " + "x" * 200
