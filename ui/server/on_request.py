"""What routes have in common whose answer is made when it is asked for, for the link that names it."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from heimdex_core.api.links import Links
from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from ui.server.responses import error_response

_LOG = logging.getLogger(__name__)
Made = TypeVar("Made")


class Abandoned(Exception):
    """Whoever asked has gone: nobody waits for the answer any more."""


class MadeOnRequest(ABC):
    """The handler of a route. One answer is made at a time, so that a page full of pictures leaves the cores to others.

    Args:
        links: opens the tokens.
        library_for: the library as a user sees it.
    """

    def __init__(self, links: Links, library_for: Callable[[str], Library]) -> None:
        self.links = links
        self.library_for = library_for
        self._making = asyncio.Lock()

    async def serve(self, request: Request) -> Response:
        """The answer: 200; 410 for an expired link, 403 for an invalid one, 404, 422 for an unreadable video."""
        try:
            return await self.answer(request, request.path_params["token"])
        except Abandoned:
            return Response(status_code=499)
        except HeimdexError as error:
            route = request.url.path.split("/")[1]
            _LOG.warning("no answer of /%s: %s", route, error)
            return error_response(error, **{"Cache-Control": "no-store"})

    @abstractmethod
    async def answer(self, request: Request, token: str) -> Response:
        """The answer for a token. Raises HeimdexError, Abandoned."""

    async def make(self, request: Request, make: Callable[[], Made]) -> Made:
        """What `make` returns, called in a thread when it is this request's turn. Raises Abandoned."""
        async with self._making:
            if await request.is_disconnected():
                raise Abandoned
            return await to_thread.run_sync(make)
