"""Filters in words, and what a hit of a search fulfils."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

from heimdex_core.types import NO_FILTERS, Filters, Hit, SearchResult
from ui.i18n import t, t_or

CHOICES = ("owner", "collections", "languages", "has_speech", "tags", "people")
"""The fields of Filters that are chosen from a list."""
SINGLE = ("owner", "has_speech")
"""Of these one is chosen, if any."""


def active(filters: Filters) -> list[str]:
    """The names of the fields that filter something."""
    return [one.name for one in fields(Filters) if getattr(filters, one.name) != getattr(NO_FILTERS, one.name)]


def choice_label(name: str, value: str) -> str:
    """A value of a filter that is chosen, as people read it."""
    if name == "languages":
        return t_or(f"speech.{value}", value)
    if name == "owner":
        return t(f"filter.owner.{value}")
    return t(f"filter.speech.{value}") if name == "has_speech" else value


def as_text(value: Any) -> str:
    """A value of a filter as it is written into a field."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else f"{value:g}" if isinstance(value, float) else str(value)


def condition_labels(result: SearchResult, hit: Hit) -> list[str]:
    """What a hit fulfils, whatever it scores: a label for each filter, and for what must not be in it."""
    conditions = result.conditions
    without = [label for one in conditions.without for label in _labels(one, hit)]
    return list(
        dict.fromkeys(
            [
                *(label for one in conditions.filters for label in _labels(one, hit)),
                *(t("explanation.without", what=label) for label in without),
                *(t("explanation.without_word", word=word) for word in conditions.excluded),
            ]
        )
    )


def _labels(filters: Filters, hit: Hit) -> list[str]:
    found = []
    for name in active(filters):
        value = getattr(filters, name)
        if name == "video_ids":  # of whose titles only this one is at hand
            found.append(t("chips.filter", name=t("explanation.video"), value=hit.video_title))
            continue
        for one in value if isinstance(value, tuple) else (value,):
            label = choice_label(name, str(one).lower() if name in SINGLE else one) if name in CHOICES else one
            is_clear = name in SINGLE
            found.append(label if is_clear else t("chips.filter", name=t(f"filter.{name}"), value=as_text(label)))
    return found
