"""Whether subtitles fit their video: times that begin at an hour, and lines that do not follow the speech.

The second is measured as ffsubsync does (https://github.com/smacke/ffsubsync): where lines are shown and where
somebody speaks are two signals, and the shift and the change of speed at which they agree best are looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdex_core.types import Interval, Segment, Transcript

_HOUR_S = 3600.0
_END_SLACK_S = 5.0
_OUTSIDE_SHARE = 0.1

_STEP_S = 0.1
_MAX_SHIFT_S = 60.0
_MIN_LINES, _MIN_SPEECH_S, _MIN_SPAN_S = 20, 30.0, 120.0
# The agreement is a correlation, -1 to 1. Lines of a matching file reach .5 and more, shifted at random .1 to .2.
_GOOD, _BETTER_BY = 0.4, 0.2
_SHIFT_NOTED_S = 1.5
_FILM, _NTSC = 24000 / 1001, 30000 / 1001
RATES = {
    "25/23.976": 25 / _FILM,
    "23.976/25": _FILM / 25,
    "25/24": 25 / 24,
    "24/25": 24 / 25,
    "29.97/25": _NTSC / 25,
    "25/29.97": 25 / _NTSC,
    "29.97/23.976": _NTSC / _FILM,
    "23.976/29.97": _FILM / _NTSC,
}
"""What lines were made for, over what the video has, in frames per second: a line at t belongs at t times this."""


def starting_hour(segments: Sequence[Segment], duration_s: float) -> int:
    """The whole hours by which all lines are late, as in broadcasts whose clock begins at 01:00:00 or 10:00:00.

    0 unless a good part of the lines lies behind the end of the video and every line lies within it when the hours
    are taken off.
    """
    if not segments or segments[0].start_s < _HOUR_S:
        return 0
    outside = sum(s.start_s >= duration_s for s in segments)
    last_s = max(s.start_s for s in segments)
    if outside < max(1.0, _OUTSIDE_SHARE * len(segments)):
        return 0
    hours = int(segments[0].start_s // _HOUR_S)
    return hours if last_s - hours * _HOUR_S <= duration_s + _END_SLACK_S else 0


def moved(transcript: Transcript, by_s: float) -> Transcript:
    """The transcript with all times changed by `by_s` seconds; none may become negative."""
    segments = tuple(
        replace(
            s,
            start_s=s.start_s + by_s,
            end_s=s.end_s + by_s,
            words=tuple(replace(w, start_s=w.start_s + by_s, end_s=w.end_s + by_s) for w in s.words),
        )
        for s in transcript.segments
    )
    return replace(transcript, segments=segments)


@dataclass(frozen=True, slots=True)
class Fit:
    """How lines agree best with speech: with their times multiplied by RATES[`rate`], then moved by `shift_s`.

    `rate` is None where the speed is right. `agreement` is the correlation reached, `agreement_as_is` that of the
    lines as they are.
    """

    rate: str | None
    shift_s: float
    agreement: float
    agreement_as_is: float


def fit_to_speech(segments: Sequence[Segment], speech: Sequence[Interval], duration_s: float) -> Fit | None:
    """How lines and speech fit together; None where there is too little of either to say.

    Args:
        segments: the lines, in s.
        speech: where somebody speaks, in s.
        duration_s: of the video.
    """
    spoken_s = sum(s.end_s - s.start_s for s in speech)
    pauses_s = duration_s - spoken_s
    if len(segments) < _MIN_LINES or min(spoken_s, pauses_s) < _MIN_SPEECH_S or duration_s < _MIN_SPAN_S:
        return None
    size = int(duration_s / _STEP_S) + 1
    heard = _signal([(s.start_s, s.end_s) for s in speech], size)
    as_is, shift_s, best = _agreement([(s.start_s, s.end_s) for s in segments], heard, size)
    found = Fit(None, shift_s, best, as_is)
    for rate, factor in RATES.items():
        spans = [(s.start_s * factor, s.end_s * factor) for s in segments]
        _, shift_s, agreement = _agreement(spans, heard, size)
        if agreement > found.agreement + _BETTER_BY / 2:
            found = Fit(rate, shift_s, agreement, as_is)
    return found


def past_end_s(segments: Sequence[Segment], duration_s: float) -> float:
    """How long the lines go on after the end of the video, in s; 0 if none begins after it."""
    return max((s.end_s - duration_s for s in segments if s.start_s >= duration_s), default=0.0)


def note(fit: Fit) -> str | None:
    """What is wrong with the times of the lines, as a note on the video; None if nothing is known to be."""
    if fit.agreement < _GOOD or fit.agreement < fit.agreement_as_is + _BETTER_BY:
        return None
    if fit.rate is not None:
        return f"subtitles_other_frame_rate:{fit.rate}"
    if abs(fit.shift_s) < _SHIFT_NOTED_S:
        return None
    return f"subtitles_late:{-fit.shift_s:.1f}" if fit.shift_s < 0 else f"subtitles_early:{fit.shift_s:.1f}"


def _signal(spans: Sequence[tuple[float, float]], size: int) -> NDArray[np.float64]:
    """Shape (size,): 1 where a span is, one value per step, with the mean taken off."""
    signal = np.zeros(size)
    for start_s, end_s in spans:
        signal[max(0, round(start_s / _STEP_S)) : max(0, round(end_s / _STEP_S))] = 1.0
    return signal - signal.mean()


def _agreement(
    spans: Sequence[tuple[float, float]], heard: NDArray[np.float64], size: int
) -> tuple[float, float, float]:
    """(correlation as it is, shift in s of the best one within a minute, best correlation)."""
    shown = _signal(spans, size)
    scale = float(np.linalg.norm(shown) * np.linalg.norm(heard))
    if scale == 0:
        return 0.0, 0.0, 0.0
    width = 2 * size
    product = np.fft.irfft(np.fft.rfft(heard, width) * np.conj(np.fft.rfft(shown, width)), width) / scale
    reach = min(round(_MAX_SHIFT_S / _STEP_S), size - 1)
    near = np.concatenate([product[-reach:], product[: reach + 1]])
    best = int(np.argmax(near))
    return float(product[0]), (best - reach) * _STEP_S, float(near[best])
