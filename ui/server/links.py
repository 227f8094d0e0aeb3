"""Signed links: short-lived, the same between reruns, and only to what lies in the library.

A token says what kind of thing it opens, where that lies in the library folder, for whom, and until
when. The end is rounded, so that two links made within the same period are equal and a player whose
page is drawn again does not load its video again.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from heimdex_core.errors import LinkExpired, LinkInvalid

KEY_FILE = ".secret"

CONTENT_TYPES: dict[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".webp": "image/webp",
}
"""What may be served at all: pictures and videos, nothing that a browser would run."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """What a valid file token opens."""

    path: Path
    user_id: str
    content_type: str
    download_name: str | None


def load_secret(configured: str | None, library_root: Path) -> str:
    """The signing key: the configured one, else the library's own key file (made once, mode 0600)."""
    if configured:
        return configured
    path = library_root / KEY_FILE
    if not path.exists():
        library_root.mkdir(parents=True, exist_ok=True)
        fresh = library_root / f"{KEY_FILE}-{secrets.token_hex(8)}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as writer:
            writer.write(secrets.token_urlsafe(48))
        try:
            # Linking publishes a complete file or, when another process was first, nothing.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()


class Links:
    """Makes and reads tokens of one library."""

    def __init__(
        self,
        secret: str,
        library_root: Path,
        *,
        file_ttl_s: int,
        upload_ttl_s: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._root = library_root.resolve()
        self._file_ttl_s = file_ttl_s
        self._upload_ttl_s = upload_ttl_s
        self._now = now
        # Separate salts: a file token can never pass for an upload token.
        self._files = URLSafeSerializer(secret, salt="heimdex.file")
        self._uploads = URLSafeSerializer(secret, salt="heimdex.upload")
        self._parts = URLSafeSerializer(secret, salt="heimdex.part")

    # --- files ------------------------------------------------------------------------------------

    def file_url(self, path: Path, user_id: str, *, download_name: str | None = None) -> str:
        """A URL for the file at `path`, valid for one to two periods from now.

        Raises LinkInvalid for a path outside the library or of a kind that is not served.
        """
        resolved = path if path.is_absolute() else self._root / path
        try:
            relative = resolved.relative_to(self._root)
        except ValueError as error:
            raise LinkInvalid() from error
        self._check_servable(relative)
        claim: dict[str, Any] = {"p": relative.as_posix(), "u": user_id, "e": self._expiry(self._file_ttl_s)}
        if download_name:
            claim["d"] = download_name
        return f"/files/{self._files.dumps(claim)}"

    def open_file(self, token: str) -> FileLink:
        """What `token` opens. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._files, token)
        try:
            relative = PurePosixPath(str(claim["p"]))
            user_id = str(claim["u"])
        except KeyError as error:
            raise LinkInvalid() from error
        content_type = self._check_servable(relative)
        path = (self._root / relative).resolve()
        # A signed path is ours, but a link on the disk may still lead out of the library.
        if not path.is_relative_to(self._root):
            raise LinkInvalid()
        download_name = claim.get("d")
        return FileLink(path, user_id, content_type, str(download_name) if download_name else None)

    @staticmethod
    def _check_servable(relative: PurePosixPath | Path) -> str:
        if relative.is_absolute() or ".." in relative.parts or relative.parts[:1] not in (("videos",), ("exports",)):
            raise LinkInvalid()
        content_type = CONTENT_TYPES.get(relative.suffix.lower())
        if content_type is None:
            raise LinkInvalid()
        return content_type

    # --- uploads ----------------------------------------------------------------------------------

    def upload_token(self, user_id: str, language: str) -> str:
        """Leave to upload, for `upload_ttl_s` from now; the language is that of the answers."""
        return str(self._uploads.dumps({"u": user_id, "l": language, "e": int(self._now()) + self._upload_ttl_s}))

    def open_upload(self, token: str) -> tuple[str, str]:
        """(user_id, language) of an upload token. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._uploads, token)
        return str(claim.get("u", "")), str(claim.get("l", "en"))

    def part_token(self, name: str, user_id: str) -> str:
        """The server's own word for a file it has just received (subtitles that wait for their video)."""
        claim = {"p": name, "u": user_id, "e": int(self._now()) + self._upload_ttl_s}
        return str(self._parts.dumps(claim))

    def open_part(self, token: str, user_id: str) -> str:
        """The name of the received file. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._parts, token)
        name = str(claim.get("p", ""))
        if claim.get("u") != user_id or not name or PurePosixPath(name).name != name:
            raise LinkInvalid()
        return name

    # --- shared -----------------------------------------------------------------------------------

    def _expiry(self, ttl_s: int) -> int:
        return (int(self._now()) // ttl_s + 2) * ttl_s

    def _read(self, serializer: URLSafeSerializer, token: str) -> dict[str, Any]:
        try:
            claim = serializer.loads(token)
        except BadSignature as error:
            raise LinkInvalid() from error
        if not isinstance(claim, dict) or not isinstance(claim.get("e"), int):
            raise LinkInvalid()
        if self._now() >= claim["e"]:
            raise LinkExpired()
        return claim
