"""A library as the routes of the server use it: settings, an uploads folder, and add_upload."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.settings import Settings
from heimdex_core.types import StageProgress, utc_now


@dataclass
class FakeLibrary:
    """Records its calls; `refuses` is raised by `add_upload`, as the real library does for a bad file.

    `known` are the contents of files that it has already, by their names.
    """

    path: Path
    user_id: str = "local"
    settings: Settings = field(default_factory=lambda: Settings(min_free_bytes=0, max_file_bytes=1000))
    refuses: HeimdexError | None = None
    added: list[dict[str, Any]] = field(default_factory=list)
    known: dict[str, bytes] = field(default_factory=dict)
    storage: Any = None

    @property
    def uploads_folder(self) -> Path:
        return self.path / "uploads"

    def add_upload(self, part: Path, filename: str, **more: Any) -> Any:
        subtitles = more.get("subtitles") or {}
        self.added.append(
            {
                "content": part.read_bytes(),
                "folder": part.parent,
                "filename": filename,
                **more,
                "subtitles": {name: part.read_bytes() for name, part in subtitles.items()},
            }
        )
        if self.refuses is not None:
            raise self.refuses
        part.unlink()
        return video(more.get("title") or filename)

    def may_have_file(self, filename: str, size_bytes: int) -> bool:
        return filename in self.known and len(self.known[filename]) == size_bytes

    def add_known(self, sha256: str) -> Any:
        by_digest = {hashlib.sha256(content).hexdigest(): name for name, content in self.known.items()}
        return video(by_digest[sha256]) if sha256 in by_digest else None

    def left_behind(self) -> list[str]:
        """Names of the files in the uploads folder."""
        folder = self.uploads_folder
        return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def video(title: str) -> Any:
    """A video as the library returns it for a file that has just been added."""
    return SimpleNamespace(video_id="v1", title=title, state="validating", created_at=utc_now())


class Clock:
    """A clock that tests set."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def at_work(progress: StageProgress | None) -> Any:
    """A library in which the work on every video has this progress."""
    return SimpleNamespace(progress=lambda video_id: progress)
