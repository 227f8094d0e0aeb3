"""SubStation Alpha (.ass, .ssa): the dialogue of its [Events], without comments, drawings and effects."""

from __future__ import annotations

import re

from heimdex_core.media.subtitles.cues import Cue, Reading, clock, watched
from heimdex_core.media.subtitles.markup import is_drawing, without_drawings
from heimdex_core.types import WorkContext

_FIELDS = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
_BREAK = re.compile(r"\\[Nn]|\n")
_BRACES = re.compile(r"\{[^{}]*\}")
_SECTION = re.compile(r"\[[A-Za-z][\w+ ]{0,60}\]")


def read_cues(text: str, fps: float, context: WorkContext) -> Reading:
    """The dialogue of an .ass or .ssa file. Comments, drawings and generated effects are counted, not read."""
    reading = Reading(context=context)
    fields: tuple[str, ...] = _FIELDS
    in_events = "[events]" not in text.lower()
    for line in watched(text.split("\n"), context):
        line = line.strip()
        if _SECTION.fullmatch(line):
            in_events = line.lower() == "[events]"
            continue
        kind, colon, rest = line.partition(":")
        if not in_events or not colon:
            continue
        kind = kind.strip().lower()
        if kind == "format":
            named = tuple(name.strip().lower() for name in rest.split(","))
            fields = named if {"start", "end"} <= set(named) and named[-1] == "text" else _FIELDS
        elif kind == "comment":
            reading.dropped["not_dialogue"] += 1
        elif kind == "dialogue":
            _add(reading, dict(zip(fields, rest.split(",", len(fields) - 1), strict=False)), fps)
    return reading


def _add(reading: Reading, event: dict[str, str], fps: float) -> None:
    start_s = clock(event.get("start", ""), fps)
    text = event.get("text", "")
    if start_s is None or "text" not in event:
        reading.dropped["unreadable"] += 1
    # karaoke scripts write one line a syllable, with this effect, beside the line that is sung
    elif is_drawing(text) or event.get("effect", "").strip().lower() == "fx":
        reading.dropped["not_dialogue"] += 1
    else:
        reading.add(Cue(start_s, clock(event.get("end", ""), fps), dialogue_lines(text)))


def dialogue_lines(text: str) -> tuple[str, ...]:
    """The lines of an event's text without overrides, comments in braces, and drawings."""
    return tuple(_BREAK.split(_BRACES.sub("", without_drawings(text))))
