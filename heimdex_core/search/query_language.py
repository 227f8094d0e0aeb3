"""The query language: words, "quoted phrases", -excluded words, and filters such as title:harbour.

    red car "on the bridge" -boat -"rough sea" title:harbour file:tape_3 screen:exit lang:ko person:Anna -person:Ben
    person: Anna, red car          scenes of Anna come first, and others may follow

Everything that is no operator is text, so any text is a query and none is refused for its form. What a text says
without its operators is what models receive.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from heimdex_core.store import analysis
from heimdex_core.types import Filters

_QUOTE_MARKS = str.maketrans(dict.fromkeys(analysis.QUOTE_MARKS, '"'))

_TOKEN = re.compile(
    r"""(?<!\S)person:\s+(?:"(?P<quoted_person>[^"]+)"\s*|(?P<person>[^\s",:][^",:]*)),
      | (?<!\S)(?P<minus>[-\u2212\uff0d])?(?P<field>title|file|screen|lang|person):
        (?:"(?P<quoted_value>[^"]+)"|(?P<value>[^\s"]+))
      | (?<!\S)[-\u2212\uff0d](?:"(?P<excluded_phrase>[^"]*)"|(?P<excluded>[^\W_][^\s"]*))
      | "(?P<phrase>[^"]*)"
      | (?P<text>[^\s"]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A query in its parts."""

    plain: str
    """The text without operators, for models."""
    lookup: str
    """The same with its phrases in straight quotation marks, for the lexical channel."""
    excluded: tuple[str, ...] = ()
    """Words and phrases that a scene must not have, as they were typed."""
    people: tuple[str, ...] = ()
    """Names of people whose scenes come first."""
    filters: tuple[Filters, ...] = ()
    """What title:, file:, screen:, lang: and person: ask for; a scene has to pass all of them."""
    without: tuple[Filters, ...] = ()
    """What they ask for with a minus before them; a scene must pass none of these."""
    is_unclosed: bool = False
    """Whether there is a quotation mark without a second one, which is left out."""


def normalise(text: str) -> str:
    """The text in NFC with single spaces; its length is what the limit of a query's length is about."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def parse(text: str) -> ParsedText:
    """Divide a query into what is looked for, what is excluded, and filters."""
    text = normalise(text).translate(_QUOTE_MARKS)
    is_unclosed = text.count('"') % 2 == 1
    if is_unclosed:
        before, _, after = text.rpartition('"')
        text = f"{before} {after}"
    plain: list[str] = []
    lookup: list[str] = []
    excluded: list[str] = []
    people: list[str] = []
    values: dict[str, list[str]] = {}
    without: dict[str, list[str]] = {}
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "text"
        value = match[kind].strip()
        if kind in ("value", "quoted_value"):
            (without if match["minus"] else values).setdefault(match["field"].lower(), []).append(value)
        elif kind in ("person", "quoted_person"):
            people.append(value)
        elif kind in ("excluded", "excluded_phrase"):
            excluded.append(value)
        elif value:
            plain.append(value)
            lookup.append(f'"{value}"' if kind == "phrase" else value)
    return ParsedText(
        plain=" ".join(plain),
        lookup=" ".join(lookup),
        excluded=tuple(dict.fromkeys(value for value in excluded if analysis.terms(value))),
        people=tuple(dict.fromkeys(people)),
        filters=_filters(values),
        without=_filters(without),
        is_unclosed=is_unclosed,
    )


def _filters(values: dict[str, list[str]]) -> tuple[Filters, ...]:
    """One filter for each value, except that any of several languages will do."""
    codes = [code.lower().partition("-")[0] for value in values.get("lang", ()) for code in value.split(",")]
    languages = tuple(dict.fromkeys(filter(None, codes)))
    return (
        *(Filters(title=value) for value in values.get("title", ())),
        *(Filters(filename=value) for value in values.get("file", ())),
        *(Filters(on_screen=value) for value in values.get("screen", ())),
        *(Filters(people=(value,)) for value in values.get("person", ())),
        *([Filters(languages=languages)] if languages else []),
    )
