"""The nouns of the workbench: frozen values that check themselves.

Times are seconds as float, counted from the start of the file as a player shows it (its earliest
stream starts at 0). Intervals are half open, [start_s, end_s). Timestamps are timezone-aware UTC.
"""

from heimdex_core.types.exports import Export, ExportState, Reel, ReelClip
from heimdex_core.types.library import (
    MULTILINGUAL,
    TRANSITIONS,
    Keyframe,
    ModelSet,
    Scene,
    Space,
    Video,
    VideoState,
    VisibleVideo,
    make_scene_id,
    parse_scene_id,
)
from heimdex_core.types.media import (
    AudioTrack,
    Interval,
    MediaInfo,
    PictureTreatment,
    Segment,
    SubtitleTrack,
    TrackChoice,
    Transcript,
    TranscriptSource,
    VideoTrack,
    Word,
)
from heimdex_core.types.search import ChannelScore, ChannelState, Hit, Query, SearchResult
from heimdex_core.types.values import Json, to_json, utc_now
from heimdex_core.types.watching import (
    FolderReport,
    WaitingFile,
    WatchedFile,
    WatchedFolder,
    WatchOutcome,
    WatchState,
    WatchStatus,
)
from heimdex_core.types.work import ReportProgress, StageProgress, WorkContext

__all__ = [
    "AudioTrack",
    "ChannelScore",
    "ChannelState",
    "Export",
    "ExportState",
    "FolderReport",
    "Hit",
    "Interval",
    "Json",
    "Keyframe",
    "MULTILINGUAL",
    "MediaInfo",
    "PictureTreatment",
    "ModelSet",
    "Query",
    "Reel",
    "ReelClip",
    "ReportProgress",
    "Scene",
    "SearchResult",
    "Segment",
    "Space",
    "StageProgress",
    "SubtitleTrack",
    "TrackChoice",
    "TRANSITIONS",
    "Transcript",
    "TranscriptSource",
    "Video",
    "VideoState",
    "VideoTrack",
    "VisibleVideo",
    "WaitingFile",
    "WatchOutcome",
    "WatchState",
    "WatchStatus",
    "WatchedFile",
    "WatchedFolder",
    "Word",
    "WorkContext",
    "make_scene_id",
    "parse_scene_id",
    "to_json",
    "utc_now",
]
