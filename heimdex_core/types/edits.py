"""Edits of a video's scenes by hand, as the journal of the video keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

EditOp = Literal["split", "merge"]
"""Of edits of the scenes themselves."""

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


@dataclass(frozen=True, slots=True)
class TranscriptEdit:
    """What is really said in a stretch of the video. It names the stretch by its times, so that it holds for another
    transcript as well: whatever that says there is replaced."""

    edit_id: str
    start_s: float
    end_s: float
    """[start_s, end_s) of the line, in seconds of the video."""
    text: str
    """"" where nothing is said."""
    made_at: datetime
    """In UTC."""
    state: EditState = "waiting"


@dataclass(frozen=True, slots=True)
class TagEdit:
    """Tags that were added to the scene of a stretch of the video, and removed from it."""

    edit_id: str
    start_s: float
    end_s: float
    """[start_s, end_s) of the scene as it was then, in seconds of the video."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    made_at: datetime
    """In UTC."""
    state: EditState = "waiting"


Correction = TranscriptEdit | TagEdit
"""An edit of what is known about scenes, not of the scenes themselves."""
