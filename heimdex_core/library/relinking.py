"""Finding the file of a video again by its content, when it is missing or has changed.

A library has its own copy of every file, so what is found is copied into it (or moved, where it lies beside its old
place), and nothing is indexed again: scenes and transcript belong to the same bytes as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from heimdex_core.errors import FileUnreadable, RelinkRefused, printable
from heimdex_core.files import make_folder, require_free_space, sha256_of
from heimdex_core.library import importing
from heimdex_core.library.context import LibraryContext
from heimdex_core.library.folder_scan import is_library, scan_folder
from heimdex_core.types import RelinkedVideo, RelinkReport, RelinkState, Video, VideoState


class Relinking:
    """The files of one person's videos. Safe to share between threads."""

    def __init__(self, context: LibraryContext) -> None:
        self._context = context
        self._store = context.store

    def lost(self) -> list[Video]:
        """The videos whose file is missing, changed or cannot be read, newest first."""
        videos = self._store.videos(self._context.user_id)
        return [video for video in videos if video.state is not VideoState.UPLOADING and not self._is_intact(video)]

    def relink_to(self, video: Video, path: Path, below: Sequence[Path] | None) -> RelinkReport:
        """Take the video's file from `path`, or look in it where it is a folder.

        Raises RelinkRefused, FileUnreadable, DiskFull.
        """
        file = _resolved(path, "file_not_there", below)
        if file.is_dir():
            return self.relink_in([video], file, below)
        if not file.is_file():
            raise RelinkRefused(path=printable(str(path)), problem="file_not_there")
        if self._is_intact(video):
            return RelinkReport((_result(video),))
        try:
            fits = _may_be(video, file.stat().st_size) and sha256_of(file) == video.sha256
        except OSError as error:
            raise FileUnreadable(filename=printable(str(path)), reason=error.strerror or str(error)) from error
        if not fits or not self._put_back(video, file):
            raise RelinkRefused(path=printable(str(path)), problem="file_other_content", title=video.title)
        return RelinkReport((_result(video, file),))

    def relink_in(self, videos: Sequence[Video], folder: Path | None, below: Sequence[Path] | None) -> RelinkReport:
        """Look for the files of videos where they were, and in `folder` or, without one, in the watched folders.

        Raises RelinkRefused, DiskFull.
        """
        roots = self._watched() if folder is None else [_checked(folder, below)]
        results: list[RelinkedVideo] = []
        candidates = _Candidates()
        lost = [video for video in videos if not self._is_intact(video)]
        if lost:
            for root in roots:
                self._search(root, candidates, is_required=folder is not None)
        for video in videos:
            results.append(self._find(video, candidates) if video in lost else _result(video))
        searched = tuple(printable(str(root)) for root in roots) if lost else ()
        return RelinkReport(tuple(results), searched, tuple(candidates.unreadable))

    # --- parts ------------------------------------------------------------------------------------

    def _is_intact(self, video: Video) -> bool:
        return importing.intact_source(self._store, video) is not None

    def _find(self, video: Video, candidates: _Candidates) -> RelinkedVideo:
        if video.info is None:  # its size is not known, and everything would have to be read
            return _result(video, state="not_found")
        for path in [*self._beside(video), *candidates.of(video)]:
            if candidates.has_content(path, video.sha256) and self._put_back(video, path):
                return _result(video, path)
        return _result(video, state="not_found")

    def _beside(self, video: Video) -> Iterator[Path]:
        """Files of the right size where the file was: in the video's folder and, not deeper, in those above it."""
        for folder in self._own_folders(video):
            with suppress(OSError):
                for path in sorted(folder.iterdir()):
                    if path.is_file() and not path.is_symlink() and _may_be(video, path.stat().st_size):
                        yield path

    def _own_folders(self, video: Video) -> tuple[Path, ...]:
        paths = self._store.paths
        return paths.video(video.video_id), paths.videos, paths.root

    def _put_back(self, video: Video, path: Path) -> bool:
        """Put a file in the place of the video's one; False if its content changes meanwhile."""
        paths, info = self._store.paths, video.info
        extension = importing.source_extension(video.filename, info.container if info else "")
        if path.parent in self._own_folders(video):
            importing.place_source(self._store, video, path, extension)
            self._store.share_files(video.video_id)
            return True
        uploads = make_folder(paths.uploads)
        needed, kept = path.stat().st_size, self._context.settings.min_free_bytes
        require_free_space(uploads, needed, keep_free_bytes=kept, what=video.filename)
        copy, sha256 = importing.copy_and_hash(path, uploads, what=video.filename)
        try:
            if sha256 != video.sha256:
                return False
            importing.place_source(self._store, video, copy, extension)
            self._store.share_files(video.video_id)
        finally:
            copy.unlink(missing_ok=True)
        return True

    def _watched(self) -> list[Path]:
        return [Path(folder.path) for folder in self._store.watched.folders(self._context.user_id)]

    def _search(self, root: Path, candidates: _Candidates, *, is_required: bool) -> None:
        try:
            scan = scan_folder(root, max_entries=self._context.settings.watch_max_entries)
        except OSError as error:
            if is_required:
                raise RelinkRefused(path=printable(str(root)), problem="folder_unreadable") from error
            candidates.unreadable.append(printable(str(root)))
            return
        for file in scan.files:
            candidates.by_size.setdefault(file.size_bytes, []).append(root / file.path)
        candidates.unreadable += [printable(str(root / name)) for name in scan.unreadable]
        if scan.is_partial:
            candidates.unreadable.append(printable(str(root)))


@dataclass
class _Candidates:
    """The files that were found, by their size. Only those of the size of a video's file are read."""

    by_size: dict[int, list[Path]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    _contents: dict[Path, str] = field(default_factory=dict)

    def of(self, video: Video) -> list[Path]:
        """Those of the size of the video's file, the ones of the same name first."""
        found = self.by_size.get(video.info.size_bytes, []) if video.info is not None else []
        return sorted(found, key=lambda path: path.name != video.filename)

    def has_content(self, path: Path, sha256: str) -> bool:
        """Whether a file has these bytes; one that cannot be read has not, and is noted."""
        if path not in self._contents:
            try:
                self._contents[path] = sha256_of(path)
            except OSError:
                self._contents[path] = ""
                self.unreadable.append(printable(str(path)))
        return self._contents[path] == sha256


def _checked(path: Path, below: Sequence[Path] | None) -> Path:
    folder = _resolved(path, "folder_not_there", below)
    problem = "folder_in_library" if is_library(folder) else None if folder.is_dir() else "folder_is_file"
    if problem is not None:
        raise RelinkRefused(path=printable(str(path)), problem=problem)
    return folder


def _resolved(path: Path, not_there: str, below: Sequence[Path] | None) -> Path:
    """What a path leads to, links followed. Raises RelinkRefused.

    With `below`, it has to lie in one of these folders and in no library; of other places nothing is told, not even
    whether they exist.
    """
    try:
        found = path.resolve()
        if below is not None and not any(found.is_relative_to(root) for root in below):
            raise RelinkRefused(path=printable(str(path)), problem="path_outside_roots")
        found = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a null character
        raise RelinkRefused(path=printable(str(path)), problem=not_there) from error
    if below is not None and any(is_library(parent) for parent in (found, *found.parents)):
        raise RelinkRefused(path=printable(str(path)), problem="folder_in_library")
    return found


def _may_be(video: Video, size_bytes: int) -> bool:
    return video.info is None or video.info.size_bytes == size_bytes


def _result(video: Video, found: Path | None = None, *, state: RelinkState | None = None) -> RelinkedVideo:
    path = printable(str(found)) if found is not None else None
    return RelinkedVideo(video.video_id, video.title, video.filename, state or ("found" if path else "present"), path)
