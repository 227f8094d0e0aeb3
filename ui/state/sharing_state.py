"""What the dialog of the library page shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from heimdex_core.types import ShareKind

_SHARING = "hx_opened_sharing"


@dataclass(frozen=True)
class OpenedSharing:
    """What is open in the dialog."""

    kind: ShareKind
    ids: tuple[str, ...]
    """One or several videos, or one collection."""
    error: dict[str, Any] | None = None
    """Of the last thing that was done in it, from HeimdexError.to_dict."""
    done: str = ""
    """What was done last, in words."""


def opened_sharing() -> OpenedSharing | None:
    """What is open in the dialog; None if it is closed."""
    found: OpenedSharing | None = st.session_state.get(_SHARING)
    return found


def open_sharing(opened: OpenedSharing | None) -> None:
    """Open the dialog; None closes it."""
    st.session_state[_SHARING] = opened
