"""What became of looking for the files of videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RelinkState = Literal["present", "found", "not_found"]
"""present: the file was in its place. found: it was found by its content and put back. not_found: nothing was found."""


@dataclass(frozen=True, slots=True)
class RelinkedVideo:
    """A video whose file was looked for."""

    video_id: str
    title: str
    filename: str
    state: RelinkState
    path: str | None = None
    """Where the file was found."""


@dataclass(frozen=True, slots=True)
class RelinkReport:
    """What one look found."""

    videos: tuple[RelinkedVideo, ...]
    searched: tuple[str, ...] = ()
    """The folders that were searched, with their subfolders, besides the place where the file was."""
    unreadable: tuple[str, ...] = ()
    """Files and folders that could not be read, and folders with too many files, which were searched in part."""

    @property
    def is_complete(self) -> bool:
        """Whether every video has its file."""
        return all(video.state != "not_found" for video in self.videos)
