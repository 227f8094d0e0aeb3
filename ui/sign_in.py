"""Who may see the pages: everybody of a library of one user, else who has signed in. The page that asks for it."""

from __future__ import annotations

import logging
import threading
from typing import Any

import streamlit as st
from cachetools import TTLCache
from streamlit.errors import Error as StreamlitError

from heimdex_core.errors import EmailNotVerified, HeimdexError, SignInNotAllowed, SignInRequired, UserNotFound
from heimdex_core.types import User
from ui import address, identity, page, recovery, refresh, resources, state
from ui.components import sign_in_page
from ui.i18n import LANGUAGES, t
from ui.server.sign_in import REASON, REASONS
from ui.state import SignedIn

_LOG = logging.getLogger(__name__)
_KNOWN_FOR_S = 300.0
_known: TTLCache[identity.Identity, User] = TTLCache(1000, _KNOWN_FOR_S)
"""Users by identity. A page that is opened anew asks for its user without the catalog, which may be in use."""
_known_lock = threading.Lock()


def admit() -> bool:
    """Whether the page may be drawn for who has opened it. If not, what to do about it has been drawn instead."""
    try:
        if not resources.needs_sign_in():
            return True
        problem = _problem()
        if problem is None:
            state.set_member(not resources.library().accounts.is_admin)
    except EmailNotVerified:
        problem = "unverified"
    except SignInNotAllowed:
        problem = "not_allowed"
    except UserNotFound:
        problem = "ended"
    except HeimdexError as error:
        if not identity.is_configured():
            return True  # the page itself shows the error
        recovery.note(error)
        page.error_card(error.for_members().to_dict())
        refresh.watch()
        return False
    if problem is None:
        return True
    _draw(problem)
    return False


def sign_out() -> None:
    """End the session: the page forgets its user, and the browser loses the cookie."""
    state.begin_session(None)
    st.logout()


def _problem() -> str | None:
    """Why nobody is admitted, "" if it is only that nobody has signed in yet; None for the user of this page."""
    who, known = identity.current(), state.signed_in()
    if who is None:
        if known is not None:
            state.begin_session(None)
        return ""
    if known is None or known.identity != who.key:
        state.begin_session(_user_of(who))
        return None
    try:
        resources.library()
    except SignInRequired:
        state.begin_session(None)
        return "ended"
    return None


def _user_of(who: identity.Identity) -> SignedIn:
    """The user with an identity, made on the first login. Raises EmailNotVerified, SignInNotAllowed, UserNotFound."""
    if not (who.email and who.email_verified):
        raise EmailNotVerified()
    accounts = resources.process_library().accounts
    with _known_lock:
        user = _known.get(who)
    if user is None or not accounts.is_admitted(user.user_id):
        # An old cookie makes no user: of one who was deleted it may still be in a browser.
        user = accounts.sign_in(who.issuer, who.subject, who.email, who.email_verified, who.name, create=who.is_fresh())
        with _known_lock:
            _known[who] = user
    return SignedIn(who.key, user.user_id, user.name)


# --- the page -------------------------------------------------------------------------------------


def _draw(problem: str) -> None:
    """Draw the page that asks to sign in.

    Args:
        problem: "unverified", "not_allowed" or "ended" for an identity that is not admitted, "" where there is none.
    """
    providers = identity.providers() if identity.is_configured() and not problem else []
    told = problem or _told(bool(providers))
    page.set_title(t("sign_in.title"))
    who = identity.current()
    sign_in_page(
        "hx_sign_in",
        {
            "language": state.language(),
            "languages": [{"code": code, "name": name} for code, name in LANGUAGES.items()],
            "title": t("sign_in.title"),
            "text": t("sign_in.text") if providers else "",
            "problem": {
                "title": t(f"sign_in.problem.{told}"),
                "hint": t(f"sign_in.problem.{told}.hint"),
                "who": (who.email or "") if problem and who else "",
            }
            if told
            else None,
            "providers": [[one.name, t("sign_in.with", provider=one.title)] for one in providers],
            "leave": t("sign_in.again") if problem else None,
            "labels": {"language": t("settings.language")},
        },
        {"sign_in": _sign_in, "leave": lambda _: sign_out(), "language": _change_language},
    )


def _told(can_sign_in: bool) -> str:
    """What to say to who has not signed in: how the last attempt has failed, if it has."""
    if not can_sign_in:
        return "not_configured"
    reason = address.given(REASON)
    return reason if reason in REASONS else ""


def _sign_in(name: Any) -> None:
    if name not in [provider.name for provider in identity.providers()]:
        return
    try:
        st.login(str(name))
    except StreamlitError as error:
        _LOG.error("nobody can sign in: %s", error)
        raise SignInRequired() from error


def _change_language(code: Any) -> None:
    if code in LANGUAGES:
        state.set_language(str(code))
