"""What a person searched for: saved searches, recent ones, and the pictures that were searched by."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from heimdex_core.errors import InvalidValue
from heimdex_core.files import atomic_write, make_folder, require_free_space
from heimdex_core.library.arguments import Count, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.types import Json, utc_now

MAX_SAVED = 200
MAX_NAME_CHARS = 100
MAX_PARAMS_CHARS = 8000
MAX_PICTURE_BYTES = 4 * 1024 * 1024
KEPT_PICTURES = 200
_KEY = "saved_searches"
_PICTURE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search under a name. `params` are those of the address of the app's search page."""

    name: str
    params: Mapping[str, str]
    saved_at: datetime | None
    """In UTC."""


class Searches:
    """The searches of one person."""

    def __init__(self, context: LibraryContext) -> None:
        self._store = context.store
        self._user_id = context.user_id

    # --- saved ones -------------------------------------------------------------------------------

    def saved(self) -> list[SavedSearch]:
        """The saved searches by name. Never waits for a writer."""
        found = (_parsed(one) for one in _list(self._store.preferences(self._user_id).get(_KEY)))
        return sorted((one for one in found if one is not None), key=lambda one: one.name.casefold())

    @checked
    def save(self, name: str, params: Mapping[str, str]) -> SavedSearch:
        """Save a search; one of the same name is replaced.

        Args:
            name: 1 to 100 characters; spaces around it are dropped.
            params: of the address of the search page, up to 8000 characters together.

        Raises InvalidValue, also for more than 200 searches; LibraryBusy, DiskFull.
        """
        name = " ".join(unicodedata.normalize("NFC", name).split())
        if not 1 <= len(name) <= MAX_NAME_CHARS:
            raise InvalidValue(name="name", value=name[:80], reason=f"1 to {MAX_NAME_CHARS} characters are needed")
        if sum(len(key) + len(value) for key, value in params.items()) > MAX_PARAMS_CHARS:
            raise InvalidValue(name="params", value=len(params), reason=f"more than {MAX_PARAMS_CHARS} characters")
        search = SavedSearch(name, dict(params), utc_now())

        def with_it(before: Any) -> list[Json]:
            others = [one for one in _list(before) if one.get("name") != name]
            if len(others) >= MAX_SAVED:
                raise InvalidValue(name="name", value=name, reason=f"at most {MAX_SAVED} searches can be saved")
            return [*others, {"name": name, "params": search.params, "saved_at": utc_now().isoformat()}]

        self._store.change_preference(self._user_id, _KEY, with_it)
        return search

    @checked
    def remove(self, name: str) -> None:
        """Remove a saved search; nothing happens where there is none of that name. Raises LibraryBusy, DiskFull."""

        def without_it(before: Any) -> list[Json] | None:
            return [one for one in _list(before) if one.get("name") != name] or None

        self._store.change_preference(self._user_id, _KEY, without_it)

    # --- all of them ------------------------------------------------------------------------------

    @checked
    def log(self, *, limit: Count = 200) -> list[Json]:
        """The person's last searches from the query log, newest first; store/search_log.py has the fields."""
        return self._store.searches(self._user_id, limit=limit)

    # --- pictures ---------------------------------------------------------------------------------

    @checked
    def keep_picture(self, data: bytes) -> str:
        """Keep a picture to search by in the library's cache; returns its name. Equal pictures have equal names.

        Nothing is decoded here: a file that is no picture is refused by the search. The last 200 pictures are kept.
        Raises InvalidValue for more than 4 MiB, DiskFull.
        """
        if not 1 <= len(data) <= MAX_PICTURE_BYTES:
            reason = f"1 to {MAX_PICTURE_BYTES} bytes are allowed"
            raise InvalidValue(name="picture", value=f"{len(data)} bytes", reason=reason)
        name = hashlib.sha256(data).hexdigest()[:32]
        folder = make_folder(self._folder, levels=2)
        require_free_space(folder, len(data), keep_free_bytes=0, what="a picture")
        with atomic_write(folder / name, durable=False) as writer:
            writer.write(data)
        for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_PICTURES:]:
            with suppress(OSError):
                old.unlink()
        return name

    @checked
    def picture(self, name: str) -> Path | None:
        """The file of a kept picture; None where it has gone, or for anything that is no such name."""
        path = self._folder / name if _PICTURE.fullmatch(name) else None
        return path if path is not None and path.is_file() else None

    @property
    def _folder(self) -> Path:
        return self._store.paths.cache / "pictures" / self._user_id


def _list(value: Any) -> list[Json]:
    """Preferences may have been written by hand: whatever is no list of objects is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _parsed(one: Json) -> SavedSearch | None:
    name, params = one.get("name"), one.get("params")
    if not isinstance(name, str) or not isinstance(params, dict):
        return None
    saved_at = None
    with suppress(TypeError, ValueError):
        saved_at = datetime.fromisoformat(one["saved_at"])
    return SavedSearch(name, {str(key): str(value) for key, value in params.items()}, saved_at)
