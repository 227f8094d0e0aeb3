"""Subtitle files beside a video, under the names that people and programs give them.

    Talk.srt   Talk.ko.srt   Talk.en-US.vtt   Talk [id].en.vtt   Talk.en.forced.srt   Talk (English).srt   Talk.mp4.srt
    Subs/Talk.srt   Subs/Talk/2_English.srt   and, beside a single video, Subs/English.srt

Names are compared without case and in composed Unicode form.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heimdex_core.media.subtitles.choice import Candidate, choose_subtitles, in_note, note
from heimdex_core.media.subtitles.files import SUFFIXES
from heimdex_core.media.subtitles.languages import language_named

SUBTITLE_FOLDERS = frozenset({"subs", "sub", "subtitles", "subtitle", "자막"})
"""Names of folders beside a video that subtitles lie in, in lower case."""
CHOICE_FILE = "subtitle_choice.json"
"""Beside a video's source in the library: the name of its subtitle file, the language in that name, and notes."""
_VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".ts", ".mts", ".m2ts", ".flv", ".wmv", ".mxf", ".ogv",
    ".mpg", ".mpeg", ".3gp", ".3g2",
})  # fmt: skip

_ROLES = {
    "forced": "forced", "foreign": "forced", "강제": "forced", "signs": "signs", "songs": "signs", "sign": "signs",
    "lyrics": "lyrics", "karaoke": "lyrics", "commentary": "commentary", "comment": "commentary", "해설": "commentary",
    "description": "description", "descriptive": "description",
    "sdh": "hearing_impaired", "cc": "hearing_impaired", "hoh": "hearing_impaired", "captions": "hearing_impaired",
}  # fmt: skip
_FILLING = frozenset({
    "sub", "subs", "subtitle", "subtitles", "full", "dialogue", "dialog", "auto", "asr", "default", "orig", "original",
    "자막", "전체", "synced", "sync", "utf8", "utf-8", "unicode", "ansi", "hi", "and", "&",
})  # fmt: skip
_CHUNKS = re.compile(r"[\s.()\[\]{},+]+")
_PARTS = re.compile(r"[-_]+")
_YT_DLP_FORMAT = re.compile(r"\.f\d{1,4}(?:-\d+)?$")
_CACHED_FOLDERS = 8
# The time of a folder's last change is coarse: a listing made right after it may miss what comes next.
_SETTLED_S = 2.0
_SEPARATORS = " ._-([{"
_VOBSUB = b"\x00\x00\x01\xba"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What was found beside a video. `path` is None where nothing can be used; `notes` say what was chosen and why."""

    path: Path | None
    language: str | None = None
    """ISO 639-1 code from the name."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Folder:
    """The names in a folder that matter, in composed form and without case."""

    subtitles: tuple[tuple[str, str], ...]
    """(name without extension, file name), in order."""
    videos: tuple[str, ...]
    """Names without extension, in order."""
    folders: tuple[tuple[str, str], ...]
    """(name, name as on the disk)."""

    @property
    def is_of_one_video(self) -> bool:
        return not self.videos or self.videos[0] == self.videos[-1]


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    candidate: Candidate


def find_sidecar(video_path: Path, language: str | None = None) -> Sidecar:
    """The subtitle file that belongs to a video.

    Args:
        language: of the speech, an ISO 639-1 code; decides between files in several languages.
    """
    try:
        found = list(_candidates(video_path))
    except OSError:
        return Sidecar(None)
    notes: list[str] = []
    usable = []
    for one in sorted(found, key=_preference):
        if _is_vobsub(one.path):
            notes.append(f"subtitles_pictures:{in_note(one.path.name)}")
        else:
            usable.append(one)
    if not usable:
        if not notes and (other := _with_another_name(video_path)):
            notes.append(f"subtitles_name_differs:{in_note(other)}")
        return Sidecar(None, notes=tuple(notes))
    choice = choose_subtitles([one.candidate for one in usable], language)
    if choice is None:
        notes.append(f"subtitles_partial_only:{in_note(usable[0].path.name)}")
        return Sidecar(None, notes=tuple(notes))
    chosen = usable[choice.index]
    is_expected = chosen.path.parent == video_path.parent and _normal(chosen.path.stem) == _normal(video_path.stem)
    if choice.reason != "only" or not is_expected:
        notes.append(note(choice.reason, chosen.path.name))
    return Sidecar(chosen.path, chosen.candidate.language, tuple(notes))


def choose_file(names: Sequence[str], video_name: str, language: str | None = None) -> tuple[int | None, Sidecar]:
    """Of subtitle files that were uploaded with a video, the one to use.

    Args:
        names: of the files, as people know them; at least one.
        video_name: the file name of the video.
        language: of the speech, an ISO 639-1 code.

    Returns its index, None where no file holds the dialogue, and what is said of it; the Sidecar has no path.
    """
    stem = _normal(Path(video_name).stem)
    order = sorted(range(len(names)), key=lambda n: _order(names[n]))
    candidates = [_uploaded(names[n], stem) for n in order]
    choice = choose_subtitles(candidates, language)
    notes: list[str] = []
    if choice is None:
        notes.append(f"subtitles_partial_only:{in_note(names[order[0]])}")
        return None, Sidecar(None, notes=tuple(notes))
    chosen = order[choice.index]
    if len(names) > 1:
        notes.append(note(choice.reason, names[chosen]))
    return chosen, Sidecar(None, candidates[choice.index].language, tuple(notes))


def language_in_name(name: str, video_name: str) -> str | None:
    """ISO 639-1 code of the language that a subtitle file's name gives, beside that of its video."""
    return _uploaded(name, _normal(Path(video_name).stem)).language


def _uploaded(name: str, stem: str) -> Candidate:
    own = _normal(Path(name).stem)
    last = [""] + [chunk for chunk in _CHUNKS.split(own) if chunk]
    read = _read_name(own.removeprefix(stem)) or _read_name(last[-1]) or Candidate("")
    return replace(read, name=name)


# --- looking --------------------------------------------------------------------------------------


def _candidates(video_path: Path) -> Iterator[_Found]:
    folder = _listing(video_path.parent)
    stems = [_normal(video_path.stem)]
    if _YT_DLP_FORMAT.search(stems[0]):
        stems.append(_YT_DLP_FORMAT.sub("", stems[0]))
    yield from _named_like(stems, folder, video_path.parent, video_path.suffix)
    is_single = folder.is_of_one_video
    for name, actual in folder.folders:
        if name in SUBTITLE_FOLDERS:
            yield from _in_subtitle_folder(
                stems, video_path.parent / actual, folder.videos, is_single, video_path.suffix
            )


def _with_another_name(video_path: Path) -> str | None:
    """A subtitle file that may be meant for the video, but has another name: beside a single video any one."""
    folder = _listing(video_path.parent)
    stem = _normal(video_path.stem)
    for own, name in folder.subtitles:
        is_longer = own.startswith(stem) and own[len(stem) :][:1] in tuple(_SEPARATORS)
        if folder.is_of_one_video or (is_longer and not _belongs_to_another(own, stem, folder.videos)):
            return name
    return None


def _in_subtitle_folder(
    stems: Sequence[str], path: Path, videos: tuple[str, ...], is_single: bool, video_suffix: str
) -> Iterator[_Found]:
    try:
        inside = _listing(path)
    except OSError:
        return
    beside = _Folder(inside.subtitles, videos, ())
    yield from _named_like(stems, beside, path, video_suffix)
    for name, actual in inside.folders:
        if name in stems:
            with contextlib.suppress(OSError):
                yield from _named_by_language(_listing(path / actual).subtitles, path / actual)
    if is_single:
        others = [(stem, name) for stem, name in inside.subtitles if not any(stem.startswith(s) for s in stems)]
        yield from _named_by_language(others, path)


def _named_like(stems: Sequence[str], folder: _Folder, path: Path, video_suffix: str) -> Iterator[_Found]:
    """The files whose name is the video's, followed by nothing but languages, roles and the like."""
    for stem in stems:
        first = bisect_left(folder.subtitles, (stem, ""))
        for own, name in folder.subtitles[first:]:
            if not own.startswith(stem):
                break
            rest = own[len(stem) :]
            if rest and (rest[0] not in _SEPARATORS or _belongs_to_another(own, stem, folder.videos)):
                continue
            if rest.startswith(video_suffix.lower()) and video_suffix:
                rest = rest[len(video_suffix) :]
            candidate = _read_name(rest)
            if candidate is not None:
                yield _Found(path / name, candidate)


def _named_by_language(names: Iterable[tuple[str, str]], path: Path) -> Iterator[_Found]:
    """The files with names such as `English` and `2_eng`."""
    for own, name in names:
        candidate = _read_name(own)
        if candidate is not None and (candidate.language or candidate.role != "full"):
            yield _Found(path / name, candidate)


def _belongs_to_another(name: str, stem: str, videos: Sequence[str]) -> bool:
    """Whether a video with a longer name than `stem` is nearer to a subtitle file."""
    for end in range(len(stem) + 1, len(name) + 1):
        if name[end : end + 1] in ("", *_SEPARATORS):
            at = bisect_left(videos, name[:end])
            if at < len(videos) and videos[at] == name[:end]:
                return True
    return False


def _read_name(rest: str) -> Candidate | None:
    """What the part of a name behind the video's says; None if it says something else."""
    words = [word for chunk in _CHUNKS.split(rest) for word in _words(chunk)]
    language = next((found for word in words if word != "hi" and (found := language_named(word))), None)
    role = next((_ROLES[word] for word in words if word in _ROLES), "full")
    if "hi" in words:
        # "en.hi" is English for the hard of hearing, "hi" alone is Hindi
        role = "hearing_impaired" if language and role == "full" else role
        language = language or "hi"
    numbers = [word for word in words if re.fullmatch(r"\d{1,3}", word)]
    for word in words:
        known = word in _ROLES or word in _FILLING or word in numbers or language_named(word)
        if not known and not (language and len(word) <= 4):
            return None
    if len(numbers) == len(words) and numbers and not re.fullmatch(r"\s*\(\d{1,2}\)", rest):
        return None  # "Film 2.srt" is of another film
    is_original = any(word in ("orig", "original") for word in words)
    return Candidate("", language, role, "default" in words, is_original)


def _words(chunk: str) -> list[str]:
    """The words of `2_english` and `en-forced`; a tag such as `en-us` is one word."""
    words = [word for word in _PARTS.split(chunk.removesuffix("자막")) if word]
    is_tag = len(words) > 1 and not any(w in _ROLES or w in _FILLING for w in words[1:]) and language_named(chunk)
    return [chunk] if is_tag else words


# --- files ----------------------------------------------------------------------------------------


def _preference(found: _Found) -> tuple[bool, int, str]:
    return (_is_empty(found.path), *_order(found.path.name))


def _order(name: str) -> tuple[int, str]:
    suffix = Path(name).suffix.lower()
    return (SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES), _normal(name))


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


def _is_vobsub(path: Path) -> bool:
    """Whether a .sub file holds pictures, as those beside an .idx file do."""
    if path.suffix.lower() != ".sub":
        return False
    try:
        with path.open("rb") as file:
            return file.read(4) == _VOBSUB
    except OSError:
        return False


def _listing(folder: Path) -> _Folder:
    """The names in a folder. Kept while it does not change: a folder of thousands is asked for each of its videos."""
    changed_ns = folder.stat().st_mtime_ns
    if time.time() - changed_ns / 1e9 < _SETTLED_S:
        return _read_listing(folder)
    return _cached_listing(folder, changed_ns)


@functools.lru_cache(maxsize=_CACHED_FOLDERS)
def _cached_listing(folder: Path, changed_ns: int) -> _Folder:
    return _read_listing(folder)


def _read_listing(folder: Path) -> _Folder:
    subtitles, videos, folders = [], [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            suffix = suffix.lower()
            if suffix in SUFFIXES and entry.is_file():
                subtitles.append((_normal(stem), entry.name))
            elif suffix in _VIDEO_SUFFIXES:
                videos.append(_normal(stem))
            elif not entry.name.startswith(".") and entry.is_dir():
                folders.append((_normal(entry.name), entry.name))
    return _Folder(tuple(sorted(subtitles)), tuple(sorted(videos)), tuple(sorted(folders)))


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
