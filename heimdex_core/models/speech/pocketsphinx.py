"""English speech recognition by pocketsphinx, from a package that contains its model: rough, but needs no download.

The WAV file is streamed: a voice activity detector splits it at silence, and each stretch of speech is decoded by
itself, so no more than one stretch is in memory. Decoding happens in a child process, which stays for the next file:
pocketsphinx holds Python's global lock for seconds at a time, and the other threads of this process (the decoding of
the video, a search, the queue) would come to a halt.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
import subprocess
import sys
import wave
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import metadata
from pathlib import Path
from typing import IO, Any, cast

from heimdex_core.errors import ModelBroken, ModelUnavailable
from heimdex_core.models.base import LazyModel
from heimdex_core.models.family import ModelFamily
from heimdex_core.models.locate import Weights, package_folder
from heimdex_core.models.speech.lines import lines
from heimdex_core.models.speech.segment_filter import NO_SPEECH_LIMIT, filter_segments
from heimdex_core.models.speech.windows import RATE_HZ, open_wav
from heimdex_core.types import Segment, Transcript, Word, WorkContext

NAME = "pocketsphinx"
REVISION = "5.1.1-en-us"
LONGEST_STRETCH_S = 20.0
"""Speech (or music mistaken for it) without a pause is decoded in pieces of this length."""
_FRAME_BYTES = 2
_POLL_S = 0.2
_FILES = ("en-us/cmudict-en-us.dict", "en-us/en-us.lm.bin", "en-us/en-us/mdef", "en-us/en-us/means")
_NOT_WORDS = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_VARIANT = re.compile(r"\(\d+\)$")


class PocketsphinxRecognizer(LazyModel[Weights, "Child"]):
    """A SpeechRecognizer for English. Runs one transcription at a time; other threads wait.

    `folder` is None for the one in the installed package; `no_speech_limit` is that of `filter_segments`.
    """

    revision = REVISION
    rough = True
    languages: frozenset[str] | None = frozenset({"en"})

    def __init__(self, *, folder: Path | None = None, no_speech_limit: float = NO_SPEECH_LIMIT) -> None:
        super().__init__(NAME)
        self._folder = folder
        self._no_speech_limit = no_speech_limit

    @property
    def is_loaded(self) -> bool:
        """Whether the process with the model is running."""
        return self._model is not None and self._model.is_alive

    def transcribe(self, wav_path: Path, *, language: str, context: WorkContext) -> Transcript:
        """As SpeechRecognizer has it; can be cancelled at any time."""
        if language.split("-")[0].lower() not in ("en", "auto"):
            return Transcript((), "recognised", None, NAME, rough=True, notes=("language_unsupported",))
        segments: list[Segment] = []
        with self._lock, open_wav(wav_path) as wav:
            child = self._loaded()
            child.decode(b"", context)  # a new file
            total_s = wav.getnframes() / RATE_HZ
            for start_s, stretch, done_s in _stretches(wav, context):
                context.report(done_s, total_s)
                context.check()
                words = _words(child, stretch, start_s, total_s, context)
                # the dictionary has words such as "mr.", whose dot ends no sentence
                segments += lines(words, no_speech=None, after_s=0.0, total_s=total_s, sentence_ends=())
            context.report(total_s, total_s)
        kept, dropped = filter_segments(segments, no_speech_limit=self._no_speech_limit)
        return Transcript(kept, "recognised", "en", NAME, rough=True, dropped=dropped)

    def _find(self) -> Weights:
        return Weights(self._folder or package_folder("pocketsphinx", name=NAME) / "model", REVISION)

    def _check(self, found: Weights) -> None:
        for file in _FILES:
            if not (found.folder / file).is_file():
                raise ModelUnavailable(name=NAME, reason=f"{file} is missing from {found.folder}")
        installed = metadata.version("pocketsphinx")
        if not REVISION.startswith(f"{installed}-"):
            raise ModelBroken(name=NAME, reason=f"version {installed} is installed, {REVISION} is needed")

    def _read(self, found: Weights) -> Child:
        return Child(found.folder)


class Child:
    """The process that decodes (pocketsphinx_child.py). It ends with this object, or with this process.

    The constructor returns when the model is loaded. Raises ModelUnavailable, ModelBroken.
    """

    def __init__(self, folder: Path) -> None:
        script = Path(__file__).with_name("pocketsphinx_child.py")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own file
                [sys.executable, "-P", str(script), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise ModelUnavailable(name=NAME, reason=str(error)) from error
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._end = weakref.finalize(self, _end, self._process)
        self.frames_per_s = float(self._answer(WorkContext())["ready"])

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def decode(self, samples: bytes, context: WorkContext) -> list[Any]:
        """[word, first frame, last frame, probability] of each word in `samples`, 16 kHz mono 16-bit.

        No samples at all begin a new file. Raises Cancelled at once, or ModelBroken; both end the process.
        """
        try:
            self._requests.write(struct.pack("<I", len(samples)) + samples)
            self._requests.flush()
        except OSError as error:
            self._end()
            raise ModelBroken(name=NAME, reason=f"its process ended: {error}") from error
        return list(self._answer(context)["words"])

    def _answer(self, context: WorkContext) -> dict[str, Any]:
        with ThreadPoolExecutor(1, thread_name_prefix="pocketsphinx") as pool:
            line = pool.submit(self._answers.readline)
            try:
                while not wait([line], timeout=_POLL_S).done:
                    context.check()
                found = json.loads(line.result() or b"{}")
                if "error" in found or not found:
                    raise ModelBroken(name=NAME, reason=found.get("error", "its process ended"))
            except BaseException:
                self._end()  # the next request must not read the answer to this one
                raise
        return dict(found)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _stretches(wav: wave.Wave_read, context: WorkContext) -> Iterator[tuple[float, bytes, float]]:
    """(start_s, samples, done_s) of each stretch of speech, found with a voice activity detector.

    Reports progress and checks for cancellation once per second of audio.
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
        # end_stream needs at least one sample; where none is left, one of silence
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


def _words(child: Child, samples: bytes, start_s: float, total_s: float, context: WorkContext) -> list[Word]:
    """The words in one stretch that begins at `start_s`, with leading spaces; times from the start of the file."""
    found = []
    for word, first, last, probability in child.decode(samples, context):
        if _NOT_WORDS.fullmatch(word):
            continue
        begin_s = min(start_s + first / child.frames_per_s, total_s)
        end_s = min(start_s + (last + 1) / child.frames_per_s, total_s)
        confidence = min(1.0, max(0.0, probability))  # a posterior, which rounding takes beyond 1
        found.append(Word(f" {_VARIANT.sub('', word)}", round(begin_s, 3), round(end_s, 3), round(confidence, 4)))
    return found


FAMILY = ModelFamily(
    name="pocketsphinx",
    kind="speech",
    make=lambda name, settings, purpose: PocketsphinxRecognizer(no_speech_limit=settings.no_speech_limit),
    names={"en-us": ""},
    licence="BSD-2-Clause",
)
