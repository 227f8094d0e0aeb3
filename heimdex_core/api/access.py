"""Who a request is from: `Reading`, `Writing` and `Administering` give a route the library as that user sees it.

A route that names none of them answers everybody. Every other needs `Authorization: Bearer` with a token of the library
that has the scope, or one of the sign-in service (oidc.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from inspect import signature
from typing import Annotated, TypeVar

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from heimdex_core.api.services import Services
from heimdex_core.errors import HeimdexError, InvalidValue, NotAllowed, SignInRequired, TokenInvalid, printable
from heimdex_core.library import Library

T = TypeVar("T")

_bearer = HTTPBearer(auto_error=False, description="A token made on the Settings page, or of the sign-in service.")


def services_of(request: Request) -> Services:
    """What the routes share."""
    found: Services = request.app.state.services
    return found


def library_of(
    request: Request,
    needed: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Library:
    """The library of the user whose token a request has.

    Raises SignInRequired, TokenInvalid, TokenExpired, NotAllowed, RateLimited; InvalidValue for a parameter that the
    route does not have.
    """
    services = services_of(request)
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise TokenInvalid()
    if credentials is None or not credentials.credentials:
        raise SignInRequired()
    token = credentials.credentials
    # before the token is looked up; by all of it, so that nobody can use up the allowance of another one's token
    services.require_allowance(hashlib.sha256(token.encode()).hexdigest())
    principal = services.principal(token)
    missing = set(needed.scopes) - set(principal.scopes)
    if missing:
        raise NotAllowed(needed=f"a token with the scope {', '.join(sorted(missing))}")
    _require_known_parameters(request)
    library = services.library_of(principal.user_id)
    if "admin" in needed.scopes and not library.accounts.is_admin:
        raise NotAllowed(needed="the role admin")
    request.state.library = library
    request.state.token = token
    request.state.scopes = principal.scopes
    return library


def while_allowed(request: Request, look: Callable[[], T]) -> Callable[[], T]:
    """`look`, for a request that lasts: it raises TokenInvalid or TokenExpired as soon as the token is not valid."""
    services, token = services_of(request), request.state.token

    def look_again() -> T:
        services.principal(token)
        try:
            return look()
        except HeimdexError as error:
            raise told(request, error) from error

    return look_again


def told(request: Request, error: HeimdexError) -> HeimdexError:
    """An error as the user of a request is to be told of it: of the server's processes only admins hear."""
    library: Library | None = getattr(request.state, "library", None)
    return error if library is not None and library.accounts.is_admin else error.for_members()


def _require_known_parameters(request: Request) -> None:
    known = signature(request.scope["route"].endpoint).parameters
    for name, value in request.query_params.items():
        if name not in known:
            reason = "there is no such parameter here; /api/v1/docs lists them"
            raise InvalidValue(name=printable(name)[:80], value=printable(value)[:80], reason=reason)


Reading = Annotated[Library, Security(library_of, scopes=["read"])]
"""For routes that only tell something."""
Writing = Annotated[Library, Security(library_of, scopes=["write"])]
"""For routes that change what is the user's."""
Administering = Annotated[Library, Security(library_of, scopes=["admin"])]
"""For routes of admins."""
