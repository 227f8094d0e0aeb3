"""SubRip (.srt) and WebVTT (.vtt): cues below a line with `start --> end`, as loosely as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from heimdex_core.media.subtitles.cues import Cue, Reading, clock, watched, word_time
from heimdex_core.media.subtitles.markup import LINE_BREAK, is_drawing, without_drawings
from heimdex_core.types import WorkContext

_ARROW = re.compile(r"-\s?-{0,2}\s?(?:>|&gt;)|[–—]+\s?>|→|=+>")
_MAX_TIMING_CHARS = 400
_END = re.compile(r"\s*([-+−]?\d{1,9}(?:\s?[:：;.,，．]\s?\d{1,24}){1,4})(.*)", re.DOTALL)
_NUMBERED = re.compile(r"\d{1,9}\s+(?=[-+−]?\d)")
_COUNTER = re.compile(r"\s*#?\d{1,9}[.:)]?\s*")
_SETTING = re.compile(r"[A-Za-z]\w*:\S*")
_ONLY_TIME = re.compile(r"[\s\d:：;.,，．+−_?*OolIxX-]*")

_STAMP = re.compile(r"<((?:\d{1,4}:)?\d{1,2}:\d{1,2}[.,]\d{1,3})>")
_VTT_TAG = re.compile(r"<(?:[cibuv]|lang|ruby|rt)\.[^\s<>]*(?:\s[^<>]*)?>|<(?:v|lang)\s[^<>]*>")
_VTT_OTHER = re.compile(r"(?:NOTE|STYLE|REGION|WEBVTT)(?:\s|$)|X-TIMESTAMP-MAP")
_VTT_IMAGE = re.compile(r"\S+\.(?:jpe?g|png|webp|gif)(?:#xywh=[\d,]+)?", re.IGNORECASE)
_LANGUAGE_HEADER = re.compile(r"^Language:\s*([A-Za-z]{2,3})\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Timing:
    """A line with times, or one that was meant to have some (`start_s` is None)."""

    index: int
    start_s: float | None
    end_s: float | None
    text: str
    """What follows the times and is not a cue setting."""


def read_cues(text: str, fps: float, context: WorkContext) -> Reading:
    """The cues of an .srt or .vtt file; those whose start cannot be read are counted."""
    is_vtt = text.lstrip().startswith("WEBVTT")
    lines = text.split("\n")
    found = (_timing(n, lines, fps) for n in watched(range(len(lines)), context))
    timings = [timing for timing in found if timing is not None]
    header = _LANGUAGE_HEADER.search(text[:1000]) if is_vtt else None
    reading = Reading(context=context, language=header[1].lower() if header else None)
    has_ass_markup = "{\\" in text
    for timing, body in zip(timings, _bodies(lines, timings, is_vtt), strict=True):
        if timing.start_s is None:
            reading.dropped["unreadable"] += 1
            continue
        content = "\n".join([timing.text, *body] if timing.text else body)
        if is_drawing(content) or (is_vtt and _VTT_IMAGE.fullmatch(content.strip())):
            reading.dropped["not_dialogue"] += 1
            continue
        lines_of_cue = cue_lines(content, is_vtt=is_vtt, has_ass_markup=has_ass_markup)
        reading.add(Cue(timing.start_s, timing.end_s, lines_of_cue))
    return reading


def cue_lines(text: str, *, is_vtt: bool, has_ass_markup: bool) -> tuple[str, ...]:
    """The lines of a cue's text, without drawings and without what only WebVTT has as tags; word timestamps stay."""
    content = LINE_BREAK.sub("\n", without_drawings(text))
    if has_ass_markup:
        content = content.replace(r"\N", "\n")
    content = _STAMP.sub(lambda match: word_time(clock(match[1]) or 0.0), content)
    return tuple((_VTT_TAG.sub("", content) if is_vtt else content).split("\n"))


# --- lines with times -----------------------------------------------------------------------------


def _timing(index: int, lines: Sequence[str], fps: float) -> _Timing | None:
    line = lines[index]
    arrow = _ARROW.search(line, 0, _MAX_TIMING_CHARS)
    if arrow is None:
        return None
    left, right = line[: arrow.start()].strip(), line[arrow.end() :][:_MAX_TIMING_CHARS]
    numbered = _NUMBERED.match(left)
    start_s = clock(left[numbered.end() :] if numbered else left, fps)
    end = _END.match(right)
    end_s = clock(end[1], fps) if end else None
    if start_s is not None and (end_s is not None or _is_strong(arrow[0])):
        rest = end[2].strip() if end else ""
        return _Timing(index, start_s, end_s, "" if all(map(_SETTING.fullmatch, rest.split())) else rest)
    if _is_strong(arrow[0]) and _was_meant_as_times(left, end_s, index, lines):
        return _Timing(index, None, None, "")
    return None


def _is_strong(arrow: str) -> bool:
    return "--" in arrow.replace(" ", "")


def _was_meant_as_times(left: str, end_s: float | None, index: int, lines: Sequence[str]) -> bool:
    """Whether a line with an arrow and no readable start is a broken line of times, and not what somebody says."""
    above = lines[index - 1].strip() if index else ""
    begins_block = not above or _COUNTER.fullmatch(above) is not None
    digits = sum(c.isdigit() for c in left)
    if end_s is not None and (begins_block or _ONLY_TIME.fullmatch(left)):
        return True
    looks_like_time = _ONLY_TIME.fullmatch(left) is not None and digits > 0
    return looks_like_time or (begins_block and digits >= 3 and ":" in left and len(left) <= 20)


# --- what stands between them ---------------------------------------------------------------------


def _bodies(lines: Sequence[str], timings: Sequence[_Timing], is_vtt: bool) -> list[list[str]]:
    """The lines of every cue, without the counter or name of the cue that follows."""
    counts = [_counter_above(lines, timing.index) for timing in timings]
    numbered = _are_numbered(lines, timings, counts)
    known = counts[0] if counts else None
    bodies = []
    for n, timing in enumerate(timings):
        is_last = n + 1 == len(timings)
        body = list(lines[timing.index + 1 : len(lines) if is_last else timings[n + 1].index])
        if not is_last:
            name = _name_at_end(body, counts[n + 1], known, numbered=numbered, is_vtt=is_vtt)
            if name is not None:
                known = counts[n + 1] if counts[n + 1] is not None else known
                del body[name:]
        bodies.append(_without_blocks(body) if is_vtt else [line for line in body if line.strip()])
    return bodies


def _counter_above(lines: Sequence[str], index: int) -> int | None:
    """The number in the nearest line with text above a line with times."""
    for above in range(index - 1, max(-1, index - 4), -1):
        if lines[above].strip():
            return int(re.sub(r"\D", "", lines[above])) if _COUNTER.fullmatch(lines[above]) else None
    return None


def _are_numbered(lines: Sequence[str], timings: Sequence[_Timing], counts: Sequence[int | None]) -> bool:
    """Whether the cues of a file have counters: the first one has, or most numbers follow on each other."""
    if timings and counts[0] is not None:
        return True
    pairs = list(zip(counts[1:], counts[2:], strict=False))
    follow = sum(a is not None and b == a + 1 for a, b in pairs)
    return bool(pairs) and 2 * follow >= len(pairs)


def _name_at_end(
    body: Sequence[str], count: int | None, known: int | None, *, numbered: bool, is_vtt: bool
) -> int | None:
    """The index in `body` of the next cue's counter or name, None if it has none.

    A number can be what is said ("1984"). It is a counter if it continues the count, or stands right above the times
    in a file that counts, or below a blank line.
    """
    last = next((n for n in range(len(body) - 1, -1, -1) if body[n].strip()), None)
    if last is None:
        return None
    is_adjacent = last == len(body) - 1
    begins_block = last > 0 and not body[last - 1].strip()
    if count is None:
        return last if is_vtt and is_adjacent and begins_block else None
    if known is not None and count == known + 1 and numbered:
        return last
    return last if is_adjacent and (numbered or (is_vtt and begins_block)) else None


def _without_blocks(body: Sequence[str]) -> list[str]:
    """The text of a WebVTT cue, without the comments, styles and headers that may stand below it."""
    found: list[str] = []
    is_other = begins_block = False
    for n, line in enumerate(body):
        if not line.strip():
            is_other, begins_block = False, True
            continue
        if begins_block and n and _VTT_OTHER.match(line):
            is_other = True
        begins_block = False
        if not is_other:
            found.append(line)
    return found
