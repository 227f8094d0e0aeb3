"""The text formats that share the extension .sub: MicroDVD, SubViewer 1 and 2, and MPL2."""

from __future__ import annotations

import re
from collections.abc import Iterator

from heimdex_core.media.subtitles.cues import Cue, Reading, clock, watched
from heimdex_core.media.subtitles.markup import LINE_BREAK, plain
from heimdex_core.types import WorkContext

MICRODVD = re.compile(r"^[ \t]*\{ ?(-?\d{1,9}) ?\} ?\{ ?(-?\d{0,9}) ?\}(.*)$", re.MULTILINE)
MPL2 = re.compile(r"^[ \t]*\[ ?(-?\d{1,9}) ?\] ?\[ ?(-?\d{0,9}) ?\](.*)$", re.MULTILINE)
_TIME = r"-?\d{1,4}:\d{1,2}:\d{1,2}(?:[.,:]\d{1,6})?"
SUBVIEWER = re.compile(rf"^[ \t]*({_TIME})[ \t]*,[ \t]*({_TIME})[ \t]*$", re.MULTILINE)
SUBVIEWER1 = re.compile(rf"^[ \t]*\[({_TIME})\][ \t]*$", re.MULTILINE)

_CONTROL = re.compile(r"\{[A-Za-z]:[^{}]*\}")
_FPS = re.compile(r"\s*(\d{1,3}(?:[.,]\d{1,6})?)\s*")
_SUBVIEWER_HEAD = re.compile(r"\[(?:COLF|STYLE|SIZE|FONT|INFORMATION|END INFORMATION|SUBTITLE|END SUBTITLE)\]", re.I)


def read_microdvd(text: str, fps: float, context: WorkContext) -> Reading:
    """Cues counted in frames. `fps` is the video's rate, used where no first line {1}{1}23.976 gives one."""
    matches = list(MICRODVD.finditer(text))
    reading = Reading(context=context)
    reading.dropped["unreadable"] = _unmatched(text, len(matches))
    if matches and (rate := _FPS.fullmatch(matches[0][3])) and int(matches[0][1]) <= 1:
        declared = float(rate[1].replace(",", "."))
        fps = declared if 1 <= declared <= 300 else fps
        matches = matches[1:]
    for match in watched(matches, context):
        start_s = int(match[1]) / fps
        end_s = int(match[2]) / fps if match[2] not in ("", "-") else None
        reading.add(Cue(start_s, end_s, tuple(_CONTROL.sub("", match[3]).split("|"))))
    return reading


def read_mpl2(text: str, fps: float, context: WorkContext) -> Reading:
    """Cues counted in tenths of a second; a slash before a line means italics."""
    reading = Reading(context=context)
    for start, end, words in watched(MPL2.findall(text), context):
        lines = tuple(line.strip().removeprefix("/") for line in words.split("|"))
        reading.add(Cue(int(start) / 10, int(end) / 10 if end not in ("", "-") else None, lines))
    reading.dropped["unreadable"] = _unmatched(text, len(reading.cues))
    return reading


def read_subviewer(text: str, fps: float, context: WorkContext) -> Reading:
    """SubViewer 2: `start,end` above the text, lines divided by [br]."""
    reading = Reading(context=context)
    for match, body in watched(_with_bodies(SUBVIEWER, text), context):
        start_s = clock(match[1], fps)
        body = body.partition("[END SUBTITLE]")[0].replace("[br]", "\n").replace("[BR]", "\n").replace("|", "\n")
        lines = tuple(line for line in LINE_BREAK.sub("\n", body).split("\n") if not _SUBVIEWER_HEAD.match(line))
        if start_s is None:
            reading.dropped["unreadable"] += 1
        else:
            reading.add(Cue(start_s, clock(match[2], fps), lines))
    return reading


def read_subviewer1(text: str, fps: float, context: WorkContext) -> Reading:
    """SubViewer 1: `[start]` above the text; an empty text ends the one before."""
    shown = [(clock(match[1], fps), body.replace("|", "\n")) for match, body in _with_bodies(SUBVIEWER1, text)]
    reading = Reading(context=context)
    for n, (start_s, body) in enumerate(watched(shown, context)):
        lines = tuple(line for line in body.split("\n") if not _SUBVIEWER_HEAD.match(line.strip()))
        if start_s is None:
            reading.dropped["unreadable"] += 1
        elif any(plain(line) for line in lines):
            reading.add(Cue(start_s, shown[n + 1][0] if n + 1 < len(shown) else None, lines))
    return reading


def _with_bodies(pattern: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Every match with the text up to the next one."""
    matches = list(pattern.finditer(text))
    for n, match in enumerate(matches):
        yield match, text[match.end() : matches[n + 1].start() if n + 1 < len(matches) else len(text)]


def _unmatched(text: str, matched: int) -> int:
    """The number of lines with text that are no cues."""
    return sum(bool(line.strip()) for line in text.split("\n")) - matched
