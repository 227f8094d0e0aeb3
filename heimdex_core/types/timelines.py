"""An edit as editing programs have it: which frames of which files, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from heimdex_core.errors import InvalidValue
from heimdex_core.types.captions import Cue

TIMELINE_FORMATS = ("otio", "edl", "fcpxml", "csv", "srt")
"""The names in export/timelines/__init__.py."""


@dataclass(frozen=True, slots=True)
class TimelineSource:
    """A file that clips are taken from. Its frames are counted from 0, the first frame of its picture."""

    name: str
    """Its file name as people know it."""
    title: str
    path: Path
    """Absolute; the name alone for who is not told of the server's folders: editing programs find files by it."""
    rate: Fraction
    """Frames per second, constant; of a file of variable rate, the usual rate that is nearest to its mean."""
    frame_count: int
    start_frame: int = 0
    """The timecode of frame 0, as a number of frames since 00:00:00:00; 0 where the file has no timecode."""
    is_drop_frame: bool = False
    """Whether its timecode leaves out numbers (SMPTE ST 12-1), so that it keeps up with the clock."""
    is_variable_rate: bool = False
    width: int = 1920
    height: int = 1080
    audio_channels: int = 0
    """0 for no sound."""
    audio_rate_hz: int = 48_000
    video_id: str = ""
    """Tells files apart of which all else is the same."""

    @property
    def url(self) -> str:
        """Of the file; a relative one where only its name is known."""
        return self.path.as_uri() if self.path.is_absolute() else quote(str(self.path))


@dataclass(frozen=True, slots=True)
class TimelineClip:
    """Frames [source_in, source_out) of a source, at frames [record_in, record_out) of the timeline.

    Both last equally long, to half a frame of the source; at equal rates they have equally many frames. Raises
    InvalidValue for negative or empty ranges.
    """

    source: TimelineSource
    source_in: int
    source_out: int
    record_in: int
    record_out: int
    text: str = ""
    """What is said in it."""

    def __post_init__(self) -> None:
        for start, end in ((self.source_in, self.source_out), (self.record_in, self.record_out)):
            if not 0 <= start < end:
                raise InvalidValue(
                    name="clip", value=f"frames {start} to {end}", reason="it must satisfy 0 <= start < end"
                )

    @property
    def record_frames(self) -> int:
        """How many frames of the timeline it takes."""
        return self.record_out - self.record_in


@dataclass(frozen=True, slots=True)
class Timeline:
    """Clips one after the other, from frame 0 on. Raises InvalidValue if there is none, a gap or an overlap."""

    title: str
    rate: Fraction
    """Frames per second."""
    clips: tuple[TimelineClip, ...]
    is_drop_frame: bool = False
    """Whether its timecodes leave out numbers; only at 29.97 and 59.94 frames a second."""
    cues: tuple[Cue, ...] = ()
    """What is said, in seconds of the timeline."""

    def __post_init__(self) -> None:
        ends = [0, *(clip.record_out for clip in self.clips)]
        if not self.clips or any(clip.record_in != end for clip, end in zip(self.clips, ends, strict=False)):
            reason = "its clips must follow each other without a gap"
            raise InvalidValue(name="timeline", value=f"{len(self.clips)} clips", reason=reason)
