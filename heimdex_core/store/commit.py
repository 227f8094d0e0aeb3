"""Committing a generation of a video to a model set, and purging a video.

Order of a commit: the generation is synced and renamed; the indexes get the new rows and keep the old ones; one
catalog transaction names the generation; visible.parquet is rewritten. All of it under index.lock, so that no other
writer drops rows that are about to become visible. After a crash the old generation or the new one is visible, and
another call completes the commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heimdex_core import files
from heimdex_core.errors import DiskFull, InvalidFolder, InvalidValue, ModelsChanged, VideoNotFound
from heimdex_core.files import remove_tree
from heimdex_core.store import generation, indexing, sets, sidecar, videos
from heimdex_core.store.context import StoreContext
from heimdex_core.store.indexing import NewGeneration
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Json, Space, Video, VideoState

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class CommitTarget:
    """The model set that a generation is committed to."""

    set_id: int | None = None
    """None is the active set."""
    must_be_active: bool = False
    """Refuse the commit if another set has become the active one."""
    inputs: str | None = None
    """What the generation is made from besides models, as sets.inputs_of returned before the work began."""


def commit_generation(
    context: StoreContext, video_id: str, staged: Path, n: int, changes: Json, target: CommitTarget | None = None
) -> Video:
    """Publish `staged` as generation `n` of the target's set. Repeating it changes nothing.

    Args:
        context: the library.
        video_id: the video.
        staged: a folder from generation.new_staging with all files of the generation.
        n: its number, above every number that the video's generations have or had.
        changes: fields of Video that change with the generation, by name.
        target: the model set; None is the active one.

    Raises VideoNotFound, InvalidTransition, InvalidFolder, InvalidValue, SpaceMismatch, ModelsChanged before anything
    is changed; DiskFull with nothing left behind.
    """
    target = target or CommitTarget()
    paths = context.paths
    generation.check_staging_path(paths, video_id, staged)
    with context.index_lock.hold():
        with context.catalog.transaction() as transaction:
            video = videos.get(transaction, video_id)
            active = sets.active_id(transaction)
            model_set = sets.get(transaction, target.set_id or active)
            if target.must_be_active and model_set.set_id != active:
                raise ModelsChanged(used=model_set.set_id, active=active)
            committed = _generation_in(transaction, video_id, model_set.set_id)
            if committed is not None and n < committed:
                raise InvalidValue(name="generation", value=n, reason=f"{committed} is already committed")
            if committed == n:
                remove_tree(staged)
                return _finish_again(context, transaction, video, is_active=model_set.set_id == active, changes=changes)
            if model_set.set_id == active and video.state != VideoState.DELETED:
                videos.check_transition(video.state, VideoState.INDEXED)
        if staged.exists():
            generation.check_scenes(video_id, staged)
            check_vectors(model_set.spaces, staged)
        elif not paths.generation(video_id, n).is_dir():
            raise InvalidFolder(path=staged.name, reason="it does not exist")
        try:
            if staged.exists():
                generation.publish(paths, video_id, staged, n)
            scene_count = len(sidecar.read_scenes(paths.generation(video_id, n)))
            indexing.sync(context, set_ids={model_set.set_id}, new=NewGeneration(model_set.set_id, video_id, n))
            files.crash_point("indexes-synced")
            facts = {**changes, "scene_count": scene_count}
            with context.catalog.transaction() as transaction:
                sets.put(transaction, video_id, model_set.set_id, n, target.inputs, facts)
                if model_set.set_id == active:
                    video = videos.commit_generation(transaction, video_id, n, facts)
        except DiskFull:
            remove_tree(staged)
            if n not in _referenced(context, video_id):
                remove_tree(paths.generation(video_id, n))
            raise
        files.crash_point("published")
        generation.remove_old(paths, video_id, _referenced(context, video_id))
    return video


def _finish_again(
    context: StoreContext, transaction: Transaction, video: Video, *, is_active: bool, changes: Json
) -> Video:
    """The generation is committed already: do only what a crash can have left undone."""
    if is_active:
        if video.state != VideoState.DELETED:
            videos.set_state(transaction, video.video_id, VideoState.INDEXED, changes)
        transaction.mark_visible_changed()
    keep = {row.generation for row in sets.generations(transaction, video_id=video.video_id)}
    generation.remove_old(context.paths, video.video_id, keep)
    return videos.get(transaction, video.video_id)


def _generation_in(transaction: Transaction, video_id: str, set_id: int) -> int | None:
    rows = sets.generations(transaction, set_id=set_id, video_id=video_id)
    return rows[0].generation if rows else None


def _referenced(context: StoreContext, video_id: str) -> set[int]:
    """The video's generations that any set refers to."""
    with context.catalog.transaction() as transaction:
        try:
            videos.get(transaction, video_id)
        except VideoNotFound:
            return set()
        return {row.generation for row in sets.generations(transaction, video_id=video_id)}


def check_vectors(spaces: Mapping[str, Space], folder: Path) -> None:
    """Check that the vectors in a generation's folder belong to its scenes and to `spaces` (by role).

    Raises SpaceMismatch, InvalidFolder for vectors of scenes that are not in the generation.
    """
    scene_ids = {scene.scene_id for scene in sidecar.read_scenes(folder)}
    for space in spaces.values():
        if not sidecar.vectors_path(folder, space.name).exists():
            continue
        ids, _ = sidecar.read_vectors(folder, space)
        if not set(ids) <= scene_ids or len(set(ids)) != len(ids):
            raise InvalidFolder(path=folder.name, reason=f"the vectors of {space.name} do not match its scenes")


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
            indexing.sync(context)
            files.crash_point("purge-unindexed")
        remove_tree(paths.video(video_id))
        for work in (paths.work(video_id), *paths.work_root.glob(f"{video_id}-set*")):
            remove_tree(work)
        paths.cancel_marker(video_id).unlink(missing_ok=True)
        files.crash_point("purge-removed")
        with context.catalog.transaction() as transaction:
            videos.remove(transaction, video_id)
