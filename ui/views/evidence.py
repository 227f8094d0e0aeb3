"""Where the words of a search are in a scene: in its transcript, its tags and the texts about its picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heimdex_core.search.matching import pieces, snippet
from heimdex_core.types import Scene
from ui.i18n import t

Pieces = Sequence[tuple[str, bool] | list[Any]]
_LEAD, _LENGTH = 20, 240
_LINE_LEAD = 12
"""Before a match in a line that is not wrapped."""


def said(scene: Scene, terms: Sequence[str]) -> Pieces:
    """The transcript of a scene around what matches, for a card; a note if nothing is said."""
    return snippet(scene.transcript, terms, lead=_LEAD, length=_LENGTH) or [[t("scene.no_speech"), False]]


def title(text: str, terms: Sequence[str]) -> Pieces:
    """A title, in one line, from shortly before what matches if that is far from its beginning."""
    return snippet(text, terms, lead=_LINE_LEAD, length=_LENGTH)


def elsewhere(scene: Scene, terms: Sequence[str]) -> list[dict[str, Any]]:
    """What matches in a scene besides its transcript, for a card: [{"label", "text"}]."""
    found = []
    tags = [tag for tag in scene.tags if _matches(tag, terms)]
    if tags:
        found.append({"label": t("scene.tags"), "text": pieces(", ".join(tags), terms)})
    for name in ("caption", "on_screen_text"):
        text = getattr(scene, name)
        if _matches(text, terms):
            shown = snippet(text, terms, lead=_LINE_LEAD, length=_LENGTH)
            found.append({"label": t(f"scene.{name}"), "text": shown})
    return found


def fields(scene: Scene, terms: Sequence[str]) -> list[dict[str, Any]]:
    """The tags and the texts about the picture of a scene, for the panel, with what matches marked."""
    texts = {"tags": ", ".join(scene.tags), "caption": scene.caption, "on_screen_text": scene.on_screen_text}
    return [{"label": t(f"scene.{name}"), "text": pieces(text, terms)} for name, text in texts.items() if text]


def _matches(text: str, terms: Sequence[str]) -> bool:
    return any(is_match for _, is_match in pieces(text, terms))
