"""Requests to the API: tokens, pages, errors as exceptions, and what is sent again after a lost connection."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from heimdex_core.errors import HeimdexError, IdempotencyKeyBusy, NotResponding
from heimdex_core.files import atomic_write
from heimdex_core.schemas.shapes import Shape

S = TypeVar("S", bound=Shape)

PREFIX = "/api/v1"
TRIES = 3
"""How often a request is sent whose connection is lost; a POST has a key, so that it is not done twice."""
TIMEOUT_S = 60.0
_AWAY = (500, 502, 503, 504)
"""What a proxy or an object storage answers when it is to be asked again; errors of the library are JSON."""


class Connection:
    """One server with one token.

    Args:
        url: of the server, without /api/v1.
        token: of the user.
        http: sends the requests; default one of its own.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        url: str,
        token: str,
        http: httpx2.Client | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = http or httpx2.Client(timeout=TIMEOUT_S)
        self.pause = pause

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def json(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of an answer, None for an empty one. Raises the error that the API answers with."""
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        given = {name: value for name, value in (params or {}).items() if value is not None}
        answer = self._send(method, self.url + PREFIX + path, headers, json=body, params=given or None)
        return answer.json() if answer.content else None

    def one(self, kind: type[S], method: str, path: str, body: Any = None, **params: Any) -> S:
        """An answer as a shape."""
        return kind.model_validate(self.json(method, path, body, params))

    def pages(self, kind: type[S], path: str, limit: int | None = None, **params: Any) -> Iterator[S]:
        """The items of a list, page by page; `limit` items at most."""
        left, cursor = limit, None
        while left is None or left > 0:
            page = self.json("GET", path, params={**params, "cursor": cursor, "limit": min(left or 200, 200)})
            yield from (kind.model_validate(item) for item in page["items"])
            cursor = page["next_cursor"]
            left = None if left is None else left - len(page["items"])
            if cursor is None:
                return

    def send_link(self, method: str, link: str, content: Any, headers: Mapping[str, str]) -> httpx2.Response:
        """Send bytes to a signed link, of this server or of the object storage; not sent again.

        Raises NotResponding for a connection that is lost, and where a proxy or the storage says that it failed.
        """
        url = self._absolute(link)
        try:
            answer = self._http.request(method, url, content=content, headers=dict(headers))
        except httpx2.TransportError as error:
            raise NotResponding(what=self.url, limit_s=TIMEOUT_S) from error
        if answer.status_code in _AWAY and "json" not in answer.headers.get("content-type", ""):
            raise NotResponding(what=self.url, limit_s=TIMEOUT_S)
        return self._checked(answer)

    def download(self, link: str, out: Path) -> Path:
        """Write the file of a signed link; what is there is replaced once all of it has arrived."""
        with self._http.stream("GET", self._absolute(link), follow_redirects=True) as answer:
            if answer.status_code >= 400:
                answer.read()
            self._checked(answer)
            with atomic_write(out) as writer:
                for piece in answer.iter_bytes():
                    writer.write(piece)
        return out

    def follow(self, path: str) -> Iterator[tuple[str, Any]]:
        """(event, data) of a stream of server-sent events, until the event "done"; a stream that ends is opened again.

        Raises the error of the event "error".
        """
        while True:
            for name, data in self._events(path):
                if name == "error":
                    raise HeimdexError.from_dict(data)
                yield name, data
                if name == "done":
                    return

    def _events(self, path: str) -> Iterator[tuple[str, Any]]:
        name = "message"
        with self._http.stream("GET", self.url + PREFIX + path, headers=self._headers, timeout=None) as answer:
            if answer.status_code >= 400:
                answer.read()
            self._checked(answer)
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    yield name, json.loads(line[5:])

    def _absolute(self, link: str) -> str:
        return self.url + link if link.startswith("/") else link

    def _send(self, method: str, url: str, headers: Mapping[str, str], **more: Any) -> httpx2.Response:
        left = TRIES
        while True:
            try:
                return self._checked(self._http.request(method, url, headers=dict(headers), **more))
            except httpx2.TransportError as error:
                left -= 1
                if not left:
                    raise NotResponding(what=self.url, limit_s=TIMEOUT_S) from error
            except IdempotencyKeyBusy as error:
                # the connection of the first try was lost while the server is still at work on it
                self.pause(float(error.details["retry_after_s"]))

    @staticmethod
    def _checked(answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code < 400:
            return answer
        try:
            found = answer.json()
            raise HeimdexError.from_dict({**found, "message": found["title"]})
        except (ValueError, KeyError, TypeError):
            raise HeimdexError(reason=f"the server answered with {answer.status_code}") from None
