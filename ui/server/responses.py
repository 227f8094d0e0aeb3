"""Errors as JSON responses and as pages, with message and hint in the client's language and a fitting status code."""

from __future__ import annotations

import html
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse

from heimdex_core.api.problems import status_of
from heimdex_core.errors import HeimdexError
from ui import identity
from ui.i18n import describe_error

_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Heimdex</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40em; margin: 15vh auto; padding: 0 1em }}
body {{ word-break: keep-all }}
p {{ overflow-wrap: anywhere }}
code {{ opacity: .7 }}
</style>
<h1>Heimdex</h1><p><strong>{message}</strong></p><p>{hint}</p><p>{more}</p></html>
"""


def error_response(error: HeimdexError, language: str = "en", **headers: str) -> JSONResponse:
    """{"error": {"code", "category", "message", "hint", "details"}}, with message and hint in `language`.

    Where users sign in, nothing is said of the server's processes: routes do not know who is an admin.
    """
    if identity.is_configured():
        error = error.for_members()
    message, hint = describe_error(error.to_dict(), language)
    body: dict[str, Any] = {
        "code": error.code,
        "category": error.category,
        "message": message,
        "hint": hint,
        "details": error.details,
    }
    return JSONResponse({"error": body}, status_code=status_of(error), headers=headers)


def html_page(language: str, message: str, hint: str, more: str) -> HTMLResponse:
    """A page of its own, without scripts: what happened, the next step, and `more`, which is HTML."""
    page = _PAGE.format(language=language, message=html.escape(message), hint=html.escape(hint), more=more)
    csp = "default-src 'none'; style-src 'unsafe-inline'"
    return HTMLResponse(page, headers={"Content-Security-Policy": csp})
