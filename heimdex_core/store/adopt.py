"""video.json, which makes a video's folder complete in itself, and adopting such a folder from another library."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from heimdex_core import files
from heimdex_core.errors import HeimdexError, InvalidFolder, LibraryDamaged, SpaceMismatch, VideoNotFound
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_tree, read_json, remove_tree, sha256_of, write_json
from heimdex_core.store import commit, sets, sidecar, videos
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.commit import CommitTarget
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.types import Json, MediaInfo, Space, Video, VideoState, make_scene_id, to_json

FORMAT_VERSION = 1
ADOPTING = "adopt"
"""The job_id of a video that is being adopted. A crash leaves it there, and the next call completes the work."""

_KEPT = (
    "video_id",
    "user_id",
    "sha256",
    "title",
    "filename",
    "description",
    "created_at",
    "generation",
    "info",
    "transcript_source",
    "transcript_rough",
    "language",
    "notes",
    "has_preview",
)


def write_video_json(paths: LibraryPaths, video: Video) -> None:
    """Write video.json: what the catalog knows about a video and its other files do not contain. Raises DiskFull."""
    value = {"format": FORMAT_VERSION, **{name: to_json(getattr(video, name)) for name in _KEPT}}
    write_json(paths.video_json(video.video_id), value)


@dataclass(frozen=True)
class AdoptableFolder:
    """A folder that was checked and can be adopted."""

    folder: Path
    about: Json
    """The content of its video.json."""
    source: Path
    generation: Path
    """The folder of the generation that fits the library's models, gen/<n>."""


def adopt(context: StoreContext, folder: Path, user_id: str) -> Video:
    """Copy a complete video folder of another library into this one.

    A video of the same bytes that the user already has is returned as it is. On an error nothing is left; after a
    crash another call completes the work.

    Args:
        context: the library that adopts.
        folder: a video's folder, videos/<video_id>, of another library.
        user_id: the owner of the video in this library.

    Raises InvalidFolder, SpaceMismatch, DiskFull.
    """
    with context.catalog.transaction() as transaction:
        spaces = sets.get(transaction, sets.active_id(transaction)).spaces
    adoptable = examine(folder, spaces)
    about = adoptable.about
    with context.catalog.transaction() as transaction:
        existing = videos.find_by_content(transaction, user_id, about["sha256"])
    if existing is None:
        staging = context.paths.videos / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        try:
            existing = _copy_and_register(context, adoptable, spaces, user_id, staging)
        finally:
            remove_tree(staging)
    if existing.generation is not None or existing.job_id != ADOPTING:
        return existing
    changes = {
        "transcript_source": about.get("transcript_source"),
        "transcript_rough": bool(about.get("transcript_rough")),
        "has_preview": context.paths.preview(existing.video_id).is_file(),
        "job_id": None,
    }
    no_staging = context.paths.generations(existing.video_id) / f"{TEMPORARY_PREFIX}none"
    n = int(adoptable.generation.name)
    video = commit.commit_generation(context, existing.video_id, no_staging, n, changes, CommitTarget())
    write_video_json(context.paths, video)
    return video


# --- checking -------------------------------------------------------------------------------------


def examine(folder: Path, spaces: Mapping[str, Space]) -> AdoptableFolder:
    """Check a folder completely, the bytes of its source too, without changing anything.

    Args:
        folder: a video's folder of another library.
        spaces: the spaces of the active set, by role; one of the folder's generations must fit them.

    Raises InvalidFolder, SpaceMismatch.
    """
    try:
        folder = folder.resolve(strict=True)
        about = read_json(folder / "video.json")
        _check_about(about)
        for parent, folders, names in os.walk(folder):
            if any(os.path.islink(os.path.join(parent, name)) for name in (*folders, *names)):
                raise InvalidFolder(path=str(folder), reason="it contains a symbolic link")
        sources = sorted(folder.glob("source.*"))
        if len(sources) != 1:
            raise InvalidFolder(path=str(folder), reason=f"it has {len(sources)} files source.<ext>, not one")
        if sha256_of(sources[0]) != about["sha256"]:
            raise InvalidFolder(path=str(folder), reason="the SHA-256 of its source is not the one in video.json")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, VideoNotFound) as error:
        raise InvalidFolder(path=str(folder), reason=f"{type(error).__name__}: {error}"[:300]) from error
    return AdoptableFolder(folder, about, sources[0], _choose_generation(folder, about, spaces))


def _check_about(about: Json) -> None:
    if about["format"] != FORMAT_VERSION:
        raise ValueError(f"video.json has format {about['format']}")
    check_uuid(about["video_id"])
    if not all(isinstance(about[name], str) for name in ("sha256", "title", "filename")):
        raise TypeError("sha256, title and filename must be strings")
    if about.get("info") is not None:
        MediaInfo.from_json(about["info"])


def _choose_generation(folder: Path, about: Json, spaces: Mapping[str, Space]) -> Path:
    """The generation that video.json names if it fits the spaces, otherwise the newest one that does."""
    complete = [p for p in folder.glob("gen/*") if p.name.isdecimal() and (p / "scenes.parquet").is_file()]
    named = str(about.get("generation"))
    first_error: HeimdexError | None = None
    for candidate in sorted(complete, key=lambda p: (p.name != named, -int(p.name))):
        try:
            _check_generation(candidate, about["video_id"], spaces)
            return candidate
        except (SpaceMismatch, InvalidFolder) as error:
            first_error = first_error or error
    raise first_error or InvalidFolder(path=str(folder), reason="it has no complete generation")


def _check_generation(folder: Path, video_id: str, spaces: Mapping[str, Space]) -> None:
    try:
        commit.check_generation(video_id, spaces, folder)
        sidecar.read_words(folder)
    except (LibraryDamaged, OSError, ValueError, TypeError) as error:
        raise InvalidFolder(path=str(folder), reason=str(error)[:300]) from error
    for space in spaces.values():
        others = sorted(p.stem for p in (folder / "vectors" / space.kind).glob("*.parquet"))
        if others and not sidecar.vectors_path(folder, space.name).exists():
            raise SpaceMismatch(space=space.name, expected=space.model, found=", ".join(others))


# --- copying --------------------------------------------------------------------------------------


def _copy_and_register(
    context: StoreContext, adoptable: AdoptableFolder, spaces: Mapping[str, Space], user_id: str, staging: Path
) -> Video:
    """Copy, rename into place, register as being adopted. The commit that follows names the generation."""
    paths, about = context.paths, adoptable.about
    with context.catalog.transaction() as transaction:
        id_in_use = bool(transaction.rows("select 1 from videos where video_id = ?", [about["video_id"]]))
    video_id = str(uuid.uuid4()) if id_in_use else about["video_id"]
    with disk_errors("an adopted video", paths.videos, adoptable.source.stat().st_size):
        _copy(adoptable, staging)
        if id_in_use:
            _change_video_id(staging / "gen" / adoptable.generation.name, spaces, video_id)
        fsync_tree(staging)
    files.crash_point("adopt-copied")
    with context.index_lock.hold():
        with context.catalog.transaction() as transaction:
            existing = videos.find_by_content(transaction, user_id, about["sha256"])
            if existing is not None:
                return existing
            if transaction.rows("select 1 from videos where video_id = ?", [video_id]):
                raise InvalidFolder(path=str(adoptable.folder), reason="another call is adopting it; try again")
        remove_tree(paths.video(video_id))  # it has no record, so a crash left it
        os.replace(staging, paths.video(video_id))
        files.crash_point("adopt-renamed")
        with context.catalog.transaction() as transaction:
            videos.register(
                transaction,
                user_id,
                about["sha256"],
                title=about["title"],
                filename=about["filename"],
                description=str(about.get("description") or ""),
                language=str(about.get("language") or "auto"),
                notes=[str(note) for note in about.get("notes") or ()],
                video_id=video_id,
            )
            videos.set_state(transaction, video_id, VideoState.VALIDATING, {"info": about.get("info")})
            video = videos.set_state(transaction, video_id, VideoState.PROCESSING, {"job_id": ADOPTING})
        files.crash_point("adopt-registered")
    return video


def _copy(adoptable: AdoptableFolder, staging: Path) -> None:
    staging.mkdir(parents=True)
    shutil.copyfile(adoptable.source, staging / adoptable.source.name)
    for pattern in ("subtitles.*", "subtitle_choice.json", "preview.mp4"):
        for path in adoptable.folder.glob(pattern):
            shutil.copyfile(path, staging / path.name)
    write_json(staging / "video.json", adoptable.about)
    shutil.copytree(adoptable.generation, staging / "gen" / adoptable.generation.name)


def _change_video_id(folder: Path, spaces: Mapping[str, Space], video_id: str) -> None:
    """Rewrite a copied generation for another video_id: its scenes, words and vectors."""
    before = sidecar.read_scenes(folder)
    after = [
        replace(scene, video_id=video_id, scene_id=make_scene_id(video_id, scene.start_s, scene.end_s))
        for scene in before
    ]
    new_ids = {old.scene_id: new.scene_id for old, new in zip(before, after, strict=True)}
    transcript = sidecar.read_words(folder)
    sidecar.write_scenes(folder, after)
    if (folder / "words.parquet").exists():
        sidecar.write_words(folder, transcript, after)
    for space in spaces.values():
        if sidecar.vectors_path(folder, space.name).exists():
            ids, array = sidecar.read_vectors(folder, space)
            sidecar.write_vectors(folder, space, [new_ids[scene_id] for scene_id in ids], array)
