"""Values of the library as the API answers with them: with signed links where the command line has paths."""

from __future__ import annotations

from datetime import UTC, datetime

from heimdex_core import types
from heimdex_core.api.links import Links
from heimdex_core.api.mounting import PREFIX
from heimdex_core.errors import HeimdexError
from heimdex_core.library import Library
from heimdex_core.schemas import shapes
from heimdex_core.schemas.shapes import Moment, Shape
from heimdex_core.types import ExportState


class Link(Shape):
    """Where a file is, as a path of this server; whoever has the link can read it until it expires."""

    url: str
    expires_at: Moment


def file_link(links: Links, url: str, fragment: str = "") -> Link:
    """A link of `links` to a file, as the API serves it."""
    expires_at = datetime.fromtimestamp(links.expiry(url), UTC)
    return Link(url=PREFIX + url + fragment, expires_at=expires_at)


def scene(library: Library, links: Links, found: types.Scene) -> shapes.Scene:
    """A scene, with a link to its picture."""
    path = library.frame_path(found)
    return shapes.Scene.of(found, PREFIX + links.file_url(path, library.user_id) if path is not None else None)


def export(library: Library, links: Links, found: types.Export) -> shapes.Export:
    """An export, with a link to its file where there is one."""
    out = None
    if found.state == ExportState.COMPLETED:
        try:
            path = library.exports.file(found, fetch=False)
        except HeimdexError:  # it has expired
            path = None
        if path is not None:
            out = PREFIX + links.file_url(path, library.user_id, usable_until=found.expires_at)
    return shapes.Export.of(found, out)
