"""Timelines for editing programs: made of parts of videos (build.py), and one file for each format.

To add a format, write one file with a function, add that to FORMATS and its name to TIMELINE_FORMATS.
"""

from __future__ import annotations

from collections.abc import Callable

from heimdex_core.errors import UnknownName
from heimdex_core.export.timelines.build import TimelinePart, make_timeline, source_of
from heimdex_core.export.timelines.csv_table import write_csv
from heimdex_core.export.timelines.edl import write_edl
from heimdex_core.export.timelines.fcpxml import write_fcpxml
from heimdex_core.export.timelines.otio import write_otio
from heimdex_core.export.timelines.srt import write_srt
from heimdex_core.types.timelines import Timeline

__all__ = ["FORMATS", "TimelinePart", "make_timeline", "source_of", "write_timeline"]

FORMATS: dict[str, Callable[[Timeline], str]] = {
    "otio": write_otio,
    "edl": write_edl,
    "fcpxml": write_fcpxml,
    "csv": write_csv,
    "srt": write_srt,
}


def write_timeline(timeline: Timeline, name: str) -> str:
    """The timeline as text in the format of that name. Raises UnknownName."""
    if name not in FORMATS:
        raise UnknownName(kind="timeline format", name=name, known=", ".join(FORMATS))
    return FORMATS[name](timeline)
