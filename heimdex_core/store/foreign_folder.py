"""Checking a video's folder that comes from another library, before anything of it is copied.

Nothing in it is trusted: neither names, times, types and lengths in its files, nor what kind of files they are. Only
the files that a library writes are looked at and taken; whatever else lies in the folder stays there.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from heimdex_core.errors import EditsDamaged, FileTooLarge, HeimdexError, InvalidFolder, SpaceMismatch
from heimdex_core.files import sha256_of
from heimdex_core.store import commit, edits, sidecar
from heimdex_core.store.damage import named_pictures, picture_faults
from heimdex_core.store.parquet import check_size
from heimdex_core.store.video_json import VideoDocument, read_video_json
from heimdex_core.types import Json, Space

MAX_SMALL_BYTES = 64 * 1024 * 1024
"""Of a subtitle file, a picture or a stage's record."""
MAX_NORM = 1.01
"""Vectors are unit vectors, rounded to float16; a longer one would come before all others in every search."""
AFTER_THE_END_S = 5.0
"""How much later than the measured duration a scene may end: containers and streams disagree a little."""

_RECORD = re.compile(r"[a-z0-9_.-]{1,80}\.json")
_EXTENSION = re.compile(r"(source|subtitles)\.[A-Za-z0-9]{1,10}")


@dataclass(frozen=True)
class AdoptableFolder:
    """A folder that was checked and can be adopted."""

    folder: Path
    about: VideoDocument
    """Its video.json."""
    source: Path
    generation: Path
    """The folder of the generation that fits the library's models, gen/<n>."""
    files: tuple[Path, ...]
    """What is copied, relative to the folder, without video.json."""


def examine(folder: Path, spaces: Mapping[str, Space], *, max_file_bytes: int | None = None) -> AdoptableFolder:
    """Check a folder completely, the bytes of its source too, without changing anything.

    Args:
        folder: a video's folder of another library.
        spaces: the spaces of the active set, by role; one of the folder's generations must fit them.
        max_file_bytes: the limit of the video file, None for none.

    Raises InvalidFolder, which says what is wrong and where, SpaceMismatch, FileTooLarge.
    """
    try:
        folder = folder.resolve(strict=True)
        if not folder.is_dir():
            raise ValueError("it is not a folder")
        _require_plain(folder / "video.json")
        about = read_video_json(folder)
        source = _source(folder, about, max_file_bytes)
        generation = _choose_generation(folder, about, spaces)
        files = (*_beside(folder, max_file_bytes), *_of_generation(folder, generation, spaces.values()))
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InvalidFolder(path=str(folder)[:300], reason=reason[:300]) from error
    return AdoptableFolder(folder, about, source, generation, (source.relative_to(folder), *files))


def _require_plain(path: Path, max_bytes: int | None = MAX_SMALL_BYTES) -> int:
    """The size of a file that is no link, device or pipe, and not too large. Raises ValueError, OSError."""
    status = path.lstat()
    name = "/".join(path.parts[-2:])
    if not stat.S_ISREG(status.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no ordinary file"
        raise ValueError(f"{name} is {kind}")
    if max_bytes is not None and status.st_size > max_bytes:
        raise ValueError(f"{name} has {status.st_size} bytes, more than {max_bytes}")
    return status.st_size


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name; nothing if there is no such folder. Raises ValueError for symbolic links."""
    if not os.path.lexists(folder):
        return []
    if folder.is_symlink() or not folder.is_dir():
        raise ValueError(f"{folder.name} is not an ordinary folder")
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_symlink():
            raise ValueError(f"{folder.name}/{ascii(entry.name)[1:-1]} is a symbolic link")
    return found


# --- the files beside the generations -------------------------------------------------------------


def _source(folder: Path, about: VideoDocument, max_file_bytes: int | None) -> Path:
    found = [entry.name for entry in _entries(folder) if entry.name.startswith("source.")]
    if len(found) != 1 or not _EXTENSION.fullmatch(found[0]):
        raise ValueError(f"it has {len(found)} files source.<ext>, not one")
    source = folder / found[0]
    size = _require_plain(source, None)
    if max_file_bytes is not None and size > max_file_bytes:
        raise FileTooLarge(filename=about.filename, size_bytes=size, limit_bytes=max_file_bytes)
    if sha256_of(source) != about.sha256:
        raise ValueError("the SHA-256 of its source is not the one in video.json")
    return source


def _beside(folder: Path, max_file_bytes: int | None) -> Iterator[Path]:
    subtitles = [e.name for e in _entries(folder) if e.name.startswith("subtitles.") and _EXTENSION.fullmatch(e.name)]
    for name in subtitles[:1]:
        _require_plain(folder / name)
        yield Path(name)
    choice = folder / "subtitle_choice.json"
    if os.path.lexists(choice):
        _require_plain(choice)
        if _is_plain_choice(choice):
            yield Path(choice.name)
    journal = folder / edits.FILE
    if os.path.lexists(journal):
        _require_plain(journal, edits.MAX_BYTES)
        try:
            edits.read_journal(folder)
        except EditsDamaged as error:  # without it the edits would be lost when the video is indexed again
            raise ValueError(f"{edits.FILE}: {error.details['reason']}") from error
        yield Path(journal.name)
    preview = folder / "preview.mp4"
    if os.path.lexists(preview):
        _require_plain(preview, max_file_bytes)
        yield Path(preview.name)


def _is_plain_choice(path: Path) -> bool:
    """Whether subtitle_choice.json has the shape that it is written in; it only explains, so another one is left."""
    try:
        found = json.loads(path.read_bytes())
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or set(found) - {"filename", "language", "notes"}:
        return False
    texts = [found.get("filename", ""), found.get("language") or "", *(found.get("notes") or ())]
    return all(isinstance(text, str) and len(text) <= 255 for text in texts)


# --- generations ----------------------------------------------------------------------------------


def _choose_generation(folder: Path, about: VideoDocument, spaces: Mapping[str, Space]) -> Path:
    """The generation that video.json names if it fits the spaces, otherwise the newest one that does."""
    complete = [
        Path(entry.path)
        for entry in _entries(folder / "gen")
        if re.fullmatch(r"[1-9]\d{0,8}", entry.name) and os.path.lexists(os.path.join(entry.path, "scenes.parquet"))
    ]
    first_error: HeimdexError | None = None
    for candidate in sorted(complete, key=lambda p: (p.name != str(about.generation), -int(p.name))):
        try:
            _check_generation(candidate, about, spaces)
            return candidate
        except (SpaceMismatch, InvalidFolder) as error:
            first_error = first_error or error
    raise first_error or InvalidFolder(path=str(folder), reason="it has no complete generation")


def _check_generation(folder: Path, about: VideoDocument, spaces: Mapping[str, Space]) -> None:
    where = f"gen/{folder.name}"
    try:
        for name, limit in (("scenes.parquet", sidecar.MAX_SCENES), ("words.parquet", sidecar.MAX_WORDS)):
            where = f"gen/{folder.name}/{name}"
            _require_plain(folder / name, None)
            check_size(folder / name, limit)
        where = f"gen/{folder.name}"
        for space in spaces.values():
            path = sidecar.vectors_path(folder, space.name)
            others = sorted(Path(e.name).stem for e in _entries(folder / "vectors" / space.kind))
            if not os.path.lexists(path):
                found = ", ".join(others)[:200] or "no vectors"
                raise SpaceMismatch(space=space.name, expected=space.model, found=found)
            _require_plain(path, None)
            check_size(path, sidecar.MAX_VECTORS)
        _check_rows(folder, about, spaces.values())
        commit.check_generation(about.video_id, spaces, folder)
    except (InvalidFolder, SpaceMismatch):
        raise
    except (HeimdexError, OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise InvalidFolder(path=str(folder), reason=f"{where}: {error}"[:300]) from error


def _check_rows(folder: Path, about: VideoDocument, spaces: Collection[Space]) -> None:
    """Refuse what readers would leave out, and what is in order by itself but not with the rest. Raises ValueError."""
    scenes, problems = sidecar.check_scenes(folder)
    _, word_problems = sidecar.check_words(folder)
    faults = [f"scenes.parquet: {text}" for text in problems] + [f"words.parquet: {text}" for text in word_problems]
    sidecar.read_words(folder)  # its description of the transcript
    starts, ends = (scenes.column(name).to_numpy() for name in ("start_s", "end_s"))
    if (np.diff(starts) <= 0).any() or (starts[1:] < ends[:-1] - 0.002).any():
        faults.append("scenes.parquet: the scenes are not in order, or overlap")
    if about.info is not None and scenes.num_rows and ends.max() > about.info.duration_s + AFTER_THE_END_S:
        faults.append("scenes.parquet: there are scenes after the end of the video")
    for space in spaces:
        rows, vector_problems = sidecar.check_vectors(folder, space)
        faults += [f"{space.name}: {text}" for text in vector_problems]
        if len(rows.vectors) and np.linalg.norm(rows.vectors, axis=1).max() > MAX_NORM:
            faults.append(f"{space.name}: there are vectors longer than 1")
    faults += list(picture_faults(folder / "frames", named_pictures(scenes)))
    if faults:
        raise ValueError("; ".join(faults[:5]))


def _of_generation(folder: Path, generation: Path, spaces: Collection[Space]) -> Iterator[Path]:
    """The files of a generation that are taken: nothing but what scenes, spaces and stages name."""
    within = generation.relative_to(folder)
    yield within / "scenes.parquet"
    yield within / "words.parquet"
    for space in dict.fromkeys(spaces):
        yield sidecar.vectors_path(within, space.name)
    for links_refused in (generation, generation / "frames", generation / "vectors"):
        _entries(links_refused)
    for name in named_pictures(sidecar.check_scenes(generation)[0]):
        _require_plain(generation / "frames" / name)
        yield within / "frames" / name
    provenance = generation / "provenance.json"
    if os.path.lexists(provenance) and _require_plain(provenance) and _is_record(provenance, {}):
        yield within / provenance.name
    for entry in _entries(generation / "stages"):
        path = Path(entry.path)
        if _RECORD.fullmatch(entry.name) and _require_plain(path) and _is_record(path, {"files": dict}):
            yield path.relative_to(folder)


def _is_record(path: Path, needed: Mapping[str, type]) -> bool:
    """Whether a record is a JSON object of plain values, none of which names a file outside of its folder.

    Others are left out: what they would save is worked out again.
    """
    try:
        found = json.loads(path.read_bytes(), parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
        is_plain = all(_is_plain(value) for value in _values(found))
    except (ValueError, RecursionError):
        return False
    return is_plain and isinstance(found, dict) and all(isinstance(found.get(n), kind) for n, kind in needed.items())


def _values(value: Any) -> Iterator[Any]:
    """Everything in a JSON value that is not a list or an object; the keys of objects, too."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    else:
        yield value


def _is_plain(value: Any) -> bool:
    """Whether a value is no path that leaves its folder, and no number beyond all measure."""
    if isinstance(value, str):
        return not value.startswith(("/", "\\")) and ".." not in re.split(r"[/\\]", value) and "\0" not in value
    return not isinstance(value, int | float) or abs(value) < 1e15


def _refuse(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")
