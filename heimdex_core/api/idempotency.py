"""Idempotency-Key: a POST that is sent again, because its answer was lost, gets the first answer.

A route takes part with `dependencies=[repeatable]` in a router whose class is IdempotentRoute. Answers that say that
something failed here (5xx), or that the client is to wait (429), are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from heimdex_core.api.access import Writing, told
from heimdex_core.api.problems import invalid_request, problem
from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.library.requests import KnownRequest

_KEPT_HEADERS = ("content-type", "location", "etag", "cache-control")


@dataclass(frozen=True, slots=True)
class _Begun:
    """A request that is worked on under a key."""

    library: Library
    key: str
    request: bytes


class _Replayed(Exception):  # noqa: N818 - it is no error
    """The request was answered before."""

    def __init__(self, answer: KnownRequest) -> None:
        super().__init__()
        self.answer = answer


async def _begin(request: Request, library: Writing, idempotency_key: str | None = Header(None)) -> None:
    if idempotency_key is None:
        return
    asked = b"\n".join([request.method.encode(), request.url.path.encode(), await request.body()])
    known = await to_thread.run_sync(library.requests.begin, idempotency_key, asked)
    if known is not None:
        raise _Replayed(known)
    request.state.begun = _Begun(library, idempotency_key, asked)


repeatable = Depends(_begin)


class IdempotentRoute(APIRoute):
    """A route that keeps the answers to requests with a key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                response = await answer(request)
            except _Replayed as found:
                return _replayed(found.answer)
            except HeimdexError as error:
                response = problem(told(request, error))
            except RequestValidationError as error:
                response = problem(invalid_request(error))
            except Exception:
                await _forget(request)
                raise
            return await _kept(request, response)

        return handler


async def _kept(request: Request, response: Response) -> Response:
    begun: _Begun | None = getattr(request.state, "begun", None)
    if begun is None:
        return response
    if response.status_code >= 500 or response.status_code == 429:
        await _forget(request)
        return response
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    body = bytes(response.body)
    with suppress(HeimdexError):  # it was done: that the answer cannot be kept does not change that
        await to_thread.run_sync(
            begun.library.requests.finish, begun.key, begun.request, response.status_code, json.dumps(headers), body
        )
    return response


async def _forget(request: Request) -> None:
    begun: _Begun | None = getattr(request.state, "begun", None)
    if begun is not None:
        with suppress(HeimdexError):
            await to_thread.run_sync(begun.library.requests.forget, begun.key)


def _replayed(answer: KnownRequest) -> Response:
    headers = {**json.loads(answer.headers), "Idempotency-Replayed": "true"}
    return Response(answer.body, answer.status or 200, headers=headers)
