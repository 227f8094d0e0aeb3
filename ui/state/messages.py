"""Errors, what can be undone, and questions that wait for an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

_FLASH = "hx_flash"
_DELETED_VIDEOS = "hx_deleted_videos"
_CONFIRMING = "hx_confirming"
_ERRORS = "hx_errors"
_FAILED_PAGE = "hx_failed_page"
_RECOVERED_AT = "hx_recovered_at"


def flash(error: Mapping[str, Any] | None) -> None:
    """Keep the error of an operation until the next one; None clears it."""
    st.session_state[_FLASH] = {"error": dict(error), "place": None} if error else None


def flashed(place: str) -> dict[str, Any] | None:
    """The error that `flash` kept, for the first place of the page that asks for it; that one gets it again."""
    found: dict[str, Any] | None = st.session_state.get(_FLASH)
    if not found or found["place"] not in (None, place):
        return None
    found["place"] = place
    error: dict[str, Any] = found["error"]
    return error


def set_error(section: str, error: Mapping[str, Any] | None) -> None:
    """Show an error in a section of the page until the next attempt in any section; None clears it."""
    st.session_state[_ERRORS] = {section: dict(error)} if error else {}


def error_in(section: str) -> dict[str, Any] | None:
    """The error that `set_error` keeps for a section."""
    found: dict[str, Any] | None = st.session_state.get(_ERRORS, {}).get(section)
    return found


def set_deleted_videos(video_ids: Sequence[str], clips: int = 0) -> None:
    """The videos that were deleted last and can be restored, and how many clips of the reel use them."""
    st.session_state[_DELETED_VIDEOS] = (tuple(video_ids), clips)


def deleted_videos() -> tuple[tuple[str, ...], int]:
    """What `set_deleted_videos` keeps."""
    found: tuple[tuple[str, ...], int] = st.session_state.get(_DELETED_VIDEOS, ((), 0))
    return found


def set_failed_page(failed: bool) -> None:
    """Remember whether a part of the page shows an error of the library."""
    st.session_state[_FAILED_PAGE] = failed


def has_failed_page() -> bool:
    """Whether a part of the page shows an error of the library."""
    return bool(st.session_state.get(_FAILED_PAGE, False))


def set_recovered_at(monotonic_s: float) -> None:
    """Remember when the page was drawn again after an error, by time.monotonic."""
    st.session_state[_RECOVERED_AT] = monotonic_s


def recovered_at() -> float:
    """When `set_recovered_at` was called last."""
    return float(st.session_state.get(_RECOVERED_AT, float("-inf")))


def set_confirming(question: str | None) -> None:
    """Name the question that the user has to confirm; None when it has been answered."""
    st.session_state[_CONFIRMING] = question


def confirming() -> str | None:
    """The question that the user has to confirm."""
    found: str | None = st.session_state.get(_CONFIRMING)
    return found
