"""English speech by pocketsphinx, from a package that brings its model: rough, but there.

The WAV is streamed: a voice activity detector cuts it at silences, each stretch of speech is decoded
by itself, and no more than one stretch is ever held.
"""

from __future__ import annotations

import importlib.util
import re
import threading
import wave
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.errors import InvalidValue, ModelBroken, ModelUnavailable
from heimdex_core.models.speech_filter import NO_SPEECH_LIMIT, filter_segments
from heimdex_core.models.weights import folder_bytes
from heimdex_core.types import Segment, Transcript, Word, WorkContext

if TYPE_CHECKING:
    from pocketsphinx import Decoder

NAME = "pocketsphinx"
REVISION = "5.1.1-en-us"
RATE_HZ = 16_000
LONGEST_STRETCH_S = 20.0
"""Speech (or music taken for it) without a pause is decoded in pieces of this length."""
LINE_PAUSE_S = 0.6
LONGEST_LINE_S = 10.0
_FRAME_BYTES = 2
_FILES = ("en-us/cmudict-en-us.dict", "en-us/en-us.lm.bin", "en-us/en-us/mdef", "en-us/en-us/means")
_NOT_WORDS = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_VARIANT = re.compile(r"\(\d+\)$")


def model_folder() -> Path:
    """Where the package keeps its model, found without importing it; ModelUnavailable if not installed."""
    spec = importlib.util.find_spec("pocketsphinx")
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(name=NAME, reason="the package pocketsphinx is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


class PocketsphinxRecognizer:
    """A SpeechRecognizer. One transcription at a time; others wait their turn."""

    name = NAME
    revision = REVISION
    rough = True
    languages: frozenset[str] | None = frozenset({"en"})
    licence = "BSD-2-Clause"

    def __init__(self, *, folder: Path | None = None, no_speech_limit: float = NO_SPEECH_LIMIT) -> None:
        self._folder = folder
        self._no_speech_limit = no_speech_limit
        self._lock = threading.Lock()
        self._decoder: Decoder | None = None

    @property
    def is_loaded(self) -> bool:
        return self._decoder is not None

    @property
    def size_bytes(self) -> int:
        return folder_bytes(self._folder or model_folder())

    def load(self) -> None:
        """Read the model now. Raises ModelUnavailable or ModelBroken."""
        with self._lock:
            self._loaded()

    def check(self) -> None:
        """Raise ModelUnavailable where the model's files are missing, ModelBroken where its version is another."""
        folder = self._folder or model_folder()
        for file in _FILES:
            if not (folder / file).is_file():
                raise ModelUnavailable(name=NAME, reason=f"{file} is missing from {folder}")
        installed = metadata.version("pocketsphinx")
        if not REVISION.startswith(f"{installed}-"):
            raise ModelBroken(name=NAME, reason=f"version {installed} is installed, {REVISION} is needed")

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        """What is said in a 16 kHz mono 16-bit WAV; progress in seconds of audio.

        A language other than "en" or "auto" gives an empty transcript with the note
        "language_unsupported". Raises Cancelled, ModelUnavailable, ModelBroken, InvalidValue.
        """
        if language.split("-")[0].lower() not in ("en", "auto"):
            return Transcript((), "recognised", None, NAME, rough=True, notes=("language_unsupported",))
        segments: list[Segment] = []
        with self._lock, _open_wav(wav_path) as wav:
            decoder = self._loaded()
            # What it learned of the last file's noise and level must not colour this one.
            decoder.reinit_feat()
            decoder.start_stream()
            total_s = wav.getnframes() / RATE_HZ
            for start_s, stretch, done_s in _stretches(wav, context):
                context.report(done_s, total_s)
                context.check()
                segments += lines(_words(decoder, stretch, start_s, total_s))
            context.report(total_s, total_s)
        filtered = filter_segments(segments, no_speech_limit=self._no_speech_limit)
        return Transcript(filtered.segments, "recognised", "en", NAME, rough=True, dropped=filtered.dropped)

    def _loaded(self) -> Decoder:
        """The decoder; the lock must be held."""
        if self._decoder is None:
            self.check()
            folder = self._folder or model_folder()
            try:
                from pocketsphinx import Config, Decoder

                self._decoder = Decoder(
                    Config(
                        hmm=str(folder / "en-us/en-us"),
                        lm=str(folder / "en-us/en-us.lm.bin"),
                        dict=str(folder / "en-us/cmudict-en-us.dict"),
                        loglevel="FATAL",
                    )
                )
            except ImportError as error:
                raise ModelUnavailable(name=NAME, reason=str(error)) from error
            except (RuntimeError, ValueError) as error:
                raise ModelBroken(name=NAME, reason=str(error)) from error
        return self._decoder


def lines(words: Sequence[Word]) -> list[Segment]:
    """Words as lines: broken at pauses, and where a line would grow too long."""
    found: list[list[Word]] = []
    for word in words:
        line = found[-1] if found else None
        if line and word.start_s - line[-1].end_s < LINE_PAUSE_S and word.end_s - line[0].start_s <= LONGEST_LINE_S:
            line.append(word)
        else:
            found.append([word])
    return [_segment(line) for line in found]


def _segment(words: Sequence[Word]) -> Segment:
    sure = [word.confidence for word in words if word.confidence is not None]
    return Segment(
        start_s=words[0].start_s,
        end_s=words[-1].end_s,
        text=" ".join(word.text for word in words),
        confidence=round(sum(sure) / len(sure), 4) if sure else None,
        words=tuple(words),
    )


def _open_wav(path: Path) -> wave.Wave_read:
    try:
        wav = wave.open(str(path), "rb")  # noqa: SIM115 - the caller's `with` closes it
    except (wave.Error, EOFError) as error:
        raise InvalidValue(name="wav", value=path.name, reason=str(error) or "it is empty") from error
    found = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth())
    if found != (RATE_HZ, 1, _FRAME_BYTES):
        wav.close()
        raise InvalidValue(
            name="wav", value=f"{found[0]} Hz, {found[1]} channels", reason="16 kHz mono 16-bit is needed"
        )
    return wav


def _stretches(wav: wave.Wave_read, context: WorkContext) -> Iterator[tuple[float, bytes, float]]:
    """(start_s, samples, done_s) of each stretch of speech, found with a voice activity detector.

    Reports progress and looks for cancellation once a second of audio.
    """
    from pocketsphinx import Endpointer

    endpointer = Endpointer(sample_rate=RATE_HZ)
    frame_samples = endpointer.frame_bytes // _FRAME_BYTES
    per_check = max(1, round(1 / endpointer.frame_length))
    limit_bytes = int(LONGEST_STRETCH_S * RATE_HZ) * _FRAME_BYTES
    speech = bytearray()
    start_s, count, is_new = 0.0, 0, True
    while True:
        frame = wav.readframes(frame_samples)
        count += 1
        if count % per_check == 0:
            context.report(wav.tell() / RATE_HZ, wav.getnframes() / RATE_HZ)
            context.check()
        is_new = is_new or not endpointer.in_speech
        is_last = len(frame) < endpointer.frame_bytes
        # The end must be given a sample at least; where there is none left, one of silence.
        found = endpointer.end_stream(frame or b"\0\0") if is_last else endpointer.process(frame)
        if found:
            if is_new:
                start_s, is_new = endpointer.speech_start, False
            speech += found
        if speech and (is_last or not endpointer.in_speech or len(speech) >= limit_bytes):
            yield start_s, bytes(speech), wav.tell() / RATE_HZ
            start_s += len(speech) / _FRAME_BYTES / RATE_HZ
            speech.clear()
        if is_last:
            return


def _words(decoder: Decoder, samples: bytes, start_s: float, total_s: float) -> list[Word]:
    """The words in one stretch that begins at `start_s`; times from the start of the file."""
    per_s = decoder.config["frate"]
    decoder.start_utt()
    decoder.process_raw(samples, no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    found = []
    for part in decoder.seg() or ():
        if _NOT_WORDS.fullmatch(part.word):
            continue
        begin_s = min(start_s + part.start_frame / per_s, total_s)
        end_s = min(start_s + (part.end_frame + 1) / per_s, total_s)
        sure = min(1.0, max(0.0, part.prob))  # a posterior; rounding takes it past 1
        found.append(Word(_VARIANT.sub("", part.word), round(begin_s, 3), round(end_s, 3), round(sure, 4)))
    return found
