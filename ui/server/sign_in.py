"""What Streamlit's routes of a sign-in leave out: why one has failed, and what a browser keeps after a sign-out.

    /auth/login       sends the browser to the provider; if that fails Streamlit answers with one line of text
    /oauth2callback   takes the provider's answer; if it is not accepted Streamlit goes to the first page without a word
    /auth/logout      removes the cookie; pictures and videos stay in the browser's cache

Here a failure leads to the first page with its reason in the address (REASON), which ui/sign_in.py puts into words.
What is accepted is Streamlit's and Authlib's business alone.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REASON = "sign_in"
"""The parameter of the address with one of REASONS."""
REASONS = ("unreachable", "denied", "clock", "stale", "failed")

_LOGIN, _CALLBACK, _LOGOUT = "/auth/login", "/oauth2callback", "/auth/logout"
_COOKIE = "_streamlit_user="
_TIMES = ("exp", "iat", "nbf")
"""Claims of an ID token that are times. They are checked with two minutes of leeway."""
_swallowed: ContextVar[list[BaseException] | None] = ContextVar("swallowed", default=None)


class SignInProblems:
    """ASGI middleware around the three routes; other requests pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Streamlit logs what has gone wrong, and tells nobody else
        logging.getLogger("streamlit.web.server.starlette.starlette_auth_routes").addFilter(_note)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in (_LOGIN, _CALLBACK, _LOGOUT):
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        _swallowed.set(answer.errors)
        await self._app(scope, receive, answer)


class _Answer:
    """Sends an answer of one of the routes on, or another one in its place."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.errors: list[BaseException] = []
        self._scope, self._receive, self._send = scope, receive, send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._scope["path"] == _LOGOUT:
                # the links of the user's pictures are valid for some time (docs/security.md)
                MutableHeaders(raw=message["headers"])["Clear-Site-Data"] = '"cache"'
            elif reason := self._reason(message):
                self._replaced = True
                response = RedirectResponse(f"/?{REASON}={reason}", 302, headers={"Cache-Control": "no-store"})
                # with the cookies that Streamlit removes
                response.raw_headers += [(name, value) for name, value in message["headers"] if name == b"set-cookie"]
                await response(self._scope, self._receive, self._send)
        if not self._replaced:
            await self._send(message)

    def _reason(self, message: Message) -> str | None:
        """Why a sign-in has failed; None where it goes on."""
        query = parse_qs(self._scope["query_string"].decode("latin-1"))
        if self._scope["path"] == _LOGIN:
            return reason_of(self.errors) if message["status"] >= 400 else None
        if "state" not in query or _signs_in(Headers(raw=message["headers"])):
            return None  # without a state the provider comes back from a sign-out
        if "error" in query:
            return "denied" if query["error"] == ["access_denied"] else "failed"
        return reason_of(self.errors) if self.errors else "stale"


def reason_of(errors: list[BaseException]) -> str:
    """One of REASONS for what Streamlit has caught."""
    for error in errors:
        if type(error).__module__.partition(".")[0] in ("httpx", "httpx2"):
            return "unreachable"
        if type(error).__name__ == "ExpiredTokenError" or getattr(error, "claim", None) in _TIMES:
            return "clock"
    return "failed"


def _signs_in(headers: Headers) -> bool:
    return any(
        cookie.startswith(_COOKIE) and not cookie.startswith((f'{_COOKIE}"";', f"{_COOKIE};"))
        for cookie in headers.getlist("set-cookie")
    )


def _note(record: logging.LogRecord) -> bool:
    errors = _swallowed.get()
    if errors is not None and record.exc_info and record.exc_info[1] is not None:
        errors.append(record.exc_info[1])
    return True
