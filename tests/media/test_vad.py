"""Speech is found where it was spoken, whether the audio is read in chunks or at once."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from heimdex_core import errors
from heimdex_core.media import vad
from heimdex_core.media.audio import extract_audio, read_wav
from heimdex_core.types import Interval, WorkContext
from tests.support import media
from tests.support.decoding import info_of


def write_wav(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[media.SpokenLine]]:
    folder = tmp_path_factory.mktemp("speech")
    lines = [(1.0, "the quick brown fox jumps over the lazy dog"), (6.0, "and this is another sentence entirely")]
    heard = media.spoken(folder / "a.mp4", lines, clips=[("gray", 10.0)])
    extract_audio(folder / "a.mp4", info_of(folder / "a.mp4"), folder / "a.wav", WorkContext())
    return folder / "a.wav", heard


def test_speech_is_found_where_it_is(speech: tuple[Path, list[media.SpokenLine]]) -> None:
    wav, lines = speech
    spans = vad.speech_spans(wav, WorkContext())
    inside = [[s for s in spans if s.end_s > a.start_s and s.start_s < a.end_s] for a in lines]
    assert sum(len(found) for found in inside) == len(spans)
    for line, found in zip(lines, inside, strict=True):
        assert found[0].start_s == pytest.approx(line.start_s, abs=0.3)
        assert found[-1].end_s == pytest.approx(line.end_s, abs=0.4)


def test_chunks_give_the_same_as_the_whole(speech: tuple[Path, list[media.SpokenLine]], tmp_path: Path) -> None:
    from faster_whisper.vad import get_vad_model

    # over a minute, so two chunks; the border at 60 s is 1.6 s into a loop, within the first sentence
    loop = read_wav(speech[0])[: round(7.3 * 16_000)]
    wav = write_wav(tmp_path / "long.wav", np.tile(loop, 9))
    samples = read_wav(wav)
    padded = np.pad(samples, (0, -samples.size % vad.WINDOW))
    whole = np.asarray(get_vad_model()(padded)).reshape(-1)
    assert np.abs(vad.speech_probabilities(wav, WorkContext()) - whole).max() < 1e-5


def test_silence_and_tones_are_not_speech(tmp_path: Path) -> None:
    silence = np.zeros(32000)
    assert vad.speech_spans(write_wav(tmp_path / "a.wav", silence), WorkContext()) == ()
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)
    assert vad.speech_spans(write_wav(tmp_path / "b.wav", tone), WorkContext()) == ()
    assert vad.speech_spans(write_wav(tmp_path / "c.wav", np.zeros(0)), WorkContext()) == ()


def test_cancelling_and_progress(speech: tuple[Path, list[media.SpokenLine]]) -> None:
    reports: list[tuple[float, float]] = []
    vad.speech_spans(speech[0], WorkContext(report=lambda done, total: reports.append((done, total))))
    assert reports[-1][0] == reports[-1][1] == pytest.approx(10.0, abs=0.05)
    with pytest.raises(errors.Cancelled):
        vad.speech_spans(speech[0], WorkContext(is_cancelled=lambda: True))


def spans(*windows: float, duration_s: float = 100.0) -> list[tuple[float, float]]:
    found = vad.spans_of(np.asarray(windows, np.float32), duration_s)
    return [(s.start_s, s.end_s) for s in found]


def test_a_pause_ends_speech_and_a_short_one_does_not() -> None:
    window_s, pad_s = 0.032, vad.PAD_S
    short, long = [0.1] * 7, [0.1] * 8  # 224 and 256 ms
    speech = [0.9] * 10
    assert spans(*speech, *short, *speech) == [(0.0, pytest.approx(27 * window_s + pad_s))]
    assert spans(*speech, *long, *speech) == [
        (0.0, pytest.approx(10 * window_s + pad_s)),
        (pytest.approx(18 * window_s - pad_s), pytest.approx(28 * window_s + pad_s)),
    ]


def test_between_the_thresholds_speech_goes_on_but_does_not_begin() -> None:
    assert spans(*[0.4] * 20) == []
    assert len(spans(*[0.9] * 5, *[0.4] * 20, *[0.9] * 5)) == 1


def test_a_click_is_not_speech() -> None:
    assert spans(*[0.1] * 10, 0.9, 0.9, *[0.1] * 20) == []


def test_spans_stay_inside_the_file() -> None:
    assert spans(*[0.9] * 10, duration_s=0.3) == [(0.0, 0.3)]


def test_silences_are_the_rest() -> None:
    speech = (Interval(1.0, 2.0), Interval(2.2, 3.0), Interval(3.3, 9.9))
    assert vad.silences(speech, 10.0, min_s=0.3) == (Interval(0.0, 1.0), Interval(3.0, 3.3))
    assert vad.silences((), 2.0) == (Interval(0.0, 2.0),)
    # the audio may be longer than the video
    assert vad.silences((Interval(0.0, 1.0), Interval(5.0, 6.0)), 4.0) == (Interval(1.0, 4.0),)
    assert vad.silences((Interval(0.0, 6.0),), 4.0) == ()
