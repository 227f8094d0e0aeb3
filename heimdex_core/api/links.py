"""Signed links: short-lived, the same between reruns, and only to files of the library.

A token has the path of a file in the library folder, the user, and the time of expiry. The expiry is rounded, so that
links of the same period are equal and a player does not load its video again after a rerun.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from itsdangerous import BadSignature, URLSafeSerializer

from heimdex_core.errors import ExportExpired, LinkExpired, LinkInvalid

if TYPE_CHECKING:
    from heimdex_core.library import Library

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
"""The files that may be served, by suffix: images and videos, nothing that a browser would execute."""

SPRITE_KINDS = ("sprite", "still", "sound")


@dataclass(frozen=True, slots=True)
class FileLink:
    """What a valid file token contains."""

    path: Path
    user_id: str
    content_type: str
    download_name: str | None


@dataclass(frozen=True, slots=True)
class ShortFrame:
    """What the token of a picture of a short contains."""

    scene_id: str
    strategy: str
    at_s: float
    """Seconds of the video."""
    place: tuple[float, float] | None
    """x and y of the middle of the crop, 0 to 1; None where the strategy has none."""
    user_id: str


def load_secret(configured: str | None, library_root: Path) -> str:
    """The signing key: `configured`, else the key file of the library, which is created once with mode 0600.

    Raises FileNotFoundError if there is no folder `library_root`.
    """
    if configured:
        return configured
    path = library_root / KEY_FILE
    if not path.exists():
        fresh = library_root / f"{KEY_FILE}-{secrets.token_hex(8)}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as writer:
            writer.write(secrets.token_urlsafe(48))
        try:
            # a hard link publishes the complete file, or fails if another process was first
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()


class Links:
    """Creates and reads the tokens of one library.

    Args:
        secret: the signing key.
        library_root: the library folder.
        file_ttl_s: the period of file links in seconds; a link is valid for one to two periods.
        upload_ttl_s: how long an upload token is valid, in seconds.
        now: the current time in seconds since 1970.
    """

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
        # separate salts, so that a token of one kind is invalid as another
        self._files = URLSafeSerializer(secret, salt="heimdex.file")
        self._sprites = URLSafeSerializer(secret, salt="heimdex.sprite")
        self._faces = URLSafeSerializer(secret, salt="heimdex.face")
        self._short_frames = URLSafeSerializer(secret, salt="heimdex.short_frame")
        self._uploads = URLSafeSerializer(secret, salt="heimdex.upload")
        self._contents = URLSafeSerializer(secret, salt="heimdex.upload_content")
        self._parts = URLSafeSerializer(secret, salt="heimdex.part")
        self._storage_uploads = URLSafeSerializer(secret, salt="heimdex.storage_upload")

    # --- files ------------------------------------------------------------------------------------

    def file_url(
        self, path: Path, user_id: str, *, download_name: str | None = None, usable_until: datetime | None = None
    ) -> str:
        """A URL for a file, valid for one to two periods from now.

        Args:
            path: absolute, or relative to the library folder.
            user_id: for whom the link is.
            download_name: makes browsers save the file under this name.
            usable_until: when the file, an export, expires; None if it does not.

        Raises LinkInvalid for a path outside the library or a type of file that is not served.
        """
        resolved = path if path.is_absolute() else self._root / path
        try:
            relative = resolved.relative_to(self._root)
        except ValueError as error:
            raise LinkInvalid() from error
        self._check_servable(relative)
        claim: dict[str, Any] = {"p": relative.as_posix(), "u": user_id, "e": self._expiry(self._file_ttl_s)}
        if usable_until is not None:
            claim["x"] = int(usable_until.timestamp())
        if download_name:
            claim["d"] = _encodable(download_name)
        return f"/files/{self._files.dumps(claim)}"

    def expiry(self, url: str) -> int:
        """When a URL of `file_url` expires, in seconds since 1970."""
        claim = self._read(self._files, url.rpartition("/")[2])
        return min(claim["e"], claim.get("x", claim["e"]))

    def open_file(self, token: str) -> FileLink:
        """The content of a file token. Raises LinkInvalid, LinkExpired, ExportExpired."""
        claim = self._read(self._files, token)
        if isinstance(claim.get("x"), int) and self._now() >= claim["x"]:
            raise ExportExpired()
        try:
            relative = PurePosixPath(str(claim["p"]))
            user_id = str(claim["u"])
        except KeyError as error:
            raise LinkInvalid() from error
        content_type = self._check_servable(relative)
        path = self._resolved(relative)
        self._check_servable(path.relative_to(self._root))
        download_name = claim.get("d")
        return FileLink(path, user_id, content_type, str(download_name) if download_name else None)

    def is_export(self, path: Path) -> bool:
        """Whether a file is that of an export, which is removed when it expires."""
        return path.is_relative_to(self._root / "exports")

    def _resolved(self, relative: PurePosixPath) -> Path:
        """The file itself: a symbolic link is followed inside the folder of its video or of its user's exports only.

        It could lead out of the library, to another video, or to the catalog and the key.
        """
        try:
            path = (self._root / relative).resolve()
            if path.relative_to(self._root).parts[:2] == relative.parts[:2]:
                return path
        except (OSError, RuntimeError, ValueError):
            pass  # outside the library; NUL in the name; links in a circle
        raise LinkInvalid()

    @staticmethod
    def _check_servable(relative: PurePosixPath | Path) -> str:
        is_servable = relative.parts[:1] in (("videos",), ("exports",)) or relative.parts[:2] == ("cache", "frames")
        if relative.is_absolute() or ".." in relative.parts or not is_servable:
            raise LinkInvalid()
        content_type = CONTENT_TYPES.get(relative.suffix.lower())
        if content_type is None:
            raise LinkInvalid()
        return content_type

    # --- sprites ----------------------------------------------------------------------------------

    def sprite_url(self, scene_id: str, made: int, user_id: str, kind: str = "sprite") -> str:
        """A URL for a sprite or a still of a scene (Library.sprites), valid for one to two periods from now.

        The file need not exist: it is made when it is asked for. `made` is when the scene was made; a browser that has
        the image of a scene in its cache asks for the new one after the video has been indexed again.
        """
        claim = {"s": scene_id, "m": made, "k": kind, "u": user_id, "e": self._expiry(self._file_ttl_s)}
        return f"/sprites/{self._sprites.dumps(claim)}"

    def open_sprite(self, token: str) -> tuple[str, str, str]:
        """(scene_id, kind, user_id) of a sprite's token. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._sprites, token)
        kind = str(claim.get("k", ""))
        if kind not in SPRITE_KINDS:
            raise LinkInvalid()
        return str(claim.get("s", "")), kind, str(claim.get("u", ""))

    # --- faces ------------------------------------------------------------------------------------

    def face_url(self, face_id: str, user_id: str) -> str:
        """A URL for the picture of a face (Library.people), valid for one to two periods from now."""
        return f"/faces/{self._faces.dumps({'f': face_id, 'u': user_id, 'e': self._expiry(self._file_ttl_s)})}"

    def open_face(self, token: str) -> tuple[str, str]:
        """(face_id, user_id) of a face's token. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._faces, token)
        return str(claim.get("f", "")), str(claim.get("u", ""))

    # --- pictures of shorts -----------------------------------------------------------------------

    def short_frame_url(self, frame: ShortFrame) -> str:
        """A URL for a picture of a short, valid for one to two periods from now. It is made when it is asked for."""
        claim = {"s": frame.scene_id, "k": frame.strategy, "t": frame.at_s, "p": frame.place, "u": frame.user_id}
        return f"/short-frames/{self._short_frames.dumps({**claim, 'e': self._expiry(self._file_ttl_s)})}"

    def open_short_frame(self, token: str) -> ShortFrame:
        """What the token of a picture contains. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._short_frames, token)
        try:
            place = (float(claim["p"][0]), float(claim["p"][1])) if claim["p"] else None
            return ShortFrame(str(claim["s"]), str(claim["k"]), float(claim["t"]), place, str(claim["u"]))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise LinkInvalid() from error

    # --- uploads ----------------------------------------------------------------------------------

    def upload_token(self, user_id: str, language: str) -> str:
        """A token that allows uploads for `upload_ttl_s` from now. Responses are in `language`."""
        return str(self._uploads.dumps({"u": user_id, "l": language, "e": int(self._now()) + self._upload_ttl_s}))

    def open_upload(self, token: str) -> tuple[str, str]:
        """(user_id, language) of an upload token. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._uploads, token)
        return str(claim.get("u", "")), str(claim.get("l", "en"))

    def content_token(self, upload_id: str, user_id: str) -> tuple[str, int]:
        """(token, expiry in seconds since 1970) with which a program sends the bytes of one upload."""
        expires = int(self._now()) + self._upload_ttl_s
        return str(self._contents.dumps({"n": upload_id, "u": user_id, "e": expires})), expires

    def open_content(self, token: str) -> tuple[str, str]:
        """(upload_id, user_id) of such a token. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._contents, token)
        return str(claim.get("n", "")), str(claim.get("u", ""))

    def part_token(self, name: str, user_id: str) -> str:
        """A token for a file that has been received: subtitles whose video follows."""
        claim = {"p": name, "u": user_id, "e": int(self._now()) + self._upload_ttl_s}
        return str(self._parts.dumps(claim))

    def open_part(self, token: str, user_id: str) -> str:
        """The name of such a file in the uploads folder. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._parts, token)
        name = str(claim.get("p", ""))
        if claim.get("u") != user_id or not _is_file_name(name):
            raise LinkInvalid()
        return name

    def storage_upload_token(self, name: str, upload_id: str, user_id: str) -> str:
        """A token for an upload to the object storage: the name of its object, and what the storage calls it."""
        claim = {"n": name, "i": upload_id, "u": user_id, "e": int(self._now()) + self._upload_ttl_s}
        return str(self._storage_uploads.dumps(claim))

    def open_storage_upload(self, token: str, user_id: str) -> tuple[str, str]:
        """(name, upload_id) of such an upload. Raises LinkInvalid, LinkExpired."""
        claim = self._read(self._storage_uploads, token)
        if claim.get("u") != user_id:
            raise LinkInvalid()
        return str(claim.get("n", "")), str(claim.get("i", ""))

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


def _is_file_name(name: str) -> bool:
    """Whether a file of this name can be in a folder."""
    return PurePosixPath(name).name == name != ".." and "\0" not in name and 0 < len(name.encode()) <= 255


def _encodable(text: str) -> str:
    """`text` without lone surrogates, which can neither be signed nor sent."""
    return text.encode(errors="replace").decode()


def links_of(library: Library) -> Links:
    """The signer of a library's links. Raises LibraryNotFound if it has been moved or removed."""
    library.require()
    secret = library.settings.secret
    return Links(
        load_secret(secret.get_secret_value() if secret else None, library.path),
        library.path,
        file_ttl_s=library.settings.link_ttl_s,
        upload_ttl_s=library.settings.upload_token_s,
    )
