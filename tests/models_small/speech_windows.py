"""Windows of speech as Whisper sees them, with the tokens, word times and attention that training asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from tokenizers import Tokenizer
from torch.utils.data import IterableDataset

from tests.models_small.speech import RATE_HZ, VOCABULARY, Samples, Utterance, new_sentence, speak

STEP_S = 0.02
"""One position of the encoder, and one timestamp token."""
POSITIONS = 1500
SAMPLES_PER_POSITION = round(RATE_HZ * STEP_S)
LATEST_START_S = 1.0
"""faster-whisper lets no first timestamp be later than this (`max_initial_timestamp`)."""
IGNORED = -100
KOREAN_SHARE = 0.2
WORD_IDS = {word: i for i, word in enumerate((w for words in VOCABULARY.values() for w in words), start=1)}
"""What the frame-by-frame loss tells apart; 0 is none."""


@dataclass(frozen=True)
class Stage:
    """A part of training: `steps` batches of `batch` windows of `positions` encoder positions."""

    steps: int
    batch: int
    positions: int
    utterances: int


@dataclass(frozen=True)
class Placed:
    utterance: Utterance
    start_s: float

    @property
    def end_s(self) -> float:
        return self.start_s + self.utterance.duration_s


@dataclass(frozen=True)
class Batch:
    """`mel` (b, 80, 2 p); `offset` (b,) first position; `tokens`, `labels` (b, t); `stamps` (b, t) timestamp to learn
    or -1; `spans` (b, t, 2) positions to attend to, empty where any will do; `frames` (b, p) word ids."""

    mel: torch.Tensor
    offset: torch.Tensor
    tokens: torch.Tensor
    labels: torch.Tensor
    stamps: torch.Tensor
    spans: torch.Tensor
    frames: torch.Tensor


class Vocabulary:
    """The ids of Whisper's own tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.end, self.start = self._id("endoftext"), self._id("startoftranscript")
        self.transcribe = self._id("transcribe")
        self.no_speech, self.no_times = self._id("nospeech"), self._id("notimestamps")
        self.first_time = self.no_times + 1

    def _id(self, name: str) -> int:
        found = self.tokenizer.token_to_id(f"<|{name}|>")
        if found is None:
            raise ValueError(f"the tokenizer has no <|{name}|>")
        return int(found)

    def language(self, code: str) -> int:
        return self._id(code)

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids


def _tones(rng: np.random.Generator, count: int) -> Samples:
    """A few chords: not speech, however loud."""
    t = np.arange(count, dtype=np.float32) / RATE_HZ
    out = np.zeros(count, dtype=np.float32)
    for _ in range(rng.integers(1, 5)):
        a, b = np.sort(rng.uniform(0, count / RATE_HZ, 2))
        part = (t >= a) & (t < b)
        for hz in rng.uniform(90, 2000, rng.integers(1, 4)):
            out[part] += rng.uniform(0.02, 0.2) * np.sin(2 * np.pi * hz * t[part]).astype(np.float32)
    return out


class Windows(IterableDataset):
    """Fresh batches for every stage in turn."""

    def __init__(self, tokenizer_json: str, stages: tuple[Stage, ...], seed: int) -> None:
        self.tokenizer_json, self.stages, self.seed = tokenizer_json, stages, seed

    def __iter__(self) -> Iterator[Batch]:
        self.vocabulary = Vocabulary(Tokenizer.from_str(self.tokenizer_json))
        self.features = FeatureExtractor()
        rng = np.random.default_rng(self.seed)
        for stage in self.stages:
            for _ in range(stage.steps):
                yield _stack([self._window(rng, stage) for _ in range(stage.batch)], self.vocabulary.end)

    def _place(self, rng: np.random.Generator, stage: Stage, language: str) -> list[Placed]:
        """Utterances one after another; the last may run out of the window."""
        placed: list[Placed] = []
        limit_s = stage.positions * STEP_S
        at_s = rng.uniform(0, 1.2) if rng.uniform() < 0.8 else rng.uniform(0, limit_s / 2)
        for _ in range(rng.integers(1, stage.utterances + 1)):
            said = speak(new_sentence(rng, language, unseen=False), rng, language)
            if not placed and at_s + said.duration_s > limit_s:
                at_s = rng.uniform(0, max(0.0, limit_s - said.duration_s))
            placed.append(Placed(said, at_s))
            at_s = placed[-1].end_s + rng.uniform(0.25, 1.5)
            if at_s > limit_s - 0.5:
                break
        return placed

    def _audio(self, rng: np.random.Generator, stage: Stage, placed: list[Placed]) -> Samples:
        """From the end of the last utterance up to a whole window long, with or without a bed of noise."""
        whole = stage.positions * SAMPLES_PER_POSITION
        spoken = min(whole, max((round(p.end_s * RATE_HZ) for p in placed), default=RATE_HZ))
        audio = np.zeros(whole, dtype=np.float32)
        for p in placed:
            first = round(p.start_s * RATE_HZ)
            part = p.utterance.samples[: whole - first]
            audio[first : first + len(part)] += part
        if not placed and rng.uniform() < 0.5:
            audio += _tones(rng, whole)
        if rng.uniform() < 0.6:
            audio += rng.normal(0, 10 ** rng.uniform(-4.5, -2), whole).astype(np.float32)
        kind = rng.uniform()
        length = whole if kind < 0.4 else spoken if kind < 0.55 else int(rng.integers(spoken, whole + 1))
        return audio[:length] * np.float32(rng.uniform(0.3, 1.0))

    def _features(self, audio: Samples) -> npt.NDArray[np.float32]:
        """What faster-whisper's FeatureExtractor gives, (80, frames), several times as fast."""
        parts = self.features
        sound = torch.from_numpy(np.pad(audio, (0, 160)))
        window = torch.hann_window(parts.n_fft)
        spectrum = torch.stft(sound, parts.n_fft, parts.hop_length, window=window, return_complex=True)[:, :-1]
        mel = (torch.from_numpy(parts.mel_filters) @ spectrum.abs().square()).clamp(min=1e-10).log10()
        return ((torch.maximum(mel, mel.max() - 8) + 4) / 4).numpy()

    def _window(self, rng: np.random.Generator, stage: Stage) -> dict[str, npt.NDArray]:
        language = "ko" if rng.uniform() < KOREAN_SHARE else "en"
        placed = self._place(rng, stage, language) if rng.uniform() > 0.08 else []
        audio = self._audio(rng, stage, placed)
        times = bool(rng.uniform() < 0.5) or (bool(placed) and placed[-1].end_s > stage.positions * STEP_S)
        offset = int(rng.integers(0, POSITIONS - stage.positions + 1))
        mel = np.zeros((80, 2 * stage.positions), dtype=np.float32)
        heard = self._features(audio)[:, : 2 * stage.positions]
        mel[:, : heard.shape[1]] = heard
        frames = np.zeros(stage.positions, dtype=np.int64)
        for p in placed:
            for word in p.utterance.words:
                a, b = ((p.start_s + t) / STEP_S for t in (word.start_s, word.end_s))
                frames[round(a) : round(b)] = WORD_IDS[word.text]
        made = self._script(rng, placed, language, len(audio) // SAMPLES_PER_POSITION, stage, offset, times)
        tokens, labels, stamps, spans = (np.array(part) for part in zip(*made, strict=True))
        spans = spans.reshape(-1, 2)
        return {
            "mel": mel,
            "offset": np.array(offset),
            "tokens": tokens,
            "labels": labels,
            "stamps": stamps,
            "spans": spans,
            "frames": frames,
        }

    def _script(
        self,
        rng: np.random.Generator,
        placed: list[Placed],
        language: str,
        heard: int,
        stage: Stage,
        offset: int,
        times: bool,
    ) -> list[tuple[int, int, int, tuple[int, int]]]:
        """(token, what follows it or IGNORED, timestamp that follows it or -1, span to attend to) one by one."""
        v, nothing = self.vocabulary, (0, 0)
        limit = stage.positions
        script: list[tuple[int, int, tuple[int, int]]] = []  # token, timestamp, span: of the token itself

        def stamp(at_s: float, *, first: bool = False) -> None:
            at = min(limit, max(0, round(at_s / STEP_S)))
            near = (max(0, at - 2), min(limit, at + 2))
            if first and limit == POSITIONS and at_s > LATEST_START_S:
                at = 0
            script.append((v.first_time + at + offset, at + offset, near))

        for i, p in enumerate(placed):
            cut = p.end_s > limit * STEP_S
            if times:
                stamp(p.start_s, first=i == 0)
            if cut:
                break
            for j, word in enumerate(p.utterance.words):
                a, b = (round((p.start_s + t) / STEP_S) for t in (word.start_s, word.end_s))
                for token in v.encode(" " + word.text):
                    script.append((token, -1, (a, max(a + 1, b))))
                if j == len(p.utterance.words) - 1:
                    # the full stop takes the pause, so that the last word ends where its sound does
                    following = round(placed[i + 1].start_s / STEP_S) if i + 1 < len(placed) else limit
                    until = max(b + 2, min(following, heard, b + 25))
                    script.append((v.encode(".")[0], -1, (b - 1 if until > limit else b, min(until, limit))))
            if times:
                stamp(p.end_s)
        if not placed and times:
            script.append((v.first_time + offset, -1, nothing))
        script.append((v.end, -1, nothing))
        opening = [v.start, v.language(language), v.transcribe] + ([] if times else [v.no_times])
        out = [(v.start, v.language(language) if placed else v.no_speech, -1, nothing)]
        out += [(token, IGNORED, -1, nothing) for token in opening[1:-1]]
        before = [opening[-1], *(token for token, _, _ in script[:-1])]
        out += [(last, *entry) for last, entry in zip(before, script, strict=True)]
        return out


def _stack(windows: list[dict[str, npt.NDArray]], end: int) -> Batch:
    longest = max(len(w["tokens"]) for w in windows)
    fill = {"tokens": end, "labels": IGNORED, "stamps": -1, "spans": 0}

    def padded(name: str, value: npt.NDArray) -> npt.NDArray:
        if name not in fill:
            return value
        widths = [(0, longest - len(value))] + [(0, 0)] * (value.ndim - 1)
        return np.pad(value, widths, constant_values=fill[name])

    return Batch(**{name: torch.from_numpy(np.stack([padded(name, w[name]) for w in windows])) for name in windows[0]})
