"""Whether a rendered file is what was planned. What was measured decides, not what the encoder was told."""

from __future__ import annotations

from collections.abc import Sequence

from heimdex_core.errors import RenderCheckFailed
from heimdex_core.media.render import RenderMeasure

MAX_AV_DIFFERENCE_S = 0.040
_ROUNDING_S = 0.001


def check_render(
    measured: RenderMeasure, clip_durations_s: Sequence[float], *, fps: float, width: int, height: int
) -> None:
    """Raise RenderCheckFailed unless the file plays everywhere, is as long as its clips and in step.

    Its duration may differ by one frame per clip, picture and sound by 40 ms at the start and at the end.
    """
    kind = (measured.video_codec, measured.pixel_format, measured.audio_codec)
    if kind != ("h264", "yuv420p", "aac"):
        raise RenderCheckFailed(reason=f"it is {', '.join(str(part) for part in kind)} instead of h264, yuv420p, aac")
    if (measured.width, measured.height) != (width, height):
        raise RenderCheckFailed(reason=f"it is {measured.width}x{measured.height} instead of {width}x{height}")
    planned_s = sum(clip_durations_s)
    if abs(measured.video_duration_s - planned_s) > len(clip_durations_s) / fps + _ROUNDING_S:
        raise RenderCheckFailed(reason=f"it lasts {measured.video_duration_s:.3f} s instead of {planned_s:.3f} s")
    apart_s = measured.audio_duration_s + measured.av_offset_s - measured.video_duration_s
    for what, seconds in (("starts", measured.av_offset_s), ("ends", apart_s)):
        if abs(seconds) > MAX_AV_DIFFERENCE_S:
            when = "after" if seconds > 0 else "before"
            raise RenderCheckFailed(reason=f"its sound {what} {abs(seconds) * 1000:.0f} ms {when} its picture")
