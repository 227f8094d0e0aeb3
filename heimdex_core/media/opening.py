"""Opening files with libav so that a hostile one cannot reach anything but itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from heimdex_core.errors import FileUnreadable, NotAVideo

VIDEO_FORMATS = ("mov", "matroska", "webm", "avi")
# read only to say "no picture, only sound" instead of "not a video"
SOUND_FORMATS = ("flac", "mp3", "wav", "ogg", "aac", "aiff", "w64", "caf")

# Playlists and scripts (hls, dash, concat, sdp, image sequences ...) name other files: they are not on the list,
# so libav does not even probe for them.
_OPTIONS = {"format_whitelist": ",".join((*VIDEO_FORMATS, *SOUND_FORMATS)), "protocol_whitelist": "file"}


@contextlib.contextmanager
def open_media(path: Path, filename: str | None = None) -> Iterator[InputContainer]:
    """The opened container. Raises FileUnreadable, NotAVideo."""
    name = filename or path.name
    if av.logging.get_level() is not None:
        # libav's threads would wait for the interpreter in order to log, while it waits for them to end
        av.logging.set_level(None)
    try:
        container = av.open(str(path.resolve()), "r", options=_OPTIONS, metadata_errors="replace")
    except (av.error.FileNotFoundError, av.error.IsADirectoryError) as error:
        raise FileUnreadable(filename=name, reason=error.strerror) from error
    except av.error.FFmpegError as error:
        # a format outside the whitelist is reported as EINVAL or EPERM
        reason = "its content is no MP4, MOV, AVI, MKV or WebM"
        raise NotAVideo(filename=name, reason=reason) from error
    with container:
        yield container


def is_video_container(container: InputContainer) -> bool:
    """Whether the container is one of those that can hold a video here."""
    return any(name in VIDEO_FORMATS for name in container.format.name.split(","))


def picture_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams that move: not cover art, not thumbnails."""
    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return [s for s in container.streams.video if not s.disposition & still]
