"""Uploads of files: of a library in a folder to its server, of one in object storage straight to there."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from heimdex_core.client.connection import Connection
from heimdex_core.errors import FileUnreadable
from heimdex_core.schemas import shapes
from heimdex_core.types import Json

_PIECE_BYTES = 1024 * 1024
PART_BYTES = 32 * 1024 * 1024
"""What is sent in one request to the server: so much at most is sent again after a lost connection."""


def upload(connection: Connection, path: Path, about: Json, subtitles: Sequence[Path]) -> shapes.Video:
    """Upload a file that the library does not have; the video that it became.

    Raises FileUnreadable, and what the library raises for a file that cannot be used.
    """
    try:
        size, digest = path.stat().st_size, _digest(path)
        texts = [{"filename": one.name, "content": base64.b64encode(one.read_bytes()).decode()} for one in subtitles]
    except OSError as error:
        raise FileUnreadable(filename=path.name, reason=error.strerror or str(error)) from error
    begun = connection.json("POST", "/uploads", {"filename": path.name, "size_bytes": size, "sha256": digest})
    if begun["video"] is not None:
        return shapes.Video.model_validate(begun["video"])
    if begun["content"] is not None:
        _send(connection, path, begun)
    else:
        _send_parts(connection, path, begun)
    done = connection.json("POST", f"/uploads/{begun['upload_id']}/complete", {**about, "subtitles": texts})
    return shapes.Video.model_validate(done)


def _send(connection: Connection, path: Path, begun: Any) -> None:
    offset, size = int(begun["received_bytes"]), int(begun["size_bytes"])
    while offset < size:
        length = min(PART_BYTES, size - offset)
        headers = {"Upload-Offset": str(offset), "Content-Length": str(length)}
        connection.send_link("PATCH", begun["content"]["url"], _pieces(path, offset, length), headers)
        offset += length
        if offset < size:  # links end after some minutes
            begun = connection.json("GET", f"/uploads/{begun['upload_id']}")


def _send_parts(connection: Connection, path: Path, begun: Any) -> None:
    length, size = int(begun["part_bytes"]), int(begun["size_bytes"])
    for number, start in enumerate(range(0, size, length), 1):
        part = b"".join(_pieces(path, start, min(length, size - start)))
        md5 = base64.b64encode(hashlib.md5(part, usedforsecurity=False).digest()).decode()
        link = connection.json("POST", f"/uploads/{begun['upload_id']}/parts", {"number": number, "md5": md5})
        connection.send_link("PUT", link["url"], part, link["headers"])


def _pieces(path: Path, start: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as reader:
        reader.seek(start)
        while length > 0 and (piece := reader.read(min(length, _PIECE_BYTES))):
            length -= len(piece)
            yield piece


def _digest(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
