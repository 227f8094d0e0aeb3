"""Errors as JSON responses and as pages, with message and hint in the client's language and a fitting status code."""

from __future__ import annotations

import html
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse

from heimdex_core.errors import HeimdexError
from ui.i18n import describe_error

_STATUS_BY_CODE = {
    "EXPORT_EXPIRED": 410,
    "LINK_EXPIRED": 410,
    "LINK_INVALID": 403,
    "ORIGIN_REFUSED": 403,
    "UPLOAD_CONFLICT": 409,
    "FILE_TOO_LARGE": 413,
    "DISK_FULL": 507,
    "JOBS_UNAVAILABLE": 503,
    "LIBRARY_NOT_FOUND": 503,
    "JOBS_FILE_UNUSABLE": 503,
    "LIBRARY_BUSY": 503,
    "OBJECT_STORAGE_UNAVAILABLE": 503,
    "OBJECT_STORAGE_FAILED": 503,
}
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
_STATUS_BY_CATEGORY = {"validation": 422, "access": 404, "limit": 429, "storage": 500, "model": 500, "processing": 500}


def error_response(error: HeimdexError, language: str = "en", **headers: str) -> JSONResponse:
    """{"error": {"code", "category", "message", "hint", "details"}}, with message and hint in `language`."""
    status = _STATUS_BY_CODE.get(error.code, _STATUS_BY_CATEGORY.get(error.category, 500))
    message, hint = describe_error(error.to_dict(), language)
    body: dict[str, Any] = {
        "code": error.code,
        "category": error.category,
        "message": message,
        "hint": hint,
        "details": error.details,
    }
    return JSONResponse({"error": body}, status_code=status, headers=headers)


def html_page(language: str, message: str, hint: str, more: str) -> HTMLResponse:
    """A page of its own, without scripts: what happened, the next step, and `more`, which is HTML."""
    page = _PAGE.format(language=language, message=html.escape(message), hint=html.escape(hint), more=more)
    csp = "default-src 'none'; style-src 'unsafe-inline'"
    return HTMLResponse(page, headers={"Content-Security-Policy": csp})
