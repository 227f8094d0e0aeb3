"""Generations of a video's derived files: staged under a temporary name, committed to a model set, never changed.

Order of a commit: the generation is synced and renamed; the indexes get the new rows and keep the old ones; one
catalog transaction names the generation; visible.parquet is rewritten. All of it under index.lock, so that no other
writer drops rows that are about to become visible. After a crash the old generation or the new one is visible, and
another call completes the commit. Purging a video is here too, since it undoes all of this.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from heimdex_core import files
from heimdex_core.errors import DiskFull, InvalidFolder, InvalidValue, ModelsChanged
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_folder, fsync_tree, remove_tree, sweep
from heimdex_core.store import indexing, sets, sidecar, videos
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.indexing import NewGeneration
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Json, Space, Video, VideoState


@dataclass(frozen=True)
class CommitTarget:
    """The model set that a generation is committed to."""

    set_id: int | None = None
    """None is the active set."""
    must_be_active: bool = False
    """Refuse the commit if another set has become the active one."""
    inputs: str | None = None
    """What the generation is made from besides models, as sets.inputs_of returned before the work began."""


# --- staging --------------------------------------------------------------------------------------


def generation_numbers(paths: LibraryPaths, video_id: str) -> list[int]:
    """The numbers of the complete generations in the video's folder, ascending."""
    folder = paths.generations(video_id)
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())


def new_staging(paths: LibraryPaths, video_id: str) -> Path:
    """A new empty folder beside the generations, so that a rename can publish it. Raises DiskFull."""
    folder = paths.generations(video_id) / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    with disk_errors("a generation", paths.root):
        files.make_folder(folder, levels=4)
    return folder


def check_generation(video_id: str, spaces: Mapping[str, Space], folder: Path) -> None:
    """Check that a generation's folder has scenes of this video, and no vectors but of these scenes in `spaces`.

    Spaces (by role) without vectors are allowed. Raises InvalidFolder, SpaceMismatch, LibraryDamaged.
    """
    if not (folder / "scenes.parquet").is_file():
        raise InvalidFolder(path=str(folder), reason="scenes.parquet is missing")
    scenes = sidecar.read_scenes(folder)
    if any(scene.video_id != video_id for scene in scenes):
        raise InvalidFolder(path=str(folder), reason="its scenes belong to another video")
    scene_ids = {scene.scene_id for scene in scenes}
    for space in spaces.values():
        if not sidecar.vectors_path(folder, space.name).exists():
            continue
        ids, _ = sidecar.read_vectors(folder, space)
        if not set(ids) <= scene_ids or len(set(ids)) != len(ids):
            raise InvalidFolder(path=str(folder), reason=f"the vectors of {space.name} do not match its scenes")


# --- committing -----------------------------------------------------------------------------------


def commit_generation(
    context: StoreContext, video_id: str, staged: Path, n: int, changes: Json, target: CommitTarget
) -> Video:
    """Publish `staged` as generation `n` of the target's set. Repeating it changes nothing.

    See Store.commit_generation; `changes` are fields of Video by name. Raises VideoNotFound, InvalidTransition,
    InvalidFolder, InvalidValue, SpaceMismatch, ModelsChanged before anything is changed; DiskFull with nothing left
    behind.
    """
    paths = context.paths
    if staged.parent.resolve() != paths.generations(video_id) or not staged.name.startswith(TEMPORARY_PREFIX):
        raise InvalidValue(name="staged", value=str(staged), reason="a folder from new_staging is needed")
    with context.index_lock.hold():
        with context.catalog.transaction() as transaction:
            video = videos.get(transaction, video_id)
            active = sets.active_id(transaction)
            model_set = sets.get(transaction, target.set_id or active)
            if target.must_be_active and model_set.set_id != active:
                raise ModelsChanged(used=model_set.set_id, active=active)
            committed = sets.generation_of(transaction, video_id, model_set.set_id)
            if committed is not None and n < committed:
                raise InvalidValue(name="generation", value=n, reason=f"{committed} is already committed")
            if committed == n:
                remove_tree(staged)
                return _finish_again(context, transaction, video, is_active=model_set.set_id == active, changes=changes)
            if model_set.set_id == active and video.state != VideoState.DELETED:
                videos.check_transition(video.state, VideoState.INDEXED)
        if staged.exists():
            check_generation(video_id, model_set.spaces, staged)
        elif not paths.generation(video_id, n).is_dir():
            raise InvalidFolder(path=staged.name, reason="it does not exist")
        try:
            if staged.exists():
                _publish(paths, video_id, staged, n)
            scene_count = sidecar.read_scenes_table(paths.generation(video_id, n)).num_rows
            indexing.sync(context, set_ids={model_set.set_id}, new=NewGeneration(model_set.set_id, video_id, n))
            files.crash_point("indexes-synced")
            facts = {**changes, "scene_count": scene_count}
            with context.catalog.transaction() as transaction:
                sets.put(transaction, video_id, model_set.set_id, n, target.inputs, facts)
                if model_set.set_id == active:
                    video = videos.commit_generation(transaction, video_id, n, facts)
                referenced = _referenced(transaction, video_id)
        except DiskFull:
            remove_tree(staged)
            with context.catalog.transaction() as transaction:
                is_referenced = n in _referenced(transaction, video_id)
            if not is_referenced:
                remove_tree(paths.generation(video_id, n))
            raise
        files.crash_point("published")
        _remove_old(paths, video_id, referenced)
    return video


def _finish_again(
    context: StoreContext, transaction: Transaction, video: Video, *, is_active: bool, changes: Json
) -> Video:
    """The generation is committed already: do only what a crash can have left undone."""
    if is_active:
        if video.state != VideoState.DELETED:
            videos.set_state(transaction, video.video_id, VideoState.INDEXED, changes)
        transaction.mark_visible_changed()
    _remove_old(context.paths, video.video_id, _referenced(transaction, video.video_id))
    return videos.get(transaction, video.video_id)


def _referenced(transaction: Transaction, video_id: str) -> set[int]:
    """The video's generations that any set refers to."""
    return {row.generation for row in sets.generations(transaction, video_id=video_id)}


def _publish(paths: LibraryPaths, video_id: str, staged: Path, n: int) -> None:
    """Sync `staged` and rename it to gen/<n>. A folder of that number is replaced: it was never visible."""
    final = paths.generation(video_id, n)
    with disk_errors("a generation", paths.root):
        fsync_tree(staged)
        files.crash_point("staged-synced")
        remove_tree(final)  # os.replace onto a folder that is not empty fails
        os.replace(staged, final)
        fsync_folder(final.parent)
    files.crash_point("generation-renamed")


def _remove_old(paths: LibraryPaths, video_id: str, keep: Collection[int]) -> None:
    """Remove generations that are older than the newest of `keep` and not in it, and leftovers of earlier removals."""
    newest = max(keep, default=0)
    for n in generation_numbers(paths, video_id):
        if n < newest and n not in keep:
            remove_tree(paths.generation(video_id, n))
    folder = paths.generations(video_id)
    for left in folder.glob(f"{TEMPORARY_PREFIX}gone-*"):
        shutil.rmtree(left, ignore_errors=True)
    sweep(folder)


# --- purging --------------------------------------------------------------------------------------


def purge(context: StoreContext, video_id: str) -> None:
    """Remove a video for good. Its record is removed last, so that the call can be repeated after a crash."""
    paths = context.paths
    with context.index_lock.hold():
        with context.catalog.transaction() as transaction:
            known = bool(transaction.rows("select 1 from videos where video_id = ?", [video_id]))
            if known:
                videos.forget_generation(transaction, video_id)
        if known:
            files.crash_point("purge-hidden")
            indexing.sync(context, erase=True)
            files.crash_point("purge-unindexed")
        remove_tree(paths.video(video_id))
        for work in (paths.work(video_id), *paths.work_root.glob(f"{video_id}-set*")):
            remove_tree(work)
        paths.cancel_marker(video_id).unlink(missing_ok=True)
        files.crash_point("purge-removed")
        with context.catalog.transaction() as transaction:
            videos.remove(transaction, video_id)
