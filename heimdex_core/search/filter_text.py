"""Filters as people write them: "lang=ko", on the command line, in the query log and in addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import date
from typing import Any

from heimdex_core.errors import InvalidFilter
from heimdex_core.types import NO_FILTERS, Filters


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _yes_or_no(text: str) -> bool:
    return {"yes": True, "true": True, "no": False, "false": False}[text.lower()]


_SINGLE: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "title": ("title", str, "write a part of the title"),
    "file": ("filename", str, "write a part of the file name"),
    "screen": ("on_screen", str, "write a word or phrase in the picture"),
    "added-from": ("added_from", _day, "write a day as YYYY-MM-DD"),
    "added-to": ("added_to", _day, "write a day as YYYY-MM-DD"),
    "min-s": ("min_s", float, "write a number of seconds"),
    "max-s": ("max_s", float, "write a number of seconds"),
    "owner": ("owner", lambda text: {"mine": "mine", "shared": "shared"}[text.lower()], "write mine or shared"),
    "speech": ("has_speech", _yes_or_no, "write yes or no"),
}
"""Filters with one value, by the name that people write: the field, how its value is read, and what to write."""

_REPEATED = {"video": "video_ids", "lang": "languages", "tag": "tags", "person": "people", "collection": "collections"}
"""Filters that may be given several times."""

FILTER_NAMES = (*_REPEATED, *_SINGLE)


def parse_filters(pairs: Iterable[str]) -> Filters:
    """Filters from pairs such as "lang=ko" and "min-s=2".

    Raises InvalidFilter for an unknown name, a value that cannot be read, or a second value where there is only one.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        name, value = name.strip().lower(), value.strip()
        if name not in FILTER_NAMES:
            raise InvalidFilter(filter=pair, reason=f"the filters are {', '.join(FILTER_NAMES)}")
        if not value:
            raise InvalidFilter(filter=pair, reason="write NAME=VALUE, for example lang=ko")
        if name in _REPEATED:
            values[_REPEATED[name]] = (*values.get(_REPEATED[name], ()), value)
            continue
        field, read, expected = _SINGLE[name]
        if field in values:
            raise InvalidFilter(filter=pair, reason=f"{name} can be given once only")
        try:
            values[field] = read(value)
        except (ValueError, KeyError) as error:
            raise InvalidFilter(filter=pair, reason=expected) from error
    return Filters(**values)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def filter_pairs(filters: Filters) -> list[str]:
    """The pairs that `parse_filters` makes these filters of. No videos at all is "video=", which it refuses."""
    names = {field: name for name, (field, *_) in _SINGLE.items()} | {field: name for name, field in _REPEATED.items()}
    pairs: list[str] = []
    for field in fields(filters):
        value, name = getattr(filters, field.name), names[field.name]
        if value == getattr(NO_FILTERS, field.name):
            continue
        for one in value if isinstance(value, tuple) else (value,):
            pairs.append(f"{name}={_as_text(one)}")
        if value == ():
            pairs.append(f"{name}=")
    return pairs


def condition_pairs(
    filters: Iterable[Filters], without: Iterable[Filters] = (), excluded: Iterable[str] = ()
) -> tuple[str, ...]:
    """What hits fulfil, each once: "person=Anna", and with a minus what they do not: "-person=Ben", "-boat"."""
    return (
        *dict.fromkeys(pair for one in filters for pair in filter_pairs(one)),
        *dict.fromkeys(f"-{pair}" for one in without for pair in filter_pairs(one)),
        *(f'-"{text}"' if " " in text else f"-{text}" for text in excluded),
    )
