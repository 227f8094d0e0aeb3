"""Open pages that follow what other pages and programs do.

A fragment looks every two seconds at what the library publishes in files: the revisions of the tray and of the named
reels, the preferences and the videos. No lock is taken, and no writer is waited for. If something has changed that the
page shows, the page is drawn again; what plays goes on, and what has the focus keeps it.
"""

from __future__ import annotations

import streamlit as st

from heimdex_core.errors import HeimdexError, SignInRequired
from heimdex_core.library import PublishedState
from ui import kept_pauses, recovery, resources, state
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
    reel_id = state.edited_reel()
    reel = state.tray(reel_id) if reel_id else None
    if reel is not None and reel.revision != now.reel_revisions.get(reel_id):
        state.set_tray(None, reel_id)
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
    except SignInRequired:
        st.rerun()
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
    are_other_videos = (before.videos, before.shares) != (now.videos, now.shares)
    return is_old_tray or is_new_language or _has_other_reels(before, now) or are_other_videos


def _has_other_reels(before: PublishedState, now: PublishedState) -> bool:
    """Take over what others have changed in the named reel that is edited; whether it or the list of reels is new."""
    reel_id = state.edited_reel()
    reel = state.tray(reel_id) if reel_id else None
    is_old = reel is not None and now.reel_revisions.get(reel_id) not in (
        reel.revision,
        before.reel_revisions.get(reel_id),
    )
    if is_old:
        state.set_tray(None, reel_id)
    kept = kept_pauses.PREFERENCE
    is_other_list = before.reel_revisions.keys() != now.reel_revisions.keys()
    return is_old or is_other_list or before.preferences.get(kept) != now.preferences.get(kept)
