"""Undoing in the editor of shorts."""

from __future__ import annotations

import pytest

from heimdex_core.types import ShortRequest
from ui.state import short_state


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_state.st, "session_state", {})


def quality() -> str:
    editor = short_state.short_editor()
    assert editor is not None
    return editor.request.quality


def test_changes_are_undone_and_made_again() -> None:
    short_state.edit_short(ShortRequest("s"))
    short_state.change_short(quality="high")
    short_state.change_short(quality="high")  # nothing new: no step
    short_state.step_short(back=True)
    assert quality() == "medium"
    short_state.step_short(back=True)
    assert quality() == "medium"
    short_state.step_short(back=False)
    assert quality() == "high"


def test_a_new_change_forgets_what_was_undone() -> None:
    short_state.edit_short(ShortRequest("s"))
    short_state.change_short(quality="high")
    short_state.step_short(back=True)
    short_state.change_short(title="x")
    short_state.step_short(back=False)
    assert quality() == "medium"
