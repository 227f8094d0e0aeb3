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
class VideoTrack:
    """A picture track. `frame_count` is None where the packets were not counted."""

    stream_index: int
    codec: str
    width: int
    height: int
    title: str | None
    is_default: bool
    frame_count: int | None = None


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """A sound track. `peak` is its largest sample, 0 to 1, over all channels; None where it was not measured."""

    stream_index: int
    codec: str
    sample_rate_hz: int
    channels: int
    language: str | None
    title: str | None
    is_default: bool
    is_commentary: bool
    role: str = "main"
    """What it is for, from its flags and title: "main", "dub", "music", "hearing_impaired", "description" or
    "commentary"."""
    peak: float | None = None


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """A subtitle track. `role` is "full", "hearing_impaired", "description", "lyrics", "signs", "forced" or
    "commentary"."""

    stream_index: int
    codec: str
    language: str | None
    is_text: bool
    title: str | None = None
    is_default: bool = False
    role: str = "full"


@dataclass(frozen=True, slots=True)
class TrackChoice:
    """The track of one kind that is used, and why it is this one."""

    stream_index: int
    by_hand: bool = False
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Stream index (as text, because JSON has no other keys) -> why that track was not taken: a code such as
    "silent", "commentary", "still" or "undecodable". Tracks that merely came later are left out."""
    channels: tuple[int, ...] = ()
    """Sound: the channels that are used, from 0, in equal parts; () is all of them, by their positions."""
    needs_decoding: bool = False
    """Sound: neither ffmpeg's filters nor browsers can take the track as it is (its channels change, have no positions
    or are not all used, it is damaged, or an edit list puts it in another order): it is decoded for them."""

    @staticmethod
    def from_json(data: Json) -> TrackChoice:
        return TrackChoice(**{**data, "channels": tuple(data["channels"])})


@dataclass(frozen=True, slots=True)
class PictureTreatment:
    """How decoded frames become what is shown; chosen once for a file, by media/treatment.py.

    `notes` are codes that say why it is not the usual treatment, or why the tags are not followed.
    """

    matrix: Literal["bt709", "bt601", "fcc", "smpte240m", "bt2020", "rgb"] = "bt709"
    """What turns the coded values into R'G'B' (ITU-T H.273, table 4); "rgb": nothing has to."""
    full_range: bool = False
    """Whether the coded values use all codes; else black is 16 and white 235 (of 8 bits)."""
    transfer: Literal["sdr", "pq", "hlg"] = "sdr"
    primaries: Literal["bt709", "bt2020", "p3"] = "bt709"
    field_order: Literal["tff", "bff"] | None = None
    """Which field of a frame is shown first, where frames have to be deinterlaced."""
    alpha: bool = False
    """Whether pixels may be transparent; black is what shows through."""
    retag: bool = False
    """Whether browsers would show other colours, because tags are missing or wrong."""
    notes: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: Json) -> PictureTreatment:
        return PictureTreatment(**{**data, "notes": tuple(data.get("notes", ()))})


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds. `claimed` comes from the header, everything else from looking.

    width and height are as displayed, after rotation. `origin_s` is the container's own time of
    our 0. `notes` are machine codes of what is odd but workable (for example "no_audio").
    `picture`, `sound` and `subtitles` are the tracks that everything uses; None where there is none, and for
    videos that were indexed before tracks were chosen once.
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
    recordings: int = 1
    """How many recordings are joined in the file, each with a clock that starts again; times here go on."""
    video_tracks: tuple[VideoTrack, ...] = ()
    picture: TrackChoice | None = None
    sound: TrackChoice | None = None
    subtitles: TrackChoice | None = None
    treatment: PictureTreatment | None = None
    """None for videos that were indexed before it was chosen once."""

    @property
    def has_audio(self) -> bool:
        return bool(self.audio_tracks)

    @staticmethod
    def from_json(data: Json) -> MediaInfo:
        fields = dict(data)
        fields["audio_tracks"] = tuple(AudioTrack(**t) for t in data.get("audio_tracks", ()))
        fields["subtitle_tracks"] = tuple(SubtitleTrack(**t) for t in data.get("subtitle_tracks", ()))
        fields["notes"] = tuple(data.get("notes", ()))
        fields["video_tracks"] = tuple(VideoTrack(**t) for t in data.get("video_tracks", ()))
        for kind in ("picture", "sound", "subtitles"):
            fields[kind] = TrackChoice.from_json(data[kind]) if data.get(kind) else None
        fields["treatment"] = PictureTreatment.from_json(data["treatment"]) if data.get("treatment") else None
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
