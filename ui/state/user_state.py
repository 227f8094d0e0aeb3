"""The user of the page, for as long as it is open."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from heimdex_core.types import Token

_SIGNED_IN = "hx_signed_in"
_IS_MEMBER = "hx_is_member"
_MADE_TOKEN = "hx_made_token"  # noqa: S105 - the name of an entry
_KEPT = ("hx_language",)


@dataclass(frozen=True)
class SignedIn:
    """Whose page this is."""

    identity: tuple[str, str]
    """ui.identity.Identity.key"""
    user_id: str
    name: str


def signed_in() -> SignedIn | None:
    """The user of the page; None before one has been admitted."""
    found: SignedIn | None = st.session_state.get(_SIGNED_IN)
    return found


def begin_session(user: SignedIn | None) -> None:
    """Forget everything that the page has remembered so far, but for its language, and make it that of `user`."""
    for key in [key for key in st.session_state if key not in _KEPT or user is not None]:
        del st.session_state[key]
    if user is not None:
        st.session_state[_SIGNED_IN] = user


def set_member(is_member: bool) -> None:
    """Remember whether the user of the page is one of a shared library, and no admin of it."""
    st.session_state[_IS_MEMBER] = is_member


def is_member() -> bool:
    """What `set_member` keeps; False where nobody has to sign in."""
    return bool(st.session_state.get(_IS_MEMBER, False))


def set_made_token(made: tuple[Token, str] | None) -> None:
    """Show a token and its secret on the settings page; None to show it no longer."""
    st.session_state[_MADE_TOKEN] = made


def made_token() -> tuple[Token, str] | None:
    """What `set_made_token` keeps."""
    found: tuple[Token, str] | None = st.session_state.get(_MADE_TOKEN)
    return found
