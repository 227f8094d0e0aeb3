"""A library as the routes of the server use it: settings, an uploads folder, and add_upload."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from heimdex_core.errors import HeimdexError
from heimdex_core.settings import Settings
from heimdex_core.types import StageProgress


@dataclass
class FakeLibrary:
    """Records its calls; `refuses` is raised by `add_upload`, as the real library does for a bad file."""

    path: Path
    user_id: str = "local"
    settings: Settings = field(default_factory=lambda: Settings(min_free_bytes=0, max_file_bytes=1000))
    refuses: HeimdexError | None = None
    added: list[dict[str, Any]] = field(default_factory=list)

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
        return SimpleNamespace(video_id="v1", title=more.get("title") or filename, state="validating")

    def left_behind(self) -> list[str]:
        """Names of the files in the uploads folder."""
        folder = self.uploads_folder
        return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


class Clock:
    """A clock that tests set."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def at_work(progress: StageProgress | None) -> Any:
    """A library in which the work on every video has this progress."""
    return SimpleNamespace(progress=lambda video_id: progress)
