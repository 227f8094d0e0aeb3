"""Uploads of files: of a library in a folder to its server, of one in object storage straight to there.

What was interrupted is continued: within one upload, and by the next one of a file whose first bytes have arrived.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from heimdex_core.client.connection import Connection
from heimdex_core.errors import (
    FileUnreadable,
    LinkExpired,
    NotAllowed,
    NotResponding,
    ObjectStorageFailed,
    UploadConflict,
    UploadNotFound,
)
from heimdex_core.schemas import shapes
from heimdex_core.types import Json

_PIECE_BYTES = 1024 * 1024
PART_BYTES = 32 * 1024 * 1024
"""What is sent in one request to the server; what has arrived of it before a cut is not sent again."""
TRIES = 15
"""So many times, a second apart, an upload is tried to be continued while nothing more arrives. The server takes a
request whose connection was lost for one that is still being sent for up to ten seconds."""


def upload(connection: Connection, path: Path, about: Json, subtitles: Sequence[Path]) -> shapes.Video:
    """Upload a file that the library does not have; the video that it became.

    Raises FileUnreadable, ServerUnreachable, and what the library raises for a file that cannot be used.
    """
    texts = [{"filename": one.name, "content": in_base64(one)} for one in subtitles]
    try:
        size, digest = path.stat().st_size, _sha256(path)
        begun = _interrupted(connection, path, size)
        if begun is None:
            body = {"filename": path.name, "size_bytes": size, "sha256": digest}
            begun = connection.json("POST", "/uploads", body)
        if begun["video"] is not None:
            return shapes.Video.model_validate(begun["video"])
        if begun["content"] is not None:
            _send(connection, path, begun)
        elif begun["etag"] is None:
            _send_parts(connection, path, begun)
    except OSError as error:
        raise FileUnreadable(filename=path.name, reason=error.strerror or str(error)) from error
    done = connection.json("POST", f"/uploads/{begun['upload_id']}/complete", {**about, "subtitles": texts})
    return shapes.Video.model_validate(done)


def in_base64(path: str | Path) -> str:
    """A small file as the API takes it. Raises FileUnreadable."""
    path = Path(path).expanduser()
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise FileUnreadable(filename=path.name, reason=error.strerror or str(error)) from error


def _interrupted(connection: Connection, path: Path, size: int) -> Any:
    """The user's unfinished upload of this file, by its name, its size and what has arrived; None without one."""
    try:
        every = connection.json("GET", "/uploads")
    except NotAllowed:  # a token for uploads alone, with the scope write
        return None
    for found in every:
        # the server keeps the end of a long name
        if found["size_bytes"] != size or not path.name.endswith(found["filename"]) or not found["received_bytes"]:
            continue
        if found["content"] is None:
            if _has_parts_of(path, found):
                return found
            continue
        try:
            found = connection.json("GET", f"/uploads/{found['upload_id']}", params={"sha256": True})
        except UploadNotFound:  # it ended meanwhile
            continue
        if found["received_sha256"] == _sha256(path, found["received_bytes"]):
            return found
    return None


def _has_parts_of(path: Path, found: Any) -> bool:
    """Whether all that has arrived in the object storage is of this file."""
    md5s = {number: hashlib.md5(part, usedforsecurity=False) for number, part in _parts(path, found)}
    if found["etag"] is not None:
        whole = hashlib.md5(b"".join(one.digest() for one in md5s.values()), usedforsecurity=False)
        return bool(found["etag"] == f"{whole.hexdigest()}-{len(md5s)}")
    return all(md5s[int(number)].hexdigest() == etag for number, etag in found["parts"].items())


def _send(connection: Connection, path: Path, begun: Any) -> None:
    arrived, size, left = int(begun["received_bytes"]), int(begun["size_bytes"]), TRIES
    while arrived < size:
        length = min(PART_BYTES, size - arrived)
        headers = {"Upload-Offset": str(arrived), "Content-Length": str(length)}
        try:
            connection.send_link("PATCH", begun["content"]["url"], _pieces(path, arrived, length), headers)
            arrived, left = arrived + length, TRIES
            continue
        except (NotResponding, UploadConflict, LinkExpired):
            left -= 1
            if not left:
                raise
        begun = _until_there(connection, partial(connection.json, "GET", f"/uploads/{begun['upload_id']}"))
        if int(begun["received_bytes"]) > arrived:
            left = TRIES
        else:
            connection.pause(1.0)
        arrived = int(begun["received_bytes"])


def _send_parts(connection: Connection, path: Path, begun: Any) -> None:
    for number, part in _parts(path, begun):
        md5 = hashlib.md5(part, usedforsecurity=False)
        if begun["parts"].get(str(number)) != md5.hexdigest():
            asked = {"number": number, "md5": base64.b64encode(md5.digest()).decode()}
            _until_there(connection, partial(_send_part, connection, begun["upload_id"], asked, part))


def _send_part(connection: Connection, upload_id: str, asked: Json, part: bytes) -> None:
    link = connection.json("POST", f"/uploads/{upload_id}/parts", asked)
    connection.send_link("PUT", link["url"], part, link["headers"])


def _until_there(connection: Connection, ask: Callable[[], Any]) -> Any:
    """What `ask` returns, once the server and the object storage are there; asked TRIES times, a second apart."""
    left = TRIES
    while True:
        try:
            return ask()
        except (NotResponding, ObjectStorageFailed):
            left -= 1
            if not left:
                raise
        connection.pause(1.0)


def _parts(path: Path, begun: Any) -> Iterator[tuple[int, bytes]]:
    """(number, bytes) of the parts of a file, as an upload to object storage divides it."""
    length, size = int(begun["part_bytes"]), int(begun["size_bytes"])
    for number, start in enumerate(range(0, size, length), 1):
        yield number, b"".join(_pieces(path, start, min(length, size - start)))


def _pieces(path: Path, start: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as reader:
        reader.seek(start)
        while length > 0 and (piece := reader.read(min(length, _PIECE_BYTES))):
            length -= len(piece)
            yield piece


def _sha256(path: Path, length: int | None = None) -> str:
    """Of a file, or of its first bytes."""
    digest = hashlib.sha256()
    for piece in _pieces(path, 0, path.stat().st_size if length is None else length):
        digest.update(piece)
    return digest.hexdigest()
