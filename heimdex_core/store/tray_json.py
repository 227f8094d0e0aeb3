"""The history of a tray as the text of a column."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from heimdex_core.types import (
    InsertClips,
    MoveClip,
    PlacedClip,
    ReelClip,
    RemoveClips,
    SetStrategy,
    SetTitle,
    TrayChange,
    TrayOperation,
    TrimClip,
    to_json,
)

_KINDS: dict[str, type[TrayOperation]] = {
    "insert": InsertClips,
    "remove": RemoveClips,
    "move": MoveClip,
    "trim": TrimClip,
    "strategy": SetStrategy,
    "title": SetTitle,
}
_NAMES = {cls: name for name, cls in _KINDS.items()}
_FORMER_NAMES = {"scene_id": "clip_id", "scene_ids": "clip_ids"}
"""Fields as they were called while a scene could be in a tray only once, and those that they are now."""


def encode_changes(changes: Sequence[TrayChange]) -> str:
    """Changes as the text of a column."""
    rows = [
        {**to_json(change), "touched": sorted(change.touched), "reversal": [_encode(one) for one in change.reversal]}
        for change in changes
    ]
    return json.dumps(rows, ensure_ascii=False)


def decode_changes(text: str | None) -> tuple[TrayChange, ...]:
    """The changes that `encode_changes` wrote; none for NULL, as in a library of an older version."""
    return tuple(
        TrayChange(
            **{
                **row,
                "touched": frozenset(row["touched"]),
                "keys": tuple(row.get("keys", ())),
                "reversal": tuple(_decode(one) for one in row["reversal"]),
            }
        )
        for row in json.loads(text or "[]")
    )


def _encode(operation: TrayOperation) -> dict[str, Any]:
    return {"do": _NAMES[type(operation)], **to_json(operation)}


def _decode(fields: dict[str, Any]) -> TrayOperation:
    given = {_FORMER_NAMES.get(name, name): value for name, value in fields.items()}
    kind = _KINDS[given.pop("do")]
    if kind is InsertClips:
        clips = tuple(PlacedClip(**{**placed, "clip": ReelClip(**placed["clip"])}) for placed in given["clips"])
        return InsertClips(clips)
    if kind is RemoveClips:
        return RemoveClips(tuple(given["clip_ids"]))
    return kind(**given)
