"""Who is signed in, as the provider says, and the providers of [auth] in .streamlit/secrets.toml.

Streamlit does OpenID Connect: it sends the browser to the provider, checks what comes back, and keeps it in a signed
cookie, which every new page presents. Without [auth] nobody signs in, and nothing of this needs Authlib.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

MIN_SECRET_CHARS = 32
"""Whoever can guess the cookie's secret can sign in as anybody."""
FRESH_FOR_S = 600
"""A sign-in is new for so long; the clocks of provider and server may differ by some minutes."""

_DEFAULT = "default"
_PROVIDER_KEYS = ("client_id", "client_secret", "server_metadata_url")
_KNOWN = {"accounts.google.com": "Google", "login.microsoftonline.com": "Microsoft"}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that one can sign in with."""

    name: str
    """What st.login calls it."""
    title: str
    """What people call it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider says about who has signed in."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str
    issued_at_s: float
    """When, in seconds since 1970 by the provider's clock."""

    @property
    def key(self) -> tuple[str, str]:
        """Issuer and subject, which never change and are never given to anybody else (OpenID Connect Core, 5.7)."""
        return self.issuer, self.subject

    def is_fresh(self, now_s: float | None = None) -> bool:
        """Whether the sign-in has only just happened."""
        return (time.time() if now_s is None else now_s) - self.issued_at_s < FRESH_FOR_S

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> Identity | None:
        """From the claims of an ID token; None for a user who is not signed in, or a token without its issuer."""
        issuer, subject = claims.get("iss"), claims.get("sub")
        if claims.get("is_logged_in") is not True or not _is_text(issuer) or not _is_text(subject):
            return None
        email, issued_at = claims.get("email"), claims.get("iat")
        return cls(
            issuer=str(issuer),
            subject=str(subject),
            email=email if _is_text(email) else None,
            # some providers send it as text
            email_verified=claims.get("email_verified") in (True, "true"),
            name=str(claims.get("name") or claims.get("preferred_username") or email or ""),
            issued_at_s=float(issued_at) if isinstance(issued_at, int | float) else 0.0,
        )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


@lru_cache(maxsize=1)
def is_configured() -> bool:
    """Whether this server has people sign in. Read once: turning it on takes a restart."""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False


def providers() -> list[Provider]:
    """The providers that are configured; none where the configuration cannot be used, which is logged."""
    section = dict(st.secrets["auth"])
    problem = problem_of(section)
    if problem:
        _log_once(problem)
        return []
    return providers_of(section)


def providers_of(section: Mapping[str, Any]) -> list[Provider]:
    """The providers of the section [auth], in its order."""
    tables = {name: value for name, value in section.items() if isinstance(value, Mapping) and name != "client_kwargs"}
    if section.get("client_id"):
        tables = {_DEFAULT: section, **tables}
    return [Provider(name, _title(name, table)) for name, table in tables.items()]


def problem_of(section: Mapping[str, Any]) -> str:
    """What is wrong with the section [auth]; "" if nothing is."""
    try:
        import authlib.integrations.starlette_client  # noqa: F401 - is it there?
    except ImportError as error:
        return f"sign-in needs Authlib: pip install -r requirements.txt ({error})"
    for key in ("redirect_uri", "cookie_secret"):
        if not _is_text(section.get(key)):
            return f"[auth] in .streamlit/secrets.toml has no {key}"
    if not str(section["redirect_uri"]).endswith("/oauth2callback"):
        return "redirect_uri in .streamlit/secrets.toml has to end with /oauth2callback"
    if len(str(section["cookie_secret"])) < MIN_SECRET_CHARS:
        return f"cookie_secret in .streamlit/secrets.toml is shorter than {MIN_SECRET_CHARS} characters"
    found = providers_of(section)
    if not found:
        return "[auth] in .streamlit/secrets.toml names no provider"
    for provider in found:
        table = section if provider.name == _DEFAULT else section[provider.name]
        missing = [key for key in _PROVIDER_KEYS if not _is_text(table.get(key))]
        if missing or "_" in provider.name:
            lacks = f"lacks {', '.join(missing)}" if missing else "has a name with an underscore"
            return f"the provider {provider.name} in .streamlit/secrets.toml {lacks}"
    return ""


def current() -> Identity | None:
    """Who is signed in on the page that is being drawn; None if nobody is, and outside of a page."""
    return Identity.of(st.user.to_dict())


@lru_cache(maxsize=8)
def _log_once(problem: str) -> None:
    _LOG.error("nobody can sign in: %s", problem)


def _title(name: str, table: Mapping[str, Any]) -> str:
    given = table.get("title")
    if _is_text(given):
        return str(given)
    host = urlsplit(str(table.get("server_metadata_url", ""))).hostname or ""
    return _KNOWN.get(host) or (host if name == _DEFAULT else name[:1].upper() + name[1:])
