"""Requests to the API: tokens, pages, errors as exceptions, and what is sent again after a lost connection."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from pydantic import ValidationError

from heimdex_core.errors import (
    AnswerUnusable,
    HeimdexError,
    IdempotencyKeyBusy,
    InvalidValue,
    RateLimited,
    ServerUnreachable,
    TokenInvalid,
)
from heimdex_core.files import atomic_write
from heimdex_core.schemas.shapes import Shape

S = TypeVar("S", bound=Shape)
R = TypeVar("R")

PREFIX = "/api/v1"
TRIES = 3
"""How often a request is sent whose connection is lost; a POST has a key, so that it is not done twice."""
PAUSE_S = 1.0
"""Before it is sent again; twice as long before the last time."""
TIMEOUT_S = 60.0
"""So long nothing may arrive."""
WAIT_S = 60.0
"""So long a request waits in all where the token has sent too many (429); above that the error is raised."""
BUSY_S = 600.0
"""So long it waits for the answer to its own first try, whose connection was lost."""
_AWAY = (500, 502, 503, 504)
"""What a proxy or an object storage answers when it is to be asked again; errors of the library are JSON."""


class Connection:
    """One server with one token.

    Args:
        url: of the server, with or without /api/v1.
        token: of the user.
        http: sends the requests, and is not closed here; default one of its own.
        pause: waits so many seconds.

    Raises InvalidValue for what is no address, TokenInvalid for what cannot be a token.
    """

    def __init__(
        self,
        url: str,
        token: str,
        http: httpx2.Client | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = _checked_url(url)
        if not token.strip().isascii() or not token.strip().isprintable():
            raise TokenInvalid()
        self._headers = {"Authorization": f"Bearer {token.strip()}"}
        self._http = http or httpx2.Client(timeout=TIMEOUT_S)
        self._is_own = http is None
        self.pause = pause

    def close(self) -> None:
        """Let go of the connections, if they are its own."""
        if self._is_own:
            self._http.close()

    def json(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of an answer, None for an empty one.

        Raises the error that the API answers with, ServerUnreachable, AnswerUnusable.
        """
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        given = {name: value for name, value in (params or {}).items() if value is not None}
        url = self.url + PREFIX + path
        answer = self._again(lambda: self._sent(method, url, headers=headers, json=body, params=given or None))
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise AnswerUnusable(what=self.url, reason="it is no JSON") from None

    def member(self, name: str, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """One member of an answer that is an object."""
        return self._member(self.json(method, path, body, params), name)

    def one(self, kind: type[S], method: str, path: str, body: Any = None, **params: Any) -> S:
        """An answer as a shape."""
        return self.shaped(kind, self.json(method, path, body, params))

    def shaped(self, kind: type[S], found: Any) -> S:
        """JSON as a shape. Raises AnswerUnusable where it is none."""
        try:
            return kind.model_validate(found)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            reason = f"it is no {kind.__name__}" + (f", see {place}" if place else "")
            raise AnswerUnusable(what=self.url, reason=reason) from None

    def pages(self, kind: type[S], path: str, limit: int | None = None, **params: Any) -> Iterator[S]:
        """The items of a list, page by page; `limit` items at most."""
        left, cursor = limit, None
        while left is None or left > 0:
            page = self.json("GET", path, params={**params, "cursor": cursor, "limit": min(left or 200, 200)})
            items, cursor = self._member(page, "items"), self._member(page, "next_cursor")
            yield from (self.shaped(kind, item) for item in items)
            left = None if left is None else left - len(items)
            if cursor is None:
                return

    def send_link(self, method: str, link: str, content: Any, headers: Mapping[str, str]) -> httpx2.Response:
        """Send bytes to a signed link, of this server or of the object storage; not sent again.

        Raises ServerUnreachable for a connection that is lost, and where a proxy or the storage says that it failed.
        """
        return self._sent(method, self._absolute(link), content=content, headers=dict(headers))

    def download(self, link: str, out: Path) -> Path:
        """Write the file of a signed link; what is there is replaced once all of it has arrived."""
        return self._again(lambda: self._downloaded(self._absolute(link), out))

    def _downloaded(self, url: str, out: Path) -> Path:
        try:
            with self._http.stream("GET", url, follow_redirects=True) as answer:
                if answer.status_code >= 400:
                    answer.read()
                self._checked(answer)
                with atomic_write(out) as writer:
                    for piece in answer.iter_bytes():
                        writer.write(piece)
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error
        return out

    def follow(self, path: str) -> Iterator[tuple[str, Any]]:
        """(event, data) of a stream of server-sent events, until the event "done"; a stream that ends is opened again.

        Raises the error of the event "error", ServerUnreachable where several streams in turn end without an event.
        """
        left = TRIES
        while True:
            try:
                for name, data in self._events(path):
                    left = TRIES
                    if name == "error":
                        raise HeimdexError.from_dict(data)
                    yield name, data
                    if name == "done":
                        return
                lost = ServerUnreachable(what=self.url, reason="the stream of events ends")
            except ServerUnreachable as error:
                lost = error
            left -= 1
            if not left:
                raise lost
            self.pause(PAUSE_S)

    def _events(self, path: str) -> Iterator[tuple[str, Any]]:
        name, url = "message", self.url + PREFIX + path
        try:
            # the server sends a comment every 15 s
            with closing(self._again(lambda: self._opened(url))) as answer:
                for line in answer.iter_lines():
                    if line.startswith("event:"):
                        name = line[6:].strip()
                    elif line.startswith("data:"):
                        yield name, json.loads(line[5:])
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error
        except ValueError:
            raise AnswerUnusable(what=self.url, reason="it is no stream of events") from None

    def _opened(self, url: str) -> httpx2.Response:
        """An answer whose body has not been read; the caller closes it."""
        request = self._http.build_request("GET", url, headers=self._headers, timeout=TIMEOUT_S)
        answer = self._http.send(request, stream=True)
        try:
            if answer.status_code >= 400:
                answer.read()
            return self._checked(answer)
        except BaseException:
            answer.close()
            raise

    def _absolute(self, link: str) -> str:
        return self.url + link if link.startswith("/") else link

    def _again(self, do: Callable[[], R]) -> R:
        """What `do` returns. It is called again, after a pause, where the connection is lost or the server is busy."""
        left, waited_s = TRIES, 0.0
        while True:
            try:
                return do()
            except ServerUnreachable:
                left -= 1
                if not left:
                    raise
                self.pause(PAUSE_S * (TRIES - left))
            except (IdempotencyKeyBusy, RateLimited) as error:
                after_s = float(error.details.get("retry_after_s", 1.0))
                waited_s += after_s
                # a busy key is that of the first try, whose connection was lost while the server is at work on it
                if waited_s > (WAIT_S if isinstance(error, RateLimited) else BUSY_S):
                    raise
                self.pause(after_s)

    def _sent(self, method: str, url: str, **more: Any) -> httpx2.Response:
        try:
            return self._checked(self._http.request(method, url, **more))
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        return ServerUnreachable(what=self.url, reason=str(error) or type(error).__name__)

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        """The answer. Raises the error that it tells; for a proxy's ServerUnreachable, RateLimited, AnswerUnusable."""
        status = answer.status_code
        if answer.is_success:
            return answer
        if answer.is_redirect:
            raise AnswerUnusable(what=self.url, reason=f"it leads to {answer.headers.get('location', '')[:200]}")
        try:
            found = answer.json()
            error = HeimdexError.from_dict({**found, "message": found["title"]})
        except (ValueError, KeyError, TypeError):
            if status in _AWAY:
                raise ServerUnreachable(what=self.url, reason=f"status {status}") from None
            if status == 429:
                after = answer.headers.get("retry-after", "")
                raise RateLimited(retry_after_s=int(after) if after.isdecimal() else PAUSE_S) from None
            raise AnswerUnusable(what=self.url, reason=f"status {status}") from None
        raise error

    def _member(self, found: Any, name: str) -> Any:
        if not isinstance(found, dict) or name not in found:
            raise AnswerUnusable(what=self.url, reason=f"it has no {name}")
        return found[name]


def _checked_url(url: str) -> str:
    """The address of a server without what stands behind it. Raises InvalidValue."""
    short = url.strip().rstrip("/").removesuffix(PREFIX)
    try:
        parsed = httpx2.URL(short)
    except httpx2.InvalidURL:
        parsed = httpx2.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        reason = "an address such as http://localhost:8600 is needed"
        raise InvalidValue(name="url", value=url[:80], reason=reason)
    return short
