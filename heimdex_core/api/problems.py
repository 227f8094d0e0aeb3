"""Errors as problem+json (RFC 9457), with a status by their code or their category."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from heimdex_core.errors import HeimdexError, InvalidValue, printable

if TYPE_CHECKING:
    from fastapi.exceptions import RequestValidationError

MEDIA_TYPE = "application/problem+json"

_STATUS_BY_CODE = {
    "BODY_TOO_LARGE": 413,
    "BODY_UNSUPPORTED": 415,
    "CANCELLED": 409,
    "CLIPS_FAILED": 409,
    "DATABASE_INTERRUPTED": 503,
    "DATABASE_UNAVAILABLE": 503,
    "DISK_FULL": 507,
    "EMAIL_NOT_VERIFIED": 403,
    "EXPORT_EXPIRED": 410,
    "FILE_TOO_LARGE": 413,
    "HOST_REFUSED": 403,
    "HUB_UNREACHABLE": 503,
    "IDEMPOTENCY_KEY_BUSY": 409,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "INVALID_TRANSITION": 409,
    "JOBS_FILE_UNUSABLE": 503,
    "JOBS_UNAVAILABLE": 503,
    "LIBRARY_BUSY": 503,
    "LIBRARY_NOT_FOUND": 503,
    "LINK_EXPIRED": 410,
    "LINK_INVALID": 403,
    "METHOD_NOT_ALLOWED": 405,
    "NOT_ALLOWED": 403,
    "MOVE_INCOMPLETE": 409,
    "NO_JUDGEMENTS": 409,
    "OBJECT_STORAGE_FAILED": 503,
    "OBJECT_STORAGE_UNAVAILABLE": 503,
    "ORIGIN_REFUSED": 403,
    "PEOPLE_OFF": 403,
    "PRECONDITION_FAILED": 412,
    "SCENE_TOO_LONG": 422,
    "SEARCH_FAILED": 503,
    "SEARCH_UNAVAILABLE": 503,
    "SIGN_IN_NOT_ALLOWED": 403,
    "SIGN_IN_REQUIRED": 401,
    "SIGN_IN_UNAVAILABLE": 503,
    "SOURCE_CHANGED": 409,
    "SOURCE_MISSING": 409,
    "SQL_MEMORY": 422,
    "SQL_TIMEOUT": 422,
    "TOKEN_EXPIRED": 401,
    "TOKEN_INVALID": 401,
    "TRAY_CONFLICT": 409,
    "UPLOAD_CONFLICT": 409,
    "UPLOAD_INCOMPLETE": 409,
    "VIEW_OUTDATED": 503,
}
_STATUS_BY_CATEGORY = {"validation": 422, "access": 404, "limit": 429, "storage": 500, "model": 503, "processing": 500}


def status_of(error: HeimdexError) -> int:
    """The HTTP status of an error; that of its nearest base class which has one, else that of its category."""
    if error.code == "UNKNOWN_NAME" and error.details.get("kind") in ("run", "scan"):
        return 404  # these may be named by an id
    for cls in type(error).__mro__:
        status = _STATUS_BY_CODE.get(cls.__dict__.get("code", ""))
        if status is not None:
            return status
    return 500 if error.code == HeimdexError.code else _STATUS_BY_CATEGORY.get(error.category, 500)


def problem(error: HeimdexError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that says what went wrong: RFC 9457's members, and code, category, hint and details of the error."""
    status = status_of(error)
    body: dict[str, Any] = {
        "type": f"urn:heimdex:error:{error.code.lower()}",
        "title": error.message,
        "status": status,
        "code": error.code,
        "category": error.category,
        "hint": error.hint,
        "details": error.details,
    }
    more = {"Cache-Control": "no-store", **(headers or {})}
    if status == 401:
        more["WWW-Authenticate"] = 'Bearer realm="heimdex"'
    if status == 429 or error.code == "IDEMPOTENCY_KEY_BUSY":
        until_s = 3600 * float(error.details.get("hours_until_reset", 0))
        more["Retry-After"] = str(max(1, math.ceil(float(error.details.get("retry_after_s", until_s)))))
    return JSONResponse(body, status, headers=more, media_type=MEDIA_TYPE)


def invalid_request(error: RequestValidationError) -> InvalidValue:
    """The first thing that is wrong with the parameters or the body of a request."""
    fault = error.errors()[0]
    parts = fault["loc"][1:] if fault["loc"][0] in ("body", "query", "header", "path") else fault["loc"]
    place = ".".join(str(part) for part in parts) or "body"
    if fault["type"] == "missing":
        return InvalidValue(name=place, value="(none)", reason="it is required")
    given = fault.get("input")
    value = printable(given) if isinstance(given, str) else repr(given)
    reason = str(fault["msg"]).removeprefix("Value error, ").replace("valid tuple", "valid list")  # JSON has no tuples
    return InvalidValue(name=place, value=value[:80], reason=reason)
