"""Extracted audio: samples at their times, and what is reported about broken tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heimdex_core import errors
from heimdex_core.media.audio import (
    SAMPLE_RATE_HZ,
    AudioResult,
    choose_audio,
    extract_audio,
    ranked_tracks,
    read_wav,
    wav_duration_s,
)
from heimdex_core.types import WorkContext
from tests.media.conftest import Shared
from tests.support import media
from tests.support.decoding import info_of


def extract(path: Path, folder: Path, context: WorkContext | None = None) -> tuple[AudioResult, Path]:
    wav = folder / "out.wav"
    return extract_audio(path, info_of(path), wav, context or WorkContext()), wav


def heard_from_to(samples: np.ndarray) -> tuple[float, float]:
    """First and last moment that is not silent."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return loud[0] / SAMPLE_RATE_HZ, (loud[-1] + 1) / SAMPLE_RATE_HZ


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(samples)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi"])
def test_a_tone_keeps_its_pitch_and_times(tmp_path: Path, shared: Shared, name: str) -> None:
    path = shared(media.colour_clips, name, [("red", 2.0)], tone_hz=440)
    result, wav = extract(path, tmp_path)
    assert (result.path, result.track, result.broken_at_s, result.notes) == (str(wav), 1, None, ())
    assert result.duration_s == wav_duration_s(wav) == pytest.approx(2.0, abs=0.05)
    samples = read_wav(wav)
    assert pitch_hz(samples[8000:24000]) == pytest.approx(440, abs=2)
    assert heard_from_to(samples) == (pytest.approx(0.0, abs=0.03), pytest.approx(2.0, abs=0.03))
    assert [p.name for p in tmp_path.iterdir()] == ["out.wav"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_audio_that_starts_late_is_heard_late(tmp_path: Path, shared: Shared, name: str) -> None:
    _, wav = extract(shared(media.delayed_audio, name, 1.0, duration_s=3.0), tmp_path)
    assert heard_from_to(read_wav(wav))[0] == pytest.approx(1.0, abs=0.005)


def test_time_zero_is_that_of_the_video_when_the_clock_starts_late(tmp_path: Path, shared: Shared) -> None:
    _, wav = extract(shared(media.late_start, "a.mkv", 5.0, duration_s=2.0), tmp_path)
    assert heard_from_to(read_wav(wav)) == (pytest.approx(0.0, abs=0.005), pytest.approx(2.0, abs=0.03))


def test_speech_is_heard_where_it_was_put(tmp_path: Path) -> None:
    lines = media.spoken(tmp_path / "a.mp4", [(0.5, "a red car"), (3.0, "on the bridge")])
    _, wav = extract(tmp_path / "a.mp4", tmp_path)
    for line in lines:
        assert heard_from_to(read_wav(wav, line.start_s - 0.3, line.end_s + 0.3)) == (
            pytest.approx(0.3, abs=0.05),
            pytest.approx(0.3 + line.end_s - line.start_s, abs=0.05),
        )
    assert np.abs(read_wav(wav, lines[0].end_s + 0.1, 2.9)).max() < 0.01


def test_the_programme_is_preferred_to_the_commentary(tmp_path: Path, shared: Shared) -> None:
    path = shared(media.multi_track, "a.mkv")
    info = info_of(path)
    # a described programme still has the dialogue
    assert [t.stream_index for t in ranked_tracks(info)] == [3, 2, 1]
    assert choose_audio(info) == info.audio_tracks[2]
    info = replace(info, sound=None)
    default = replace(info.audio_tracks[2], stream_index=4, is_default=True)
    assert choose_audio(replace(info, audio_tracks=(*info.audio_tracks, default))) == default
    assert choose_audio(replace(info, audio_tracks=info.audio_tracks[:2])) == info.audio_tracks[1]
    result, wav = extract(path, tmp_path)
    assert result.track == 3
    assert pitch_hz(read_wav(wav, 0.5, 1.5)) == pytest.approx(440, abs=2)


def test_a_video_without_audio(tmp_path: Path, shared: Shared) -> None:
    path = shared(media.no_audio, "a.mp4")
    assert choose_audio(info_of(path)) is None
    result, wav = extract(path, tmp_path)
    assert result == AudioResult(None, 0.0, None, None, ("no_audio",))
    assert not wav.exists()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_audio_that_breaks_is_kept_up_to_there_and_silent_from_there(tmp_path: Path, name: str) -> None:
    result, wav = extract(media.broken_audio(tmp_path / name, from_s=1.0, duration_s=3.0), tmp_path)
    assert result.broken_at_s == pytest.approx(1.0, abs=0.03)
    assert result.notes == ("audio_broken:1.0",)
    samples = read_wav(wav)
    assert len(samples) / SAMPLE_RATE_HZ == pytest.approx(3.0, abs=0.05)
    assert heard_from_to(samples) == (pytest.approx(0.0, abs=0.01), pytest.approx(1.0, abs=0.05))


def test_audio_that_recovers_goes_on_at_its_time(tmp_path: Path, shared: Shared) -> None:
    path = shared(media.broken_audio, "a.mp4", from_s=1.0, to_s=2.0, duration_s=3.0)
    result, wav = extract(path, tmp_path)
    assert result.broken_at_s == pytest.approx(1.0, abs=0.03)
    middle = round(1.5 * SAMPLE_RATE_HZ)
    samples = read_wav(wav)
    assert heard_from_to(samples[:middle])[1] == pytest.approx(1.0, abs=0.05)
    assert heard_from_to(samples[middle:]) == (pytest.approx(0.5, abs=0.05), pytest.approx(1.5, abs=0.05))
    assert pitch_hz(read_wav(wav, 2.2, 2.8)) == pytest.approx(440, abs=2)


def test_audio_of_which_nothing_can_be_decoded(tmp_path: Path, shared: Shared) -> None:
    result, wav = extract(shared(media.broken_audio, "a.mp4", from_s=0.0, duration_s=1.0), tmp_path)
    assert (result.path, result.track, result.broken_at_s) == (None, None, 0.0)
    assert result.notes == ("no_audio", "audio_broken:0.0")
    assert not wav.exists()


def test_audio_in_an_unknown_codec(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mkv", [("red", 1.0)], tone_hz=440)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XXX"))
    result, wav = extract(path, tmp_path)
    assert (result.path, result.notes) == (None, ("no_audio", "audio_broken:0.0"))
    assert not wav.exists()


def tone_then_silence(path: Path, tone_s: float, total_s: float) -> Path:
    picture = ["-f", "lavfi", "-i", f"color=c=red:s=64x64:r=5:d={total_s}"]
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={tone_s}"]
    media.ffmpeg(*picture, *sound, "-af", f"apad=whole_dur={total_s}", "-c:v", "libx264", "-c:a", "aac", path)
    return path


def test_audio_that_breaks_off_for_good_is_reported(tmp_path: Path) -> None:
    result, wav = extract(tone_then_silence(tmp_path / "a.mp4", 4.0, 11.0), tmp_path)
    assert result.broken_at_s == pytest.approx(4.0, abs=0.1)
    assert result.notes == ("audio_stops:4.0",)
    assert wav_duration_s(wav) == pytest.approx(11.0, abs=0.05)


def test_a_quiet_end_does_not_count_as_breaking_off(tmp_path: Path) -> None:
    result, _ = extract(tone_then_silence(tmp_path / "a.mp4", 8.0, 11.0), tmp_path)
    assert (result.broken_at_s, result.notes) == (None, ())


def test_silence_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    picture = ["-f", "lavfi", "-i", "color=c=red:s=64x64:r=25:d=1"]
    media.ffmpeg(*picture, "-f", "lavfi", "-t", "1", "-i", "anullsrc=r=44100:cl=stereo", path)
    assert extract(path, tmp_path)[0].notes == ("audio_silent",)


def test_surround_sound_becomes_mono(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    picture = ["-f", "lavfi", "-i", "color=c=red:s=64x64:r=25:d=1"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1"]
    media.ffmpeg(*picture, *sound, "-af", "aformat=channel_layouts=5.1", "-c:v", "libx264", "-c:a", "pcm_s24le", path)
    _, wav = extract(path, tmp_path)
    assert pitch_hz(read_wav(wav, 0.2, 0.8)) == pytest.approx(440, abs=2)


def test_cancelling_leaves_nothing_behind(tmp_path: Path, shared: Shared) -> None:
    path = shared(media.colour_clips, "a.mp4", [("red", 2.0)], tone_hz=440)
    with pytest.raises(errors.Cancelled):
        extract(path, tmp_path, WorkContext(is_cancelled=lambda: True))
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    reports: list[tuple[float, float]] = []
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 12.0)], size=(64, 64), fps=5, tone_hz=440)
    extract(path, tmp_path, WorkContext(report=lambda done, total: reports.append((done, total))))
    assert len(reports) == 3  # about every 5 s, and the end
    assert reports == sorted(reports)
    assert reports[-1][0] == reports[-1][1] == pytest.approx(12.0, abs=0.05)


def test_a_full_disk_is_reported_before_and_while_writing(
    tmp_path: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch, fill_disk: Callable[[Path], None]
) -> None:
    path = shared(media.colour_clips, "a.mp4", [("red", 2.0)], tone_hz=440)
    fill_disk(tmp_path / "out.wav")
    with pytest.raises(errors.DiskFull) as caught:
        extract(path, tmp_path)
    assert caught.value.details["what"] == "out.wav"
    assert caught.value.details["needed_bytes"] == pytest.approx(2.0 * 32000, rel=0.02)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("heimdex_core.files.free_bytes", lambda folder: 1000)
    with pytest.raises(errors.DiskFull) as caught:
        extract(path, tmp_path)
    assert caught.value.details["free_bytes"] == 1000
    assert list(tmp_path.iterdir()) == []


def test_reading_a_part(tmp_path: Path, shared: Shared) -> None:
    _, wav = extract(shared(media.delayed_audio, "a.mp4", 1.0, duration_s=3.0), tmp_path)
    whole = read_wav(wav)
    assert whole.dtype == np.float32
    assert np.array_equal(read_wav(wav, 0.5, 1.5), whole[8000:24000])
    assert read_wav(wav, 99.0).size == 0
    assert read_wav(wav, -1.0, 0.1).size == 1600


def test_reading_other_files(tmp_path: Path) -> None:
    with pytest.raises(errors.FileUnreadable):
        read_wav(media.text_file_mp4(tmp_path / "a.wav"))
    with pytest.raises(errors.FileUnreadable, match="16 kHz"):
        read_wav(media.audio_only(tmp_path / "b.wav"))
