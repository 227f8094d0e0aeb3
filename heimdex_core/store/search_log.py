"""The query log, logs/searches.jsonl: one JSON object a search, appended and never changed.

Fields: at (ISO 8601, UTC), user_id, text, weights, fusion, filters ("name=value"), sort, group_by_video, then,
by_example, set_id, spaces, video_ids, offset, limit, total, cached, timing_ms, active (channels), abstaining
({channel: reason}), corrected ({word: the word looked up}), notes, nothing_close. Lines of older versions lack some.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from heimdex_core.types import Json

_BLOCK_BYTES = 1 << 16


def read(path: Path, user_id: str, limit: int) -> list[Json]:
    """A user's last searches, newest first, `limit` at most. Read from the end, so a long log costs no more.

    A crash may leave an incomplete line, which is left out.
    """
    found: list[Json] = []
    with suppress(FileNotFoundError):
        for line in _lines_from_the_end(path):
            if len(found) >= limit:
                break
            with suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("user_id") == user_id:
                    found.append(entry)
    return found


def _lines_from_the_end(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        at = file.seek(0, 2)
        rest = b""
        while at > 0:
            size = min(_BLOCK_BYTES, at)
            at -= size
            file.seek(at)
            first, *lines = (file.read(size) + rest).split(b"\n")
            yield from reversed(lines)
            rest = first
        yield rest
