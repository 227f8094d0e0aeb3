"""The HTML page that the browser loads: Streamlit's own, with our title, language and script in it.

The script (index.js) has to run before Streamlit's. A path that is no page of the app gets a page that says so.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import streamlit
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heimdex_core.api.mounting import PREFIX
from ui import identity
from ui.i18n import LANGUAGES, pick_language, translate
from ui.server.responses import html_page

API = f"{PREFIX}/"
_TEXTS = ("lost", "hint")
_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept-Language", "X-Content-Type-Options": "nosniff"}


class IndexPage:
    """ASGI middleware: answers requests for pages; other requests pass.

    Args:
        app: the application.
        pages: the paths of the pages, with their slash.
    """

    def __init__(self, app: ASGIApp, pages: Sequence[str]) -> None:
        self._app = app
        self._pages = frozenset(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and not scope["path"].startswith(API)
        if not is_page or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        elif scope["path"] in self._pages:
            response = HTMLResponse(index_page(language_of(scope)), headers=_HEADERS)
            if identity.is_configured():
                response.headers["Cache-Control"] = "no-store"  # Back after signing out asks for it again
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, _NoOtherPage(scope, receive, send))


class _NoOtherPage:
    """Sends a response on, unless it is a page: Streamlit answers every unknown path with its own."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            self._replaced = headers.get("content-type", "").startswith("text/html")
            if self._replaced:
                await not_found_page(language_of(self._scope))(self._scope, self._receive, self._send)
        if not self._replaced:
            await self._send(message)


def language_of(scope: Scope) -> str:
    """The language of the browser that sends a request."""
    accepted = Headers(scope=scope).get("accept-language", "").split(",")
    return pick_language(*(one.partition(";")[0].strip() for one in accepted))


@lru_cache(maxsize=len(LANGUAGES))
def index_page(language: str) -> str:
    """Streamlit's page in a language, with our script before its own.

    Raises RuntimeError if Streamlit's page is not what it was.
    """
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    script = Path(__file__).with_name("index.js").read_text(encoding="utf-8")
    script = script.replace("{/*texts*/}", _json({code: _texts(code) for code in LANGUAGES}))
    style = Path(__file__).with_name("index.css").read_text(encoding="utf-8")
    for pattern, text in (
        (r'<html lang="en">', f'<html lang="{language}">'),
        (r"<title>.*?</title>", f"<title>Heimdex</title>\n<style>\n{style}</style>\n<script>\n{script}</script>"),
    ):
        page, count = re.subn(pattern, lambda _, text=text: text, page, count=1)  # type: ignore[misc]
        if not count:
            raise RuntimeError(f"Streamlit's index.html has no {pattern}")
    return page


def not_found_page(language: str) -> HTMLResponse:
    """What a path that is no page of the app gets."""
    home = html.escape(translate(language, "page.not_found.home"))
    response = html_page(
        language,
        translate(language, "page.not_found"),
        translate(language, "page.not_found.hint"),
        f'<a href="/">{home}</a>',
    )
    response.status_code = 404
    response.headers.update(_HEADERS)
    return response


def _texts(language: str) -> Mapping[str, str]:
    return {name: translate(language, f"connection.{name}") for name in _TEXTS}


def _json(value: object) -> str:
    # within a <script>, "</" would end it
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")
