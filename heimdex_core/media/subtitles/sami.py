"""SAMI (.smi): text between `<SYNC Start=ms>` marks, possibly in several languages side by side.

It is read mark by mark and not as HTML: most of these files are not valid HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from heimdex_core.media.subtitles.cues import Cue, Reading, watched
from heimdex_core.media.subtitles.languages import language_named
from heimdex_core.media.subtitles.markup import LINE_BREAK, plain
from heimdex_core.media.text_encoding import language_of
from heimdex_core.types import WorkContext

_SYNC = re.compile(r"<\s*sync\b([^<>]{0,300})>", re.IGNORECASE)
_PARAGRAPH = re.compile(r"<\s*p\b([^<>]{0,300})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_STYLE = re.compile(r"\.(\w{1,40})\s*\{([^{}]{0,1000})\}")
_TAG = re.compile(
    r"</?\s*(?:p|sync|body|sami|div|center|table|tr|td|big|small|strike|sub|sup|tt|a|html|pre|nobr|marquee)\b[^<>]{0,300}>",
    re.IGNORECASE,
)
_END = re.compile(r"<\s*/\s*(?:body|sami)\s*>", re.IGNORECASE)
# What the names of classes mean where the file does not declare a language for them.
_CLASS_LANGUAGES = {"ko": "ko", "kr": "ko", "en": "en", "eg": "en", "us": "en", "jp": "ja", "ja": "ja", "cn": "zh",
                    "ch": "zh", "zh": "zh", "fr": "fr", "de": "de", "sp": "es", "es": "es", "un": None}  # fmt: skip
_MAX_SHOWN_S = 15.0
"""A line that nothing clears goes with the next one, at the latest after this time."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A text from its start on; a text of nothing clears what its class showed before."""

    start_s: float
    end_s: float | None
    css_class: str
    text: str


def read_cues(text: str, fps: float, context: WorkContext) -> Reading:
    """The cues of a .smi file, with their language where it has several classes of text."""
    reading = Reading(context=context)
    declared = _declared_languages(text)
    by_class: dict[str, list[_Shown]] = {}
    for shown in _texts(_without_comments(text), reading):
        by_class.setdefault(shown.css_class, []).append(shown)
    if "" in by_class and len(by_class) == 2:
        # a text without a class belongs to the only class that there is
        unnamed = by_class.pop("")
        (only,) = by_class
        by_class[only] = sorted([*by_class[only], *unnamed], key=lambda shown: shown.start_s)
    for css_class, all_shown in by_class.items():
        words = "\n".join(plain(shown.text) for shown in all_shown)
        language = language_of(words) or declared.get(css_class) or _by_class_name(css_class)
        for cue in _cues(all_shown, language if len(by_class) > 1 else None):
            reading.add(cue)
        reading.language = reading.language or language
    return reading


def _texts(text: str, reading: Reading) -> Iterator[_Shown]:
    marks = list(_SYNC.finditer(text))
    for n, mark in enumerate(watched(marks, reading.context)):
        body = text[mark.end() : marks[n + 1].start() if n + 1 < len(marks) else len(text)]
        ended = _END.search(body)
        body = body[: ended.start()] if ended else body
        attributes = _attributes(mark[1])
        start_s, end_s = _seconds(attributes.get("start")), _seconds(attributes.get("end"))
        paragraphs = list(_PARAGRAPH.finditer(body))
        before = body[: paragraphs[0].start()] if paragraphs else body
        found = [("", before)] if not paragraphs or _clean(before) else []
        for k, paragraph in enumerate(paragraphs):
            until = paragraphs[k + 1].start() if k + 1 < len(paragraphs) else len(body)
            css_class = _attributes(paragraph[1]).get("class", "").strip().lower()
            found.append((css_class, body[paragraph.end() : until]))
        if start_s is None:
            reading.dropped["unreadable"] += sum(bool(_clean(content)) for _, content in found)
            continue
        for css_class, content in found:
            yield _Shown(start_s, end_s, css_class, content)


def _cues(all_shown: list[_Shown], language: str | None) -> Iterator[Cue]:
    for shown, next_s in zip(all_shown, _next_starts(all_shown), strict=True):
        text = LINE_BREAK.sub("\x03", shown.text.replace("\n", " "))
        lines = tuple(_TAG.sub("", line) for line in text.split("\x03"))
        if not any(plain(line) for line in lines):
            continue
        end_s = shown.end_s if shown.end_s is not None else next_s
        if end_s is not None:
            end_s = min(end_s, shown.start_s + _MAX_SHOWN_S)
        yield Cue(shown.start_s, end_s, lines, language)


def _next_starts(all_shown: list[_Shown]) -> list[float | None]:
    """For every text where the next one begins, which may be several texts on; None after the last."""
    found: list[float | None] = []
    following: float | None = None
    later: float | None = None
    for shown in reversed(all_shown):
        if following is not None and following > shown.start_s:
            later = following
        elif later is not None and later <= shown.start_s:
            later = None
        found.append(later)
        following = shown.start_s
    return found[::-1]


def _clean(text: str) -> str:
    return plain(_TAG.sub("", LINE_BREAK.sub(" ", text)))


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): a or b or c for name, a, b, c in _ATTRIBUTE.findall(text)}


def _seconds(milliseconds: str | None) -> float | None:
    match = re.fullmatch(r"\s*(-?\d{1,12})(?:\.\d*)?\s*(?:ms)?\s*", milliseconds or "")
    return int(match[1]) / 1000 if match else None


def _declared_languages(text: str) -> dict[str, str | None]:
    """The languages of the classes in the style sheet, such as `.KRCC {Name:Korean; lang:ko-KR;}`."""
    found: dict[str, str | None] = {}
    for css_class, rules in _STYLE.findall(text[:50_000]):
        values = dict(pair.split(":", 1) for pair in rules.split(";") if ":" in pair)
        named = {key.strip().lower(): value.strip().strip("\"'") for key, value in values.items()}
        language = language_named(named.get("lang", "")) or language_named(named.get("name", ""))
        if "lang" in named or "name" in named:
            found[css_class.lower()] = language
    return found


def _by_class_name(css_class: str) -> str | None:
    return _CLASS_LANGUAGES.get(css_class[:2])


def _without_comments(text: str) -> str:
    """`text` without <!-- comments -->; one that is not closed ends where the first mark begins."""
    kept, at = [], 0
    while (begin := text.find("<!--", at)) >= 0:
        end = text.find("-->", begin)
        if end < 0:
            break
        kept.append(text[at:begin])
        at = end + 3
    return "".join([*kept, text[at:]])
