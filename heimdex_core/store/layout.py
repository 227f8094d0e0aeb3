"""Where everything lies in a library folder. Every name that comes from outside is checked here."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import overload

from heimdex_core.errors import InvalidValue, LibraryDamaged, VideoNotFound
from heimdex_core.types import Space

_SAFE_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,120}")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")


def check_uuid(value: str, name: str = "video_id") -> str:
    """`value` if it is a UUID in its usual spelling, else InvalidValue (VideoNotFound for a video)."""
    try:
        if str(uuid.UUID(value)) == value:
            return value
    except (ValueError, AttributeError, TypeError):
        pass
    if name == "video_id":
        raise VideoNotFound(video_id=str(value)[:80])
    raise InvalidValue(name=name, value=str(value)[:80], reason="a UUID is needed")


def check_user(user_id: str) -> str:
    """`user_id` if it may be a folder name, else InvalidValue."""
    if not _USER.fullmatch(user_id):
        raise InvalidValue(name="user_id", value=user_id[:80], reason="letters, digits and ._@+- are possible")
    return user_id


def check_space_name(name: str) -> str:
    """'<kind>/<model>' with safe parts, else InvalidValue."""
    parts = name.split("/")
    if len(parts) != 2 or not all(_SAFE_PART.fullmatch(part) for part in parts):
        raise InvalidValue(name="space", value=name[:80], reason="'<kind>/<model>' is needed")
    return name


def _check_extension(extension: str) -> str:
    if not _EXTENSION.fullmatch(extension):
        raise InvalidValue(name="extension", value=extension[:40], reason="a dot and letters or digits are needed")
    return extension.lower()


class LibraryPaths:
    """The paths of one library. Methods only compute; nothing is made or read except by `source`."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()

    # --- the library's own files ---

    @property
    def manifest(self) -> Path:
        return self.root / "library.json"

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.duckdb"

    @property
    def catalog_lock(self) -> Path:
        return self.root / "catalog.lock"

    @property
    def index_lock(self) -> Path:
        return self.root / "index.lock"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs.sqlite"

    @property
    def visible(self) -> Path:
        return self.root / "visible.parquet"

    @property
    def videos(self) -> Path:
        return self.root / "videos"

    @property
    def indexes(self) -> Path:
        return self.root / "index"

    @property
    def work_root(self) -> Path:
        return self.root / "work"

    @property
    def uploads(self) -> Path:
        """Files on their way in, under temporary names; on the library's disk, so that a rename places them."""
        return self.root / "uploads"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def searches(self) -> Path:
        return self.logs / "searches.jsonl"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of a new library."""
        return (self.videos, self.indexes, self.work_root, self.exports, self.logs, self.uploads)

    def preferences(self, user_id: str) -> Path:
        """A person's published preferences (store/users.py)."""
        return self.root / "preferences" / f"{check_user(user_id)}.json"

    # --- one video ---

    def video(self, video_id: str) -> Path:
        return self.videos / check_uuid(video_id)

    def video_json(self, video_id: str) -> Path:
        return self.video(video_id) / "video.json"

    @overload
    def source(self, video_id: str) -> Path: ...

    @overload
    def source(self, video_id: str, *, missing_ok: bool) -> Path | None: ...

    def source(self, video_id: str, *, missing_ok: bool = False) -> Path | None:
        """The video's file, source.<ext>. Where there is none: None if `missing_ok`, else LibraryDamaged."""
        found = sorted(self.video(video_id).glob("source.*"))
        if found:
            return found[0]
        if missing_ok:
            return None
        raise LibraryDamaged(what=f"videos/{video_id}/source", reason="the file is missing")

    def new_source(self, video_id: str, extension: str) -> Path:
        """Where a source with this extension (".mp4") goes."""
        return self.video(video_id) / f"source{_check_extension(extension)}"

    def new_subtitles(self, video_id: str, extension: str) -> Path:
        """Where supplied subtitles with this extension (".srt", ".vtt") go."""
        return self.video(video_id) / f"subtitles{_check_extension(extension)}"

    def preview(self, video_id: str) -> Path:
        return self.video(video_id) / "preview.mp4"

    def subtitles(self, video_id: str) -> Path | None:
        """The supplied subtitles, subtitles.<srt|vtt>, if there are any."""
        found = sorted(self.video(video_id).glob("subtitles.*"))
        return found[0] if found else None

    def generations(self, video_id: str) -> Path:
        return self.video(video_id) / "gen"

    def generation(self, video_id: str, n: int) -> Path:
        return self.generations(video_id) / str(int(n))

    def frames(self, video_id: str, n: int) -> Path:
        return self.generation(video_id, n) / "frames"

    def work(self, video_id: str, set_id: int | None = None) -> Path:
        """Where stages work; with `set_id`, those that make a video's generation for a set that is not active yet."""
        name = check_uuid(video_id)
        return self.work_root / (name if set_id is None else f"{name}-set{int(set_id)}")

    def cancel_marker(self, work_id: str) -> Path:
        """The file whose presence asks the work on a video or an export to stop."""
        return self.work_root / f"{check_uuid(work_id, 'work_id')}.cancel"

    # --- indexes and exports ---

    def vector_index(self, space: Space | str) -> Path:
        return self.indexes / check_space_name(space if isinstance(space, str) else space.name)

    def lexical_of(self, set_id: int) -> Path:
        """The word index of one set of models: what is said depends on the recogniser, tags on the vision model."""
        return self.indexes / ("lexical" if set_id == 1 else f"lexical-{int(set_id)}")

    def export(self, user_id: str, export_id: str) -> Path:
        return self.exports / check_user(user_id) / f"{check_uuid(export_id, 'export_id')}.mp4"

    # --- names from outside ---

    def inside(self, relative: str | Path) -> Path:
        """The file named by a path relative to the library; InvalidValue if it would lie outside of it."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root) or path == self.root:
            raise InvalidValue(name="path", value=str(relative)[:200], reason="it lies outside the library")
        return path

    def relative(self, path: Path) -> str:
        """How the library's records name a file of its own; InvalidValue for any other file."""
        return self.inside(path).relative_to(self.root).as_posix()


def check_file_name(name: str) -> str:
    """A plain file name without any folder, else InvalidValue."""
    if not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
        raise InvalidValue(name="file name", value=name[:200], reason="a plain name is needed")
    return name
