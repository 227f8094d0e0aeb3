"""The paths of a library in object storage: what readers ask for is fetched before its path is returned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heimdex_core.store.layout import LibraryPaths, check_file_name
from heimdex_core.store.mirror_tree import generations_of, in_scope

if TYPE_CHECKING:
    from heimdex_core.store.mirror_fetch import Fetches


class MirroredPaths(LibraryPaths):
    """The paths of a working folder. `fetches` is set before anything is read.

    Methods of files that may have to be fetched raise the errors of the object storage, and DiskFull.
    """

    fetches: Fetches

    def source(self, video_id: str, *, missing_ok: bool = False) -> Path | None:  # type: ignore[override]
        """As LibraryPaths.source."""
        if super().source(video_id, missing_ok=True) is None:
            self.fetches.ensure_any(f"videos/{video_id}/", "source.")
        found = super().source(video_id, missing_ok=missing_ok)
        return found if found is None else self.fetched(found)

    def subtitles(self, video_id: str) -> Path | None:
        """As LibraryPaths.subtitles."""
        if super().subtitles(video_id) is None:
            self.fetches.ensure_any(f"videos/{video_id}/", "subtitle")  # what is known about them, too
        return super().subtitles(video_id)

    def preview(self, video_id: str) -> Path:
        """As LibraryPaths.preview."""
        return self.fetched(super().preview(video_id))

    def generation_numbers(self, video_id: str) -> list[int]:
        """As LibraryPaths.generation_numbers, with those that are not here."""
        named = in_scope(self.fetches.read, generations_of(video_id))
        stored = {int(path.rpartition("/")[2]) for path, found in named.items() if found is not None}
        return sorted(stored.union(super().generation_numbers(video_id)))

    def generation(self, video_id: str, n: int) -> Path:
        """As LibraryPaths.generation."""
        return self.fetched(self.new_generation(video_id, n))

    def whole_generation(self, video_id: str, n: int) -> Path:
        """As LibraryPaths.whole_generation."""
        path = self.generation(video_id, n)
        self.fetches.ensure_frames(path)
        return path

    def frame(self, video_id: str, n: int, name: str) -> Path:
        """As LibraryPaths.frame."""
        return self.fetches.frame(self.new_generation(video_id, n), check_file_name(name))

    def playable(self, video_id: str, *, has_preview: bool) -> Path | None:
        """As LibraryPaths.playable."""
        if has_preview:
            return super().preview(video_id)
        if (found := super().source(video_id, missing_ok=True)) is not None:
            return found
        scope = f"videos/{video_id}/"
        named = [path for path, stored in in_scope(self.fetches.read, scope).items() if stored is not None]
        return next((self.root / path for path in named if path.startswith(f"{scope}source.")), None)

    def is_kept(self, path: Path) -> bool:
        """As LibraryPaths.is_kept."""
        relative = self.relative(path)
        return path.is_file() or in_scope(self.fetches.read, relative).get(relative) is not None

    def fetched(self, path: Path) -> Path:
        """As LibraryPaths.fetched."""
        self.fetches.ensure(path)
        return path
