"""Refuses requests that name another host than this server, on every route, page and websocket.

A web page can have its own name resolve to 127.0.0.1 (DNS rebinding): to the browser this server is then part of that
site, whose scripts may read everything. Such a request needs a name, so IP addresses and localhost are always allowed;
other names are those of HEIMDEX_ALLOWED_HOSTS. Only `Host` is read: X-Forwarded-Host and the like can be made up.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from heimdex_core.api.problems import problem
from heimdex_core.errors import HostRefused

ALWAYS_ALLOWED = ("localhost",)
ANY_HOST = "*"

_HOST = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]*)?", re.ASCII)
_NAMES_TO_LOG = 20
"""More different names than this are not logged: anyone can send them."""
_LOG = logging.getLogger(__name__)


class HostCheck:
    """ASGI middleware: requests for allowed hosts pass, the others get `refusal` or a refused handshake.

    Args:
        app: the application.
        allowed_hosts: host names in lower case; one that begins with a dot stands for itself and all names below it,
            ANY_HOST for any name.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str] = ()) -> None:
        self._app = app
        self._allowed = (*ALWAYS_ALLOWED, *allowed_hosts)
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # RFC 9112, section 3.2: a request without Host, or with two of them, is malformed
        given = Headers(scope=scope).getlist("host")
        name = host_name(given[0]) if len(given) == 1 else None
        if name is not None and self.is_allowed(name):
            await self._app(scope, receive, send)
            return
        shown = (name or ", ".join(given) or "(none)")[:200]
        self._log(shown)
        if scope["type"] == "websocket":
            # closed before it is accepted: the handshake is answered with 403
            await send({"type": "websocket.close", "code": 1008})
        else:
            response = self.refusal(scope, shown)
            response.status_code = 403 if name else 400
            response.headers["Cache-Control"] = "no-store"
            response.headers["X-Content-Type-Options"] = "nosniff"
            # the body may be unread, so the connection cannot be used again
            response.headers["Connection"] = "close"
            await response(scope, receive, send)

    def refusal(self, scope: Scope, host: str) -> Response:
        """What a request for another host is answered."""
        return problem(HostRefused(host=host))

    def is_allowed(self, name: str) -> bool:
        """Whether requests for this host are answered; `name` is from `host_name`."""
        return _is_ip_address(name) or any(_matches(name, allowed) for allowed in self._allowed)

    def _log(self, host: str) -> None:
        if host not in self._logged and len(self._logged) < _NAMES_TO_LOG:
            self._logged.add(host)
            _LOG.warning("a request for the host %r was refused; see HEIMDEX_ALLOWED_HOSTS", host)


def host_name(header: str) -> str | None:
    """The host of a Host header: in lower case, without its port and the dot at its end; None if it is malformed.

    An IPv6 address keeps its brackets.
    """
    match = _HOST.fullmatch(header.lower())
    return (match[1].removesuffix(".") or None) if match else None


def _is_ip_address(name: str) -> bool:
    try:
        if name.startswith("["):
            ipaddress.IPv6Address(name[1:-1])
        else:
            ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def _matches(name: str, allowed: str) -> bool:
    if allowed.startswith("."):
        return name == allowed[1:] or name.endswith(allowed)
    return allowed in (name, ANY_HOST)
