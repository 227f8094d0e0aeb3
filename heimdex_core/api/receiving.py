"""Bodies of requests as files: their sizes are checked before and while they arrive."""

from __future__ import annotations

from pathlib import Path

from anyio import open_file
from starlette.requests import Request

from heimdex_core.api.partials import Partial, Writer
from heimdex_core.errors import FileTooLarge
from heimdex_core.files import disk_errors
from heimdex_core.library import Library


def uploads_folder(library: Library) -> Path:
    """The folder for unfinished uploads, which is made if it is not there."""
    folder = library.uploads_folder
    folder.mkdir(exist_ok=True)
    return folder


def require_size(name: str, size_bytes: int, limit_bytes: int) -> None:
    """Raise FileTooLarge if it is more than the limit."""
    if size_bytes > limit_bytes:
        raise FileTooLarge(filename=name, size_bytes=size_bytes, limit_bytes=limit_bytes)


def check_length(request: Request, name: str, limit_bytes: int) -> int:
    """The announced size in bytes, 0 if there is none. Raises FileTooLarge before any of the body is read."""
    try:
        announced = max(int(request.headers.get("content-length", "0")), 0)
    except ValueError:
        announced = 0
    require_size(name, announced, limit_bytes)
    return announced


async def append(request: Request, partial: Partial, offset: int, writer: Writer, name: str) -> None:
    """Write the body behind the first `offset` bytes. Raises FileTooLarge for more than the file was said to have."""
    received = offset
    with disk_errors(name, partial.path.parent, partial.size_bytes - offset):
        async with await open_file(partial.path, "r+b", buffering=0) as file:
            await file.seek(offset)
            async for chunk in request.stream():
                received += len(chunk)
                require_size(name, received, partial.size_bytes)
                writer.note_activity()
                await file.write(chunk)
