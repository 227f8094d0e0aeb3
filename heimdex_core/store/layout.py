"""The paths in a library folder. Every name that comes from outside is checked here."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import Path
from typing import overload

from heimdex_core.errors import InvalidValue, LibraryDamaged, LibraryNotFound, VideoNotFound
from heimdex_core.types import Space

_SAFE_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,120}")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}")
SOURCE_EXTENSIONS = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"})
"""The extensions that the files of videos are kept under."""
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in lower case with hyphens, as the names of videos' folders are."""
    try:
        return str(uuid.UUID(text)) == text
    except (ValueError, AttributeError, TypeError):
        return False


def check_uuid(value: str, name: str = "video_id") -> str:
    """Return `value` if it is a UUID in lower case with hyphens.

    `name` is for the message. Raises VideoNotFound if that is "video_id", otherwise InvalidValue.
    """
    if is_uuid(value):
        return value
    if name == "video_id":
        raise VideoNotFound(video_id=str(value)[:80])
    raise InvalidValue(name=name, value=str(value)[:80], reason="a UUID is needed")


def is_user_id(text: str) -> bool:
    """Whether `text` may be a user_id, which is also a folder name."""
    return _USER.fullmatch(text) is not None


def check_user(user_id: str) -> str:
    """Return `user_id` if it may be a folder name. Raises InvalidValue."""
    if not is_user_id(user_id):
        raise InvalidValue(name="user_id", value=user_id[:80], reason="only letters, digits and ._@+- are allowed")
    return user_id


def upload_prefix(user_id: str) -> str:
    """What the names of a user's unfinished uploads begin with: 16 hexadecimal digits."""
    return hashlib.sha256(user_id.encode(errors="surrogatepass")).hexdigest()[:16]


def check_space_name(name: str) -> str:
    """Return `name` if it is '<kind>/<model>' and both parts may be folder names. Raises InvalidValue."""
    parts = name.split("/")
    if len(parts) != 2 or not all(_SAFE_PART.fullmatch(part) for part in parts):
        raise InvalidValue(name="space", value=name[:80], reason="'<kind>/<model>' is needed")
    return name


def _check_extension(extension: str) -> str:
    if not _EXTENSION.fullmatch(extension):
        raise InvalidValue(name="extension", value=extension[:40], reason="a dot and letters or digits are needed")
    return extension.lower()


def source_files(folder: Path) -> list[Path]:
    """What lies in a video's folder as its file, by name: one, or several where it is damaged.

    Other files whose names begin with "source." are not the library's.
    """
    names = {f"source{extension}" for extension in SOURCE_EXTENSIONS}
    return sorted(file for file in folder.glob("source.*") if file.name in names)


class LibraryPaths:
    """The paths of one library. Nothing is created; only `source` and `subtitles` look at the disk.

    Those that readers ask for fetch the file first in a library in object storage (mirror_paths.py).
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        self.manifest = self.root / "library.json"
        self.catalog = self.root / "catalog.duckdb"
        self.catalog_lock = self.root / "catalog.lock"
        self.index_lock = self.root / "index.lock"
        self.jobs = self.root / "jobs.sqlite"
        """The database of durable jobs (DBOS)."""
        self.visible = self.root / "visible.parquet"
        self.accounts = self.root / "accounts.json"
        """Published users and tokens (store/accounts.py)."""
        self.shares = self.root / "shares.json"
        """Published shares and collections (store/shares.py)."""
        self.videos = self.root / "videos"
        self.indexes = self.root / "index"
        self.scene_index = self.indexes / "scenes"
        self.lance_index = self.indexes / "lance"
        self.work_root = self.root / "work"
        self.uploads = self.root / "uploads"
        """Unfinished uploads under temporary names, on the library's disk so that a rename moves them into place."""
        self.exports = self.root / "exports"
        self.logs = self.root / "logs"
        self.searches = self.logs / "searches.jsonl"
        """The query log, one JSON object a line."""
        self.cache = self.root / "cache"
        """What can be made again at any time: the sprites of scenes (library/sprites.py)."""
        self.preferences_root = self.root / "preferences"
        """The folder of all users' published preferences (store/users.py)."""
        self.evaluation_root = self.root / "evaluation"
        """The folder of all users' runs and sweeps (store/runs.py)."""
        self.trays_root = self.root / "trays"
        """The folder of the published revisions of all users' trays (store/trays.py)."""
        self.people_root = self.root / "people"
        """The folder of all users' published people, and of the vectors of their photos (store/people.py)."""

    def require(self) -> None:
        """Raise LibraryNotFound if the library has been moved or removed since it was opened."""
        if not self.manifest.is_file():
            raise LibraryNotFound(path=str(self.root))

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of a new library."""
        return (
            self.videos,
            self.indexes,
            self.work_root,
            self.exports,
            self.logs,
            self.uploads,
            self.preferences_root,
            self.trays_root,
            self.people_root,
            self.evaluation_root,
            self.cache,
        )

    def preferences(self, user_id: str) -> Path:
        """A user's published preferences. Raises InvalidValue for a user_id that is not a folder name."""
        return self.preferences_root / f"{check_user(user_id)}.json"

    def tray(self, user_id: str) -> Path:
        """The published revision of a user's tray. Raises InvalidValue for a user_id that is not a folder name."""
        return self.trays_root / f"{check_user(user_id)}.json"

    def people(self, user_id: str) -> Path:
        """The published people of a user. Raises InvalidValue for a user_id that is not a folder name."""
        return self.people_root / f"{check_user(user_id)}.json"

    def runs(self, user_id: str) -> Path:
        """The folder of a user's runs. Raises InvalidValue for a user_id that is not a folder name."""
        return self.evaluation_root / check_user(user_id) / "runs"

    def sweeps(self, user_id: str) -> Path:
        """The folder of a user's sweeps. Raises InvalidValue for a user_id that is not a folder name."""
        return self.evaluation_root / check_user(user_id) / "sweeps"

    # --- one video ---

    def video(self, video_id: str) -> Path:
        """The folder of a video. Raises VideoNotFound for a malformed video_id, as all methods that take one do."""
        return self.videos / check_uuid(video_id)

    def video_json(self, video_id: str) -> Path:
        """The file that describes a video (store/adopt.py)."""
        return self.video(video_id) / "video.json"

    @overload
    def source(self, video_id: str) -> Path: ...

    @overload
    def source(self, video_id: str, *, missing_ok: bool) -> Path | None: ...

    def source(self, video_id: str, *, missing_ok: bool = False) -> Path | None:
        """The video's file, source.<ext>. If there is none: None with `missing_ok`, otherwise LibraryDamaged."""
        found = source_files(self.video(video_id))
        if found:
            return found[0]
        if missing_ok:
            return None
        raise LibraryDamaged(what=f"videos/{video_id}/source", reason="the file is missing")

    def new_source(self, video_id: str, extension: str) -> Path:
        """The path for a source with this extension (".mp4"). Raises InvalidValue for a malformed extension."""
        return self.video(video_id) / f"source{_check_extension(extension)}"

    def new_subtitles(self, video_id: str, extension: str) -> Path:
        """The path for supplied subtitles with this extension (".srt", ".smi"). Raises InvalidValue."""
        return self.video(video_id) / f"subtitles{_check_extension(extension)}"

    def preview(self, video_id: str) -> Path:
        """The copy that browsers can play, for a source that they cannot."""
        return self.video(video_id) / "preview.mp4"

    def subtitles(self, video_id: str) -> Path | None:
        """The supplied subtitles, subtitles.<extension>, if there are any."""
        found = sorted(self.video(video_id).glob("subtitles.*"))
        return found[0] if found else None

    def generations(self, video_id: str) -> Path:
        """The folder of a video's generations."""
        return self.video(video_id) / "gen"

    def generation_numbers(self, video_id: str) -> list[int]:
        """The numbers of the complete generations of a video, ascending."""
        folder = self.generations(video_id)
        if not folder.is_dir():
            return []
        return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())

    def new_generation(self, video_id: str, n: int) -> Path:
        """The path for the folder of generation `n`, to write or to remove it."""
        return self.generations(video_id) / str(int(n))

    def generation(self, video_id: str, n: int) -> Path:
        """The folder of generation `n`; in object storage perhaps without its frames."""
        return self.new_generation(video_id, n)

    def whole_generation(self, video_id: str, n: int) -> Path:
        """The folder of generation `n` with its frames."""
        return self.generation(video_id, n)

    def frame(self, video_id: str, n: int, name: str) -> Path:
        """A keyframe or thumbnail of a generation. Raises InvalidValue for a name with a folder."""
        return self.new_generation(video_id, n) / "frames" / check_file_name(name)

    @property
    def sprites_root(self) -> Path:
        """The folder of the sprites of all videos."""
        return self.cache / "sprites"

    def sprites(self, video_id: str, n: int) -> Path:
        """The folder of the sprites of the scenes of generation `n`."""
        return self.sprites_root / check_uuid(video_id) / str(int(n))

    def work(self, video_id: str, set_id: int | None = None) -> Path:
        """The work folder of a video's stages; with `set_id`, of those that work for a set that is not active yet."""
        name = check_uuid(video_id)
        return self.work_root / (name if set_id is None else f"{name}-set{int(set_id)}")

    def cancel_marker(self, work_id: str) -> Path:
        """The file whose presence asks the work on a video or an export to stop."""
        return self.work_root / f"{check_uuid(work_id, 'work_id')}.cancel"

    # --- indexes and exports ---

    def vector_index(self, space: Space | str) -> Path:
        """The folder of the vector index of a space or of its name. Raises InvalidValue for a malformed name."""
        return self.indexes / check_space_name(space if isinstance(space, str) else space.name)

    def lexical_of(self, set_id: int) -> Path:
        """The lexical index of a model set: transcripts depend on the speech model, tags on the vision model."""
        return self.indexes / ("lexical" if set_id == 1 else f"lexical-{int(set_id)}")

    def export(self, user_id: str, export_id: str) -> Path:
        """The file of a rendered export. Raises InvalidValue for malformed ids."""
        return self.exports / check_user(user_id) / f"{check_uuid(export_id, 'export_id')}.mp4"

    def playable(self, video_id: str, *, has_preview: bool) -> Path | None:
        """The file of a video that browsers play; in object storage it need not be here. None if there is none."""
        return self.preview(video_id) if has_preview else self.source(video_id, missing_ok=True)

    def fetched(self, path: Path) -> Path:
        """A file of the library for reading."""
        return path

    def is_kept(self, path: Path) -> bool:
        """Whether the library has a file, here or in object storage."""
        return path.is_file()

    # --- names from outside ---

    def inside(self, relative: str | Path) -> Path:
        """The file that a path relative to the library names. Raises InvalidValue if it lies outside the library."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root) or path == self.root:
            raise InvalidValue(name="path", value=str(relative)[:200], reason="it lies outside the library")
        return path

    def relative(self, path: Path) -> str:
        """The path of one of the library's files as records name it. Raises InvalidValue for any other file."""
        return self.inside(path).relative_to(self.root).as_posix()


def check_file_name(name: str) -> str:
    """Return `name` if it is a file name without a folder. Raises InvalidValue."""
    if not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
        raise InvalidValue(name="file name", value=name[:200], reason="a file name without a folder is needed")
    return name
