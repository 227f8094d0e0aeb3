"""The client of boto3 with which an object storage is spoken to, as the environment describes it."""

from __future__ import annotations

import os
import re
import threading
from functools import lru_cache
from typing import Any

from heimdex_core.errors import InvalidValue, ObjectStorageNotInstalled

try:
    import boto3
    from botocore.config import Config
except ModuleNotFoundError as missing:
    raise ObjectStorageNotInstalled(package="boto3", reason=str(missing)) from missing

_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
_STATIC = ("env", "shared-credentials-file", "config-file")
_making = threading.Lock()


def split_url(url: str) -> tuple[str, str]:
    """(bucket, prefix) of s3://bucket/prefix; the prefix may be empty. Raises InvalidValue."""
    found = _URL.fullmatch(url.strip())
    prefix = (found[2] or "").strip("/") if found else ""
    if found is None or "//" in prefix or any(character in prefix for character in "?#\\\n"):
        raise InvalidValue(name="library", value=url, reason="it has the form s3://bucket/prefix")
    return found[1], prefix


def endpoint() -> str | None:
    """The address of a storage that is not Amazon's."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def new_client(connections: int, address: str | None = None) -> Any:
    """A client for the storage of the environment, which sends every request once. Threads may share it.

    Args:
        connections: how many it keeps open.
        address: URL of the storage, where it is not `endpoint()`.
    """
    address = address or endpoint()
    config = Config(
        signature_version="s3v4",
        # Names of buckets are no host names at servers of one's own.
        s3={"addressing_style": "path" if address else "auto"},
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=connections,
        tcp_keepalive=True,
        # Checksums beyond the required ones are unknown to several servers that speak S3.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    with _making:
        return _session(_environment()).client("s3", region_name=region, endpoint_url=address, config=config)


def secrets() -> tuple[str, ...]:
    """What may be in no message."""
    found = _session(_environment()).get_credentials()
    return tuple(filter(None, (found.secret_key, found.token, found.access_key))) if found else ()


def storage_options(region: str) -> dict[str, str]:
    """What LanceDB needs to use the same storage, in the names of its object store. They are secret.

    Credentials of a role are not among them: they expire, and LanceDB finds and renews them by itself.
    """
    options = {"aws_region": region}
    found = _session(_environment()).get_credentials()
    if found is not None and found.method in _STATIC:
        options |= {"aws_access_key_id": found.access_key, "aws_secret_access_key": found.secret_key}
        if found.token:
            options["aws_session_token"] = found.token
    if address := endpoint():
        options |= {"aws_endpoint": address, "allow_http": str(address.startswith("http://")).lower()}
    return options


def _environment() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in _CREDENTIALS)


@lru_cache(maxsize=8)
def _session(environment: tuple[str | None, ...]) -> Any:
    """A session of boto3, which keeps the description of S3 (0.1 s to read) and the credentials it has found."""
    return boto3.session.Session()
