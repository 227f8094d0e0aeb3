"""Copies of joined recordings with one clock, for ffmpeg, which takes the times of the last of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av

from heimdex_core.errors import FileUnreadable
from heimdex_core.files import disk_errors
from heimdex_core.media.child import ChildLimits, run_in_child
from heimdex_core.media.containers import open_media, read_packets
from heimdex_core.media.graph import RenderClip
from heimdex_core.settings import get_settings
from heimdex_core.types import Json, MediaInfo, WorkContext

_CHECK_EVERY = 500


def with_one_clock(clips: Sequence[RenderClip], folder: Path, context: WorkContext) -> list[RenderClip]:
    """The clips; those of joined recordings from a copy in `folder` with one clock.

    `context` is asked for cancellation. Raises Cancelled, DiskFull, DecoderFailed, FileUnreadable, NotAVideo.
    """
    copies: dict[Path, Path] = {}
    found = []
    for clip in clips:
        if clip.info.recordings > 1:
            if clip.path not in copies:
                copies[clip.path] = folder / f"joined-{len(copies)}.mkv"
                copy_with_one_clock(clip.path, clip.info, copies[clip.path], context)
            track = clip.audio_track
            clip = replace(
                clip,
                path=copies[clip.path],
                info=copied_info(clip.info),
                audio_track=replace(track, stream_index=1) if track is not None else None,
            )
        found.append(clip)
    return found


def copied_info(info: MediaInfo) -> MediaInfo:
    """What is known of a copy: its tracks are the chosen picture, 0, and the chosen sound, 1."""
    sound = info.sound
    return replace(
        info,
        recordings=1,
        container="matroska",
        origin_s=max(0.0, info.origin_s),
        video_stream_index=0,
        audio_tracks=tuple(
            replace(t, stream_index=1) for t in info.audio_tracks if sound and t.stream_index == sound.stream_index
        ),
        sound=replace(sound, stream_index=1) if sound is not None else None,
    )


def copy_with_one_clock(path: Path, info: MediaInfo, out: Path, context: WorkContext) -> None:
    """Copy the chosen picture and sound of joined recordings into a Matroska file, in a child process.

    `context` is asked for cancellation. Raises Cancelled, DiskFull, DecoderFailed, FileUnreadable, NotAVideo.
    """
    asked = {
        "path": str(path.absolute()),
        "streams": [info.video_stream_index, *([info.sound.stream_index] if info.sound is not None else [])],
        "out": str(out.absolute()),
    }
    run_in_child(
        f"{__name__}:copy_asked",
        asked,
        filename=path.name,
        limits=ChildLimits.of(get_settings()),
        context=WorkContext(is_cancelled=context.is_cancelled),
        scratch=out.parent,
    )


def copy_asked(asked: Json, work: WorkContext) -> None:
    """In the child."""
    path, out = Path(asked["path"]), Path(asked["out"])
    try:
        with disk_errors(out.name, out.parent), open_media(path) as container, av.open(str(out), "w") as copy:
            chosen: list[Any] = [container.streams[index] for index in asked["streams"]]
            written = {stream.index: copy.add_stream_from_template(stream) for stream in chosen}
            for number, packet in enumerate(read_packets(container, *chosen)):
                if number % _CHECK_EVERY == 0:
                    work.check()
                    work.report(number, number)
                if packet.size and packet.dts is not None:
                    packet.stream = written[packet.stream.index]
                    copy.mux(packet)
    except av.error.FFmpegError as error:
        raise FileUnreadable(filename=path.name, reason=str(error)) from error
