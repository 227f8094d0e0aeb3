"""/health, /me and the files of signed links."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from heimdex_core.api.access import Reading, services_of
from heimdex_core.api.files import FileServer
from heimdex_core.schemas.shapes import Moment, Shape
from heimdex_core.settings import VERSION

router = APIRouter(tags=["system"])


class Health(Shape):
    """Whether the API answers; /health/ready of the server looks at more."""

    status: str
    version: str


class Me(Shape):
    """Whose token it is, and what for."""

    user_id: str
    name: str
    email: str | None
    role: str
    scopes: list[str]
    is_shared: bool
    created_at: Moment


@router.get("/health")
def get_health() -> Health:
    """Whether the API answers. Needs no token."""
    return Health(status="ok", version=VERSION)


@router.get("/me")
def get_me(request: Request, library: Reading) -> Me:
    """The user of the token."""
    user = library.accounts.current()
    return Me(
        user_id=user.user_id,
        name=user.name,
        email=user.email,
        role=user.role,
        scopes=list(request.state.scopes),
        is_shared=library.accounts.is_shared(),
        created_at=user.created_at,
    )


@router.head("/files/{token}", include_in_schema=False)
@router.get("/files/{token}", response_class=Response)
async def get_file(request: Request, token: str) -> Response:
    """The file of a signed link, or a range of it. Needs no token: the link is one."""
    services = services_of(request)
    library = services.library()
    in_storage = library if library.storage is not None else None
    return await FileServer(services.links(), in_storage, services.library_of_link).serve(request)
