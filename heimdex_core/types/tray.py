"""The tray, the operations that change it, and the history of its changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from heimdex_core.errors import InvalidValue
from heimdex_core.types.exports import Reel, ReelClip


@dataclass(frozen=True, slots=True)
class PlacedClip:
    """A clip and its place in an order that may be another one by now."""

    clip: ReelClip
    after: str | None = None
    """clip_id of the clip before it; None if it was the first."""
    before: str | None = None
    """clip_id of the clip behind it; None if it was the last."""


@dataclass(frozen=True, slots=True)
class InsertClips:
    """Put clips in; one whose clip_id is in the tray already stays as it is."""

    clips: tuple[PlacedClip, ...]


@dataclass(frozen=True, slots=True)
class RemoveClips:
    """Take clips out; one that is not in the tray is ignored."""

    clip_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MoveClip:
    """Move a clip between two others: behind `after`, or else before `before`."""

    clip_id: str
    after: str | None = None
    """None to make it the first clip."""
    before: str | None = None
    """None to make it the last clip."""


@dataclass(frozen=True, slots=True)
class TrimClip:
    """Let a clip be [start_s, end_s), in seconds of its video; it may reach beyond its scene."""

    clip_id: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.start_s < self.end_s):
            value = f"{self.start_s:.3f} to {self.end_s:.3f} s"
            raise InvalidValue(name="trim", value=value, reason="the start must lie before the end")


@dataclass(frozen=True, slots=True)
class SetStrategy:
    """Give a clip a crop strategy of its own, or with None that of the reel."""

    clip_id: str
    strategy: str | None


@dataclass(frozen=True, slots=True)
class SetTitle:
    """Name the reel."""

    title: str


TrayOperation = InsertClips | RemoveClips | MoveClip | TrimClip | SetStrategy | SetTitle


@dataclass(frozen=True, slots=True)
class TrayChange:
    """One change of the tray that can be undone, or that was undone and can be made again."""

    revision: int
    """The revision of the tray after it was made, or undone."""
    author: str
    """Who made or undid it last: an open page of the app, or "" for a program."""
    reversal: tuple[TrayOperation, ...]
    """What undoes it; of an undone change, what makes it again."""
    touched: frozenset[str]
    """What it changed: "clip:<clip_id>", "place:<clip_id>", "trim:<clip_id>", "strategy:<clip_id>", "title"."""
    is_undone: bool = False
    changed_us: int = 0
    """When, in microseconds since 1970 UTC."""
    keys: tuple[str, ...] = ()
    """What those who made and undid it called it, so that it is not done twice when it is sent again."""


@dataclass(frozen=True, slots=True)
class Tray(Reel):
    """A reel at one moment, with the history of its changes: a user's tray, or a named reel."""

    revision: int = 0
    """Increases with every change."""
    changes: tuple[TrayChange, ...] = ()
    """The last changes, in the order of their revisions."""

    def has_handled(self, key: str) -> bool:
        """Whether a change of this name was made or undone lately; never for ""."""
        return bool(key) and any(key in change.keys for change in self.changes)

    def last_change(self, author: str, since: int | None = None, *, undone: bool = False) -> TrayChange | None:
        """The change that `author` undoes next, or makes again (`undone`); None if there is none.

        Args:
            author: whose changes.
            since: the revision that the author saw first: changes up to it count as the author's own, so that they can
                be undone after a page is reloaded. None for all changes.
            undone: look for changes that were undone.
        """
        own = (change for change in reversed(self.changes) if change.is_undone == undone)
        return next(
            (change for change in own if since is None or change.author == author or change.revision <= since), None
        )
