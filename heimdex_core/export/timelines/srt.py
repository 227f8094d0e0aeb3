"""SubRip: what is said, in the time of the reel."""

from __future__ import annotations

from heimdex_core.export.captions import cues_to_srt
from heimdex_core.types.timelines import Timeline


def write_srt(timeline: Timeline) -> str:
    """The captions of the timeline; "" where nothing is said."""
    return cues_to_srt(timeline.cues)
