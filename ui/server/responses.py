"""Errors as JSON responses, with message and hint in the client's language and a fitting status code."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from heimdex_core.errors import HeimdexError
from ui.i18n import describe_error

_STATUS_BY_CODE = {
    "LINK_EXPIRED": 410,
    "LINK_INVALID": 403,
    "ORIGIN_REFUSED": 403,
    "FILE_TOO_LARGE": 413,
    "DISK_FULL": 507,
    "JOBS_UNAVAILABLE": 503,
    "LIBRARY_NOT_FOUND": 503,
    "JOBS_FILE_UNUSABLE": 503,
    "LIBRARY_BUSY": 503,
}
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
