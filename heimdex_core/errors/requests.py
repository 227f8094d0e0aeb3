"""Requests to the HTTP API that cannot be answered, whatever they are about."""

from __future__ import annotations

from heimdex_core.errors.base import AccessError, LimitError, ValidationError


class RouteNotFound(AccessError):
    """The API has no such path."""

    code = "ROUTE_NOT_FOUND"
    message_template = "The API has no path {path}."
    hint_template = "docs/api.md lists the paths, and so does /api/v1/docs."


class UploadNotFound(AccessError):
    """The user has no unfinished upload with this id."""

    code = "UPLOAD_NOT_FOUND"
    message_template = "There is no unfinished upload {upload_id}."
    hint_template = "It may be complete, or it was removed because nothing arrived for a long time. Begin a new one."


class MethodNotAllowed(ValidationError):
    """A path of the API is asked with a method that it does not have."""

    code = "METHOD_NOT_ALLOWED"
    message_template = "{method} is not a method of {path}."
    hint_template = "docs/api.md lists the methods of each path."


class PreconditionFailed(ValidationError):
    """What a request wants to change is not what it was when its ETag was read."""

    code = "PRECONDITION_FAILED"
    message_template = "It has been changed since you read it."
    hint_template = "Read it again, and send the request with the new ETag in If-Match."


class BodyTooLarge(ValidationError):
    """The body of a request is larger than any that makes sense."""

    code = "BODY_TOO_LARGE"
    message_template = "The body of the request is too large; the limit is {limit_bytes} bytes."
    hint_template = "Send less at once. Videos are uploaded by POST /api/v1/uploads."


class BodyUnsupported(ValidationError):
    """The body of a request is in a form that the API does not read."""

    code = "BODY_UNSUPPORTED"
    message_template = "A body of the type {found} cannot be read; JSON is needed."
    hint_template = "Send JSON with the header Content-Type: application/json, and without Content-Encoding."


class IdempotencyKeyReused(ValidationError):
    """An Idempotency-Key came with another request than before."""

    code = "IDEMPOTENCY_KEY_REUSED"
    message_template = "This Idempotency-Key was used for another request."
    hint_template = "Use a new key for every request, and the same one only to repeat it."


class IdempotencyKeyBusy(LimitError):
    """The request that came with an Idempotency-Key first is still being worked on."""

    code = "IDEMPOTENCY_KEY_BUSY"
    message_template = "The first request with this Idempotency-Key is still being worked on."
    hint_template = "Send it again in {retry_after_s} s."


class SignInUnavailable(AccessError):
    """The sign-in service that issued a token cannot be asked for its keys."""

    code = "SIGN_IN_UNAVAILABLE"
    message_template = "The sign-in service {issuer} cannot be reached, so the token cannot be checked."
    hint_template = "Try again in a minute. Tokens of the library (hdx_...) do not need it."
