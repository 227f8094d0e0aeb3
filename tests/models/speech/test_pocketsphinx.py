from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from heimdex_core.errors import Cancelled, ModelBroken, ModelUnavailable
from heimdex_core.models.speech import pocketsphinx
from heimdex_core.models.speech.pocketsphinx import LONGEST_STRETCH_S, PocketsphinxRecognizer
from heimdex_core.models.speech.windows import open_wav
from heimdex_core.types import WorkContext
from tests.models.speech.recordings import speech_at_16k, write_wav


@pytest.fixture(scope="module")
def recognizer() -> PocketsphinxRecognizer:
    return PocketsphinxRecognizer()


def test_some_words_are_right_and_have_the_right_times(recognizer: PocketsphinxRecognizer, tmp_path: Path) -> None:
    wav = speech_at_16k(tmp_path / "numbers.wav", "one two three four five six seven eight nine ten", start_s=2.0)
    found = recognizer.transcribe(wav, language="auto", context=WorkContext())
    words = [word for segment in found.segments for word in segment.words]
    right = [word.text for word in words if word.text in {"one", "two", "three", "four", "five", "six", "eight"}]
    assert len(set(right)) >= 4, [word.text for word in words]
    assert found.rough
    assert 1.9 <= words[0].start_s <= 2.6, "the silence before is not cut from the times"
    assert all(word.confidence is not None for word in words)
    assert found.segments[0].text == " ".join(word.text for word in found.segments[0].words)


def test_a_language_code_with_a_region(recognizer: PocketsphinxRecognizer, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "silence.wav", np.zeros(8000))
    assert recognizer.transcribe(wav, language="en-US", context=WorkContext()).notes == ()


def test_speech_without_a_pause_is_decoded_in_pieces(tmp_path: Path) -> None:
    wav = speech_at_16k(tmp_path / "long.wav", "and we go on and on and on without any pause at all " * 12)
    with open_wav(wav) as file:
        pieces = list(pocketsphinx._stretches(file, WorkContext()))
    lengths = [len(samples) / 2 / 16_000 for _, samples, _ in pieces]
    assert max(lengths) <= LONGEST_STRETCH_S + 1
    assert sum(lengths) > LONGEST_STRETCH_S
    for (start_s, samples, _), (next_s, _, _) in zip(pieces, pieces[1:], strict=False):
        assert start_s + len(samples) / 2 / 16_000 <= next_s + 0.35, "pieces follow each other"


def test_cancelled_while_decoding_and_used_again(tmp_path: Path) -> None:
    recognizer = PocketsphinxRecognizer()
    long = speech_at_16k(tmp_path / "long.wav", "and we go on and on and on without any pause at all " * 4)
    short = speech_at_16k(tmp_path / "short.wav", "one two three four five six seven")
    recognizer.load()
    polls: list[float] = []

    def is_cancelled() -> bool:
        polls.append(0.0)
        return reached[0] >= 1.0 and len(polls) > polls_at_end[0] + 2

    reached, polls_at_end = [0.0], [10**9]

    def report(done: float, total: float) -> None:
        # the whole file has been read, so all further polls happen while it is decoded
        if done >= 0.9 * total and reached[0] < 1.0:
            reached[0], polls_at_end[0] = 1.0, len(polls)

    with pytest.raises(Cancelled):
        recognizer.transcribe(long, language="en", context=WorkContext(report=report, is_cancelled=is_cancelled))
    assert recognizer.transcribe(short, language="en", context=WorkContext()).segments


def test_a_process_that_died_is_reported_and_started_again(tmp_path: Path) -> None:
    recognizer = PocketsphinxRecognizer()
    wav = speech_at_16k(tmp_path / "one.wav", "one two three four five six seven")
    recognizer.load()
    child = recognizer._model
    assert child is not None

    def kill(done: float, total: float) -> None:
        child._process.kill()

    with pytest.raises(ModelBroken, match="process"):
        recognizer.transcribe(wav, language="en", context=WorkContext(report=kill))
    assert not recognizer.is_loaded
    assert recognizer.transcribe(wav, language="en", context=WorkContext()).segments
    assert recognizer.is_loaded


def test_its_process_ends_with_the_recogniser() -> None:
    recognizer = PocketsphinxRecognizer()
    recognizer.load()
    assert recognizer._model is not None
    process = recognizer._model._process
    del recognizer
    gc.collect()
    assert process.poll() is not None


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cmudict"):
        PocketsphinxRecognizer(folder=tmp_path).load()
