"""A table for people: one row for each clip."""

from __future__ import annotations

import csv
import io

from heimdex_core.export.timelines.timecode import format_timecode
from heimdex_core.formatting import inert_cell
from heimdex_core.types.timelines import Timeline, TimelineClip

COLUMNS = ("number", "title", "file", "source_in", "source_out", "source_rate", "reel_in", "reel_out", "start_s",
           "duration_s", "text", "path")  # fmt: skip
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel does not read UTF-8."""


def write_csv(timeline: Timeline) -> str:
    """The timeline as CSV with a header. Timecodes of ends are those of the frame behind the last one."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    table.writerows(_row(timeline, number, clip) for number, clip in enumerate(timeline.clips, 1))
    return _BYTE_ORDER_MARK + out.getvalue()


def _row(timeline: Timeline, number: int, clip: TimelineClip) -> list[str]:
    source = clip.source
    used = (source.start_frame + clip.source_in, source.start_frame + clip.source_out)
    source_in, source_out = (format_timecode(n, source.rate, is_drop_frame=source.is_drop_frame) for n in used)
    placed = (clip.record_in, clip.record_out)
    reel_in, reel_out = (format_timecode(n, timeline.rate, is_drop_frame=timeline.is_drop_frame) for n in placed)
    start_s, duration_s = float(clip.record_in / timeline.rate), float(clip.record_frames / timeline.rate)
    rate = f"{float(source.rate):.5g}"
    return [
        str(number), inert_cell(source.title), inert_cell(source.name), source_in, source_out, rate, reel_in, reel_out,
        f"{start_s:.3f}", f"{duration_s:.3f}", inert_cell(clip.text), inert_cell(str(source.path)),
    ]  # fmt: skip
