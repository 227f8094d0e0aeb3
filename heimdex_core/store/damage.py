"""What is missing or damaged in a library, each with the step that repairs it. Nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from heimdex_core.errors import EditsDamaged, HeimdexError
from heimdex_core.store import copies, edits, sets, sidecar, videos
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.catalog_errors import video_folders
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.video_json import read_video_json
from heimdex_core.types import ModelSet, Space, Video, VideoState

SHOWN = 5
"""How many faults of one generation are named."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is missing or damaged."""

    code: str
    message: str
    hint: str
    video_id: str | None = None


def of_library(context: StoreContext) -> list[Damage]:
    """Everything that is wrong with the folders of videos and the copies of the catalog's tables."""
    if context.catalog.mirror is not None:
        return [_lost(path) for path in context.catalog.mirror.missing()]
    paths = context.paths
    with context.catalog.transaction() as transaction:
        known = videos.every(transaction)
        model_sets = {model_set.set_id: model_set for model_set in sets.every(transaction)}
        generations = sets.generations(transaction)
    found: list[Damage] = []
    made: dict[str, list[tuple[ModelSet, int]]] = {}
    for row in generations:
        if row.set_id in model_sets:
            made.setdefault(row.video_id, []).append((model_sets[row.set_id], row.generation))
    for video in known:
        found += of_video(paths, video, made.get(video.video_id, ()))
    found += _unknown_folders(paths, {video.video_id for video in known})
    for table in copies.COPIED:
        try:
            copies.read(paths, table)
        except HeimdexError as error:
            found.append(Damage("COPY_DAMAGED", error.message, "`python -m heimdex_core repair` writes it again."))
    return found


def _lost(path: str) -> Damage:
    """A file of a library in object storage that is not in the bucket."""
    parts = path.split("/")
    hint = "Restore the bucket's objects from an earlier version or a copy."
    if path.startswith("index/"):
        hint = "`python -m heimdex_core reindex` makes the indexes again."
    elif "/gen/" in path:
        hint += f" Or index the video again: `python -m heimdex_core reindex {parts[1]}`."
    elif parts[-1].startswith("source."):
        hint += " Or add the same file again (`python -m heimdex_core add FILE`): it is put back in its place."
    video_id = parts[1] if parts[0] == "videos" else None
    return Damage("OBJECT_MISSING", f"The content of {path} is not in the object storage.", hint, video_id)


# --- one video ------------------------------------------------------------------------------------


def of_video(paths: LibraryPaths, video: Video, made: Iterable[tuple[ModelSet, int]]) -> list[Damage]:
    """What is wrong with the files of a video.

    Args:
        paths: of the library.
        video: as the catalog has it. One whose upload was not finished has no files that could be missed.
        made: its generations, each with the set that it was made for.
    """
    if video.state == VideoState.UPLOADING:
        return []
    name = f"“{video.title[:80]}” ({video.video_id})"
    again = "Add the same file again (`python -m heimdex_core add FILE`): it is put back in its place."
    if not paths.video(video.video_id).is_dir():
        message = f"The folder of {name} is missing."
        hint = f"{again} Or delete the video: `python -m heimdex_core delete {video.video_id}`."
        return [Damage("VIDEO_FOLDER_MISSING", message, hint, video.video_id)]
    found: list[Damage] = []
    if fault := source_fault(paths, video):
        hint = f"`python -m heimdex_core relink {video.video_id}` finds it by its content and puts it back."
        found.append(Damage("SOURCE_DAMAGED", f"The video file of {name} {fault}.", hint, video.video_id))
    try:
        read_video_json(paths.video(video.video_id))
    except HeimdexError as error:
        message = f"The description of {name} cannot be used: {error.details['reason']}"
        hint = "`python -m heimdex_core repair` writes it again."
        found.append(Damage("VIDEO_JSON_DAMAGED", message, hint, video.video_id))
    try:
        edits.read_journal(paths.video(video.video_id))
    except EditsDamaged as error:
        found.append(Damage(error.code, f"{error.message} It is a file of {name}.", error.hint, video.video_id))
    if preview_is_missing(paths, video):
        hint = f"`python -m heimdex_core reindex {video.video_id}` makes it again."
        found.append(Damage("PREVIEW_MISSING", f"The preview of {name} is missing.", hint, video.video_id))
    for model_set, n in made:
        faults = generation_faults(paths.generation(video.video_id, n), set(model_set.spaces.values()))
        if faults:
            shown = "; ".join(faults[:SHOWN]) + (f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")
            message = f"Generation {n} of {name} is damaged: {shown}."
            found.append(Damage("GENERATION_DAMAGED", message, _how_to_renew(video, model_set), video.video_id))
    return found


def source_fault(paths: LibraryPaths, video: Video) -> str | None:
    """What is wrong with the file of a video, by its presence and its size; None if nothing is."""
    source = paths.source(video.video_id, missing_ok=True)
    if source is None or not source.is_file():
        return "is missing"
    size = source.stat().st_size
    if video.info is not None and size != video.info.size_bytes:
        return f"has {size} bytes instead of {video.info.size_bytes}"
    return None


def preview_is_missing(paths: LibraryPaths, video: Video) -> bool:
    """Whether a video should have a preview and has none, or an empty one."""
    preview = paths.preview(video.video_id)
    return video.has_preview and not (preview.is_file() and preview.stat().st_size)


def _how_to_renew(video: Video, model_set: ModelSet) -> str:
    if not model_set.is_active:
        return "`python -m heimdex_core reindex --drop-old` removes what belongs to models that are not in use."
    return f"Index it again: `python -m heimdex_core reindex {video.video_id}`."


# --- one generation -------------------------------------------------------------------------------


def generation_faults(folder: Path, spaces: Collection[Space]) -> list[str]:
    """What is missing or damaged in a generation's folder, for people; empty if nothing is.

    Args:
        folder: gen/<n>.
        spaces: those in which it must have vectors.
    """
    if not folder.is_dir():
        return ["its folder is missing"]
    faults: list[str] = []
    pictures: list[str] = []
    try:
        scenes, problems = sidecar.check_scenes(folder)
        faults += [f"scenes.parquet: {problem}" for problem in problems]
        pictures = named_pictures(scenes)
    except (OSError, HeimdexError) as error:
        faults.append(_fault("scenes.parquet", error))
    try:
        faults += [f"words.parquet: {problem}" for problem in sidecar.check_words(folder)[1]]
        sidecar.read_words(folder)
    except (OSError, HeimdexError) as error:
        faults.append(_fault("words.parquet", error))
    for space in sorted(spaces, key=lambda one: one.name):
        name = f"vectors/{space.name}.parquet"
        try:
            faults += [f"{name}: {problem}" for problem in sidecar.check_vectors(folder, space)[1]]
        except (OSError, HeimdexError) as error:
            faults.append(_fault(name, error))
    if pictures and not (folder / "frames").is_dir():
        faults.append("frames/ is missing")
    else:
        faults += picture_faults(folder / "frames", pictures)
    return faults


def picture_faults(frames: Path, names: Iterable[str]) -> Iterator[str]:
    """What is wrong with the named pictures: missing, or not a complete WebP file by its header."""
    for name in names:
        path = frames / name
        try:
            with path.open("rb") as file:
                head = file.read(12)
            size = path.stat().st_size
        except FileNotFoundError:
            yield f"frames/{name} is missing"
            continue
        except OSError as error:
            yield f"frames/{name} cannot be read ({error.strerror})"
            continue
        if head[:4] != b"RIFF" or head[8:] != b"WEBP":
            yield f"frames/{name} is not a picture"
        elif int.from_bytes(head[4:8], "little") + 8 > size:
            yield f"frames/{name} is incomplete"


def named_pictures(scenes: pa.Table) -> list[str]:
    """The files in frames/ that scenes name, each once, in order."""
    keyframes = pc.list_flatten(scenes.column("keyframes").combine_chunks())
    files = pc.struct_field(keyframes, "file").to_pylist()
    thumbnails = scenes.column("thumbnail").to_pylist()
    return list(dict.fromkeys(name for name in (*files, *thumbnails) if name is not None))


def _fault(name: str, error: OSError | HeimdexError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name} is missing"
    reason = error.details.get("reason") if isinstance(error, HeimdexError) else error.strerror
    return f"{name} cannot be read ({reason or error})"


# --- folders without a record ---------------------------------------------------------------------


def _unknown_folders(paths: LibraryPaths, known: Collection[str]) -> list[Damage]:
    return [
        Damage(
            "VIDEO_NOT_IN_CATALOG",
            f"The catalog does not know the folder videos/{video_id}.",
            "`python -m heimdex_core repair` adds it to the catalog.",
            video_id,
        )
        for video_id in video_folders(paths)
        if video_id not in known
    ]
