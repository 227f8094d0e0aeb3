"""Generations of a video's derived files: staged under a temporary name, synced, renamed, then never changed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection
from pathlib import Path

from heimdex_core import files
from heimdex_core.errors import InvalidFolder, InvalidValue
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_folder, fsync_tree, remove_tree, sweep
from heimdex_core.store import sidecar
from heimdex_core.store.layout import LibraryPaths


def numbers(paths: LibraryPaths, video_id: str) -> list[int]:
    """The numbers of the complete generations in the video's folder, ascending."""
    folder = paths.generations(video_id)
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())


def new_staging(paths: LibraryPaths, video_id: str) -> Path:
    """A new empty folder beside the generations, so that a rename can publish it. Raises DiskFull."""
    folder = paths.generations(video_id) / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    with disk_errors("a generation", paths.root):
        folder.mkdir(parents=True)
    return folder


def check_staging_path(paths: LibraryPaths, video_id: str, staged: Path) -> None:
    """Raise InvalidValue unless `staged` names a staging folder of this video. It need not exist any more."""
    if staged.parent.resolve() != paths.generations(video_id) or not staged.name.startswith(TEMPORARY_PREFIX):
        raise InvalidValue(name="staged", value=str(staged), reason="a folder from new_staging is needed")


def check_scenes(video_id: str, folder: Path) -> None:
    """Raise InvalidFolder unless `folder` has a scenes.parquet, with scenes of this video only."""
    if not (folder / "scenes.parquet").is_file():
        raise InvalidFolder(path=folder.name, reason="scenes.parquet is missing")
    for scene in sidecar.read_scenes(folder):
        if scene.video_id != video_id:
            raise InvalidFolder(path=folder.name, reason=f"scene {scene.scene_id} belongs to another video")


def publish(paths: LibraryPaths, video_id: str, staged: Path, n: int) -> Path:
    """Sync `staged` and rename it to gen/<n>. Raises DiskFull.

    A folder of that number is replaced: it was never visible.
    """
    final = paths.generation(video_id, n)
    with disk_errors("a generation", paths.root):
        fsync_tree(staged)
        files.crash_point("staged-synced")
        remove_tree(final)  # os.replace onto a folder that is not empty fails
        os.replace(staged, final)
        fsync_folder(final.parent)
    files.crash_point("generation-renamed")
    return final


def remove_old(paths: LibraryPaths, video_id: str, keep: Collection[int]) -> None:
    """Remove generations that are older than the newest of `keep` and not in it, and leftovers of earlier removals."""
    newest = max(keep, default=0)
    for n in numbers(paths, video_id):
        if n < newest and n not in keep:
            remove_tree(paths.generation(video_id, n))
    folder = paths.generations(video_id)
    for left in folder.glob(f"{TEMPORARY_PREFIX}gone-*"):
        shutil.rmtree(left, ignore_errors=True)
    sweep(folder)
