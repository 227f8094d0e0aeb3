"""What a file holds and what is said in it. Times are seconds from the start as a player shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from heimdex_core.errors import InvalidValue
from heimdex_core.types.values import Json


@dataclass(frozen=True, slots=True)
class Interval:
    """[start_s, end_s) in seconds."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (0 <= self.start_s <= self.end_s):
            raise InvalidValue(
                name="interval", value=f"[{self.start_s}, {self.end_s})", reason="0 <= start <= end is needed"
            )

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: Interval) -> float:
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: Interval) -> float:
        """Intersection over union of the two intervals, 0 to 1."""
        shared = self.overlap_s(other)
        union = self.duration_s + other.duration_s - shared
        return shared / union if union > 0 else float(self == other)


@dataclass(frozen=True, slots=True)
class AudioTrack:
    stream_index: int
    codec: str
    sample_rate_hz: int
    channels: int
    language: str | None
    title: str | None
    is_default: bool
    is_commentary: bool


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    stream_index: int
    codec: str
    language: str | None
    is_text: bool


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds. `claimed` comes from the header, everything else from looking.

    width and height are as displayed, after rotation. `origin_s` is the container's own time of
    our 0. `notes` are machine codes of what is odd but workable (for example "no_audio").
    """

    container: str
    size_bytes: int
    claimed_duration_s: float | None
    duration_s: float
    origin_s: float
    video_stream_index: int
    video_codec: str
    video_profile: str | None
    pixel_format: str | None
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation_deg: int
    fps: float
    frame_count: int
    is_variable_frame_rate: bool
    first_frame_s: float
    audio_tracks: tuple[AudioTrack, ...] = ()
    subtitle_tracks: tuple[SubtitleTrack, ...] = ()
    created_at: str | None = None
    camera: str | None = None
    gps: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def has_audio(self) -> bool:
        return bool(self.audio_tracks)

    @staticmethod
    def from_json(data: Json) -> MediaInfo:
        fields = dict(data)
        fields["audio_tracks"] = tuple(AudioTrack(**t) for t in data.get("audio_tracks", ()))
        fields["subtitle_tracks"] = tuple(SubtitleTrack(**t) for t in data.get("subtitle_tracks", ()))
        fields["notes"] = tuple(data.get("notes", ()))
        return MediaInfo(**fields)


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A line of speech. `words` may be empty where the source has no word times."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None = None
    no_speech: float | None = None
    words: tuple[Word, ...] = ()


TranscriptSource = Literal["subtitles", "embedded", "recognised", "none"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said. `rough` means: expect wrong words. `dropped` counts filtered segments by reason."""

    segments: tuple[Segment, ...]
    source: TranscriptSource
    language: str | None = None
    model: str | None = None
    rough: bool = False
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: Json) -> Transcript:
        segments = tuple(
            Segment(**{**s, "words": tuple(Word(**w) for w in s.get("words", ()))}) for s in data["segments"]
        )
        return Transcript(**{**data, "segments": segments, "notes": tuple(data.get("notes", ()))})
