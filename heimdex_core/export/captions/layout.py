"""Cues as one or two lines that fit into the frame, measured with the fonts they are drawn with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from heimdex_core.export.captions.fonts import Fonts, clusters
from heimdex_core.export.captions.words import break_cost, join_words, shared_times
from heimdex_core.types import Cue, CueWord

MARGIN_SHARE = 0.08
"""How much of the width stays free at either side."""
_EM_OF_WIDTH, _EM_OF_HEIGHT = 0.063, 0.05
_LONGEST_LINE_EM = 24.0
_SMALLEST_SCALE = 0.7
# libass rounds the advance of every glyph
_MEASURING_TOLERANCE = 1.02

Line = tuple[CueWord, ...]


@dataclass(frozen=True)
class LaidCue:
    """What is shown at once, in lines."""

    start_s: float
    end_s: float
    lines: tuple[Line, ...]
    """One or two; the text of a word is what can be drawn of it."""
    scale: float = 1.0
    """Of the size of the text."""


@dataclass(frozen=True)
class TextArea:
    """The room for captions in a frame."""

    em_px: float
    line_px: float
    """The width of the longest line."""

    @staticmethod
    def of(width: int, height: int, beyond_em: float) -> TextArea:
        """For a frame in pixels and text whose outline or box reaches `beyond_em` beyond it."""
        em_px = min(width * _EM_OF_WIDTH, height * _EM_OF_HEIGHT)
        room_px = width * (1 - 2 * MARGIN_SHARE) - 2 * beyond_em * em_px
        return TextArea(em_px, min(room_px / _MEASURING_TOLERANCE, _LONGEST_LINE_EM * em_px))


def lay_out(cue: Cue, fonts: Fonts, area: TextArea) -> list[LaidCue]:
    """The cue in one or two lines; what needs more is shown one part after the other. Empty if nothing can be drawn."""
    heard = cue.words or tuple(
        CueWord(w.start_s, w.end_s, w.text) for w in shared_times(cue.text.split(), cue.start_s, cue.end_s)
    )
    words = [replace(word, text=text) for word in heard if (text := fonts.drawable(word.text))]
    widest_px = max((fonts.width_px(word.text, area.em_px) for word in words), default=0.0)
    scale = 1.0 if widest_px <= area.line_px else max(_SMALLEST_SCALE, area.line_px / widest_px)
    size = _Size(fonts, area.em_px * scale, area.line_px)
    fitting = tuple(piece for word in words for piece in size.pieces(word))
    return [replace(laid, scale=scale) for laid in _parts(fitting, cue.start_s, cue.end_s, size)]


@dataclass(frozen=True)
class _Size:
    fonts: Fonts
    em_px: float
    line_px: float

    def width_px(self, words: Sequence[CueWord]) -> float:
        return self.fonts.width_px(join_words(word.text for word in words), self.em_px)

    def pieces(self, word: CueWord) -> list[CueWord]:
        """The word, or the parts of one that is wider than a line."""
        if self.width_px([word]) <= self.line_px:
            return [word]
        texts = [""]
        for cluster in clusters(word.text):
            if texts[-1] and self.fonts.width_px(texts[-1] + cluster, self.em_px) > self.line_px:
                texts.append("")
            texts[-1] += cluster
        return [CueWord(w.start_s, w.end_s, w.text) for w in shared_times(texts, word.start_s, word.end_s)]


def _parts(words: Line, start_s: float, end_s: float, size: _Size) -> list[LaidCue]:
    if not words:
        return []
    if size.width_px(words) <= size.line_px:
        return [LaidCue(start_s, end_s, (words,))]
    at = _best_break(words, size, must_fit=True)
    if at is not None:
        return [LaidCue(start_s, end_s, (words[:at], words[at:]))]
    at = _best_break(words, size, must_fit=False) or 1
    middle_s = min(max(words[at].start_s, start_s), end_s)
    first = _parts(words[:at], start_s, middle_s, size) if start_s < middle_s else []
    return first + (_parts(words[at:], middle_s, end_s, size) if middle_s < end_s else [])


def _best_break(words: Line, size: _Size, *, must_fit: bool) -> int | None:
    """The number of words before the best break; None if no break makes two lines that fit."""
    best: tuple[float, int] | None = None
    for at in range(1, len(words)):
        above, below = size.width_px(words[:at]), size.width_px(words[at:])
        if must_fit and max(above, below) > size.line_px:
            continue
        uneven = abs(above - below) / (above + below)
        # an upper line that is the shorter one hides less of the picture
        cost = break_cost(words[at - 1].text, words[at].text) + 2 * uneven + (0.1 if above > below else 0.0)
        if best is None or cost < best[0]:
            best = (cost, at)
    return best[1] if best else None
