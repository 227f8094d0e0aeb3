"""Finds gradual transitions between shots: dissolves, and fades through one colour.

In a dissolve every picture lies on the straight line between one before and one after it,

    X = A + a (B - A),    a rising from 0 to 1 in small steps,

while A and B look nothing alike (the model of Lienhart, "Reliable Transition Detection in Videos", 2001; the tests
are ours). All pairs of samples 0.24 to 2.52 s apart are compared (lines.py). A lamp, a change of exposure or a title
changes the picture along a line, too. So the pictures at both ends are compared in detail: what could be seen before
must be gone, as far as it does not go away by itself in that shot, and half-way the detail must be weaker than at
the ends, because two pictures that are mixed hide each other. In a fade the line leads to a picture of one colour or
from one. See docs/decisions/gradual-transitions.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from heimdex_core.ingest.lines import LONGEST, Lines, Span
from heimdex_core.ingest.samples import STEP_S, EvenSampler, Sample, still_seen

_LATEST = 3 * LONGEST // 2
KNOWN_AFTER_S = (_LATEST + LONGEST // 2) * STEP_S
"""A transition is known at most so long after its beginning, but for a fade that holds its colour for longer."""

_SAME_STEPS = 12
_PAUSE_STEPS = 4
_FEWEST_SPANS = 2
_WHOLE = 0.9
_NEARLY_WHOLE = 0.8
_MOSTLY = 0.7
_MOST_UNCHANGED = 0.25
_MOST_STILL_SEEN = 0.55
_MOST_STILL_SEEN_UNKNOWN = 0.2
_LEAST_CONTRAST = 0.25
_MOST_CONTRAST = 0.85
_FADE_STEPS = 12
_SAME_SPREAD = 0.002
_DIP_S = 0.5


@dataclass(frozen=True)
class Transition:
    """A gradual change, in seconds; `middle_s` is the boundary between two shots, None where there is none (a fade
    at the beginning or the end)."""

    start_s: float
    middle_s: float | None
    end_s: float


class GradualTransitions:
    """Fed with the samples of all frames in order of time."""

    def __init__(self) -> None:
        self._sampler = EvenSampler(longest_gap=3 * LONGEST)
        self._lines = Lines()
        self._finders = (_Dissolves(self._lines), _Fades(self._lines))

    def see(self, time_s: float, sample: Sample) -> list[Transition]:
        """The transitions that become known with a frame."""
        return self._see(self._sampler.see(time_s, sample))

    def finish(self, end_s: float) -> list[Transition]:
        """Those that become known at the end; `end_s` is the time of the last frame."""
        return [*self._see(self._sampler.finish(end_s)), *self._finders[0].finish()]

    def _see(self, steps: Iterable[tuple[float, Sample]]) -> list[Transition]:
        found: list[Transition] = []
        for time_s, sample in steps:
            self._lines.see(sample)
            for finder in self._finders:
                found += finder.see(time_s, sample)
        return found


class _Dissolves:
    """Each is made of many pairs of samples with about the same middle."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._samples: deque[Sample] = deque(maxlen=3 * LONGEST + 2)
        self._time_s = 0.0
        self._spans: list[Span] = []

    def see(self, time_s: float, sample: Sample) -> list[Transition]:
        self._time_s = time_s
        self._samples.append(sample)
        found = self._decide() if self._spans and self._is_over() else []
        for span in self._lines.spans():
            if self._spans and not self._fits(span):
                found += self._decide()
            self._spans.append(span)
        return found

    def finish(self) -> list[Transition]:
        return self._decide() if self._spans else []

    def _fits(self, span: Span) -> bool:
        middles = [one.middle for one in self._spans]
        return min(middles) - _SAME_STEPS <= span.middle <= max(middles) + _SAME_STEPS

    def _is_over(self) -> bool:
        """Whether no more pairs come, and the shot after it has been seen for as long as the dissolve took."""
        step = self._lines.step
        if step - self._spans[0].middle >= _LATEST - 1:
            return True
        if step - self._spans[-1].last <= _PAUSE_STEPS:
            return False
        whole = _whole(self._spans)
        return step >= whole.last + whole.length

    def _decide(self) -> list[Transition]:
        spans, self._spans = self._spans, []
        whole = _whole(spans)
        most = max(span.distance for span in spans)
        stayed = any(span.unchanged > _MOST_UNCHANGED for span in spans if span.distance >= _MOSTLY * most)
        if len(spans) < _FEWEST_SPANS or stayed or not self._is_another_shot(whole):
            return []
        middles = sorted(span.middle for span in spans if span.distance >= _NEARLY_WHOLE * most)
        return [Transition(*(self._seconds(n) for n in (whole.first, middles[len(middles) // 2], whole.last)))]

    def _is_another_shot(self, span: Span) -> bool:
        """Whether the pictures have been replaced, and not their light or a part of them."""
        before, middle, after = (self._sample(n) for n in (span.first, round(span.middle), span.last))
        if before is None or middle is None or after is None:
            return False
        # a half where nothing moves; less than a quarter where the camera is out of focus
        contrast = 2 * middle.contrast / max(before.contrast + after.contrast, 1e-6)
        if not _LEAST_CONTRAST < contrast < _MOST_CONTRAST:
            return False
        # what moves or trembles goes out of sight by itself: compared with the time before and after
        earlier, later = self._sample(span.first - span.length), self._sample(span.last + span.length)
        usual = [still_seen(earlier, before)] if earlier is not None else []
        usual += [still_seen(after, later)] if later is not None else []
        limit = _MOST_STILL_SEEN * max(usual) if usual else _MOST_STILL_SEEN_UNKNOWN
        return still_seen(before, after) <= limit

    def _sample(self, step: int) -> Sample | None:
        back = self._lines.step - step
        return self._samples[-1 - back] if 0 <= back < len(self._samples) else None

    def _seconds(self, step: float) -> float:
        return self._time_s - (self._lines.step - step) * STEP_S


def _whole(spans: Sequence[Span]) -> Span:
    """The shortest pair that holds nearly all of the change."""
    most = max(span.distance for span in spans)
    return min((s for s in spans if s.distance >= _WHOLE * most), key=lambda s: (s.length, s.off_line))


class _Fades:
    """A time of one colour that a line leads to and another one leads away from."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._recent: deque[Sample] = deque(maxlen=_FADE_STEPS + 1)
        self._plain: _Plain | None = None
        self._ended: tuple[_Plain, int] | None = None

    def see(self, time_s: float, sample: Sample) -> list[Transition]:
        self._recent.append(sample)
        found: list[Transition] = []
        if self._lines.is_plain:
            if self._plain is None:
                self._plain, self._ended = _Plain(time_s, self._faded_from()), None
                if self._plain.before is not None:
                    found.append(Transition(time_s - _FADE_STEPS * STEP_S, None, time_s + STEP_S))
            self._plain.see(time_s, self._lines.spread)
        elif self._plain is not None:
            # a picture is plain for the last time one step before
            self._ended, self._plain = (self._plain, self._lines.step - 1), None
        if self._ended is not None and self._lines.step - self._ended[1] == _FADE_STEPS:
            found += self._faded_in(time_s, sample, self._ended[0])
            self._ended = None
        return found

    def _faded_from(self) -> Sample | None:
        """The picture that a fade, which ends now, began with; None where there was none."""
        is_fade = len(self._recent) > _FADE_STEPS and self._lines.is_line(_FADE_STEPS)
        return self._recent[0] if is_fade else None

    def _faded_in(self, time_s: float, sample: Sample, plain: _Plain) -> list[Transition]:
        if not self._lines.is_line(_FADE_STEPS):
            return []
        start_s, middle_s = time_s - _FADE_STEPS * STEP_S, None
        if plain.before is not None:
            is_dip = start_s - plain.start_s <= _DIP_S and still_seen(plain.before, sample) > _MOST_STILL_SEEN
            start_s, middle_s = plain.start_s, None if is_dip else plain.middle_s
        return [Transition(start_s - STEP_S, middle_s, time_s)]


class _Plain:
    """A time of one colour; `before` is the picture that faded out, if one did."""

    def __init__(self, start_s: float, before: Sample | None) -> None:
        self.start_s, self.before = start_s, before
        self._least = float("inf")
        self._first_s = self._last_s = start_s

    def see(self, time_s: float, spread: float) -> None:
        if spread < self._least - _SAME_SPREAD:
            self._first_s = time_s
        if spread <= self._least + _SAME_SPREAD:
            self._last_s = time_s
        self._least = min(self._least, spread)

    @property
    def middle_s(self) -> float:
        """The middle of the time when it was plainest: the darkest frame of a fade through black."""
        return (self._first_s + self._last_s) / 2
