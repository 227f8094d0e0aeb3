"""A video's folder is complete in itself: written so, and taken over from another library."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from heimdex_core import files
from heimdex_core.errors import HeimdexError, InvalidFolder, SpaceMismatch, VideoNotFound
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_tree, read_json, remove_tree, sha256_of, write_json
from heimdex_core.store import commit, sets, sidecar, videos
from heimdex_core.store.context import StoreContext
from heimdex_core.store.layout import LibraryPaths, check_uuid
from heimdex_core.types import Json, MediaInfo, Scene, Space, Video, VideoState, make_scene_id, to_json

FORMAT_VERSION = 1
ADOPTING = "adopt"
"""The job_id of a video that is being adopted; left there by a crash, the next call completes it."""

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
    """video.json: what the catalog knows of a video that its other files do not tell."""
    value = {"format": FORMAT_VERSION, **{name: to_json(getattr(video, name)) for name in _KEPT}}
    write_json(paths.video_json(video.video_id), value)


@dataclass(frozen=True)
class AdoptableFolder:
    """A folder that was looked through and is good."""

    folder: Path
    about: Json
    source: Path
    generation: int

    @property
    def generation_folder(self) -> Path:
        return self.folder / "gen" / str(self.generation)


def adopt(context: StoreContext, folder: Path, user_id: str) -> Video:
    """Copy a complete video folder of another library in; the owner's own video of these bytes wins.

    Raises InvalidFolder, SpaceMismatch, DiskFull; nothing of it stays then. After a crash, call it again.
    """
    with context.catalog.transaction() as transaction:
        spaces = sets.get(transaction, sets.active_id(transaction)).spaces
    found = examine(folder, spaces)
    sha256 = found.about["sha256"]
    with context.catalog.transaction() as transaction:
        existing = videos.find_by_content(transaction, user_id, sha256)
    if existing is None:
        staging = context.paths.videos / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        try:
            existing = _bring_in(context, found, spaces, user_id, staging)
        finally:
            remove_tree(staging)
    if existing.generation is not None or existing.job_id != ADOPTING:
        return existing
    changes = {
        "transcript_source": found.about.get("transcript_source"),
        "transcript_rough": bool(found.about.get("transcript_rough")),
        "has_preview": (context.paths.preview(existing.video_id)).is_file(),
        "job_id": None,
    }
    no_staging = context.paths.generations(existing.video_id) / f"{TEMPORARY_PREFIX}none"
    video = commit.commit_generation(context, existing.video_id, no_staging, found.generation, changes)
    write_video_json(context.paths, video)
    return video


# --- looking --------------------------------------------------------------------------------------


def examine(folder: Path, spaces: Mapping[str, Space]) -> AdoptableFolder:
    """Check a folder whole, its source's bytes too, without changing anything. InvalidFolder, SpaceMismatch."""
    try:
        folder = folder.resolve(strict=True)
        about = read_json(folder / "video.json")
        _check_about(about)
        for parent, folders, names in os.walk(folder):
            if any(os.path.islink(os.path.join(parent, name)) for name in (*folders, *names)):
                raise InvalidFolder(path=str(folder), reason="it holds a symbolic link")
        sources = sorted(folder.glob("source.*"))
        if len(sources) != 1:
            raise InvalidFolder(path=str(folder), reason=f"it has {len(sources)} files source.<ext>, not one")
        if sha256_of(sources[0]) != about["sha256"]:
            raise InvalidFolder(path=str(folder), reason="its source is not the file that video.json names")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, VideoNotFound) as error:
        raise InvalidFolder(path=str(folder), reason=f"{type(error).__name__}: {error}"[:300]) from error
    return _fitting(AdoptableFolder(folder, about, sources[0], 0), spaces)


def _check_about(about: Json) -> None:
    if about["format"] != FORMAT_VERSION:
        raise ValueError(f"video.json has format {about['format']}")
    check_uuid(about["video_id"])
    if not all(isinstance(about[name], str) for name in ("sha256", "title", "filename")):
        raise TypeError("sha256, title and filename must be texts")
    if about.get("info") is not None:
        MediaInfo.from_json(about["info"])


def _fitting(found: AdoptableFolder, spaces: Mapping[str, Space]) -> AdoptableFolder:
    """With the generation that video.json names, or one made with these models (a folder may hold several)."""
    folder = found.folder
    there = sorted(int(p.name) for p in folder.glob("gen/*") if p.name.isdecimal() and (p / "scenes.parquet").is_file())
    if not there:
        raise InvalidFolder(path=str(folder), reason="it has no complete generation")
    named = found.about.get("generation")
    first_error: HeimdexError | None = None
    for n in sorted(there, key=lambda n: (n != named, -n)):
        candidate = replace(found, generation=n)
        try:
            _check_generation(candidate, spaces)
            return candidate
        except (SpaceMismatch, InvalidFolder) as error:
            first_error = first_error or error
    raise first_error or InvalidFolder(path=str(folder), reason="it has no complete generation")


def _check_generation(found: AdoptableFolder, spaces: Mapping[str, Space]) -> None:
    folder = found.generation_folder
    try:
        scenes = sidecar.read_scenes(folder)
        sidecar.read_words(folder)
    except (HeimdexError, OSError, ValueError, TypeError) as error:
        raise InvalidFolder(path=str(found.folder), reason=str(error)[:300]) from error
    if any(scene.video_id != found.about["video_id"] for scene in scenes):
        raise InvalidFolder(path=str(found.folder), reason="its scenes belong to another video")
    for space in spaces.values():
        others = sorted(p.stem for p in (folder / "vectors" / space.kind).glob("*.parquet"))
        if others and not sidecar.vectors_path(folder, space.name).exists():
            raise SpaceMismatch(space=space.name, expected=space.model, found=", ".join(others))
    commit.check_vectors(spaces, folder)


# --- taking over ----------------------------------------------------------------------------------


def _bring_in(
    context: StoreContext, found: AdoptableFolder, spaces: Mapping[str, Space], user_id: str, staging: Path
) -> Video:
    """Copy, rename into place, register as being adopted. The generation is named by the commit after it."""
    paths, about = context.paths, found.about
    with context.catalog.transaction() as transaction:
        taken = bool(transaction.rows("select 1 from videos where video_id = ?", [about["video_id"]]))
    video_id = str(uuid.uuid4()) if taken else about["video_id"]
    with disk_errors("an adopted video", paths.videos, found.source.stat().st_size):
        _copy(found, staging)
        if taken:
            _rename_scenes(staging / "gen" / str(found.generation), spaces, video_id)
        fsync_tree(staging)
    files.crash_point("adopt-copied")
    with context.index_lock.hold():
        with context.catalog.transaction() as transaction:
            existing = videos.find_by_content(transaction, user_id, about["sha256"])
            if existing is not None:
                return existing
            if transaction.rows("select 1 from videos where video_id = ?", [video_id]):
                raise InvalidFolder(path=str(found.folder), reason="it is being adopted elsewhere; try again")
        remove_tree(paths.video(video_id))  # without a record, so a crash left it
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


def _copy(found: AdoptableFolder, staging: Path) -> None:
    staging.mkdir(parents=True)
    shutil.copyfile(found.source, staging / found.source.name)
    for pattern in ("subtitles.*", "preview.mp4"):
        for path in found.folder.glob(pattern):
            shutil.copyfile(path, staging / path.name)
    write_json(staging / "video.json", found.about)
    shutil.copytree(found.generation_folder, staging / "gen" / str(found.generation))


def _rename_scenes(folder: Path, spaces: Mapping[str, Space], video_id: str) -> None:
    """Give a copied generation another video's name: in its scenes, words and vectors."""
    before = sidecar.read_scenes(folder)
    after = [_renamed(scene, video_id) for scene in before]
    names = {old.scene_id: new.scene_id for old, new in zip(before, after, strict=True)}
    transcript = sidecar.read_words(folder)
    sidecar.write_scenes(folder, after)
    if (folder / "words.parquet").exists():
        sidecar.write_words(folder, transcript, after)
    for space in spaces.values():
        if sidecar.vectors_path(folder, space.name).exists():
            ids, array = sidecar.read_vectors(folder, space)
            sidecar.write_vectors(folder, space, [names[scene_id] for scene_id in ids], array)


def _renamed(scene: Scene, video_id: str) -> Scene:
    return replace(scene, video_id=video_id, scene_id=make_scene_id(video_id, scene.start_s, scene.end_s))
