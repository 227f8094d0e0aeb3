"""Edits of a video's scenes by hand, as the journal of the video keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

EditOp = Literal["split", "merge"]

EditState = Literal["applied", "not_needed", "not_applied", "waiting"]
"""What became of an edit when the video was indexed last: applied; not needed, because the scenes were like that
already; not applied, because there was no such boundary; still waiting, because it is newer than that."""


@dataclass(frozen=True, slots=True)
class SceneEdit:
    """One edit. It names the boundary of two scenes by its time, so that it holds for other scenes as well."""

    edit_id: str
    """Eight hexadecimal digits, unique within the journal."""
    op: EditOp
    at_s: float
    """The boundary that is added ("split") or removed ("merge"), in seconds of the video."""
    made_at: datetime
    """In UTC."""
    state: EditState = "waiting"
