"""JSON answers: an error becomes its code, message and hint in the caller's language, and a fitting status."""

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
}
_STATUS_BY_CATEGORY = {"validation": 422, "access": 404, "limit": 429, "storage": 500, "model": 500, "processing": 500}


def error_answer(error: HeimdexError, language: str = "en", **headers: str) -> JSONResponse:
    """`error` as a JSON response, rendered in `language`."""
    status = _STATUS_BY_CODE.get(error.code, _STATUS_BY_CATEGORY.get(error.category, 500))
    return JSONResponse({"error": error_body(error, language)}, status_code=status, headers=headers)


def error_body(error: HeimdexError, language: str) -> dict[str, Any]:
    """The error's fields with message and hint in `language`."""
    message, hint = describe_error(error.to_dict(), language)
    return {"code": error.code, "category": error.category, "message": message, "hint": hint, "details": error.details}
