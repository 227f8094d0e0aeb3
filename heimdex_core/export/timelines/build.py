"""A timeline of parts of videos: where each part begins and ends, in whole frames."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from heimdex_core.errors import InvalidValue
from heimdex_core.export.captions import make_cues, spoken_words
from heimdex_core.export.captions.words import join_words
from heimdex_core.export.timelines.timecode import (
    DROP_FRAME_RATES,
    RATES,
    exact_rate,
    nearest_rate,
    parse_timecode,
    timeline_rate,
)
from heimdex_core.types import Cue, MediaInfo, Segment
from heimdex_core.types.timelines import Timeline, TimelineClip, TimelineSource


@dataclass(frozen=True)
class TimelinePart:
    """[start_s, end_s) of a source, in player time of the source, and what is said in it."""

    source: TimelineSource
    first_frame_s: float
    """Player time of the source's first frame."""
    start_s: float
    end_s: float
    segments: tuple[Segment, ...] = ()
    """The transcript of the source."""
    language: str | None = None


def source_of(
    path: Path, info: MediaInfo, *, name: str, title: str, timecode: str | None, video_id: str = ""
) -> TimelineSource:
    """A file as a source.

    Args:
        path: absolute, or a name alone.
        info: what `probe` returned for the file.
        name: its file name as people know it.
        title: of the video.
        timecode: of its first frame, as the file has it; None or what is no timecode stands for 00:00:00:00.
        video_id: of its video.
    """
    rate = exact_rate(info.fps)
    frame_count = info.frame_count
    if info.is_variable_frame_rate:
        rate = nearest_rate(rate)
        frame_count = max(1, math.floor(Fraction(info.duration_s - info.first_frame_s) * rate))
    start_frame, is_drop_frame = parse_timecode(timecode or "", rate) or (0, False)
    sound = next((t for t in info.audio_tracks if info.sound and t.stream_index == info.sound.stream_index), None)
    sound = sound or next(iter(info.audio_tracks), None)
    return TimelineSource(
        name=name,
        title=title,
        path=path,
        rate=rate,
        frame_count=frame_count,
        start_frame=start_frame,
        is_drop_frame=is_drop_frame,
        is_variable_rate=info.is_variable_frame_rate,
        width=info.width,
        height=info.height,
        audio_channels=sound.channels if sound else 0,
        audio_rate_hz=sound.sample_rate_hz if sound else 48_000,
        video_id=video_id,
    )


def make_timeline(parts: Sequence[TimelinePart], *, title: str = "", fps: float | None = None) -> Timeline:
    """The parts one after the other.

    Where a clip ends is rounded, not how long it is, so that rounding never adds up: each cut lies within half a frame
    of its time, however many clips come before it.

    Args:
        parts: at least one.
        title: of the timeline.
        fps: its rate, frames per second, one of RATES; None takes the one that most of it is in.

    Raises InvalidValue.
    """
    lengths: dict[TimelineSource, float] = defaultdict(float)
    for part in parts:
        lengths[part.source] += part.end_s - part.start_s
    by_rate: dict[tuple[Fraction, bool], float] = defaultdict(float)
    for source, length_s in lengths.items():
        by_rate[timeline_rate(source.rate), source.is_drop_frame] += length_s
    rate, is_drop_frame = max(by_rate, key=lambda key: by_rate[key], default=(Fraction(25), False))
    if fps is not None and exact_rate(fps) != rate:
        rate = exact_rate(fps)
        is_drop_frame = any(drop for _, drop in by_rate)
    if rate not in RATES:
        known = ", ".join(f"{float(usual):.5g}" for usual in RATES)
        raise InvalidValue(name="fps", value=str(fps), reason=f"it must be one of {known}")
    total_s, record_in = Fraction(0), 0
    clips: list[TimelineClip] = []
    cues: list[Cue] = []
    for part in parts:
        total_s += Fraction(part.end_s) - Fraction(part.start_s)
        record_out = max(record_in + 1, _nearest(total_s * rate))
        clip, said = _placed(part, record_in, record_out, rate)
        clips.append(clip)
        cues += said
        record_in = record_out
    return Timeline(title, rate, tuple(clips), is_drop_frame and rate in DROP_FRAME_RATES, tuple(cues))


def _placed(part: TimelinePart, record_in: int, record_out: int, rate: Fraction) -> tuple[TimelineClip, list[Cue]]:
    source = part.source
    source_in = max(0, _nearest((Fraction(part.start_s) - Fraction(part.first_frame_s)) * source.rate))
    frames = max(1, _nearest((record_out - record_in) / rate * source.rate))
    if source_in + frames == source.frame_count + 1 and source_in:
        source_in -= 1  # both ends were rounded up
    words = spoken_words(part.segments, part.start_s, part.end_s)
    said = make_cues(words, start_s=part.start_s, end_s=part.end_s, language=part.language)
    clip = TimelineClip(
        source, source_in, source_in + frames, record_in, record_out, join_words(word.text.strip() for word in words)
    )
    by_s, end_s = float(record_in / rate) - part.start_s, float(record_out / rate)
    moved = (cue.moved(by_s) for cue in said)
    return clip, [replace(cue, end_s=min(cue.end_s, end_s)) for cue in moved if cue.start_s < end_s]


def _nearest(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))
