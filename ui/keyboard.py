"""The list of all keys, which "?" opens on every page."""

from __future__ import annotations

import streamlit as st

from ui.components import keys_dialog
from ui.i18n import t

_SECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "player": {
        "play": ("Space", "K"),
        "shuttle": ("J", "L"),
        "nudge": ("←", "→"),
        "jump": ("Shift+←", "Shift+→"),
        "frame": (",", "."),
        "mute": ("M",),
        "fullscreen": ("F",),
    },
    "scenes": {
        "next": ("N", "P"),
        "open": ("Enter",),
        "pick": ("A",),
        "choose": ("Shift+N", "Shift+P"),
        "clear": ("Esc",),
    },
    "video": {
        "split": ("S",),
        "merge": ("Shift+S",),
    },
    "reel": {
        "trim": ("[", "]"),
        "move": ("Shift+N", "Shift+P"),
        "duplicate": ("D",),
        "remove": ("Backspace",),
    },
    "short": {
        "trim": ("I", "O"),
        "keyframe": ("Q",),
    },
    "judging": {
        "grade": ("0", "3"),
        "step": ("←", "→"),
        "skip": ("S",),
        "note": ("N",),
    },
    "page": {
        "query": ("/",),
        "undo": ("Ctrl+Z",),
        "redo": ("Shift+Ctrl+Z",),
        "list": ("?",),
    },
}
"""By section and text: the keys. The components handle them; docs/decisions/app-keys.md has the reasons."""


def draw() -> None:
    """Draw the dialog, closed."""
    sections = [
        {
            "heading": t(f"keys.{section}"),
            "rows": [{"keys": keys, "text": t(f"keys.{section}.{name}")} for name, keys in rows.items()],
        }
        for section, rows in _SECTIONS.items()
    ]
    with st.container(key="hx-shortcuts"):
        keys_dialog("hx_keys_dialog", {"heading": t("keys.heading"), "close": t("keys.close"), "sections": sections})
