"""CMX 3600 edit decision lists.

The format has one rate and does not say which; reel names of at most eight ASCII characters; and the names of files
only in comments.
"""

from __future__ import annotations

import re
from fractions import Fraction

from heimdex_core.export.timelines.timecode import format_timecode, nominal
from heimdex_core.types.timelines import Timeline, TimelineClip, TimelineSource

_REEL_CHARS = 8
_RESERVED = {"AX", "BL", "BLACK", "BARS"}
"""Names that stand for no source, black and bars."""


def write_edl(timeline: Timeline) -> str:
    """The timeline as an edit decision list: a header, then for each clip one event and its comments."""
    mode = "DROP FRAME" if timeline.is_drop_frame else "NON-DROP FRAME"
    reels = reel_names([clip.source for clip in timeline.clips])
    lines = [f"TITLE: {_line(timeline.title) or 'REEL'}", f"FCM: {mode}", ""]
    for number, clip in enumerate(timeline.clips, 1):
        source = clip.source
        record = [
            format_timecode(frame, timeline.rate, is_drop_frame=timeline.is_drop_frame)
            for frame in (clip.record_in, clip.record_out)
        ]
        channels = "AA/V" if source.audio_channels else "V"
        times = " ".join((*_source_timecodes(clip, timeline.rate), *record))
        lines.append(f"{number:03}  {reels[source]:<8} {channels:<5} C        {times}")
        lines.append(f"* FROM CLIP NAME: {_line(source.name)}")
        lines.append(f"* FROM FILE: {_line(str(source.path))}")
        if source.rate != timeline.rate:
            lines.append(f"* SOURCE RATE: {float(source.rate):.5g}")
    return "\n".join(lines) + "\n"


def reel_names(sources: list[TimelineSource]) -> dict[TimelineSource, str]:
    """A name for each source: the ASCII letters and digits of its file name, numbered where that is not enough."""
    names: dict[TimelineSource, str] = {}
    for source in dict.fromkeys(sources):
        stem = source.name.rsplit(".", 1)[0]
        name = re.sub(r"[^A-Z0-9]", "", stem.upper())[:_REEL_CHARS]
        if not name or name in _RESERVED or name in names.values():
            name = next(new for n in range(1, 1000) if (new := f"{name[:5]}{n:03}") not in names.values())
        names[source] = name
    return names


def _source_timecodes(clip: TimelineClip, rate: Fraction) -> tuple[str, str]:
    """In and out of the source. At another rate than the timeline's, hours, minutes and seconds are those of the
    source, and its frames are converted."""
    source = clip.source
    first, drop = source.start_frame + clip.source_in, source.is_drop_frame
    if source.rate != rate:
        seconds, frames = divmod(first, nominal(source.rate))
        if drop:
            label = format_timecode(first, source.rate, is_drop_frame=True)
            hours, minutes, whole = (int(part) for part in label[:8].split(":"))
            seconds, frames, drop = 3600 * hours + 60 * minutes + whole, int(label[9:]), False
        first = seconds * nominal(rate) + frames * nominal(rate) // nominal(source.rate)
    return (
        format_timecode(first, rate, is_drop_frame=drop),
        format_timecode(first + clip.record_frames, rate, is_drop_frame=drop),
    )


def _line(text: str) -> str:
    return " ".join(text.split())
