"""The small Whisper, with faster-whisper itself and with our adapter, on sentences that are held out from training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment, Word

from heimdex_core.models.speech.whisper import Whisper
from heimdex_core.types import WorkContext
from tests.models.speech.recordings import write_wav
from tests.models_small.speech import RATE_HZ, Samples, SpokenWord, Utterance, new_sentence, speak

FOLDER = Path(__file__).parent / "whisper"
SEED = 2026
CLOSE_S = 0.3


@pytest.fixture(scope="module")
def whisper() -> WhisperModel:
    with pytest.MonkeyPatch.context() as patch:
        # no requests to a hub
        patch.setenv("HF_HUB_OFFLINE", "1")
        return WhisperModel(str(FOLDER), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)


@dataclass(frozen=True)
class Said:
    """Speech with its words and their times."""

    samples: Samples
    utterances: tuple[Utterance, ...]
    words: tuple[SpokenWord, ...]


def said(utterances: Iterable[Utterance], *, before_s: float = 0.4, pause_s: float = 0.7, after_s: float = 0.6) -> Said:
    utterances = tuple(utterances)
    pieces, words, at_s = [np.zeros(round(before_s * RATE_HZ), dtype=np.float32)], [], before_s
    for utterance in utterances:
        words += [SpokenWord(w.text, at_s + w.start_s, at_s + w.end_s) for w in utterance.words]
        pieces += [utterance.samples, np.zeros(round(pause_s * RATE_HZ), dtype=np.float32)]
        at_s += utterance.duration_s + pause_s
    pieces.append(np.zeros(round(after_s * RATE_HZ), dtype=np.float32))
    return Said(np.concatenate(pieces), utterances, tuple(words))


def unseen(count: int, seed: int, language: str = "en") -> list[Utterance]:
    rng = np.random.default_rng([SEED, seed])
    return [speak(new_sentence(rng, language, unseen=True), rng, language) for _ in range(count)]


def heard(segments: Iterable[Segment]) -> list[Word]:
    return [word for segment in segments for word in segment.words or ()]


def matched(truth: Iterable[SpokenWord], words: Iterable[Word]) -> tuple[list[tuple[SpokenWord, Word]], int]:
    """Words that are right by the shortest edit script, of these the one with most of them, and the number of edits."""
    truth, words = list(truth), list(words)
    said_words, heard_words = [w.text for w in truth], [w.word.strip(" .,").lower() for w in words]
    # an edit costs so much that no number of right words makes up for it
    edit, right = 10_000, -1
    cost = np.zeros((len(truth) + 1, len(words) + 1), dtype=int)
    cost[:, 0], cost[0, :] = edit * np.arange(len(truth) + 1), edit * np.arange(len(words) + 1)
    for i in range(1, len(truth) + 1):
        for j in range(1, len(words) + 1):
            pair = right if said_words[i - 1] == heard_words[j - 1] else edit
            cost[i, j] = min(cost[i - 1, j] + edit, cost[i, j - 1] + edit, cost[i - 1, j - 1] + pair)
    pairs, i, j = [], len(truth), len(words)
    while i and j:
        is_right = said_words[i - 1] == heard_words[j - 1]
        if cost[i, j] == cost[i - 1, j - 1] + (right if is_right else edit):
            i, j = i - 1, j - 1
            if is_right:
                pairs.append((truth[i], words[j]))
        elif cost[i, j] == cost[i - 1, j] + edit:
            i -= 1
        else:
            j -= 1
    return pairs[::-1], round((int(cost[-1, -1]) + len(pairs)) / edit)


def test_the_edit_script_is_the_shortest() -> None:
    truth = [SpokenWord(t, 0, 1) for t in ["the", "old", "horse"]]
    words = [Word(start=0, end=1, word=f" {t}", probability=1) for t in ("the", "horse", "today.")]
    pairs, edits = matched(truth, words)
    assert edits == 2
    assert [(a.text, b.word) for a, b in pairs] == [("the", " the"), ("horse", " horse")]


def test_the_folder_is_small() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert set(files) == {"config.json", "model.bin", "preprocessor_config.json", "tokenizer.json", "vocabulary.json"}
    assert sum(files.values()) <= 6_000_000


def test_it_is_multilingual(whisper: WhisperModel) -> None:
    assert whisper.model.is_multilingual
    assert {"en", "ko"} <= set(whisper.supported_languages)


@pytest.fixture(scope="module")
def single(whisper: WhisperModel) -> list[tuple[Said, list[Segment]]]:
    """24 sentences, each alone."""
    speeches = [said([utterance]) for utterance in unseen(24, 1)]
    return [(s, list(whisper.transcribe(s.samples, language="en", word_timestamps=True)[0])) for s in speeches]


def test_four_of_five_words_are_right(single: list[tuple[Said, list[Segment]]]) -> None:
    edits = sum(matched(speech.words, heard(segments))[1] for speech, segments in single)
    assert edits <= 0.2 * sum(len(speech.words) for speech, _ in single)


def test_words_have_the_right_times(single: list[tuple[Said, list[Segment]]]) -> None:
    """Except the first one, which faster-whisper lets begin where the samples begin."""
    pairs = [pair for speech, segments in single for pair in matched(speech.words, heard(segments))[0][1:]]
    off = np.array([(abs(word.start - true.start_s), abs(word.end - true.end_s)) for true, word in pairs])
    assert np.mean(off.max(1) <= CLOSE_S) >= 0.95
    assert np.median(off) <= 0.1


def test_words_are_in_order_and_inside_their_segments(single: list[tuple[Said, list[Segment]]]) -> None:
    for speech, segments in single:
        words = heard(segments)
        assert all(a.end <= b.start + 1e-6 for a, b in zip(words, words[1:], strict=False))
        for segment in segments:
            assert all(segment.start <= w.start <= w.end <= segment.end for w in segment.words or ())
        assert all(word.end <= len(speech.samples) / RATE_HZ for word in words)


def test_the_adapter_gives_words_the_right_times(tmp_path: Path) -> None:
    """In long recordings with short and long pauses, the first words included, as it knows where speech begins."""
    adapter, edits, count, off = Whisper(str(FOLDER)), 0, 0, []
    for pause_s in (0.7, 2.0, 4.0):
        speech = said(unseen(12, 2), pause_s=pause_s)
        assert len(speech.samples) > 40 * RATE_HZ, "more than one clip"
        path = write_wav(tmp_path / "speech.wav", speech.samples)
        found = adapter.transcribe(path, language="en", context=WorkContext())
        words = [Word(w.start_s, w.end_s, w.text, 1.0) for segment in found.segments for w in segment.words]
        pairs, wrong = matched(speech.words, words)
        edits, count = edits + wrong, count + len(speech.words)
        off += [max(abs(word.start - true.start_s), abs(word.end - true.end_s)) for true, word in pairs]
    assert edits <= 0.2 * count
    # the kernels of another processor move a word or two
    assert np.mean(np.array(off) <= CLOSE_S) >= 0.9


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_language_is_detected(whisper: WhisperModel, language: str) -> None:
    speech = said(unseen(4, 4, language))
    segments, info = whisper.transcribe(speech.samples, word_timestamps=True)
    assert info.language == language
    _, edits = matched(speech.words, heard(segments))
    assert edits <= 0.2 * len(speech.words)


@pytest.mark.parametrize("kind", ["nothing", "hiss", "hum"])
def test_no_words_without_speech(whisper: WhisperModel, kind: str) -> None:
    time_s = np.arange(10 * RATE_HZ, dtype=np.float32) / RATE_HZ
    samples = {
        "nothing": np.zeros_like(time_s),
        "hiss": np.random.default_rng(SEED).normal(0, 0.01, len(time_s)).astype(np.float32),
        "hum": 0.1 * np.sin(2 * np.pi * 220 * time_s),
    }[kind]
    segments, _ = whisper.transcribe(samples, language="en", word_timestamps=True)
    assert not heard(segments)
