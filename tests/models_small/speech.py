"""Spoken sentences of a small vocabulary, with the time of every word as the synthesiser itself gives it.

`sentence` makes up a sentence, `speak` says it with libespeak-ng. The small Whisper is trained on these, and tests
make speech out of them.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import firwin, resample_poly

Samples = npt.NDArray[np.float32]
"""Mono, 16 kHz, -1 to 1."""

RATE_HZ = 16_000
HELD_OUT_SHARE = 0.2

NOUNS = [
    "captain",
    "doctor",
    "teacher",
    "farmer",
    "river",
    "mountain",
    "bridge",
    "garden",
    "market",
    "station",
    "window",
    "kitchen",
    "hammer",
    "elephant",
    "horse",
    "rabbit",
    "piano",
    "castle",
]
ADJECTIVES = ["old", "young", "quiet", "golden", "broken", "wonderful"]
VERBS = ["opens", "crosses", "follows", "paints", "remembers", "visits"]
PLACES = ["behind", "under", "near", "inside"]
TIMES = ["today", "tomorrow", "tonight", "yesterday"]
KOREAN_TIMES = ["오늘", "어제", "아침에"]
KOREAN_SUBJECTS = ["선생님이", "학생이", "고양이가", "친구가"]
KOREAN_OBJECTS = ["다리를", "바다를", "시장을", "코끼리를"]
KOREAN_VERBS = ["봅니다", "찾습니다", "그립니다"]
VOCABULARY = {
    "en": (*NOUNS, *ADJECTIVES, *VERBS, *PLACES, *TIMES, "the", "she", "we", "and", "never", "always"),
    "ko": (*KOREAN_TIMES, *KOREAN_SUBJECTS, *KOREAN_OBJECTS, *KOREAN_VERBS),
}

# files of espeak-ng: the language's voice, and who speaks
LANGUAGE_VOICES = {"en": ("gmw/en-US", "gmw/en"), "ko": ("ko",)}
SPEAKERS = ("", "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m7")


@dataclass(frozen=True)
class SpokenWord:
    """A word and its [start_s, end_s) from the first sample on."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Utterance:
    """A spoken sentence; `text` is its words with a full stop at the end."""

    language: str
    words: tuple[SpokenWord, ...]
    samples: Samples

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words) + "."

    @property
    def duration_s(self) -> float:
        return len(self.samples) / RATE_HZ


def sentence(rng: np.random.Generator, language: str = "en") -> str:
    """A made-up sentence without its full stop."""

    def one(words: Sequence[str]) -> str:
        return words[int(rng.integers(len(words)))]

    def thing() -> str:
        return f"the {one(ADJECTIVES)} {one(NOUNS)}" if rng.uniform() < 0.5 else f"the {one(NOUNS)}"

    if language == "ko":
        return f"{one(KOREAN_TIMES)} {one(KOREAN_SUBJECTS)} {one(KOREAN_OBJECTS)} {one(KOREAN_VERBS)}"
    kind = rng.integers(5)
    if kind == 0:
        return f"{thing()} {one(VERBS)} {thing()} {one(TIMES)}"
    if kind == 1:
        return f"{one(TIMES)} she {one(VERBS)} {thing()} {one(PLACES)} {thing()}"
    if kind == 2:
        return f"{thing()} {one(('never', 'always'))} {one(VERBS)} {thing()}"
    if kind == 3:
        return f"{one(PLACES)} {thing()} she {one(VERBS)} {thing()} and {thing()}"
    return f"we and {thing()} {one(TIMES)} {one(PLACES)} {thing()}"


def held_out(text: str) -> bool:
    """Whether a sentence is kept out of training."""
    return zlib.crc32(text.encode()) % 1000 < HELD_OUT_SHARE * 1000


def new_sentence(rng: np.random.Generator, language: str = "en", *, unseen: bool) -> str:
    """A sentence of the held-out part (`unseen`) or of the other."""
    while held_out(text := sentence(rng, language)) != unseen:
        pass
    return text


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_NO_MORE_EVENTS, _WORD, _END = 0, 1, 5
_SYNCHRONOUS, _UTF8 = 2, 1
# longer than any sentence, as events at the border of two buffers can be wrong
_BUFFER_MS = 20_000
_SPEED, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4


class _Espeak:
    """libespeak-ng of this process; the library is one global machine, so there is one of these."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        self.rate_hz = self.library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, None, 0)
        if self.rate_hz <= 0:
            raise OSError("libespeak-ng could not be started: are its voices installed (espeak-ng-data)?")
        self.pieces: list[npt.NDArray[np.int16]] = []
        self.events: list[tuple[int, int, int]] = []
        # an attribute, because the library calls it as long as this object exists
        self.callback = _Callback(self._heard)
        self.library.espeak_SetSynthCallback(self.callback)

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != _NO_MORE_EVENTS:
            self.events.append((events[i].type, events[i].text_position, events[i].sample))
            i += 1
        return 0

    def say(self, text: str, voice: str, parameters: dict[int, int]) -> tuple[npt.NDArray[np.float32], list[int], int]:
        """Samples at `rate_hz`, the first sample of each word, and that of the end of speech."""
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        for name, value in parameters.items():
            self.library.espeak_SetParameter(name, value, 0)
        self.pieces, self.events = [], []
        data = ctypes.create_string_buffer(text.encode())
        self.library.espeak_Synth(data, len(data), 0, 1, 0, _UTF8, None, None)
        self.library.espeak_Synchronize()
        # espeak-ng sometimes reports one word more, at a position where none begins
        begins = {0, *(i + 1 for i, letter in enumerate(text) if letter == " ")}
        starts = {p - 1: sample for kind, p, sample in reversed(self.events) if kind == _WORD and p - 1 in begins}
        end = max(sample for kind, _, sample in self.events if kind == _END)
        return np.concatenate(self.pieces).astype(np.float32) / np.float32(32768), sorted(starts.values()), end


@lru_cache(maxsize=1)
def _espeak() -> _Espeak:
    return _Espeak()


def _ratio(rate_hz: int) -> tuple[int, int]:
    """320 and 441 for 22,050 Hz."""
    common = int(np.gcd(RATE_HZ, rate_hz))
    return RATE_HZ // common, rate_hz // common


@lru_cache(maxsize=1)
def _low_pass(rate_hz: int) -> npt.NDArray[np.float32]:
    """The filter that resample_poly would design again for every sentence."""
    widest = max(_ratio(rate_hz))
    return firwin(2 * 10 * widest + 1, 1 / widest, window=("kaiser", 5.0)).astype(np.float32)


def speak(text: str, rng: np.random.Generator, language: str = "en", *, speaker: str | None = None) -> Utterance:
    """Says a sentence at 16 kHz; voice, speed, pitch and loudness come from the generator.

    Raises ValueError when the synthesiser does not give one time for each word.
    """
    espeak = _espeak()
    voices = LANGUAGE_VOICES[language]
    who = SPEAKERS[rng.integers(len(SPEAKERS))] if speaker is None else speaker
    voice = voices[rng.integers(len(voices))] + (f"+{who}" if who else "")
    parameters = {
        _SPEED: int(rng.integers(130, 191)),
        _PITCH: int(rng.integers(35, 66)),
        _RANGE: int(rng.integers(35, 66)),
        _VOLUME: int(rng.integers(50, 101)),
    }
    samples, starts, end = espeak.say(text + ".", voice, parameters)
    words = text.split()
    if len(starts) != len(words):
        raise ValueError(f"{len(starts)} times for {len(words)} words: {text!r} with voice {voice!r}")
    times = [sample / espeak.rate_hz for sample in (*starts, end)]
    spoken = (SpokenWord(w, a, b) for w, a, b in zip(words, times[:-1], times[1:], strict=True))
    resampled = resample_poly(samples, *_ratio(espeak.rate_hz), window=_low_pass(espeak.rate_hz))
    return Utterance(language, tuple(spoken), resampled[: int(times[-1] * RATE_HZ)].astype(np.float32))
