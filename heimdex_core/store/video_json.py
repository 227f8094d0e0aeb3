"""video.json: what the catalog knows about a video and its other files do not contain.

It makes a video's folder complete in itself: another library can adopt the folder, and the catalog can be rebuilt from
the folders (store/repair.py). The file may come from anywhere, so it is checked as a whole before anything is used.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from heimdex_core.errors import HeimdexError, InvalidFolder
from heimdex_core.files import write_json
from heimdex_core.store import videos
from heimdex_core.store.layout import LibraryPaths, check_file_name, check_user, check_uuid
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import MediaInfo, TranscriptSource, Video, VideoState, to_json

FORMAT_VERSION = 1
"""Fields have been added since: a file without them is of an older version and still valid."""

MAX_BYTES = 4 * 1024 * 1024
MAX_TEXT_CHARS = 20_000
MAX_NUMBER = 2**31 - 1
"""The catalog and the SQL tables keep most numbers as 32-bit integers."""
MAX_SIZE_BYTES = 2**53
"""Up to here JSON numbers are exact in every reader."""

MAX_DURABLE = 20
"""So many files are waited for until they are on the disk; `repair` writes one that a power failure has damaged."""

_KEPT = (
    "video_id",
    "user_id",
    "sha256",
    "title",
    "filename",
    "description",
    "created_at",
    "generation",
    "info",
    "transcript_source",
    "transcript_rough",
    "language",
    "notes",
    "has_preview",
    "state",
    "updated_at",
    "params",
    "error",
)


# --- writing --------------------------------------------------------------------------------------


def write_video_json(paths: LibraryPaths, video: Video, *, durable: bool = True) -> None:
    """Write a video's video.json; `durable` as for `write_json`. Raises DiskFull."""
    value = {"format": FORMAT_VERSION, **{name: to_json(getattr(video, name)) for name in _KEPT}}
    write_json(paths.video_json(video.video_id), value, durable=durable)


def collect(transaction: Transaction) -> list[Video]:
    """The videos whose video.json differs from the catalog after the commit of the transaction."""
    return [found for video_id in sorted(transaction.changed_videos) if (found := videos.find(transaction, video_id))]


def write_all(paths: LibraryPaths, changed: list[Video]) -> None:
    """Write video.json of the videos from `collect`; a folder that is not there is not made. Raises DiskFull.

    The catalog is locked meanwhile, so nobody waits for the disk where many change at once, as in a switch of models.
    """
    for video in changed:
        if paths.video(video.video_id).is_dir():
            write_video_json(paths, video, durable=len(changed) <= MAX_DURABLE)


# --- reading --------------------------------------------------------------------------------------


def _is_file_name(name: str) -> str:
    if len(check_file_name(name).encode()) > 255 or has_control_characters(name):
        raise ValueError("it is too long or has control characters")
    return name


def has_control_characters(text: str) -> bool:
    """Whether a text has a line break, an escape or another control character."""
    return any(unicodedata.category(character) == "Cc" for character in text)


def _is_bounded(value: Any) -> Any:
    """Refuse numbers that the catalog cannot hold, anywhere in a value."""
    for name, number in _numbers(to_json(value), ""):
        limit = MAX_SIZE_BYTES if name.endswith("bytes") else MAX_NUMBER
        if not math.isfinite(number) or abs(number) > limit:
            raise ValueError(f"{name} = {number} is out of range")
    return value


def _numbers(value: Any, name: str) -> Iterator[tuple[str, int | float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, name)


def _is_plausible(info: MediaInfo) -> MediaInfo:
    """Refuse what no probe of a file has ever found, and chosen tracks that are not among the tracks."""
    at_least_one = {"width": info.width, "height": info.height}
    positive = {"duration_s": info.duration_s, "fps": info.fps}
    for name, number in at_least_one.items():
        if not 1 <= number <= 100_000:
            raise ValueError(f"{name} = {number} is out of range")
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"{name} = {value} is not above 0")
    if info.sound is not None:
        known = {str(track.stream_index) for track in info.audio_tracks}
        if unknown := {str(info.sound.stream_index), *info.sound.passed_over} - known:
            raise ValueError(f"sound: there is no track {', '.join(sorted(unknown))}"[:200])
    return info


Language = Annotated[str, Field(pattern=r"^(auto|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*)$")]


CheckedInfo = Annotated[MediaInfo, AfterValidator(_is_bounded), AfterValidator(_is_plausible)]

_CHECKED = ConfigDict(strict=True, allow_inf_nan=False, frozen=True, extra="ignore", str_max_length=MAX_TEXT_CHARS)


class _ProbeRecord(BaseModel):
    """stages/probe.json of a generation."""

    model_config = _CHECKED
    result: CheckedInfo


class VideoDocument(BaseModel):
    """The content of a video.json, checked: types, lengths, ranges, text that is Unicode."""

    model_config = _CHECKED

    format: Literal[1]
    video_id: Annotated[str, AfterValidator(check_uuid)]
    user_id: Annotated[str, AfterValidator(check_user)] = "local"
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    title: Annotated[str, Field(max_length=MAX_BYTES)]
    """Of any length: what takes it over cuts it, since nothing depends on it."""
    filename: Annotated[str, AfterValidator(_is_file_name)]
    description: str = ""
    created_at: AwareDatetime | None = None
    generation: Annotated[int, Field(ge=1, le=MAX_NUMBER)] | None = None
    info: CheckedInfo | None = None
    transcript_source: TranscriptSource | None = None
    transcript_rough: bool = False
    language: Language = "auto"
    notes: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=200)] = ()
    has_preview: bool = False
    state: VideoState | None = None
    """None in files of older versions."""
    updated_at: AwareDatetime | None = None
    params: Annotated[dict[str, Any], AfterValidator(_is_bounded)] = Field(default_factory=dict, max_length=100)
    error: dict[str, Any] | None = None


def read_video_json(folder: Path) -> VideoDocument:
    """The video.json of a video's folder. Raises InvalidFolder, which says what is wrong and where."""
    path = folder / "video.json"
    try:
        if not path.is_file():
            raise ValueError("it is missing" if not path.exists() else "it is not a file")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"it has {size} bytes, more than {MAX_BYTES}")
        found = VideoDocument.model_validate_json(path.read_bytes())
        json.dumps([found.params, found.error], allow_nan=False).encode()
        return found
    except ValidationError as error:
        raise InvalidFolder(path=str(folder), reason=f"video.json: {_in_words(error)}") from error
    except (OSError, ValueError, HeimdexError, RecursionError) as error:
        raise InvalidFolder(path=str(folder), reason=f"video.json: {error}"[:300]) from error


def read_recorded_info(generation: Path) -> MediaInfo | None:
    """What the probe of a generation found, from the record that is kept with it; None if that cannot be used."""
    try:
        return _ProbeRecord.model_validate_json((generation / "stages" / "probe.json").read_bytes()).result
    except (OSError, ValueError):
        return None


def _in_words(error: ValidationError) -> str:
    """The first faults, each with the place where it is: "info.width: Input should be a valid integer"."""
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)]
    return "; ".join(faults[:3])[:300]
