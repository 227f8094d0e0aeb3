"""Open pages that follow what other pages and programs do.

A fragment looks every two seconds at what the library publishes in files: the revision of the tray, the preferences and
the videos. No lock is taken, and no writer is waited for. If something has changed that the page shows, the page is
drawn again; what plays goes on, and what has the focus keeps it.
"""

from __future__ import annotations

import streamlit as st

from heimdex_core.errors import HeimdexError
from heimdex_core.library import PublishedState
from ui import recovery, resources, state
from ui.i18n import LANGUAGES

EVERY_S = 2.0


def renew() -> None:
    """Called before a page is drawn: what it shows is what the library has now."""
    try:
        now = resources.library().published_state()
    except HeimdexError:
        return  # the page itself shows the error
    tray = state.tray()
    if tray is not None and tray.revision != now.tray_revision:
        state.set_tray(None)
    if state.edited_reel():
        state.set_tray(None, state.edited_reel())
    state.set_seen_state(now)


def watch() -> None:
    """Called after a page has been drawn: look for changes while it is open."""
    st.fragment(_look, run_every=EVERY_S)()


def _look() -> None:
    if recovery.is_over():
        st.rerun()
    before = state.seen_state()
    try:
        now = resources.library().published_state()
    except HeimdexError:
        return
    if before is None or before == now:
        return
    state.set_seen_state(now)
    if _has_news(before, now):
        st.rerun()


def _has_news(before: PublishedState, now: PublishedState) -> bool:
    """Take over what others have changed; whether the page has to be drawn again."""
    tray = state.tray()
    is_old_tray = tray is not None and now.tray_revision not in (tray.revision, before.tray_revision)
    if is_old_tray:
        state.set_tray(None)
    language = now.preferences.get("language")
    is_new_language = language in LANGUAGES and language not in (before.preferences.get("language"), state.language())
    if is_new_language:
        state.set_language(str(language))
    return is_old_tray or is_new_language or before.videos != now.videos
