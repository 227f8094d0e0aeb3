"""Requests of programs that may be sent again: the second time they get the first answer, and nothing is done twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from heimdex_core.errors import IdempotencyKeyBusy, IdempotencyKeyReused, InvalidValue
from heimdex_core.library.arguments import MAX_COUNT, checked
from heimdex_core.library.context import LibraryContext
from heimdex_core.store.request_records import KnownRequest, count_requests

MAX_KEY_CHARS = 200
MAX_BODY_BYTES = 1_000_000
_BUSY_S = 2


class Requests:
    """Part of a Library (`lib.requests`). Answers are kept for a day, the last thousand of a user."""

    def __init__(self, context: LibraryContext) -> None:
        self._records = context.store.requests
        self._shared = context.store.catalog.engine.shared
        self._user_id = context.user_id

    @property
    def are_counted_together(self) -> bool:
        """Whether `count` has a table that all processes share: in a library whose catalog is in Postgres."""
        return self._shared is not None

    @checked
    def count(self, counts: Mapping[str, Annotated[int, Field(ge=0, le=MAX_COUNT)]]) -> dict[str, tuple[int, int]]:
        """Add requests by key to those of this minute; (its number, how many there are now of all processes) by key.

        Nothing is kept and {} returned where processes share no table. Raises DatabaseUnavailable.
        """
        if any("\0" in key for key in counts):
            raise InvalidValue(name="counts", value="(given)", reason="a key has no null characters")
        return count_requests(self._shared, counts) if self._shared is not None and counts else {}

    @checked
    def begin(self, key: str, request: bytes) -> KnownRequest | None:
        """The answer that a request got before, or None for a new one, which `finish` or `forget` has to end.

        Args:
            key: of the client's choice, 1 to 200 characters.
            request: what tells it from other requests.

        Raises IdempotencyKeyReused where the key came with another request, IdempotencyKeyBusy while the first one is
        worked on, InvalidValue, LibraryBusy.
        """
        if not 1 <= len(key) <= MAX_KEY_CHARS:
            reason = f"1 to {MAX_KEY_CHARS} characters are needed"
            raise InvalidValue(name="idempotency-key", value=key[:80], reason=reason)
        digest = hashlib.sha256(request).hexdigest()
        known = self._records.begin(self._user_id, key, digest)
        if known is None:
            return None
        if known.digest != digest:
            raise IdempotencyKeyReused()
        if known.status is None:
            raise IdempotencyKeyBusy(retry_after_s=_BUSY_S)
        return known

    @checked
    def finish(self, key: str, request: bytes, status: int, headers: str, body: bytes) -> None:
        """Keep the answer to a request; `headers` are JSON. One of more than a million bytes is not kept, nor one
        that is no text."""
        text = body.decode(errors="replace") if len(body) <= MAX_BODY_BYTES else None
        if text is None or text.encode() != body:
            self._records.forget(self._user_id, key)
            return
        digest = hashlib.sha256(request).hexdigest()
        self._records.finish(self._user_id, key, KnownRequest(digest, status, headers, text))

    @checked
    def forget(self, key: str) -> None:
        """Let a request be worked on again that could not be answered."""
        self._records.forget(self._user_id, key)
