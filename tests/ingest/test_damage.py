"""One damaged part of a file does not cost the rest: what is left is indexed, and the notes say what is missing."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import pytest
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from PIL import Image

from heimdex_core.errors import DecoderCrashed, DiskFull, RenderFailed
from heimdex_core.ingest.context import StageContext
from heimdex_core.ingest.params import IngestParams
from heimdex_core.ingest.stages import audio, keyframes, picture, preview, probe, subtitles
from heimdex_core.ingest.stages.keyframes import SceneFrames
from heimdex_core.ingest.stages.scenes import SceneSpan
from heimdex_core.media import decode, sound
from heimdex_core.media.audio import extract_audio
from heimdex_core.media.filtering import FilterGraph
from heimdex_core.media.preview import make_preview
from heimdex_core.media.subtitles import embedded
from heimdex_core.store import Store
from heimdex_core.types import Video, VideoState, WorkContext
from tests.ingest.running import run_of, scenes_of, three_colours
from tests.support import media
from tests.support.decoding import info_of
from tests.support.ingest import place_video, settings

Patch = pytest.MonkeyPatch


def indexed(store: Store, path: Path) -> Video:
    video = run_of(store, place_video(store, path)).run()
    assert video.state == VideoState.INDEXED
    return video


# --- sound ----------------------------------------------------------------------------------------


def with_vorbis_rate(path: Path, rate_hz: int) -> Path:
    """A red and blue WebM with Vorbis whose header was changed to claim another sample rate."""
    plain = media.colour_clips(path.with_name("plain.webm"), [("red", 1.0), ("blue", 1.0)], tone_hz=440)
    media.ffmpeg("-i", plain, "-c:v", "copy", "-c:a", "libvorbis", "-ac", "2", path)
    data = bytearray(path.read_bytes())
    # RFC 9628: packet type, "vorbis", version (32 bits), channels (8), sample rate (32)
    at = data.index(b"\x01vorbis") + 7 + 4 + 1
    assert struct.unpack_from("<I", data, at) == (48_000,) or struct.unpack_from("<I", data, at) == (44_100,)
    struct.pack_into("<I", data, at, rate_hz)
    path.write_bytes(data)
    return path


def test_a_flipped_bit_in_the_sample_rate(tmp_path: Path, store: Store) -> None:
    """At 134 MHz a second of sound takes the resampler minutes, and the video failed."""
    video = indexed(store, with_vorbis_rate(tmp_path / "a.webm", 44_100 | 1 << 27))
    assert set(video.notes) >= {"no_audio", "audio_broken:0.0"}
    assert [scene.end_s for scene in scenes_of(store, video)] == pytest.approx([1.0, 2.0], abs=0.1)


def fail_after(calls: int, before: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The function, which raises from then on."""
    made = [0]

    def after(*args: Any, **options: Any) -> Any:
        made[0] += 1
        if made[0] > calls:
            raise error
        return before(*args, **options)

    return after


WAYS_TO_BREAK: dict[str, Callable[[Patch], None]] = {
    "decoding": lambda patch: patch.setattr(
        sound.SoundReader, "decode", _decoding_with(fail_after(20, lambda packet: packet.decode(), ValueError("-1")))
    ),
    "reading the samples": lambda patch: patch.setattr(sound, "planar", fail_after(20, sound.planar, MemoryError())),
    "naming the channels": lambda patch: patch.setattr(
        sound, "channel_names", fail_after(20, sound.channel_names, RuntimeError("Failed to get layout name: -22"))
    ),
    "resampling": lambda patch: patch.setattr(
        "heimdex_core.media.audio.AudioResampler",
        _resampler_with(fail_after(20, AudioResampler.resample, ZeroDivisionError("Fraction(0, 0)"))),
    ),
}


@pytest.mark.parametrize("way", WAYS_TO_BREAK)
def test_whatever_happens_to_the_sound_is_noted(way: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """Neither the probe nor the extraction fails, and the probe sees the picture as it is."""
    path = three_colours(tmp_path, tone_hz=440)
    whole = info_of(path)
    WAYS_TO_BREAK[way](monkeypatch)
    info = info_of(path)
    assert (info.frame_count, info.duration_s) == (whole.frame_count, whole.duration_s)
    result = extract_audio(path, info, tmp_path / "a.wav", WorkContext())
    assert any(note.startswith("audio_broken:") for note in result.notes)


def _resampler_with(resample: Callable[..., Any]) -> type:
    class Resampler:
        def __init__(self, **options: Any) -> None:
            self._real = AudioResampler(**options)

        def resample(self, frame: Any) -> Any:
            return resample(self._real, frame)

    return Resampler


def _decoding_with(decode: Callable[[Any], Any]) -> Callable[..., Any]:
    """SoundReader.decode with packets that are decoded by another function; theirs is C and cannot be replaced."""
    before = sound.SoundReader.decode

    class Wrapped:
        def __init__(self, packet: Any) -> None:
            self._packet = packet

        def __getattr__(self, name: str) -> Any:
            return getattr(self._packet, name)

        def decode(self) -> Any:
            return decode(self._packet)

    return lambda reader, packet: before(reader, Wrapped(packet))  # type: ignore[arg-type]


def test_packets_that_cannot_be_read(tmp_path: Path, monkeypatch: Patch) -> None:
    """PyAV itself raises while the sound is extracted: silence from there on."""

    class Breaking(sound.SoundReader):
        def __init__(self, container: InputContainer, *args: Any) -> None:
            super().__init__(Container(container), *args)  # type: ignore[arg-type]

    class Container:
        def __init__(self, container: InputContainer) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def demux(self, *streams: Any) -> Any:
            for number, packet in enumerate(self._container.demux(*streams)):
                if number == 20:
                    raise IndexError("stream index out of range")
                yield packet

    path = three_colours(tmp_path, tone_hz=440)
    info = info_of(path)
    monkeypatch.setattr("heimdex_core.media.audio.SoundReader", Breaking)
    result = extract_audio(path, info, tmp_path / "a.wav", WorkContext())
    assert result.broken_at_s == pytest.approx(20 * 1024 / 44100, abs=0.1)
    assert result.duration_s == pytest.approx(info.duration_s, abs=0.1)


@pytest.mark.usefixtures("no_child_process")
def test_a_child_that_dies_of_the_sound(tmp_path: Path, store: Store, monkeypatch: Patch) -> None:
    """The file is looked at again without its sound, and the video has none."""

    def die(*args: object) -> None:
        raise DecoderCrashed(filename="a.mp4", reason="SIGSEGV")

    monkeypatch.setattr(probe, "_look", die)
    monkeypatch.setattr(audio, "_extract", die)
    video = indexed(store, three_colours(tmp_path, tone_hz=440))
    assert set(video.notes) >= {"no_audio", "audio_broken:0.0", "sound_not_measured"}
    assert video.info is not None
    assert [track.peak for track in video.info.audio_tracks] == [None]
    assert len(scenes_of(store, video)) == 3
    monkeypatch.undo()
    again = run_of(store, video).run()  # it may have been the machine: the next run looks again
    assert not set(again.notes) & {"no_audio", "audio_broken:0.0", "sound_not_measured"}


# --- picture --------------------------------------------------------------------------------------


def test_a_frame_that_cannot_be_deinterlaced_is_left_out(tmp_path: Path, monkeypatch: Patch) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 1.0)])
    info = info_of(path)
    assert info.treatment is not None
    info = dataclasses.replace(info, treatment=dataclasses.replace(info.treatment, field_order="tff"))
    feed, fed = FilterGraph.feed, [0]

    def feed_all_but_one(graph: FilterGraph, frame: Any) -> Any:
        fed[0] += 1
        if fed[0] == 10:
            raise ValueError("the filter does not take this frame")
        return feed(graph, frame)

    monkeypatch.setattr(decode.FilterGraph, "feed", feed_all_but_one)
    damaged: list[float] = []
    shown = [frame.time_s for frame in decode.frames(path, info, max_side_px=64, on_damage=damaged.append)]
    assert sorted([*shown, *damaged]) == pytest.approx([n / 25 for n in range(25)])
    assert 9 / 25 in [pytest.approx(time_s) for time_s in damaged]
    assert len(damaged) <= 3  # the filter holds one or two more


def test_a_candidate_that_cannot_be_written_is_left_out(tmp_path: Path, monkeypatch: Patch) -> None:
    path, folder = three_colours(tmp_path), tmp_path / "candidates"
    folder.mkdir()
    params = IngestParams.from_settings(settings())
    whole = picture.look(path, info_of(path), folder, params, WorkContext())
    encode, encoded = cv2.imencode, [0]

    def fail_once(*args: Any) -> Any:
        encoded[0] += 1
        if encoded[0] == 1:
            raise cv2.error("Maximum supported image dimension is 65500 pixels")
        return encode(*args)

    monkeypatch.setattr(cv2, "imencode", fail_once)
    found = picture.look(path, info_of(path), folder, params, WorkContext())
    assert found.candidates == whole.candidates[1:]
    assert found.cuts_s == whole.cuts_s


def fail_at_first(failing: int, write: Callable[..., None]) -> Callable[..., None]:
    written = [0]

    def write_later(*args: Any, **options: Any) -> None:
        written[0] += 1
        if written[0] <= failing:
            raise ValueError("encoding error 5: PICTURE TOO LARGE")
        write(*args, **options)

    return write_later


def test_a_keyframe_that_cannot_be_written_is_left_out(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(keyframes, "_THREADS", 1)  # in order
    monkeypatch.setattr(keyframes, "write_webp", fail_at_first(1, keyframes.write_webp))
    candidates = [picture.Candidate(time_s, f"{time_s}.jpg", 100.0, 100.0) for time_s in (0.5, 1.5, 2.5)]
    for one in candidates:
        Image.new("RGB", (64, 36), "red").save(tmp_path / one.file)
    found = picture.Picture((), 3, 0.0, 3.0, tuple(candidates), ())
    spans = [SceneSpan(0.0, 3.0)]
    params = IngestParams.from_settings(settings())
    (scene,) = keyframes.choose_frames(spans, found, tmp_path, tmp_path, params, WorkContext())
    assert [keyframe.time_s for keyframe in scene.keyframes] == [1.5, 2.5]
    assert scene.thumbnail is not None
    monkeypatch.setattr(keyframes, "write_webp", fail_at_first(100, keyframes.write_webp))
    assert keyframes.choose_frames(spans, found, tmp_path, tmp_path, params, WorkContext()) == [SceneFrames()]


@pytest.mark.long
def test_scenes_without_a_picture_are_noted(tmp_path: Path, store: Store, monkeypatch: Patch) -> None:
    monkeypatch.setattr(keyframes, "write_webp", fail_at_first(100, keyframes.write_webp))
    video = indexed(store, three_colours(tmp_path))
    assert [scene.thumbnail for scene in scenes_of(store, video)] == [None] * 3
    assert "scenes_without_picture:3" in video.notes


# --- preview --------------------------------------------------------------------------------------

FAILURES = {
    "ffmpeg": RenderFailed(reason="Error while opening encoder"),
    "the child": DecoderCrashed(filename="a.avi", reason="SIGSEGV"),
    "ours": KeyError("h264_metadata"),
}


@pytest.mark.parametrize(
    "failure", ["ffmpeg", *(pytest.param(name, marks=pytest.mark.long) for name in ("the child", "ours"))]
)
@pytest.mark.usefixtures("no_child_process")
def test_a_video_whose_preview_cannot_be_made(failure: str, tmp_path: Path, store: Store, monkeypatch: Patch) -> None:
    def fail(path: Path, info: Any, out: Path, *args: Any, **options: Any) -> None:
        out.write_bytes(b"half a preview")
        raise FAILURES[failure]

    monkeypatch.setattr(preview, "make_preview", fail)
    video = indexed(store, media.mpeg4_avi(tmp_path / "a.avi"))
    assert "preview_failed" in video.notes
    assert not video.has_preview
    assert not store.paths.preview(video.video_id).exists()
    assert len(scenes_of(store, video)) == 2


@pytest.mark.usefixtures("no_child_process")
def test_a_full_disk_is_no_reason_to_do_without_a_preview(tmp_path: Path, store: Store, monkeypatch: Patch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise DiskFull(what="preview.mp4", needed_bytes=2, free_bytes=1)

    monkeypatch.setattr(preview, "make_preview", fail)
    with pytest.raises(DiskFull):
        run_of(store, place_video(store, media.mpeg4_avi(tmp_path / "a.avi"))).run()


def test_a_picture_that_is_too_wide_for_h264_gets_a_smaller_preview(tmp_path: Path) -> None:
    path, out = tmp_path / "a.avi", tmp_path / "preview.mp4"
    media.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32000x16:r=5:d=0.4", "-c:v", "mjpeg", "-pix_fmt", "yuvj444p", path)
    make_preview(path, info_of(path), out, "transcode", height_px=720, context=WorkContext())
    shown = info_of(out)
    assert (shown.width, shown.height) == (4096, 2)


# --- subtitles ------------------------------------------------------------------------------------


def with_two_tracks(path: Path) -> Path:
    films = media.colour_clips(path.with_name("film.mkv"), [("red", 2.0)])
    for name, text in (("a", "a bad cab"), ("b", "a faded bead")):
        path.with_name(f"{name}.srt").write_text(media.srt([(0.2, 0.9, text)]), encoding="utf-8")
    inputs: list[str | Path] = ["-i", films, "-i", path.with_name("a.srt"), "-i", path.with_name("b.srt")]
    media.ffmpeg(*inputs, "-map", "0", "-map", "1", "-map", "2", "-c", "copy", "-c:s", "srt", path)
    return path


def test_a_subtitle_track_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: Patch) -> None:
    read = embedded._Packets.reading

    def fail_for_the_first(packets: Any, context: Any) -> Any:
        if packets.track.stream_index == 1:
            raise UnicodeError("surrogates not allowed")
        return read(packets, context)

    path = with_two_tracks(tmp_path / "a.mkv")
    monkeypatch.setattr(embedded._Packets, "reading", fail_for_the_first)
    transcript, notes = embedded.embedded_subtitles(path, info_of(path))
    assert notes == ("subtitles_unreadable:#1",)
    assert transcript is not None
    assert [segment.text for segment in transcript.segments] == ["a faded bead"]


@pytest.mark.parametrize("error", [DecoderCrashed(filename="a.mkv", reason="SIGSEGV"), RecursionError()])
def test_subtitles_that_nobody_can_read(error: Exception, tmp_path: Path, monkeypatch: Patch) -> None:
    """The child dies, or something is wrong that nobody foresaw."""

    def fail(*args: object, **options: object) -> None:
        raise error

    path = with_two_tracks(tmp_path / "a.mkv")
    results = {"probe": info_of(path), "audio": audio.Sound(None)}
    context = SimpleNamespace(
        result=lambda spec: results[spec.name],
        source=path,
        filename="a.mkv",
        supplied_subtitles=None,
        language="auto",
        child_limits=None,
    )
    monkeypatch.setattr(subtitles, "_read" if isinstance(error, DecoderCrashed) else "embedded_subtitles", fail)
    found = subtitles.Lines.from_json(subtitles.run(cast(StageContext, context), WorkContext()).result)
    assert (found.found, found.notes) == (None, ("subtitles_unreadable:damaged",))
    assert subtitles.SPEC.keeps(found) != isinstance(error, DecoderCrashed)
