"""The timecode that a file has of its own."""

from __future__ import annotations

from pathlib import Path

from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.containers import open_media
from heimdex_core.types import Json, WorkContext

_TAG = "timecode"
_MAX_CHARS = 16


def read_timecode(path: Path, stream_index: int) -> str | None:
    """The timecode of the first frame of a picture track, "01:00:00:00" or in drop frame "01:00:00;00".

    From a tag of the track, of a timecode track (tmcd) or of the container, in this order; None where there is none.
    Whether it is a possible timecode is not looked at. Raises FileUnreadable, NotAVideo.
    """
    with open_media(path) as container:
        streams = sorted(container.streams, key=lambda stream: stream.index != stream_index)
        tracks = [s for s in streams if s.index == stream_index or s.type == "data"]
        for metadata in (*(track.metadata for track in tracks), container.metadata):
            for key, value in metadata.items():
                if key.lower() == _TAG and value.strip():
                    return value.strip()[:_MAX_CHARS]
    return None


def read_timecode_in_child(path: Path, stream_index: int, *, limits: ChildLimits, filename: str) -> str | None:
    """As `read_timecode`, in a child process that ends at `limits`. Raises DecoderFailed, too."""
    asked = {"path": str(path.absolute()), "stream_index": stream_index}
    found: str | None = run_in_child(f"{__name__}:timecode_asked", asked, filename=filename, limits=limits)
    return found


def timecode_asked(asked: Json, work: WorkContext) -> str | None:
    """In the child."""
    return read_timecode(Path(asked["path"]), asked["stream_index"])
