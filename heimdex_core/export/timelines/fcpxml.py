"""FCPXML 1.8, which Final Cut Pro, DaVinci Resolve and Premiere converters read.

Times are fractions of seconds. Offsets and durations are whole frames of the sequence, starts whole frames of the
source (https://developer.apple.com/documentation/professional-video-applications/fcpxml-reference).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from fractions import Fraction

from heimdex_core.types.timelines import Timeline, TimelineSource

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not have."""


def write_fcpxml(timeline: Timeline) -> str:
    """The timeline as a project of a library with one event."""
    root = ElementTree.Element("fcpxml", version="1.8")
    resources = ElementTree.SubElement(root, "resources")
    title = _text(timeline.title) or "Reel"
    sources = list(dict.fromkeys(clip.source for clip in timeline.clips))
    _add_format(resources, "r0", timeline.rate, *_sequence_size(timeline))
    for number, source in enumerate(sources, 1):
        _add_source(resources, number, source)
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name=title)
    project = ElementTree.SubElement(event, "project", name=title)
    sequence = ElementTree.SubElement(
        project,
        "sequence",
        format="r0",
        duration=_seconds(timeline.clips[-1].record_out / timeline.rate),
        tcStart="0s",
        tcFormat=_counting(timeline.is_drop_frame),
    )
    spine = ElementTree.SubElement(sequence, "spine")
    for clip in timeline.clips:
        source, number = clip.source, sources.index(clip.source) + 1
        placed = ElementTree.SubElement(
            spine,
            "asset-clip",
            name=_text(source.name),
            ref=f"a{number}",
            format=f"r{number}",
            offset=_seconds(clip.record_in / timeline.rate),
            start=_seconds((source.start_frame + clip.source_in) / source.rate),
            duration=_seconds(clip.record_frames / timeline.rate),
            tcFormat=_counting(source.is_drop_frame),
        )
        if clip.text:
            ElementTree.SubElement(placed, "note").text = _text(clip.text)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{body}\n'


def _sequence_size(timeline: Timeline) -> tuple[int, int]:
    """(width, height) of the first source that has the timeline's rate, else of the first one."""
    sources = [clip.source for clip in timeline.clips]
    chosen = next((source for source in sources if source.rate == timeline.rate), sources[0])
    return chosen.width, chosen.height


def _add_format(resources: ElementTree.Element, name: str, rate: Fraction, width: int, height: int) -> None:
    frame_duration = f"{rate.denominator}/{rate.numerator}s"
    ElementTree.SubElement(
        resources, "format", id=name, frameDuration=frame_duration, width=str(width), height=str(height)
    )


def _add_source(resources: ElementTree.Element, number: int, source: TimelineSource) -> None:
    _add_format(resources, f"r{number}", source.rate, source.width, source.height)
    asset = ElementTree.SubElement(
        resources,
        "asset",
        id=f"a{number}",
        name=_text(source.name),
        src=source.url,
        start=_seconds(source.start_frame / source.rate),
        duration=_seconds(source.frame_count / source.rate),
        hasVideo="1",
        format=f"r{number}",
    )
    if source.audio_channels:
        asset.attrib |= {
            "hasAudio": "1",
            "audioSources": "1",
            "audioChannels": str(source.audio_channels),
            "audioRate": str(source.audio_rate_hz),
        }


def _counting(is_drop_frame: bool) -> str:
    return "DF" if is_drop_frame else "NDF"


def _seconds(time_s: Fraction) -> str:
    return f"{time_s.numerator}s" if time_s.denominator == 1 else f"{time_s.numerator}/{time_s.denominator}s"


def _text(text: str) -> str:
    return _FORBIDDEN.sub("", text)
