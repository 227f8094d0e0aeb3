"""One look into a folder: the videos in it, and which of them are certainly not complete yet.

Symbolic links are not followed. Hidden files and folders, the recycle bins and thumbnail folders of file managers and
network drives, and the folders of libraries are left out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import signal
import sys
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from heimdex_core.media.subtitles import SUFFIXES
from heimdex_core.media.subtitles.sidecars import SUBTITLE_FOLDERS
from heimdex_core.store.layout import SOURCE_EXTENSIONS

_VIDEOS = SOURCE_EXTENSIONS | {".3gp", ".3g2", ".qt"}
_SEPARATOR = re.compile(r"[\s._\-(\[{]")

TEMPORARY_EXTENSIONS = frozenset({
    ".!qb", ".!ut", ".aria2", ".bc!", ".crdownload", ".download", ".filepart", ".opdownload", ".part", ".partial",
    ".temp", ".tmp", ".ytdl",
})  # fmt: skip
"""Endings that browsers, download managers and copying tools give to unfinished files, and to files beside them."""
_UNFINISHED_NAME = re.compile(r"\.(temp|f\d+(-\d+)?)\.\w+$", re.IGNORECASE)
"""What yt-dlp is still going to merge or rename: "Talk.f137.mp4", "Talk.temp.mp4"."""
_STALE_AFTER_S = 24 * 3600
"""An unfinished download that has not changed for so long is abandoned; the video beside it is not held back."""
_OTHER_FOLDERS = frozenset({"@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"})
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A video file in the folder. `path` is relative, with / between its parts."""

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    subtitles: str
    """A digest of names, sizes and times of the subtitle files that may belong to it; "" without any."""
    is_unfinished: bool
    """Its name, or a file beside it, shows that it is being downloaded or copied."""

    @property
    def key(self) -> str:
        """The path as the catalog can store it; names that are not UTF-8 have backslash escapes."""
        return self.path if self.path.isascii() else os.fsencode(self.path).decode(errors="backslashreplace")


@dataclass
class FolderScan:
    """What one look found."""

    files: list[FoundFile] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """Subfolders that this process may not read."""
    entries: int = 0
    """Files and folders of any kind that were looked at."""
    is_partial: bool = False
    """True if it stopped at the limit of entries."""


def scan_folder(root: Path, *, max_entries: int, excluded: Collection[Path] = ()) -> FolderScan:
    """Look at all files of a folder and its subfolders.

    Args:
        root: the folder.
        max_entries: files and folders to look at; more are left out.
        excluded: subfolders to leave out, without symbolic links.

    Raises OSError if the folder cannot be read, or breaks off as network drives do.
    """
    scan = FolderScan()
    left_out = {os.fspath(path) for path in excluded}
    todo = [""]
    while todo and not scan.is_partial:
        relative = todo.pop()
        try:
            listing = _Listing.read(os.path.join(root, relative), scan, max_entries)
        except OSError as error:
            if not relative or (error.errno not in _GONE and not isinstance(error, PermissionError)):
                raise
            if isinstance(error, PermissionError):
                scan.unreadable.append(relative)
            continue
        if listing.is_library:
            continue
        scan.files += listing.found(os.path.join(root, relative), relative)
        children = (f"{relative}/{name}" if relative else name for name in listing.folders)
        todo += [child for child in children if os.path.join(root, child) not in left_out]
    scan.files.sort(key=lambda file: file.path)
    return scan


def is_library(folder: Path) -> bool:
    """Whether a folder is a library of this software."""
    return (folder / "library.json").is_file() and (folder / "videos").is_dir()


def mount_point(path: Path) -> str:
    """Where the file system that holds `path` is mounted."""
    return next(str(folder) for folder in (path, *path.parents) if os.path.ismount(folder) or folder == folder.parent)


def is_open_for_writing(path: Path) -> bool:
    """Whether another process has the file open for writing, as a recorder that pauses has.

    Only Linux tells, and only of files on local disks that belong to this user; False where that is not known.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Whoever opens the file while the lease is held causes this signal; the default one would end this process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False


# --- one folder -----------------------------------------------------------------------------------


@dataclass
class _Listing:
    """The names in one folder that matter."""

    videos: list[os.DirEntry[str]] = field(default_factory=list)
    subtitles: list[os.DirEntry[str]] = field(default_factory=list)
    temporary: list[os.DirEntry[str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    is_library: bool = False

    @staticmethod
    def read(folder: str, scan: FolderScan, max_entries: int) -> _Listing:
        listing = _Listing()
        marks = set()
        with os.scandir(folder) as entries:
            for entry in entries:
                if scan.entries >= max_entries:
                    scan.is_partial = True
                    break
                scan.entries += 1
                listing._add(entry)
                if entry.name in ("library.json", "videos"):
                    marks.add(entry.name)
        listing.is_library = len(marks) == 2
        return listing

    def _add(self, entry: os.DirEntry[str]) -> None:
        name = entry.name.lower()
        if name.startswith(".") or entry.is_symlink():
            return
        extension = os.path.splitext(name)[1]
        if extension in TEMPORARY_EXTENSIONS:
            # a folder, too: Safari keeps a download in "Talk.mp4.download"
            self.temporary.append(entry)
        elif entry.is_dir(follow_symlinks=False):
            if name not in _OTHER_FOLDERS:
                self.folders.append(entry.name)
        elif extension in _VIDEOS and entry.is_file(follow_symlinks=False):
            self.videos.append(entry)
        elif extension in SUFFIXES:
            self.subtitles.append(entry)

    def found(self, folder: str, relative: str) -> Iterator[FoundFile]:
        """The videos of this folder; those that vanish meanwhile are left out."""
        if not self.videos:
            return
        unfinished = {stem for entry in self.temporary if not _is_stale(entry) for stem in _stems(entry.name)}
        subtitles = self._subtitles_by_stem(folder)
        for entry in self.videos:
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                stem = _stem(entry.name)
                yield FoundFile(
                    path=f"{relative}/{entry.name}" if relative else entry.name,
                    size_bytes=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                    ctime_ns=status.st_ctime_ns,
                    subtitles=_digest(subtitles.get(stem, ())),
                    is_unfinished=stem in unfinished or bool(_UNFINISHED_NAME.search(entry.name)),
                )

    def _subtitles_by_stem(self, folder: str) -> dict[str, list[str]]:
        """What identifies the subtitle files that may belong to a video, by the video's name without extension."""
        stems = {_stem(entry.name) for entry in self.videos}
        only = next(iter(stems)) if len(stems) == 1 else None
        owners = [(entry, _owner(entry.name, stems)) for entry in self.subtitles]
        for name in self.folders:
            if _composed(name).lower() in SUBTITLE_FOLDERS:
                below = _subtitle_folder(os.path.join(folder, name))
                owners += [(entry, inner or _owner(entry.name, stems) or only) for entry, inner in below]
        found: dict[str, list[str]] = {}
        for entry, stem in owners:
            with suppress(OSError):
                if stem is not None:
                    status = entry.stat(follow_symlinks=False)
                    found.setdefault(stem, []).append(f"{entry.path}\0{status.st_size}\0{status.st_mtime_ns}")
        return found


def _subtitle_folder(folder: str, stem: str | None = None) -> Iterator[tuple[os.DirEntry[str], str | None]]:
    """The files of Subs/, and of Subs/<name of the video>/ with that name."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(SUFFIXES) and entry.is_file(follow_symlinks=False):
                yield entry, stem
            elif stem is None and entry.is_dir(follow_symlinks=False):
                yield from _subtitle_folder(entry.path, _composed(entry.name).lower())


def _owner(name: str, stems: Collection[str]) -> str | None:
    """The longest of the videos' names that a subtitle file's name begins with: "Talk.ko.srt" belongs to "talk"."""
    own = _stem(name)
    ends = [len(own), *(found.start() for found in _SEPARATOR.finditer(own))]
    return next((own[:end] for end in sorted(ends, reverse=True) if own[:end] in stems), None)


def _stem(name: str) -> str:
    return _composed(os.path.splitext(name)[0]).lower()


def _composed(name: str) -> str:
    # macOS writes names in decomposed form, other systems do not
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _stems(name: str) -> Iterator[str]:
    """The names that the video may have that an unfinished file is a part of: "a.mp4.part" gives "a.mp4" and "a"."""
    stem = name
    while (shorter := os.path.splitext(stem)[0]) != stem:
        stem = shorter
        yield _composed(stem).lower()


def _is_stale(entry: os.DirEntry[str]) -> bool:
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE_AFTER_S
    except OSError:
        return True


def _digest(parts: Iterable[str]) -> str:
    content = "\n".join(sorted(parts))
    return hashlib.blake2b(os.fsencode(content), digest_size=8).hexdigest() if content else ""
