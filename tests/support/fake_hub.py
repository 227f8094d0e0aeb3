"""A hub of models on this machine: the part of the Hugging Face protocol that downloads need, and its bad days."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

LARGE = 10_000
"""Files from this size on are stored as LFS: their sha256 is listed, and their address leads elsewhere."""


@dataclass
class Repo:
    files: dict[str, bytes]
    revision: str
    licence: str = "mit"

    @staticmethod
    def of(folder: Path, revision: str = "") -> Repo:
        """The files of a folder, with their paths."""
        files = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        name = hashlib.sha1("".join(sorted(files)).encode(), usedforsecurity=False).hexdigest()
        return Repo(files, revision or name)


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    authorization: str | None = None


@dataclass
class Mood:
    """What goes wrong. `times` says how often; after that all is well again."""

    cut_after: int | None = None
    """The byte of a file at which the connection breaks, whether asked for all of it or a part."""
    wrong_bytes: bool = False
    status: int | None = None
    slow_s: float = 0.0
    """Pause before each 64 KiB of a file."""
    ignores_ranges: bool = False
    no_sizes: bool = False
    gated: bool = False
    times: int = 1_000_000
    listings_at: str = ""
    """Where the hub says that listings are."""
    only: str = ""
    """Only for addresses that contain this."""


@dataclass
class FakeHub:
    repos: dict[str, Repo] = field(default_factory=dict)
    mood: Mood = field(default_factory=Mood)
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""
    sent: threading.Event = field(default_factory=threading.Event)
    """Set when the first bytes of a large file went out."""

    @property
    def elsewhere(self) -> str:
        """Another host, as large files have with the real one."""
        return self.endpoint.replace("127.0.0.1", "localhost")

    def gets(self, name: str = "") -> list[Request]:
        """The requests for the content of files."""
        return [one for one in self.requests if one.method == "GET" and "/lfs/" in one.path and name in one.path]

    def asked_for(self) -> set[str]:
        """Names of the files whose content was asked for."""
        return {one.path.split("/resolve/", 1)[1].split("/", 1)[1] for one in self.requests if "/resolve/" in one.path}

    def is_bad(self, path: str) -> bool:
        if self.mood.only not in path or self.mood.times <= 0:
            return False
        self.mood.times -= 1
        return True


@contextmanager
def fake_hub(**repos: Repo) -> Iterator[FakeHub]:
    """A running hub; use its `endpoint` as HF_ENDPOINT. Repositories are named with "__" for the slash."""
    hub = FakeHub({name.replace("__", "/"): repo for name, repo in repos.items()})

    class Handler(_Handler):
        its = hub

    server = _Server(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def git_id(content: bytes) -> str:
    """The name that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed or cancelled hang up; that is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    its: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        pass

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_GET(self) -> None:
        self._answer("GET")

    def _answer(self, method: str) -> None:
        path = unquote(urlparse(self.path).path)
        hub = self.its
        hub.requests.append(Request(method, path, self.headers.get("Range"), self.headers.get("Authorization")))
        if hub.mood.status and hub.is_bad(path):
            self._plain(hub.mood.status, b"{}")
            return
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path)
        resolve = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        stored = re.fullmatch(r"/lfs/([^/]+/[^/]+)/(.+)", path)
        found = next((match for match in (api, resolve, stored) if match), None)
        repo = hub.repos.get(found[1]) if found else None
        if repo is None or found is None:
            # as the real one: who is not logged in is not told what does not exist
            self._plain(401, b"{}", {"X-Error-Message": "Invalid username or password."})
        elif hub.mood.gated:
            self._plain(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif api and hub.mood.listings_at:
            self._plain(307, b"", {"Location": hub.mood.listings_at + self.path})
        elif api:
            self._listing(found[1], repo, api[2])
        elif resolve:
            self._resolve(found[1], repo, resolve[2], resolve[3], method)
        else:
            self._content(path, repo.files[found[2]], method)

    def _listing(self, name: str, repo: Repo, revision: str | None) -> None:
        if revision not in (None, "main", repo.revision):
            self._plain(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        siblings: list[dict[str, Any]] = []
        for path, content in repo.files.items():
            row: dict[str, Any] = {"rfilename": path}
            if "blobs=" in self.path and not self.its.mood.no_sizes:
                row |= {"size": len(content), "blobId": git_id(content)}
                if len(content) >= LARGE:
                    sha256 = hashlib.sha256(content).hexdigest()
                    row |= {"lfs": {"sha256": sha256, "size": len(content), "pointerSize": 135}}
            siblings.append(row)
        body = {
            "id": name,
            "sha": repo.revision,
            "siblings": siblings,
            "cardData": {"license": repo.licence},
            "tags": [],
        }
        self._plain(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _resolve(self, name: str, repo: Repo, revision: str, path: str, method: str) -> None:
        if revision not in ("main", repo.revision):
            self._plain(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Repo-Commit": repo.revision})
        elif path not in repo.files:
            self._plain(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.revision})
        elif len(repo.files[path]) >= LARGE:
            content = repo.files[path]
            headers = {
                "X-Repo-Commit": repo.revision,
                "X-Linked-Size": str(len(content)),
                "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                "Location": f"{self.its.elsewhere}/lfs/{name}/{path}",
            }
            self._plain(302, b"", headers)
        else:
            headers = {"X-Repo-Commit": repo.revision, "ETag": f'"{git_id(repo.files[path])}"'}
            self._content(f"/{name}/{path}", repo.files[path], method, headers)

    def _content(self, path: str, content: bytes, method: str, headers: dict[str, str] | None = None) -> None:
        mood = self.its.mood
        bad = method == "GET" and (mood.cut_after is not None or mood.wrong_bytes) and self.its.is_bad(path)
        if bad and mood.wrong_bytes:
            content = bytes(byte ^ 1 for byte in content)
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if asked and not mood.ignores_ranges:
            start = int(asked[1])
            if start >= len(content):
                self._plain(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for key, value in {**(headers or {}), "Content-Length": str(len(content) - start)}.items():
            self.send_header(key, value)
        self.end_headers()
        if method == "GET":
            cut = mood.cut_after if bad else None
            self._send(content[start:], None if cut is None else max(0, cut - start))

    def _send(self, content: bytes, cut_after: int | None) -> None:
        for at in range(0, len(content), 65_536):
            piece = content[at : at + 65_536]
            if self.its.mood.slow_s:
                time.sleep(self.its.mood.slow_s)
            if cut_after is not None and at + len(piece) > cut_after:
                self.wfile.write(piece[: max(0, cut_after - at)])
                self.wfile.flush()
                self.close_connection = True
                return
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            if len(content) >= LARGE:
                self.its.sent.set()

    def _plain(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def closed_port() -> str:
    """An address where nobody answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
