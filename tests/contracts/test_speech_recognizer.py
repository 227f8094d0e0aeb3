"""What every SpeechRecognizer holds to, whichever profile it belongs to."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import Cancelled, InvalidValue
from heimdex_core.models.base import SpeechRecognizer
from heimdex_core.types import WorkContext
from tests.contracts.adapters import SPEECH
from tests.models.speech import SPEECH_START_S, speech_at_16k, write_wav

# in words that the small model of the tests knows too
TEXT = "the old captain crosses the river near the bridge. the young doctor visits the quiet garden today."


@pytest.fixture(scope="module", params=sorted(SPEECH))
def recognizer(request: pytest.FixtureRequest) -> SpeechRecognizer:
    return SPEECH[request.param]()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speech_at_16k(tmp_path_factory.mktemp("speech") / "numbers.wav", TEXT)


def duration_s(path: Path) -> float:
    with wave.open(str(path)) as wav:
        return wav.getnframes() / wav.getframerate()


def test_says_what_it_is(recognizer: SpeechRecognizer) -> None:
    assert isinstance(recognizer, SpeechRecognizer)
    assert recognizer.name
    assert recognizer.revision
    assert isinstance(recognizer.rough, bool)
    assert recognizer.languages is None or "en" in recognizer.languages


def test_segments_and_words_are_in_order_and_inside_the_file(recognizer: SpeechRecognizer, spoken: Path) -> None:
    found = recognizer.transcribe(spoken, language="en", context=WorkContext())
    assert found.source == "recognised"
    assert found.language == "en"
    assert found.rough == recognizer.rough
    assert found.segments
    end_s = 0.0
    for segment in found.segments:
        assert end_s <= segment.start_s < segment.end_s <= duration_s(spoken)
        assert segment.text.strip() == segment.text != ""
        end_s = segment.start_s
        for word in segment.words:
            assert segment.start_s <= word.start_s <= word.end_s <= segment.end_s
            assert end_s <= word.start_s
            assert word.confidence is None or 0 <= word.confidence <= 1
            end_s = word.start_s
        end_s = segment.end_s
    assert found.segments[0].start_s >= SPEECH_START_S - 0.5, "nothing is said in the silence before"


def test_the_same_file_gives_the_same_transcript(recognizer: SpeechRecognizer, spoken: Path) -> None:
    first = recognizer.transcribe(spoken, language="en", context=WorkContext())
    assert recognizer.transcribe(spoken, language="en", context=WorkContext()) == first


def test_progress_grows_to_the_end_in_seconds_of_audio(recognizer: SpeechRecognizer, spoken: Path) -> None:
    seen: list[tuple[float, float]] = []
    recognizer.transcribe(
        spoken, language="en", context=WorkContext(report=lambda done, total: seen.append((done, total)))
    )
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert len(done) > 3, "not only at the end"
    assert all(total == pytest.approx(duration_s(spoken)) for _, total in seen)
    assert done[-1] == pytest.approx(duration_s(spoken))


def test_stops_when_asked_to(recognizer: SpeechRecognizer, spoken: Path) -> None:
    with pytest.raises(Cancelled):
        recognizer.transcribe(spoken, language="en", context=WorkContext(is_cancelled=lambda: True))


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0])
def test_silence_says_nothing(recognizer: SpeechRecognizer, tmp_path: Path, seconds: float) -> None:
    path = write_wav(tmp_path / "silence.wav", np.zeros(int(16_000 * seconds)))
    assert recognizer.transcribe(path, language="auto", context=WorkContext()).segments == ()


@pytest.mark.parametrize(("rate_hz", "channels"), [(22_050, 1), (16_000, 2)])
def test_refuses_another_kind_of_wav(recognizer: SpeechRecognizer, tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = write_wav(tmp_path / "other.wav", np.zeros(8000), rate_hz=rate_hz, channels=channels)
    with pytest.raises(InvalidValue, match="16 kHz mono"):
        recognizer.transcribe(path, language="en", context=WorkContext())


def test_refuses_what_is_not_a_wav(recognizer: SpeechRecognizer, tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("not a wav at all")
    with pytest.raises(InvalidValue):
        recognizer.transcribe(path, language="en", context=WorkContext())


def test_says_which_languages_it_leaves_alone(recognizer: SpeechRecognizer, spoken: Path) -> None:
    if recognizer.languages is None:
        assert "language_unsupported" not in recognizer.transcribe(spoken, language="ko", context=WorkContext()).notes
        return
    other = next(code for code in ("ko", "en", "ja", "tlh") if code not in recognizer.languages)
    found = recognizer.transcribe(spoken, language=other, context=WorkContext())
    assert found.segments == ()
    assert found.notes == ("language_unsupported",)
