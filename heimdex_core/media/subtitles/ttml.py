"""TTML (.ttml, .dfxp, .itt): timed paragraphs of XML, in any of the namespaces it has had.

Read as a stream, so that a file that is damaged half-way gives what stands before the damage. Entities cannot be
declared: a declaration ends the reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from heimdex_core.media.subtitles.cues import DEFAULT_FPS, Cue, Reading, clock, word_time
from heimdex_core.media.subtitles.languages import language_named
from heimdex_core.media.subtitles.markup import unescape
from heimdex_core.types import WorkContext

_OFFSET = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*(h|m|s|ms|f|t)\s*")
_XML_ENTITIES = ("amp", "lt", "gt", "quot", "apos")
_AMPERSAND = re.compile(r"&(?:#\d{1,7};|#x[0-9a-fA-F]{1,6};|([A-Za-z]\w{1,30});)?")
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
_MAX_DEPTH = 200


@dataclass
class _Element:
    """An element that is open."""

    name: str
    begin_s: float
    end_s: float | None
    is_sequence: bool
    language: str | None
    next_s: float = 0.0
    """Where the next child begins, in an element whose children follow on each other."""
    is_timed: bool = False
    lines: list[str] = field(default_factory=list)


def read_cues(text: str, fps: float, context: WorkContext) -> Reading:
    """The paragraphs of a TTML file, and timed spans of paragraphs without times of their own."""
    reader = _Reader(fps, context)
    reader.feed(text)
    return reader.reading


class _Reader:
    def __init__(self, fps: float, context: WorkContext) -> None:
        self.reading = Reading(context=context)
        self._fps, self._ticks_per_s, self._sub_frames = fps, 0.0, 1.0
        self._open: list[_Element] = []
        self._text: list[str] | None = None
        """What is collected of the innermost element with text; None outside of one."""
        self._owner: _Element | None = None

    def feed(self, text: str) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._refuse_entity
        begin = text.find("<")
        escaped = _AMPERSAND.sub(_as_xml, _NOT_XML.sub("", text[max(begin, 0) :]))
        try:
            parser.Parse(escaped.encode("utf-8", "ignore"), True)
        except (expat.ExpatError, _Stop):
            self.reading.is_cut_short = True

    def _refuse_entity(self, *_declaration: object) -> None:
        raise _Stop

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise _Stop
        name = tag.rpartition(":")[2].lower()
        values = {key.rpartition(":")[2].lower(): value for key, value in attributes.items()}
        if name == "tt":
            self._read_rates(values)
        if name == "br" and self._text is not None:
            self._text.append("\n")
        self._open.append(self._element(name, values))

    def _element(self, name: str, values: dict[str, str]) -> _Element:
        parent = self._open[-1] if self._open else None
        from_s = 0.0 if parent is None else parent.next_s if parent.is_sequence else parent.begin_s
        offset_s, end_s, duration_s = (self._seconds(values.get(key)) for key in ("begin", "end", "dur"))
        element = _Element(
            name,
            begin_s=from_s + (offset_s or 0.0),
            end_s=None,
            is_sequence=values.get("timecontainer") == "seq",
            language=language_named(values["lang"]) if "lang" in values else parent.language if parent else None,
        )
        element.next_s = element.begin_s
        element.is_timed = offset_s is not None or end_s is not None or duration_s is not None
        if end_s is not None:
            element.end_s = from_s + end_s
        if duration_s is not None:
            until_s = element.begin_s + duration_s
            element.end_s = until_s if element.end_s is None else min(element.end_s, until_s)
        if element.end_s is None and parent is not None and name in ("p", "span"):
            element.end_s = parent.end_s
        if "begin" in values and offset_s is None and name in ("p", "span"):
            self.reading.dropped["unreadable"] += 1
            element.name = "unreadable"
        elif name == "p":
            self._text, self._owner = [], element
        elif name == "span" and element.is_timed and self._owner is not None and self._text is not None:
            self._begin_span(self._owner, self._text, element)
        return element

    def _begin_span(self, owner: _Element, text: list[str], span: _Element) -> None:
        if owner.is_timed:
            text.append(word_time(span.begin_s))
        else:
            # the paragraph has no times of its own: the span is a cue
            self._add(owner, text)
            self._text, self._owner = [], span

    def _end(self, tag: str) -> None:
        element = self._open.pop()
        parent = self._open[-1] if self._open else None
        if parent is not None and parent.is_sequence and element.end_s is not None:
            parent.next_s = max(parent.next_s, element.end_s)
        if element is self._owner and self._text is not None:
            self._add(element, self._text)
            paragraph = next((e for e in reversed(self._open) if e.name == "p"), None)
            self._text, self._owner = ([], paragraph) if element.name == "span" and paragraph else (None, None)

    def _characters(self, data: str) -> None:
        if self._text is not None and not any(e.name in ("metadata", "unreadable") for e in self._open):
            # text of XML: what looks like a tag in it is none
            self._text.append(data.replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;").replace("{", "&#123;"))

    def _add(self, element: _Element, parts: list[str]) -> None:
        text = "".join(parts)
        if not text.strip():
            return
        if not element.is_timed and not any(e.is_timed for e in self._open):
            self.reading.dropped["unreadable"] += 1
            return
        self.reading.add(Cue(element.begin_s, element.end_s, tuple(text.split("\n")), element.language))

    # --- times ---

    def _read_rates(self, values: dict[str, str]) -> None:
        rate = _number(values.get("framerate"))
        if rate:
            self._fps = rate
            above, _, below = values.get("frameratemultiplier", "").replace(":", " ").partition(" ")
            if _number(above) and _number(below):
                self._fps = rate * float(above) / float(below)
        self._sub_frames = _number(values.get("subframerate")) or 1.0
        default = self._fps * self._sub_frames if rate else 1.0
        self._ticks_per_s = _number(values.get("tickrate")) or default

    def _seconds(self, text: str | None) -> float | None:
        if text is None:
            return None
        match = _OFFSET.fullmatch(text)
        if match is None:
            return clock(text, self._fps or DEFAULT_FPS)
        per_second = {"h": 1 / 3600, "m": 1 / 60, "s": 1.0, "ms": 1000.0, "f": self._fps, "t": self._ticks_per_s or 1.0}
        return float(match[1]) / per_second[match[2]]


class _Stop(Exception):
    """Ends the reading of a file that nobody writes by accident."""


def _number(text: str | None) -> float | None:
    """A positive number, or None."""
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*", text or "")
    return float(match[1]) or None if match else None


def _as_xml(match: re.Match[str]) -> str:
    """An ampersand as XML has it: HTML's entities are resolved, one that stands alone is escaped."""
    if match[0] == "&":
        return "&amp;"
    if match[1] is None or match[1] in _XML_ENTITIES:
        return match[0]
    found = unescape(match[0])
    return found if found != match[0] else "&amp;" + match[0][1:]
