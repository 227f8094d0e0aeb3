"""A long WAV file in windows that end in silence, each with its clips of speech, so that it is never all in memory."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import InvalidValue

RATE_HZ = 16_000
WINDOW_S = 240.0
CLIP_S = 30.0
"""The length of a Whisper model's input."""
JOIN_S = 5.0
"""Speech with shorter pauses goes into one clip: a clip takes the same time however much is said in it."""
PAD_S = 0.4
"""Silence around speech: the detector reports it to begin late and to end early.

The rest of a pause is left out of the clip: after two or three seconds of silence Whisper often takes it to be over.
"""
OVERLAP_S = 1.0
"""The last second of a window is part of the next one too, for speech that begins in it."""

Samples = npt.NDArray[np.float32]
Span = tuple[float, float]


@dataclass(frozen=True)
class Clip:
    """Stretches of a window that are recognised as one piece of sound, without what lies between them.

    `spans` are [start, end) in seconds from the start of the window, in order.
    """

    spans: tuple[Span, ...]

    @property
    def end_s(self) -> float:
        """Where it ends in the window."""
        return self.spans[-1][1]

    @property
    def length_s(self) -> float:
        """Its length without the pauses."""
        return sum(b - a for a, b in self.spans)

    def of(self, samples: Samples) -> Samples:
        """Its part of the window's samples."""
        return np.concatenate([samples[round(a * RATE_HZ) : round(b * RATE_HZ)] for a, b in self.spans])

    def window_s(self, at_s: float, *, is_end: bool = False) -> float:
        """The time in the window of a time in the clip.

        Where two spans meet, that is the start of the later one; for the end of a word, the end of the earlier one.
        """
        for a, b in self.spans[:-1]:
            if at_s < b - a or (is_end and at_s <= b - a):
                return a + at_s
            at_s -= b - a
        return self.spans[-1][0] + at_s

    def part(self, from_s: float, to_s: float) -> Clip:
        """What of it lies between two times in the window; at least a moment must."""
        return Clip(tuple((max(a, from_s), min(b, to_s)) for a, b in self.spans if b > from_s and a < to_s))


@dataclass(frozen=True)
class Window:
    """A part of a file; spans are [start, end) in seconds from the start of the window."""

    start_s: float
    """Where the window begins in the file."""
    samples: Samples
    """Shape (n,), at RATE_HZ, from -1 to 1."""
    clips: tuple[Clip, ...]
    """Speech to recognise, with a little silence around it."""
    done_s: float
    """Position in the file up to which everything is recognised after this window."""
    speech: tuple[Span, ...] = ()
    """The detected speech in the clips, without the silence around it."""


def open_wav(path: Path) -> wave.Wave_read:
    """The opened file, which the caller closes. Raises InvalidValue unless it is 16 kHz, mono, 16-bit."""
    try:
        wav = wave.open(str(path), "rb")  # noqa: SIM115 - the caller's `with` closes it
    except (wave.Error, EOFError) as error:
        raise InvalidValue(name="wav", value=path.name, reason=str(error) or "it is empty") from error
    found = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth())
    if found != (RATE_HZ, 1, 2):
        wav.close()
        raise InvalidValue(
            name="wav", value=f"{found[0]} Hz, {found[1]} channels", reason="16 kHz mono 16-bit is needed"
        )
    return wav


def windows(wav: wave.Wave_read, *, window_s: float = WINDOW_S) -> Iterator[Window]:
    """The whole file in order. Speech that reaches the end of a window is left to the next one.

    The memory used depends on `window_s`, the length of a window in seconds, and not on that of the file.
    """
    total = wav.getnframes()
    length = round(window_s * RATE_HZ)
    at = 0
    while at < total:
        wav.setpos(at)
        samples = np.frombuffer(wav.readframes(min(length, total - at)), "<i2").astype(np.float32) / 32768.0
        if not samples.size:
            return  # the header states more samples than there are
        is_last = at + samples.size >= total
        end_s = samples.size / RATE_HZ
        speech = speech_in(samples)
        around = padded(speech, end_s)
        cut_s = end_s if is_last else cut_at(around, end_s)
        kept = [(a, min(b, cut_s)) for a, b in around if a < cut_s]
        detected = tuple((a, min(b, cut_s)) for a, b in speech if a < cut_s)
        yield Window(at / RATE_HZ, samples, clips_of(kept), at / RATE_HZ + cut_s, detected)
        at += max(1, round(cut_s * RATE_HZ))


def speech_in(samples: Samples) -> list[Span]:
    """Where there is speech, by the voice activity detector of faster-whisper; with PAD_S no longer than a clip."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    # as in faster-whisper's batched pipeline, except for the padding: `within_speech` needs the detected times
    options = VadOptions(max_speech_duration_s=CLIP_S - 2 * PAD_S, min_silence_duration_ms=160, speech_pad_ms=0)
    return [(s["start"] / RATE_HZ, s["end"] / RATE_HZ) for s in get_speech_timestamps(samples, options)]


def padded(speech: Sequence[Span], end_s: float) -> list[Span]:
    """Each span with PAD_S on both sides, or half of the pause where that is shorter; inside [0, end_s)."""
    befores = [2 * speech[0][0], *(b[0] - a[1] for a, b in zip(speech, speech[1:], strict=False))] if speech else []
    afters = [*befores[1:], 2 * (end_s - speech[-1][1])] if speech else []
    return [
        (start_s - min(PAD_S, before / 2), end_s + min(PAD_S, after / 2))
        for (start_s, end_s), before, after in zip(speech, befores, afters, strict=True)
    ]


def cut_at(speech: Sequence[Span], end_s: float) -> float:
    """Where a window other than the last one ends: in silence, before speech that may continue after it."""
    if speech and speech[-1][1] > end_s - OVERLAP_S:
        start_s = speech[-1][0]
        # speech without a pause is cut where the detector cut it; a single span is kept whole
        return start_s if start_s > OVERLAP_S else end_s
    return max(end_s - OVERLAP_S, speech[-1][1] if speech else 0.0)


def overlap_s(span: Span, others: Iterable[Span]) -> float:
    """Seconds that `span` shares with `others`, which do not overlap each other."""
    return sum(max(0.0, min(span[1], b) - max(span[0], a)) for a, b in others)


def clips_of(speech: Sequence[Span]) -> tuple[Clip, ...]:
    """The spans, joined across pauses of up to JOIN_S into clips of at most CLIP_S without the pauses."""
    clips: list[list[Span]] = []
    length_s = 0.0
    for start_s, end_s in speech:
        if end_s <= start_s:
            continue
        length_s += end_s - start_s
        if clips and start_s - clips[-1][-1][1] <= JOIN_S and length_s <= CLIP_S:
            clips[-1].append((start_s, end_s))
        else:
            clips.append([(start_s, end_s)])
            length_s = end_s - start_s
    return tuple(Clip(tuple(spans)) for spans in clips)
