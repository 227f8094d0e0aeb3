"""Sound as a timeline: what is heard when, and what is said of broken tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core import errors
from heimdex_core.media import audio as audio_module
from heimdex_core.media.audio import SAMPLE_RATE_HZ, AudioResult, extract_audio, ranked_tracks, read_wav, wav_duration_s
from heimdex_core.media.probe import probe
from heimdex_core.types import MediaInfo, WorkContext
from tests.support import media


def look(path: Path) -> MediaInfo:
    return probe(path, max_bytes=1 << 30, max_duration_s=600.0)


def extract(path: Path, context: WorkContext | None = None) -> tuple[AudioResult, Path]:
    wav = path.with_name("out.wav")
    return extract_audio(path, look(path), wav, context or WorkContext()), wav


def heard_from_to(samples: np.ndarray) -> tuple[float, float]:
    """First and last moment that is not silent."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return loud[0] / SAMPLE_RATE_HZ, (loud[-1] + 1) / SAMPLE_RATE_HZ


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(samples)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi"])
def test_a_tone_stays_itself(tmp_path: Path, name: str) -> None:
    path = media.colour_clips(tmp_path / name, [("red", 2.0)], tone_hz=440)
    result, wav = extract(path)
    assert (result.path, result.track, result.broken_at_s, result.notes) == (str(wav), 1, None, ())
    assert result.duration_s == wav_duration_s(wav) == pytest.approx(2.0, abs=0.05)
    samples = read_wav(wav)
    assert pitch_hz(samples[8000:24000]) == pytest.approx(440, abs=2)
    assert heard_from_to(samples) == (pytest.approx(0.0, abs=0.03), pytest.approx(2.0, abs=0.03))
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_that_starts_late_is_heard_late(tmp_path: Path, name: str) -> None:
    _, wav = extract(media.delayed_audio(tmp_path / name, 1.0, duration_s=3.0))
    assert heard_from_to(read_wav(wav))[0] == pytest.approx(1.0, abs=0.005)


def test_time_zero_is_that_of_the_picture_when_the_clock_starts_late(tmp_path: Path) -> None:
    _, wav = extract(media.late_start(tmp_path / "a.mkv", 5.0, duration_s=2.0))
    assert heard_from_to(read_wav(wav)) == (pytest.approx(0.0, abs=0.005), pytest.approx(2.0, abs=0.03))


def test_speech_is_heard_where_it_was_put(tmp_path: Path) -> None:
    lines = media.spoken(tmp_path / "a.mp4", [(0.5, "a red car"), (3.0, "on the bridge")])
    _, wav = extract(tmp_path / "a.mp4")
    for line in lines:
        assert heard_from_to(read_wav(wav, line.start_s - 0.3, line.end_s + 0.3)) == (
            pytest.approx(0.3, abs=0.05),
            pytest.approx(0.3 + line.end_s - line.start_s, abs=0.05),
        )
    assert np.abs(read_wav(wav, lines[0].end_s + 0.1, 2.9)).max() < 0.01


def test_the_film_is_taken_not_the_commentary(tmp_path: Path) -> None:
    path = media.multi_track(tmp_path / "a.mkv")
    assert [t.stream_index for t in ranked_tracks(look(path))] == [3, 1, 2]
    result, wav = extract(path)
    assert result.track == 3
    assert pitch_hz(read_wav(wav, 0.5, 1.5)) == pytest.approx(440, abs=2)


def test_no_audio_is_fine_and_said(tmp_path: Path) -> None:
    result, wav = extract(media.no_audio(tmp_path / "a.mp4"))
    assert result == AudioResult(None, 0.0, None, None, ("no_audio",))
    assert not wav.exists()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_that_breaks_is_kept_up_to_there_and_silent_from_there(tmp_path: Path, name: str) -> None:
    result, wav = extract(media.broken_audio(tmp_path / name, from_s=2.0, duration_s=6.0))
    assert result.broken_at_s == pytest.approx(2.0, abs=0.03)
    assert result.notes == ("audio_broken:2.0",)
    samples = read_wav(wav)
    assert len(samples) / SAMPLE_RATE_HZ == pytest.approx(6.0, abs=0.05)
    assert heard_from_to(samples) == (pytest.approx(0.0, abs=0.01), pytest.approx(2.0, abs=0.05))


def test_sound_that_recovers_goes_on_at_its_time(tmp_path: Path) -> None:
    result, wav = extract(media.broken_audio(tmp_path / "a.mp4", from_s=2.0, to_s=4.0, duration_s=6.0))
    assert result.broken_at_s == pytest.approx(2.0, abs=0.03)
    samples = read_wav(wav)
    assert heard_from_to(samples[: 3 * SAMPLE_RATE_HZ])[1] == pytest.approx(2.0, abs=0.05)
    assert heard_from_to(samples[3 * SAMPLE_RATE_HZ :]) == (pytest.approx(1.0, abs=0.05), pytest.approx(3.0, abs=0.05))
    assert pitch_hz(read_wav(wav, 4.5, 5.5)) == pytest.approx(440, abs=2)


def test_sound_of_which_nothing_decodes(tmp_path: Path) -> None:
    result, wav = extract(media.broken_audio(tmp_path / "a.mp4", from_s=0.0, duration_s=2.0))
    assert (result.path, result.track, result.broken_at_s) == (None, None, 0.0)
    assert result.notes == ("no_audio", "audio_broken:0.0")
    assert not wav.exists()


def test_sound_in_a_codec_nobody_knows(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mkv", [("red", 1.0)], tone_hz=440)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XXX"))
    result, wav = extract(path)
    assert (result.path, result.notes) == (None, ("no_audio", "audio_broken:0.0"))
    assert not wav.exists()


def tone_then_silence(path: Path, tone_s: float, total_s: float) -> Path:
    picture = ["-f", "lavfi", "-i", f"color=c=red:s=64x64:r=25:d={total_s}"]
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={tone_s}"]
    media.ffmpeg(*picture, *sound, "-af", f"apad=whole_dur={total_s}", "-c:v", "libx264", "-c:a", "aac", path)
    return path


def test_sound_that_breaks_off_for_good_is_said(tmp_path: Path) -> None:
    result, wav = extract(tone_then_silence(tmp_path / "a.mp4", 4.0, 11.0))
    assert result.broken_at_s == pytest.approx(4.0, abs=0.1)
    assert result.notes == ("audio_stops:4.0",)
    assert wav_duration_s(wav) == pytest.approx(11.0, abs=0.05)


def test_a_quiet_end_is_no_breaking_off(tmp_path: Path) -> None:
    result, _ = extract(tone_then_silence(tmp_path / "a.mp4", 8.0, 11.0))
    assert (result.broken_at_s, result.notes) == (None, ())


def test_silence_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    picture = ["-f", "lavfi", "-i", "color=c=red:s=64x64:r=25:d=1"]
    media.ffmpeg(*picture, "-f", "lavfi", "-t", "1", "-i", "anullsrc=r=44100:cl=stereo", path)
    assert extract(path)[0].notes == ("audio_silent",)


def test_surround_sound_becomes_mono(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    picture = ["-f", "lavfi", "-i", "color=c=red:s=64x64:r=25:d=1"]
    sound = [
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000:duration=1",
        "-af",
        "aformat=channel_layouts=5.1",
    ]
    media.ffmpeg(*picture, *sound, "-c:v", "libx264", "-c:a", "pcm_s24le", path)
    _, wav = extract(path)
    assert pitch_hz(read_wav(wav, 0.2, 0.8)) == pytest.approx(440, abs=2)


def test_cancelling_leaves_nothing_behind(tmp_path: Path) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 1.0)], tone_hz=440)
    with pytest.raises(errors.Cancelled):
        extract(path, WorkContext(is_cancelled=lambda: True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    told: list[tuple[float, float]] = []
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 12.0)], tone_hz=440)
    extract(path, WorkContext(report=lambda done, total: told.append((done, total))))
    assert len(told) == 3  # about every 5 s, and the end
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == pytest.approx(12.0, abs=0.05)


def test_a_full_disk_is_said_before_and_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = media.colour_clips(tmp_path / "a.mp4", [("red", 2.0)], tone_hz=440)
    wav = tmp_path / "out.wav"
    # /dev/full answers every write as a full disk does
    (tmp_path / "out.wav.part").symlink_to("/dev/full")
    with pytest.raises(errors.DiskFull) as caught:
        extract_audio(path, look(path), wav, WorkContext())
    assert caught.value.details["needed_bytes"] == pytest.approx(2.0 * 32000, rel=0.02)
    monkeypatch.setattr(audio_module, "free_bytes", lambda folder: 1000)
    with pytest.raises(errors.DiskFull) as caught:
        extract_audio(path, look(path), wav, WorkContext())
    assert caught.value.details["free_bytes"] == 1000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


def test_reading_a_stretch(tmp_path: Path) -> None:
    _, wav = extract(media.delayed_audio(tmp_path / "a.mp4", 1.0, duration_s=2.0))
    whole = read_wav(wav)
    assert whole.dtype == np.float32
    assert np.array_equal(read_wav(wav, 0.5, 1.5), whole[8000:24000])
    assert read_wav(wav, 99.0).size == 0
    assert read_wav(wav, -1.0, 0.1).size == 1600


def test_reading_what_is_no_such_sound(tmp_path: Path) -> None:
    with pytest.raises(errors.FileUnreadable):
        read_wav(media.text_file_mp4(tmp_path / "a.wav"))
    with pytest.raises(errors.FileUnreadable, match="16 kHz"):
        read_wav(media.audio_only(tmp_path / "b.wav"))
