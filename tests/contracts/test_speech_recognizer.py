"""The contract of SpeechRecognizer."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import Cancelled, InvalidValue
from heimdex_core.models.base import SpeechRecognizer
from heimdex_core.types import Transcript, WorkContext
from tests.contracts.adapters import SPEECH
from tests.models.speech.recordings import SPEECH_START_S, speech_at_16k, write_wav

# in words that the small model of the tests knows too
TEXT = "the old captain crosses the river near the bridge. the young doctor visits the quiet garden today."


@pytest.fixture(scope="module", params=sorted(SPEECH))
def recognizer(request: pytest.FixtureRequest) -> SpeechRecognizer:
    return SPEECH[request.param]()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speech_at_16k(tmp_path_factory.mktemp("speech") / "numbers.wav", TEXT)


Recognised = tuple[Transcript, list[tuple[float, float]]]


@pytest.fixture(scope="module")
def recognised(recognizer: SpeechRecognizer, spoken: Path) -> Recognised:
    """The transcript of `spoken`, and the progress that was reported: (done, total)."""
    progress: list[tuple[float, float]] = []
    context = WorkContext(report=lambda done, total: progress.append((done, total)))
    return recognizer.transcribe(spoken, language="en", context=context), progress


def duration_s(path: Path) -> float:
    with wave.open(str(path)) as wav:
        return wav.getnframes() / wav.getframerate()


def test_it_has_a_name_a_revision_and_languages(recognizer: SpeechRecognizer) -> None:
    assert isinstance(recognizer, SpeechRecognizer)
    assert recognizer.name
    assert recognizer.revision
    assert recognizer.version >= 1
    assert recognizer.languages is None or "en" in recognizer.languages


def test_segments_and_words_are_in_order_and_inside_the_file(
    recognizer: SpeechRecognizer, spoken: Path, recognised: Recognised
) -> None:
    found, _ = recognised
    assert found.source == "recognised"
    assert found.language == "en"
    assert not found.rough
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
    assert found.segments[0].start_s >= SPEECH_START_S - 0.5, "no words in the silence before the speech"


def test_the_same_file_gives_the_same_transcript(
    recognizer: SpeechRecognizer, spoken: Path, recognised: Recognised
) -> None:
    assert recognizer.transcribe(spoken, language="en", context=WorkContext()) == recognised[0]


def test_progress_grows_to_the_end_in_seconds_of_audio(spoken: Path, recognised: Recognised) -> None:
    _, progress = recognised
    done = [d for d, _ in progress]
    assert done == sorted(done)
    assert len(done) > 3, "not only at the end"
    assert all(total == pytest.approx(duration_s(spoken)) for _, total in progress)
    assert done[-1] == pytest.approx(duration_s(spoken))


def test_it_can_be_cancelled(recognizer: SpeechRecognizer, spoken: Path) -> None:
    with pytest.raises(Cancelled):
        recognizer.transcribe(spoken, language="en", context=WorkContext(is_cancelled=lambda: True))


@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0])
def test_silence_has_no_words(recognizer: SpeechRecognizer, tmp_path: Path, seconds: float) -> None:
    path = write_wav(tmp_path / "silence.wav", np.zeros(int(16_000 * seconds)))
    assert recognizer.transcribe(path, language="auto", context=WorkContext()).segments == ()


@pytest.mark.parametrize(("rate_hz", "channels"), [(22_050, 1), (16_000, 2)])
def test_another_format_of_wav_is_refused(
    recognizer: SpeechRecognizer, tmp_path: Path, rate_hz: int, channels: int
) -> None:
    path = write_wav(tmp_path / "other.wav", np.zeros(8000), rate_hz=rate_hz, channels=channels)
    with pytest.raises(InvalidValue, match="16 kHz mono"):
        recognizer.transcribe(path, language="en", context=WorkContext())


def test_a_file_that_is_not_a_wav_is_refused(recognizer: SpeechRecognizer, tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("not a wav at all")
    with pytest.raises(InvalidValue):
        recognizer.transcribe(path, language="en", context=WorkContext())


def test_an_unknown_language_gives_an_empty_transcript_with_a_note(recognizer: SpeechRecognizer, spoken: Path) -> None:
    if recognizer.languages is None:
        assert "language_unsupported" not in recognizer.transcribe(spoken, language="ko", context=WorkContext()).notes
        return
    other = next(code for code in ("ko", "en", "ja", "tlh") if code not in recognizer.languages)
    found = recognizer.transcribe(spoken, language=other, context=WorkContext())
    assert found.segments == ()
    assert found.notes == ("language_unsupported",)
