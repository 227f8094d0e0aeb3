"""The data of a work card: the title and progress of a background task, its errors and its buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui import state
from ui.i18n import describe_error

Card = dict[str, Any]
Problem = dict[str, str]


def card(title: str, text: str = "", **more: Any) -> Card:
    """A card for ui.page.draw_card.

    Args:
        title: what the task is.
        text: its progress.
        more: sub (a muted line), fraction (progress from 0 to 1, None for no bar), tone ("failed" or "done"),
            problems, actions, thin (title and text in one line).
    """
    empty: Card = {"sub": "", "fraction": None, "tone": "", "problems": [], "actions": []}
    return {"title": title, "text": text, **empty, **more}


def action(name: str, text: str, *, primary: bool = False, value: Any = None, disabled: bool = False) -> dict[str, Any]:
    """A button. The handler of that name is called with `value`."""
    return {"name": name, "label": text, "primary": primary, "value": value, "disabled": disabled}


def problem(error: Mapping[str, Any], title: str = "") -> Problem:
    """An error dict in the current language; `title` names what it is about."""
    message, hint = describe_error(error, state.language())
    return {"title": title, "message": message, "hint": hint}
