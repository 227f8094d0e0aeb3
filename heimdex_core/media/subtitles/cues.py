"""What the readers of subtitle files return, and the times in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from heimdex_core.types import WorkContext

T = TypeVar("T")

DEFAULT_FPS = 25.0
"""Frames per second where neither the file nor the video gives a rate."""
MAX_CUES = 200_000
"""Of a file or track; what follows is counted and left out. Captions of a day of speech are about half as many."""

_SEPARATOR = r"[:：;.,，．]"
_CLOCK = re.compile(rf"([-+−]?)(\d{{1,9}}(?:\s?{_SEPARATOR}\s?\d{{1,24}}){{1,4}})")
_COLONS = ":：;"
_CHECK_EVERY = 1000

# A word timestamp inside of a line, as milliseconds between two control characters. Text never has these: they are
# removed when a file is decoded.
WORD_TIME = re.compile("\x01(\\d+)\x02")


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue as in the file, with its markup.

    `start_s` can be negative. `end_s` is None where the file has none. `lines` may contain word times (WORD_TIME).
    `language` is an ISO 639-1 code where a file holds several languages side by side, else None.
    """

    start_s: float
    end_s: float | None
    lines: tuple[str, ...]
    language: str | None = None


@dataclass
class Reading:
    """What a file says: its cues in the order of the file, and a count of everything that was left out."""

    cues: list[Cue] = field(default_factory=list)
    context: WorkContext = WorkContext()
    """Asked for cancellation while cues are added."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Number of lines by the reason for which they were left out; the reasons are keys of `notes`."""
    language: str | None = None
    """ISO 639-1 code from the header."""
    is_cut_short: bool = False
    """Whether the file stops being readable before its end."""

    def add(self, cue: Cue) -> None:
        """Append a cue, or count it where there are MAX_CUES already."""
        if len(self.cues) % _CHECK_EVERY == 0:
            self.context.check()
        if len(self.cues) < MAX_CUES:
            self.cues.append(cue)
        else:
            self.dropped["too_many"] += 1

    def notes(self) -> tuple[str, ...]:
        """The counts as notes on the video, for example "subtitles_lines_unreadable:3"."""
        codes = {
            "subtitles_lines_unreadable": "unreadable",
            "subtitles_not_dialogue": "not_dialogue",
            "subtitles_repeats": "repeated",
            "subtitles_lines_in_other_languages": "other_language",
            "subtitles_before_start": "before_start",
            "subtitles_too_many": "too_many",
            "subtitles_lines_shortened": "shortened",
            "subtitles_word_times_left_out": "untimed",
        }
        notes = [f"{code}:{self.dropped[reason]}" for code, reason in codes.items() if self.dropped[reason]]
        if self.is_cut_short:
            notes.append("subtitles_cut_short")
        return tuple(notes)


def watched(items: Iterable[T], context: WorkContext) -> Iterator[T]:
    """The items; reports and asks for cancellation after every thousand."""
    for number, item in enumerate(items):
        if number % _CHECK_EVERY == 0:
            context.check()
            context.report(number, 0)
        yield item


def word_time(seconds: float) -> str:
    """A word timestamp for a line of a Cue."""
    return f"\x01{max(0, round(seconds * 1000))}\x02"


def clock(text: str, fps: float = DEFAULT_FPS) -> float | None:
    """Seconds of a written time, or None if it is none.

    Read are hours:minutes:seconds with and without hours and with decimals behind a point, comma or colon, also
    full-width ones: 00:00:01,500, 0:01.5, 00:00:01:500. Two digits behind a third colon or a semicolon are frames,
    of which `fps` make a second. Digits behind a second decimal mark (00:00:01,249.0999) are ignored.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    marks = re.findall(_SEPARATOR, match[2])[:3]
    parts = re.findall(r"\d+", match[2])[:4]
    after_colon = marks[-1] in _COLONS
    has_fraction = len(parts) == 4 or not after_colon or (len(parts) == 3 and len(parts[-1]) >= 3)
    fraction = parts.pop() if has_fraction else ""
    total = 0.0
    for part in parts:
        total = total * 60 + int(part)
    if fraction and after_colon and len(fraction) <= 2:
        total += int(fraction) / fps
    elif fraction:
        total += int(fraction) / 10 ** len(fraction)
    return -total if match[1] in ("-", "−") else total
