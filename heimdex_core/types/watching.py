"""Watched folders: what the catalog keeps of them, and what the worker last saw in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from heimdex_core.types.values import Json

WatchState = Literal["watching", "missing", "failed"]
"""missing: the folder is not there at the moment. failed: it is, but its files cannot be taken now."""

WatchOutcome = Literal["added", "duplicate", "deleted", "refused"]
"""What became of a file.

added: it became a video. duplicate: the library had a video of the same bytes. deleted: the user has deleted the video
of these bytes, and it stays deleted. refused: it cannot be used.
"""


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder whose new videos are added to the library."""

    folder_id: str
    user_id: str
    """Who owns the videos."""
    path: str
    """Absolute, without symbolic links."""
    mount_point: str
    """Where the file system of the folder was mounted when it was added; "/" for the main one."""
    created_at: datetime
    revision: int = 0
    """Increased whenever somebody changes what is known of its files."""


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """A file of a watched folder that need not be looked at again while it does not change."""

    path: str
    """Relative to the folder, with / between its parts."""
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    subtitles: str
    """Names, sizes and times of the subtitle files that may belong to it; "" without any."""
    outcome: WatchOutcome
    noted_at: datetime
    video_id: str | None = None
    error: Json | None = None
    """HeimdexError.to_dict() of a refused file."""


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that is not taken yet. `reason`: unfinished (it is still being written), settling (it may be), queue."""

    path: str
    reason: Literal["unfinished", "settling", "queue"]


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """What the worker saw when it last looked at a folder."""

    state: WatchState
    looked_at: datetime
    files: int = 0
    """Videos in the folder, taken or not."""
    waiting: int = 0
    """Those that are not taken yet."""
    next_files: tuple[WaitingFile, ...] = ()
    """Some of them."""
    error: Json | None = None
    """Why the state is not "watching", or which part of the folder cannot be read."""


@dataclass(frozen=True, slots=True)
class FolderReport:
    """A watched folder and what has become of its files."""

    folder: WatchedFolder
    status: WatchStatus | None
    """None until a worker has looked at it."""
    counts: dict[WatchOutcome, int] = field(default_factory=dict)
    refused: tuple[WatchedFile, ...] = ()
    """The latest refused files first; a limited number."""
