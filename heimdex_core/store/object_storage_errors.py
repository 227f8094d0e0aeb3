"""What the object storage answers or botocore raises, as errors that say what to do. No secret is in any of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore import exceptions as boto

from heimdex_core.errors import (
    BucketNotFound,
    ClockSkewed,
    ObjectMissing,
    ObjectStorageCredentials,
    ObjectStorageCredentialsExpired,
    ObjectStorageDenied,
    ObjectStorageFailed,
    ObjectStorageUnavailable,
    StorageError,
)

FAILURES = (boto.BotoCoreError, boto.ClientError)
"""What botocore raises; a BotoCoreError is of our side or of the network, a ClientError an answer."""

# Codes of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_AGAIN = frozenset(
    [
        "SlowDown",
        "InternalError",
        "ServiceUnavailable",
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
        "OperationAborted",
        "IncompleteBody",
        "BadDigest",
    ]
)
_UNKNOWN = frozenset(["InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"])
_EXPIRED = frozenset(
    ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "RequestExpired"]
)
_DENIED = frozenset(["AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403"])
_SKEWED = frozenset(["RequestTimeTooSkewed", "RequestInTheFuture"])
_MISSING = frozenset(["NoSuchKey", "404"])
_NO_CREDENTIALS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)
_NOT_REACHED = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.SSLError)


def code_of(error: Exception) -> str:
    """The code of an answer, such as NoSuchKey; of one without a body (HEAD) its status; "" if nothing answered."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, boto.ClientError) else ""


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, boto.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code_of(error) in _AGAIN or status >= 500 or status == 429
    if isinstance(error, boto.SSLError):
        return False
    return isinstance(error, boto.HTTPClientError | boto.IncompleteReadError)


def translated(
    error: Exception, *, host: str, bucket: str, key: str, attempts: int, secrets: tuple[str, ...]
) -> StorageError:
    """The error of ours for one of `FAILURES`.

    Args:
        error: what was raised last.
        host: address of the storage, for the message.
        bucket: name of the bucket.
        key: the object that was asked for, "" for none.
        attempts: how often the request was sent.
        secrets: texts that may not appear in the message.
    """
    reason, code = _reason(error, secrets), code_of(error)
    if isinstance(error, _NO_CREDENTIALS) or code in _UNKNOWN:
        return ObjectStorageCredentials(host=host, reason=reason)
    if code in _EXPIRED:
        return ObjectStorageCredentialsExpired(host=host)
    if code in _SKEWED:
        return ClockSkewed(host=host, here=_minute(datetime.now(UTC)), there=_server_time(error))
    if code == "NoSuchBucket":
        return BucketNotFound(host=host, bucket=bucket)
    if code in _DENIED:
        return ObjectStorageDenied(host=host, bucket=bucket, reason=reason)
    if code in _MISSING and key:
        return ObjectMissing(key=key, bucket=bucket)
    if isinstance(error, _NOT_REACHED):
        return ObjectStorageUnavailable(host=host, reason=reason)
    return ObjectStorageFailed(host=host, attempts=attempts, reason=reason)


def _reason(error: Exception, secrets: tuple[str, ...]) -> str:
    """One line about an error."""
    if isinstance(error, boto.ClientError):
        text = f"{code_of(error)}: {error.response.get('Error', {}).get('Message', '')}".removesuffix(": ")
    elif isinstance(error, boto.EndpointConnectionError):
        text = "no connection"  # its own text is the URL of the request
    else:
        text = (str(error) or type(error).__name__).splitlines()[0]
    for secret in secrets:
        text = text.replace(secret, "***")
    return text[:300]


def _server_time(error: Exception) -> str:
    response: dict[str, Any] = getattr(error, "response", {})
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        there = datetime.strptime(headers.get("date", ""), "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return str(response.get("Error", {}).get("ServerTime", "?"))
    return _minute(there)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
