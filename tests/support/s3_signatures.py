"""Checks the signatures of S3 requests (AWS Signature Version 4, in a header or a link) as Amazon S3 does.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SKEW = timedelta(minutes=15)
"""A request whose time differs more from that of the server is refused."""


@dataclass(frozen=True)
class Refusal:
    """What the storage answers instead: an HTTP status, a code and a message."""

    status: int
    code: str
    message: str


@dataclass(frozen=True)
class Request:
    """A request as it arrived; the names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> list[tuple[str, str]]:
        """The parameters, in their order."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


def refusal(request: Request, now: datetime, secrets: Mapping[str, str], expired_tokens: set[str]) -> Refusal | None:
    """Why a request is refused, None if it is signed as it should be.

    Args:
        request: what arrived.
        now: time of the server, UTC.
        secrets: secret keys by access key.
        expired_tokens: session tokens that are no longer valid.
    """
    given = dict(request.query)
    is_link = "X-Amz-Signature" in given
    if is_link:
        fields = {"Credential": given["X-Amz-Credential"], "SignedHeaders": given["X-Amz-SignedHeaders"]}
        signature, date = given["X-Amz-Signature"], given["X-Amz-Date"]
        token = given.get("X-Amz-Security-Token")
    elif authorization := request.headers.get("authorization"):
        parts = authorization.removeprefix("AWS4-HMAC-SHA256 ").split(",")
        fields = dict(part.strip().split("=", 1) for part in parts)
        signature, date = fields["Signature"], request.headers["x-amz-date"]
        token = request.headers.get("x-amz-security-token")
    else:
        return Refusal(403, "AccessDenied", "Access Denied")
    access_key, day, region, service, _ = fields["Credential"].split("/")
    if access_key not in secrets:
        return Refusal(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    if token in expired_tokens:
        return Refusal(400, "ExpiredToken", "The provided token has expired.")
    signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=now.tzinfo)
    if is_link and now > signed_at + timedelta(seconds=int(given["X-Amz-Expires"])):
        return Refusal(403, "AccessDenied", "Request has expired")
    if not is_link and abs(now - signed_at) > SKEW:
        message = "The difference between the request time and the current time is too large."
        return Refusal(403, "RequestTimeTooSkewed", message)
    payload = "UNSIGNED-PAYLOAD" if is_link else request.headers["x-amz-content-sha256"]
    if payload != "UNSIGNED-PAYLOAD" and payload != hashlib.sha256(request.body).hexdigest():
        return Refusal(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match.")
    scope = f"{day}/{region}/{service}/aws4_request"
    canonical = _canonical(request, fields["SignedHeaders"], payload)
    text = "\n".join(("AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    if not hmac.compare_digest(signature, _sign(secrets[access_key], day, region, service, text)):
        message = "The request signature we calculated does not match the signature you provided."
        return Refusal(403, "SignatureDoesNotMatch", message)
    return None


def _canonical(request: Request, signed_headers: str, payload: str) -> str:
    query = sorted((_quote(name), _quote(value)) for name, value in request.query if name != "X-Amz-Signature")
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers.split(";")]
    return "\n".join(
        (
            request.method,
            quote(unquote(urlsplit(request.target).path), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            "".join(headers),
            signed_headers,
            payload,
        )
    )


def _sign(secret: str, day: str, region: str, service: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _quote(text: str) -> str:
    return quote(text, safe="-_.~")
