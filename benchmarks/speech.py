"""How many words are wrong, and how long it takes: plain faster-whisper and our adapter, on the same recordings.

    python benchmarks/speech.py [FOLDER] [--model tiny.en] [--rounds 3] [--threads 1] [--words]

FOLDER has recordings with what is said in a text file of the same name: talk.mp4 and talk.txt. Without it sentences
are spoken by espeak-ng in several voices, with long pauses between some of them. All sides use the same loaded model
(8 bits, beam 5, the same voice activity detector) in one process; the rounds take turns, and the quickest of each
counts. Time is that of the CPU, so that other work on the machine does not count.

    plain      WhisperModel.transcribe(vad_filter=True): one window after the other, with timestamps
    one pass   our adapter as it was: pauses of up to 3 s left in the clips, each decoded once
    ours       our adapter

Wanted: at most 1 point more words wrong than plain, and at most 5 % more time than one pass. Non-zero if not reached.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

Samples = npt.NDArray[np.float32]
RATE_HZ = 16_000
WANTED_POINTS = 1.0
WANTED_TIME = 1.05
PLAIN, ONE_PASS, OURS = "plain", "one pass", "ours"
VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb-scotland", "en-us+m7")
PAUSES_S = (0.4, 0.8, 2.5, 0.5, 4.0)
# Jane Austen, Pride and Prejudice; Charles Dickens, A Tale of Two Cities; both in the public domain
TEXTS = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a"
    " wife.",
    "However little known the feelings or views of such a man may be on his first entering a neighbourhood, this truth"
    " is well fixed in the minds of the surrounding families.",
    "My dear, said his lady to him one day, have you heard that the house is let at last?",
    "There were a king with a large jaw and a queen with a plain face, on the throne of England.",
    "In both countries it was clearer than crystal to the lords of the state that things in general were settled for"
    " ever.",
)


@dataclass(frozen=True)
class Recording:
    """Samples at RATE_HZ, and the words that are spoken."""

    name: str
    samples: Samples
    words: str
    wav: Path


@dataclass
class Result:
    """What one side made of all recordings."""

    wrong: int = 0
    words: int = 0
    seconds: float = 0.0

    @property
    def percent(self) -> float:
        return 100 * self.wrong / max(1, self.words)


def main() -> int:
    """A table of the sides; 0 if what is wanted was reached."""
    from heimdex_core.models.speech.whisper import Whisper

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--model", default="tiny.en", help="a size, a repository or a folder, as for whisper:NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--words", action="store_true", help="print what each side heard")
    args = parser.parse_args()
    adapter = Whisper(args.model, device="cpu", threads=args.threads)
    adapter.load()
    with tempfile.TemporaryDirectory() as folder:
        recordings = list(recordings_in(args.folder, Path(folder)) if args.folder else spoken(Path(folder)))
        results = {name: Result() for name in (PLAIN, ONE_PASS, OURS)}
        for recording in recordings:
            measure(recording, adapter, results, rounds=args.rounds, shown=args.words)
    return report(results, sum(one.samples.size for one in recordings) / RATE_HZ)


def measure(recording: Recording, adapter: object, results: dict[str, Result], *, rounds: int, shown: bool) -> None:
    """Add one recording to the results of each side."""
    sides = sides_of(adapter)
    best = dict.fromkeys(sides, float("inf"))
    heard = dict.fromkeys(sides, "")
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.process_time()
            heard[name] = side(recording)
            best[name] = min(best[name], time.process_time() - began)
    said = plain_words(recording.words)
    print(f"{recording.name} ({recording.samples.size / RATE_HZ:.0f} s, {len(said)} words)")
    for name, text in heard.items():
        wrong, result = edits(said, plain_words(text)), results[name]
        result.wrong, result.words = result.wrong + wrong, result.words + len(said)
        result.seconds += best[name]
        print(f"  {name:10} {100 * wrong / max(1, len(said)):5.1f} % wrong  {best[name]:6.2f} s", flush=True)
        if shown:
            print(f"    {text}")


def sides_of(adapter: object) -> dict[str, Callable[[Recording], str]]:
    """What each side makes of a recording."""
    from heimdex_core.models.speech import recognition, windows
    from heimdex_core.models.speech.whisper import Whisper
    from heimdex_core.types import WorkContext

    if not isinstance(adapter, Whisper) or adapter._model is None:
        raise RuntimeError("the adapter holds no model after loading")
    model = adapter._model.model

    def plain(recording: Recording) -> str:
        found, _ = model.transcribe(
            recording.samples, language="en", beam_size=5, vad_filter=True, word_timestamps=True
        )
        return "".join(segment.text for segment in found)

    def ours(recording: Recording) -> str:
        found = adapter.transcribe(recording.wav, language="en", context=WorkContext())
        return " ".join(segment.text for segment in found.segments)

    def one_pass(recording: Recording) -> str:
        with changed(windows, "clips_of", with_pauses), changed(recognition, "ROUNDS", 1):
            return ours(recording)

    return {PLAIN: plain, ONE_PASS: one_pass, OURS: ours}


def with_pauses(speech: Sequence[tuple[float, float]]) -> tuple[Any, ...]:
    """Clips of up to 30 s as they were before, with pauses of up to 3 s left in."""
    from heimdex_core.models.speech.windows import CLIP_S, Clip

    clips: list[tuple[float, float]] = []
    for start_s, end_s in speech:
        if clips and start_s - clips[-1][1] <= 3.0 and end_s - clips[-1][0] <= CLIP_S:
            clips[-1] = (clips[-1][0], end_s)
        else:
            clips.append((start_s, end_s))
    return tuple(Clip((span,)) for span in clips)


@contextlib.contextmanager
def changed(module: object, name: str, value: Any) -> Iterator[None]:
    """A module's constant with another value."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def report(results: dict[str, Result], total_s: float) -> int:
    """The table, and whether what is wanted was reached."""
    print(f"all ({total_s:.0f} s, {results[OURS].words} words)")
    for name, result in results.items():
        speed = total_s / result.seconds
        print(f"  {name:10} {result.percent:5.1f} % wrong  {result.seconds:6.2f} s  {speed:5.1f} x real time")
    plain, before, ours = results[PLAIN], results[ONE_PASS], results[OURS]
    points, ratio = ours.percent - plain.percent, ours.seconds / before.seconds
    is_reached = points <= WANTED_POINTS and ratio <= WANTED_TIME
    print(f"  {points:+.1f} points against plain (wanted: at most {WANTED_POINTS:+.1f})", end=", ")
    print(f"{ratio:.2f} x the time of one pass (wanted: at most {WANTED_TIME})", end=", ")
    print(f"{ours.seconds / plain.seconds:.2f} x that of plain:", end=" ")
    print("reached" if is_reached else "NOT reached")
    return 0 if is_reached else 1


# --- recordings -----------------------------------------------------------------------------------


def recordings_in(source: Path, work: Path) -> Iterator[Recording]:
    """Those of a folder that have their words beside them. `work` is for the WAV files that the adapter reads."""
    from faster_whisper.audio import decode_audio

    for path in sorted(source.iterdir()):
        words = path.with_suffix(".txt")
        if path.suffix != ".txt" and words.is_file():
            samples = decode_audio(str(path), sampling_rate=RATE_HZ)
            yield recording(path.name, samples, words.read_text(encoding="utf-8"), work)


def spoken(work: Path) -> Iterator[Recording]:
    """TEXTS by each of VOICES, with PAUSES_S after them."""
    from faster_whisper.audio import decode_audio

    for voice in VOICES:
        pieces: list[Samples] = []
        for text, pause_s in zip(TEXTS, PAUSES_S, strict=True):
            path = work / "said.wav"
            subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text], check=True)
            pieces += [decode_audio(str(path), sampling_rate=RATE_HZ), np.zeros(round(pause_s * RATE_HZ), np.float32)]
        yield recording(f"espeak-ng {voice}", np.concatenate(pieces), " ".join(TEXTS), work)


def recording(name: str, samples: Samples, words: str, work: Path) -> Recording:
    """The recording, also as a file."""
    path = work / f"{len(list(work.iterdir()))}.wav"
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE_HZ)
        wav.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return Recording(name, samples, words, path)


# --- words ----------------------------------------------------------------------------------------


def plain_words(text: str) -> list[str]:
    """The words without case, punctuation and ways of writing numbers, as the authors of Whisper compare them."""
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    return list(EnglishTextNormalizer({})(text.replace("-", " ")).split())


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to change, add or leave out (Levenshtein distance)."""
    row = list(range(len(heard) + 1))
    for n, word in enumerate(said, 1):
        diagonal, row[0] = row[0], n
        for m, other in enumerate(heard, 1):
            diagonal, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, diagonal + (word != other))
    return row[-1]


if __name__ == "__main__":
    sys.exit(main())
