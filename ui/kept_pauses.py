"""The pauses that are not cut out of the tray or of a named reel: a preference with their ids, by reel_id."""

from __future__ import annotations

from collections.abc import Collection

from heimdex_core.library import Library

PREFERENCE = "kept_pauses"
_MOST = 500
"""Of one reel; the oldest are forgotten."""


def of(library: Library, reel_id: str) -> list[str]:
    """The ids of the pauses that stay in a reel, oldest choice first; "" is the tray."""
    return _all(library).get(reel_id, [])


def choose(library: Library, reel_id: str, pause_id: str, *, keep: bool) -> None:
    """Keep a pause in a reel, or let it be cut out after all."""
    others = [one for one in of(library, reel_id) if one != pause_id]
    replace(library, reel_id, [*others, pause_id] if keep else others)


def replace(library: Library, reel_id: str, pause_ids: Collection[str]) -> None:
    """Keep just these pauses in a reel."""
    found = {**_all(library), reel_id: list(pause_ids)[-_MOST:]}
    library.set_preference(PREFERENCE, {name: ids for name, ids in found.items() if ids} or None)


def _all(library: Library) -> dict[str, list[str]]:
    saved = library.preferences().get(PREFERENCE)
    found = saved if isinstance(saved, dict) else {}
    return {name: [str(one) for one in ids] for name, ids in found.items() if isinstance(ids, list)}
