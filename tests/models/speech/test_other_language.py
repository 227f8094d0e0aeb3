"""tiny.en on synthetic speech: English is kept, Korean does not become English, each in its own stretch of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.types import WorkContext
from tests.models.speech.recordings import write_wav
from tests.support.media import speech_wav

ENGLISH = "the old captain crosses the river near the bridge. the young doctor visits the quiet garden today."
KOREAN = "안녕하세요. 오늘은 날씨가 아주 맑고 바람이 시원합니다. 어제 저녁에 친구와 함께 시장에서 국수를 먹었습니다."
PAUSE_S = 6.0
"""Longer than what is joined into one clip."""


@pytest.fixture(scope="module")
def model() -> Whisper:
    return Whisper("tiny.en")


def said(folder: Path, *lines: tuple[str, str]) -> tuple[Path, list[tuple[float, float]]]:
    """(voice, text) one after the other, as a file and with the time of each."""
    from faster_whisper.audio import decode_audio

    silence = np.zeros(round(PAUSE_S * 16_000), np.float32)
    pieces, times, at_s = [silence], [], PAUSE_S
    for voice, text in lines:
        raw = speech_wav(folder / "raw.wav", text, voice=voice)
        samples = np.asarray(decode_audio(str(raw), sampling_rate=16_000))
        times.append((at_s, at_s + samples.size / 16_000))
        pieces += [samples, silence]
        at_s += samples.size / 16_000 + PAUSE_S
    return write_wav(folder / "said.wav", np.concatenate(pieces)), times


@pytest.mark.parametrize("voice", ["ko", pytest.param("ko+f3", marks=pytest.mark.long)])
def test_korean_does_not_become_english(model: Whisper, tmp_path: Path, voice: str) -> None:
    path, ((start_s, end_s),) = said(tmp_path, (voice, KOREAN))
    found = model.transcribe(path, language="auto", context=WorkContext())
    assert (found.segments, found.language) == ((), None)
    assert set(found.dropped) == {"uncertain"}
    (note,) = found.notes
    code, _, seconds = note.partition(":")
    assert code == "speech_uncertain"
    assert 0.5 * (end_s - start_s) <= int(seconds) <= end_s - start_s + 1, "what made no words at all is not counted"


@pytest.mark.long
def test_the_english_beside_it_is_kept(model: Whisper, tmp_path: Path) -> None:
    path, times = said(tmp_path, ("en-us", ENGLISH), ("ko", KOREAN), ("en-us+f3", ENGLISH))
    found = model.transcribe(path, language="auto", context=WorkContext())
    words = [word for segment in found.segments for word in segment.words]
    for start_s, end_s in (times[0], times[2]):
        text = " ".join(word.text.lower() for word in words if start_s - 0.5 <= word.start_s <= end_s)
        assert "captain" in text
        assert "quiet garden" in text
    korean_start_s, korean_end_s = times[1]
    assert [word.text for word in words if korean_start_s <= word.start_s <= korean_end_s] == []
    assert found.language == "en"
    assert found.dropped["uncertain"] >= 1


def test_a_stock_phrase_is_kept_where_it_is_spoken(model: Whisper, tmp_path: Path) -> None:
    path, _ = said(tmp_path, ("en-us", f"{ENGLISH} thank you for watching."))
    found = model.transcribe(path, language="en", context=WorkContext())
    assert "thank you for watching" in " ".join(segment.text.lower() for segment in found.segments)
    assert found.dropped == {}
