"""What a card of work that lasts consists of; ui.cards draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui import state
from ui.i18n import describe_error

Card = dict[str, Any]
Problem = dict[str, str]


def card(title: str, text: str = "", **more: Any) -> Card:
    """Everything that the component draws; what is left out is empty."""
    empty: Card = {"sub": "", "fraction": None, "tone": "", "problems": [], "actions": []}
    return {"title": title, "text": text, **empty, **more}


def action(name: str, text: str, *, primary: bool = False, value: Any = None, disabled: bool = False) -> dict[str, Any]:
    """A button; the handler of that name is called with `value`."""
    return {"name": name, "label": text, "primary": primary, "value": value, "disabled": disabled}


def problem(error: Mapping[str, Any], title: str = "") -> Problem:
    """An error as JSON, told in the person's language; `title` says what it is about."""
    message, hint = describe_error(error, state.language())
    return {"title": title, "message": message, "hint": hint}
