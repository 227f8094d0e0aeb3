"""Checks a rendered file against its plan, by what was measured in the file, not by the encoder's settings."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.errors import RenderCheckFailed
from heimdex_core.media.render import RenderMeasure

MAX_AV_DIFFERENCE_S = 0.040
"""How far apart sound and picture may start and end."""
_ROUNDING_S = 0.001


def check_render(
    measured: RenderMeasure,
    clip_durations_s: Sequence[float],
    *,
    fps: float,
    width: int,
    height: int,
    extra_s: float = 0.0,
) -> None:
    """Check that the file is H.264 and AAC, has the planned size and duration, and that sound and picture are in sync.

    The duration may differ by one frame per clip; sound and picture by MAX_AV_DIFFERENCE_S at the start and at the end.

    Args:
        measured: what was measured in the file.
        clip_durations_s: the planned duration of each clip, in seconds.
        fps: the planned frame rate.
        width, height: the planned size in pixels.
        extra_s: by how many seconds the whole is longer than its clips: titles; negative for crossfades.

    Raises RenderCheckFailed.
    """
    kind = (measured.video_codec, measured.pixel_format, measured.audio_codec)
    if kind != ("h264", "yuv420p", "aac"):
        raise RenderCheckFailed(reason=f"it is {', '.join(str(part) for part in kind)} instead of h264, yuv420p, aac")
    if (measured.width, measured.height) != (width, height):
        raise RenderCheckFailed(reason=f"it is {measured.width}x{measured.height} instead of {width}x{height}")
    planned_s = sum(clip_durations_s) + extra_s
    if abs(measured.video_duration_s - planned_s) > len(clip_durations_s) / fps + _ROUNDING_S:
        raise RenderCheckFailed(reason=f"it lasts {measured.video_duration_s:.3f} s instead of {planned_s:.3f} s")
    apart_s = measured.audio_duration_s + measured.av_offset_s - measured.video_duration_s
    for what, seconds in (("starts", measured.av_offset_s), ("ends", apart_s)):
        if abs(seconds) > MAX_AV_DIFFERENCE_S:
            when = "after" if seconds > 0 else "before"
            raise RenderCheckFailed(reason=f"its sound {what} {abs(seconds) * 1000:.0f} ms {when} its picture")
