"""Voice activity detection with the Silero model that faster-whisper includes.

Audio is read a minute at a time; the state of the network is passed on, so that the result is the same as for the
whole file at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heimdex_core.errors import ModelBroken, ModelUnavailable
from heimdex_core.media.audio import SAMPLE_RATE_HZ, read_wav, wav_duration_s
from heimdex_core.types import Interval, WorkContext

WINDOW = 512
"""Samples per window."""
_CONTEXT = 64
_WINDOW_S = WINDOW / SAMPLE_RATE_HZ
_CHUNK_S = 60 * SAMPLE_RATE_HZ // WINDOW * _WINDOW_S

# Silero's own defaults: speech begins at 0.5 and ends below 0.35.
SPEECH_FROM, SPEECH_TO = 0.5, 0.35
# Shorter pauses belong to the speech around them; shorter bursts are not speech.
MIN_SILENCE_S, MIN_SPEECH_S = 0.25, 0.1
# The network reacts about one window late at both ends.
PAD_S = 0.03

Probabilities = npt.NDArray[np.float32]


def speech_spans(wav_path: Path, context: WorkContext) -> tuple[Interval, ...]:
    """Speech in a 16 kHz mono 16-bit WAV, in order and not overlapping. Reports progress in seconds.

    The spans are tight; recognisers add the padding that they need. Raises Cancelled, FileUnreadable,
    ModelUnavailable, ModelBroken.
    """
    return spans_of(speech_probabilities(wav_path, context), wav_duration_s(wav_path))


def silences(speech: Sequence[Interval], duration_s: float, min_s: float = 0.3) -> tuple[Interval, ...]:
    """The pauses of at least `min_s` seconds between and around `speech`, within [0, duration_s)."""
    found = []
    at_s = 0.0
    for span in (*speech, Interval(duration_s, max(duration_s, speech[-1].end_s if speech else 0.0))):
        end_s = min(span.start_s, duration_s)
        if end_s - at_s >= min_s - 1e-9:
            found.append(Interval(at_s, end_s))
        at_s = max(at_s, span.end_s)
    return tuple(found)


def speech_probabilities(wav_path: Path, context: WorkContext) -> Probabilities:
    """Probability of speech, 0 to 1, of every window of 512 samples (32 ms): float32 (n,).

    Reports progress and raises as `speech_spans`.
    """
    session = _session()
    state_h, state_c = np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)
    tail = np.zeros(_CONTEXT, np.float32)
    duration_s = wav_duration_s(wav_path)
    found: list[Probabilities] = []
    start_s = 0.0
    while start_s < duration_s:
        context.check()
        samples = read_wav(wav_path, start_s, start_s + _CHUNK_S)
        windows = np.pad(samples, (0, -samples.size % WINDOW)).reshape(-1, WINDOW)
        # the network expects each window preceded by the last 64 samples of the one before it
        before = np.vstack([tail[None], windows[:-1, -_CONTEXT:]])
        inputs = {"input": np.hstack([before, windows]), "h": state_h, "c": state_c}
        try:
            output, state_h, state_c = session.run(None, inputs)
        except Exception as error:  # onnxruntime's exceptions have no common base class of their own
            raise ModelBroken(name="silero-vad", reason=str(error)) from error
        tail = windows[-1, -_CONTEXT:]
        found.append(np.asarray(output, np.float32).reshape(-1))
        start_s += _CHUNK_S
        context.report(min(start_s, duration_s), duration_s)
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def spans_of(probabilities: Probabilities, duration_s: float) -> tuple[Interval, ...]:
    """Speech by hysteresis: from SPEECH_FROM on until MIN_SILENCE_S below SPEECH_TO; short bursts are dropped.

    Args:
        probabilities: as from `speech_probabilities`, (n,).
        duration_s: length of the audio in seconds; no span ends later.
    """
    raw: list[tuple[float, float]] = []
    start: int | None = None
    quiet: int | None = None
    for n, probability in enumerate(probabilities):
        if probability >= SPEECH_FROM:
            start, quiet = n if start is None else start, None
        elif probability < SPEECH_TO and start is not None:
            quiet = n if quiet is None else quiet
            if (n + 1 - quiet) * _WINDOW_S >= MIN_SILENCE_S:
                raw.append((start * _WINDOW_S, quiet * _WINDOW_S))
                start = quiet = None
    if start is not None:
        raw.append((start * _WINDOW_S, (quiet if quiet is not None else len(probabilities)) * _WINDOW_S))
    kept = [(a, b) for a, b in raw if b - a >= MIN_SPEECH_S]
    return tuple(Interval(max(0.0, a - PAD_S), min(duration_s, b + PAD_S)) for a, b in kept)


@lru_cache(maxsize=1)
def _session() -> Any:
    try:
        from faster_whisper.vad import get_vad_model

        return get_vad_model().session  # one thread, by the library's own options
    except ImportError as error:
        raise ModelUnavailable(name="silero-vad", reason=str(error)) from error
    except Exception as error:  # as above
        raise ModelBroken(name="silero-vad", reason=str(error)) from error
