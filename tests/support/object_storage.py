"""An S3 server for the tests: moto behind a proxy that checks signatures, as moto does not, and injects faults.

The fixture `s3` gives a test its own bucket, and sets AWS_* for it and for the processes it starts:

    def test_something(s3: TestBucket) -> None:
        storage = s3.open()                                     # an ObjectStorage at s3.url
        s3.server.fail("503", method="PUT", path="objects/", times=2)
        s3.server.fail("cut-answer", operation="CompleteMultipartUpload")
        s3.server.clock_offset_s = 3600                         # the server's clock is an hour ahead

Faults: "500" and "503" are answers; "cut-request" closes the connection after half of the request, which is not done;
"cut-answer" does the request, and closes the connection before it answers; "cut-body" in the middle of its body. Each
rule holds for `times` requests that fit, after `skip` of them. What was asked for is in `requests`. At the end of a
test the rules and the clock are as before.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import threading
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from heimdex_core.settings import get_settings
from heimdex_core.store import Store
from heimdex_core.store.object_storage import ObjectStorage
from tests.support.s3_signatures import Refusal, Request, refusal

ACCESS_KEY, SECRET_KEY = "test-access-key", "test-secret-key"  # noqa: S105 - of this server alone
Fault = Literal["500", "503", "cut-request", "cut-answer", "cut-body"]

_ANSWERS = {
    "500": Refusal(500, "InternalError", "We encountered an internal error. Please try again."),
    "503": Refusal(503, "SlowDown", "Please reduce your request rate."),
}
_OF_A_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length", "expect", "date", "server")
_ACCOUNT = "123456789012"


@dataclass
class Rule:
    """Which requests get a fault, and how many of them."""

    fault: Fault
    method: str
    path: str
    operation: str
    times: int
    skip: int

    def takes(self, method: str, target: str) -> bool:
        """Whether it is the turn of this rule; counts the request if it fits."""
        fits = self.method in ("", method) and self.path in target and self.operation in ("", operation(method, target))
        if not fits or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


def operation(method: str, target: str) -> str:
    """The name of an S3 request, for those that differ from others by their parameters only."""
    query = urlsplit(target).query
    if "uploadId=" in query:
        names = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
        return names.get(method, "ListParts")
    if query.startswith("uploads"):
        return "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"
    return {"PUT": "PutObject", "HEAD": "HeadObject", "POST": "DeleteObjects"}.get(method, _read(query))


def _read(query: str) -> str:
    return "ListObjects" if "list-type=2" in query else "GetObject"


class S3TestServer:
    """A server with one pair of keys; buckets are made and removed by the fixture.

    Attributes:
        url: address of the proxy, for AWS_ENDPOINT_URL.
        clock_offset_s: how far its clock is ahead of this machine's.
        secrets: secret keys by access key.
        expired_tokens: session tokens that are no longer valid.
        denied: texts; a request whose path contains one is denied.
        allowed_origins: pages that may send requests to it from a browser (CORS).
        requests: (method, path with parameters) of every request since the test began.
        sent_bytes: by path, how many bytes the bodies of its requests had since then.
    """

    def __init__(self) -> None:
        # moto fails where an object is written again while it is read, and the proxy answers that with 500
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        self._lock = threading.Lock()
        self.upstream = self._moto.get_host_and_port()
        self._proxy = _ProxyServer(self)
        self._thread = threading.Thread(target=self._proxy.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._proxy.server_address[1]}"
        self.reset()

    def reset(self) -> None:
        """As it was in the beginning, except for its buckets."""
        self.clock_offset_s = 0.0
        self.secrets = {ACCESS_KEY: SECRET_KEY}
        self.expired_tokens: set[str] = set()
        self.denied: list[str] = []
        self.allowed_origins: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.sent_bytes: Counter[str] = Counter()
        self._rules: list[Rule] = []

    def fail(
        self, fault: Fault, *, method: str = "", path: str = "", operation: str = "", times: int = 1, skip: int = 0
    ) -> None:
        """Give a fault to requests of a method, a name (see `operation`), or with a text in their path."""
        with self._lock:
            self._rules.append(Rule(fault, method, path, operation, times, skip))

    def faults_left(self) -> int:
        """How many faults have not happened yet."""
        with self._lock:
            return sum(rule.times for rule in self._rules)

    def new_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        s3_backends[_ACCOUNT]["aws"].create_bucket(name, "us-east-1")
        return name

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with all its objects."""
        s3_backends[_ACCOUNT]["aws"].buckets.pop(name, None)
        s3_backends.bucket_accounts.pop(name, None)

    def now(self) -> datetime:
        """The time of its clock, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset_s)

    def fault_of(self, method: str, target: str, length: int) -> Fault | None:
        """Note a request with a body of so many bytes; the fault it meets."""
        with self._lock:
            self.requests.append((method, target))
            self.sent_bytes[urlsplit(target).path] += length
            return next((rule.fault for rule in self._rules if rule.takes(method, target)), None)

    def refusal_of(self, request: Request) -> Refusal | None:
        """Why a request is refused."""
        refused = refusal(request, self.now(), self.secrets, self.expired_tokens)
        if refused is None and any(text in request.target for text in self.denied):
            refused = Refusal(403, "AccessDenied", "Access Denied")
        if refused is None and operation(request.method, request.target) == "UploadPart":
            bucket = s3_backends[_ACCOUNT]["aws"].buckets.get(urlsplit(request.target).path.split("/")[1])
            if bucket is not None and dict(request.query)["uploadId"] not in bucket.multiparts:
                refused = Refusal(404, "NoSuchUpload", "The specified upload does not exist.")  # moto fails with 500
        if refused is None and (expected := request.headers.get("x-amz-copy-source-if-match")) is not None:
            bucket_name, _, key = unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("/")
            found = s3_backends[_ACCOUNT]["aws"].get_object(bucket_name, key)
            if found is not None and found.etag != expected:  # moto copies it all the same
                refused = Refusal(412, "PreconditionFailed", "At least one of the preconditions did not hold")
        digest = request.headers.get("content-md5")
        if refused is None and digest is not None and base64.b64decode(digest) != hashlib.md5(request.body).digest():  # noqa: S324
            refused = Refusal(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
        return refused

    def close(self) -> None:
        """Stop it."""
        self._proxy.shutdown()
        self._proxy.server_close()
        self._moto.stop()


@dataclass(frozen=True)
class TestBucket:
    """The bucket of one test, and the server it is on."""

    __test__ = False

    server: S3TestServer
    name: str

    @property
    def url(self) -> str:
        """Address of a library in it."""
        return f"s3://{self.name}/libraries/one"

    def open(self) -> ObjectStorage:
        """The object storage of that library."""
        return ObjectStorage.open(self.url, get_settings())


def keep_in_bucket(bucket: TestBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let libraries that are made in a folder be at an address in the bucket, and the folder their working folder."""
    create = Store.create
    if "HEIMDEX_SEARCH" not in os.environ:
        monkeypatch.setenv("HEIMDEX_SEARCH", "local")  # LanceDB has tests of its own
        get_settings.cache_clear()

    def create_there(root: Path | str, *, address: str | None = None, **given: Any) -> Store:
        name = hashlib.sha256(str(Path(root).resolve()).encode()).hexdigest()[:12]
        return create(root, address=address or f"s3://{bucket.name}/{name}", **given)

    monkeypatch.setattr(Store, "create", create_there)


def environment(server: S3TestServer) -> dict[str, str]:
    """What a process needs to use the server; failed requests are repeated at once."""
    return {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HEIMDEX_STORAGE_BACKOFF_S": "0.001",
    }


# --- the proxy ------------------------------------------------------------------------------------


class _ProxyServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: S3TestServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Proxy)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that a test has cut is no fault of the server's."""


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _ProxyServer

    def _handle(self) -> None:
        owner, length = self.server.owner, int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.command == "OPTIONS":
            self._answer(200 if headers.get("origin") in owner.allowed_origins else 403, {}, b"")
            return
        fault = owner.fault_of(self.command, self.path, length)
        if fault == "cut-request":
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        if refused := _ANSWERS.get(fault or "") or owner.refusal_of(request):
            self._refuse(refused)
            return
        self._forward(request, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = _handle

    def _forward(self, request: Request, fault: Fault | None) -> None:
        upstream = HTTPConnection(*self.server.owner.upstream, timeout=60)
        passed = {name: value for name, value in request.headers.items() if name not in _OF_A_CONNECTION}
        upstream.request(request.method, request.target, request.body or None, passed)
        answer = upstream.getresponse()
        content = answer.read()
        headers = dict(answer.getheaders())
        upstream.close()
        if fault == "cut-answer":
            self.close_connection = True
            return
        self._answer(answer.status, headers, content, cut=fault == "cut-body")

    def _answer(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        for name, value in headers.items():
            if name.lower() not in _OF_A_CONNECTION and not name.lower().startswith("access-control-"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.send_header("Date", f"{self.server.owner.now():%a, %d %b %Y %H:%M:%S} GMT")
        origin = self.headers.get("Origin")
        if origin in self.server.owner.allowed_origins:
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Access-Control-Allow-Methods", "GET, PUT, HEAD")
            self.send_header("Access-Control-Allow-Headers", self.headers.get("Access-Control-Request-Headers", ""))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def _refuse(self, refused: Refusal) -> None:
        text = (
            f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{refused.code}</Code>"
            f"<Message>{escape(refused.message)}</Message></Error>"
        )
        self._answer(refused.status, {"Content-Type": "application/xml"}, text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
