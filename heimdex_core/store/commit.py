"""Generations of a video's derived files: staged under a temporary name, committed to a model set, never changed.

Order of a commit: the generations are synced and renamed; the indexes get the new rows and keep the old ones; one
catalog transaction names the generations; visible.parquet is rewritten. All of it under index.lock, so that no other
writer drops rows that are about to become visible. After a crash the old generation or the new one of each video is
visible, and another call completes the commit. Purging a video is here too, since it undoes all of this.
"""

from __future__ import annotations

import itertools
import os
import shutil
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from heimdex_core import files
from heimdex_core.errors import (
    DiskFull,
    HeimdexError,
    InvalidFolder,
    InvalidTransition,
    InvalidValue,
    ModelsChanged,
    VideoNotFound,
)
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_folder, fsync_tree, remove_tree, sweep, tree_bytes
from heimdex_core.store import indexing, sets, sidecar, videos
from heimdex_core.store.activity import put_stage_times
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.indexing import NewGeneration
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Json, ModelSet, Space, Video, VideoState


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


def new_staging(paths: LibraryPaths, video_id: str) -> Path:
    """A new empty folder beside the generations, so that a rename can publish it. Raises DiskFull."""
    folder = paths.generations(video_id) / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    with disk_errors("a generation", paths.root):
        files.make_folder(folder, levels=4)
    return folder


def check_generation(video_id: str, spaces: Mapping[str, Space], folder: Path) -> int:
    """Check that a generation's folder has scenes of this video, and no vectors but of these scenes in `spaces`.

    Spaces (by role) without vectors are allowed. Returns the number of scenes. Raises InvalidFolder, SpaceMismatch,
    LibraryDamaged.
    """
    if not (folder / "scenes.parquet").is_file():
        raise InvalidFolder(path=str(folder), reason="scenes.parquet is missing")
    scenes = sidecar.read_scenes_table(folder)
    if set(scenes.column("video_id").to_pylist()) - {video_id}:
        raise InvalidFolder(path=str(folder), reason="its scenes belong to another video")
    scene_ids = set(scenes.column("scene_id").to_pylist())
    for space in spaces.values():
        if not sidecar.vectors_path(folder, space.name).exists():
            continue
        ids, _ = sidecar.read_vectors(folder, space)
        if not set(ids) <= scene_ids or len(set(ids)) != len(ids):
            raise InvalidFolder(path=str(folder), reason=f"the vectors of {space.name} do not match its scenes")
    return int(scenes.num_rows)


# --- committing -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class StagedGeneration:
    """A generation that is to be committed."""

    video_id: str
    staged: Path
    """A folder from `new_staging`."""
    n: int
    """The number that it gets, from Store.next_generation."""
    changes: Json = field(default_factory=dict)
    """Fields of Video by name that change with it."""
    target: CommitTarget = CommitTarget()
    spaces: tuple[Space, ...] = ()
    """Of the models that made its vectors."""
    stage_times: Mapping[str, float] = field(default_factory=dict)
    """Seconds of work by stage, see activity.put_stage_times; empty for what was not made here."""


Outcome = Video | HeimdexError
"""What became of one of several generations: its video as it is now, or why it was not committed."""


@dataclass(frozen=True)
class _Admitted:
    """A generation that may be committed, and what the catalog says of its model set."""

    place: int
    """In the batch."""
    given: StagedGeneration
    model_set: ModelSet
    is_active: bool
    scene_count: int = 0


def commit_generations(context: StoreContext, batch: Sequence[StagedGeneration]) -> list[Outcome]:
    """Publish generations, which costs one write of each index, one transaction and one visible.parquet for all.

    Repeating it changes nothing. What is wrong with one of them is found before anything of it is changed, and the
    others are committed: VideoNotFound, InvalidTransition, InvalidFolder, InvalidValue, SpaceMismatch, ModelsChanged,
    UnknownModelSet. If the steps fail that they share, each goes through them alone. One for which the disk is full
    leaves nothing behind (DiskFull).

    Returns the outcomes in the order of the batch. Raises LibraryBusy.
    """
    with context.index_lock.hold():
        outcomes, admitted = _admit(context, batch)
        published: list[_Admitted] = []
        for one in admitted:
            try:
                published.append(replace(one, scene_count=_check_and_publish(context.paths, one)))
                context.catalog.upload(context.paths.new_generation(one.given.video_id, one.given.n))
            except HeimdexError as error:
                outcomes[one.place] = _undone(context, one, error)
        outcomes |= _index_and_name(context, published)
    return [outcomes[place] for place in range(len(batch))]


def only_one(outcomes: Sequence[Outcome]) -> Video:
    """The video of a batch of one. Raises the error that is its outcome."""
    (outcome,) = outcomes
    if isinstance(outcome, HeimdexError):
        raise outcome
    return outcome


def _admit(context: StoreContext, batch: Sequence[StagedGeneration]) -> tuple[dict[int, Outcome], list[_Admitted]]:
    """(outcomes by place of those that are committed already or cannot be, the others)."""
    outcomes: dict[int, Outcome] = {}
    admitted: list[_Admitted] = []
    with context.catalog.transaction() as transaction:
        active = sets.active_id(transaction)
        for place, given in enumerate(batch):
            try:
                model_set = sets.get(transaction, given.target.set_id or active)
                one = _Admitted(place, given, model_set, model_set.set_id == active)
                if any((other.given.video_id, other.model_set) == (given.video_id, model_set) for other in admitted):
                    raise InvalidValue(name="batch", value=given.video_id, reason="it has this video twice")
                if _is_committed(context.paths, transaction, one):
                    outcomes[place] = _finish_again(context, transaction, one)
                else:
                    admitted.append(one)
            except HeimdexError as error:
                outcomes[place] = error
    return outcomes, admitted


def _is_committed(paths: LibraryPaths, transaction: Transaction, one: _Admitted) -> bool:
    """Whether the catalog names the generation already. Raises what forbids that it does."""
    given, video_id = one.given, one.given.video_id
    if given.staged.parent.resolve() != paths.generations(video_id) or not given.staged.name.startswith(
        TEMPORARY_PREFIX
    ):
        raise InvalidValue(name="staged", value=str(given.staged), reason="a folder from new_staging is needed")
    for space in given.spaces:
        sets.check_space(one.model_set.spaces, space)
    video = videos.get(transaction, video_id)
    if given.target.must_be_active and not one.is_active:
        raise ModelsChanged(used=one.model_set.set_id, active=sets.active_id(transaction))
    committed = sets.generation_of(transaction, video_id, one.model_set.set_id)
    if committed is not None and given.n < committed:
        raise InvalidValue(name="generation", value=given.n, reason=f"{committed} is already committed")
    if committed == given.n:
        return True
    if one.is_active and video.state != VideoState.DELETED:
        videos.check_transition(video.state, VideoState.INDEXED)
    return False


def _finish_again(context: StoreContext, transaction: Transaction, one: _Admitted) -> Video:
    """The generation is committed already: do only what a crash can have left undone."""
    video_id = one.given.video_id
    remove_tree(one.given.staged)
    if one.is_active:
        if videos.get(transaction, video_id).state != VideoState.DELETED:
            videos.set_state(transaction, video_id, VideoState.INDEXED, one.given.changes)
        transaction.mark_visible_changed()
    _remove_old(context.paths, video_id, _referenced(transaction, video_id))
    return videos.get(transaction, video_id)


def _check_and_publish(paths: LibraryPaths, one: _Admitted) -> int:
    """Rename the generation into place, unless it is there; returns its number of scenes."""
    given, final = one.given, paths.new_generation(one.given.video_id, one.given.n)
    if given.staged.exists():
        scene_count = check_generation(given.video_id, one.model_set.spaces, given.staged)
        _publish(paths, given.video_id, given.staged, given.n)
        return scene_count
    if not final.is_dir():
        raise InvalidFolder(path=given.staged.name, reason="it does not exist")
    return int(sidecar.read_scenes_table(final).num_rows)


def _index_and_name(context: StoreContext, published: Sequence[_Admitted]) -> dict[int, Outcome]:
    """Index renamed generations and name them in the catalog: together, or if that fails one after the other."""
    if not published:
        return {}
    try:
        return _index_and_name_together(context, published)
    except HeimdexError as error:
        if len(published) == 1:
            return {published[0].place: _undone(context, published[0], error)}
    outcomes: dict[int, Outcome] = {}
    for one in published:
        outcomes |= _index_and_name(context, [one])
    return outcomes


def _index_and_name_together(context: StoreContext, published: Sequence[_Admitted]) -> dict[int, Outcome]:
    paths = context.paths
    new = [NewGeneration(one.model_set.set_id, one.given.video_id, one.given.n) for one in published]
    indexing.sync(context, set_ids={generation.set_id for generation in new}, new=new)
    files.crash_point("indexes-synced")
    outcomes: dict[int, Outcome] = {}
    with context.catalog.transaction() as transaction:
        for one in published:
            try:
                outcomes[one.place] = _name(transaction, one, paths)
            except (VideoNotFound, InvalidTransition) as error:  # it was changed since it was admitted
                outcomes[one.place] = error
        referenced = {one.given.video_id: _referenced(transaction, one.given.video_id) for one in published}
    files.crash_point("published")
    for video_id, keep in referenced.items():
        _remove_old(paths, video_id, keep)
    return outcomes


def _name(transaction: Transaction, one: _Admitted, paths: LibraryPaths) -> Video:
    """Record the generation as the video's in its set, and in the active one as the visible one."""
    given, facts = one.given, {**one.given.changes, "scene_count": one.scene_count}
    if one.is_active:
        videos.commit_generation(transaction, given.video_id, given.n, facts)
    size_bytes = tree_bytes(paths.new_generation(given.video_id, given.n))
    with suppress(OSError):
        size_bytes += paths.preview(given.video_id).stat().st_size
    sets.put(transaction, given.video_id, one.model_set.set_id, given.n, given.target.inputs, facts, size_bytes)
    video = videos.get(transaction, given.video_id)
    if given.stage_times:
        put_stage_times(transaction, video, given.stage_times)
    return video


def _undone(context: StoreContext, one: _Admitted, error: HeimdexError) -> HeimdexError:
    """The error, after removing what needs space where the disk is full, unless the catalog names it."""
    if isinstance(error, DiskFull):
        given = one.given
        remove_tree(given.staged)
        with context.catalog.transaction() as transaction:
            is_referenced = given.n in _referenced(transaction, given.video_id)
        if not is_referenced:
            remove_tree(context.paths.new_generation(given.video_id, given.n))
    return error


def _referenced(transaction: Transaction, video_id: str) -> set[int]:
    """The video's generations that any set refers to."""
    return {row.generation for row in sets.generations(transaction, video_id=video_id)}


def _publish(paths: LibraryPaths, video_id: str, staged: Path, n: int) -> None:
    """Sync `staged` and rename it to gen/<n>. A folder of that number is replaced: it was never visible."""
    final = paths.new_generation(video_id, n)
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
    for n in paths.generation_numbers(video_id):
        if n < newest and n not in keep:
            remove_tree(paths.new_generation(video_id, n))
    folder = paths.generations(video_id)
    for left in folder.glob(f"{TEMPORARY_PREFIX}gone-*"):
        shutil.rmtree(left, ignore_errors=True)
    sweep(folder)


def remove_left_generations(context: StoreContext) -> int:
    """Remove the generations that a crash left behind newer ones of their videos; of how many videos.

    One that is newer than what the catalog names stays: its commit may be repeated.
    """
    if not _left_behind(context):
        return 0
    with context.index_lock.hold():  # nobody is in the middle of a commit
        found = _left_behind(context)
        for video_id, keep in found.items():
            _remove_old(context.paths, video_id, keep)
    return len(found)


def _left_behind(context: StoreContext) -> dict[str, set[int]]:
    """The generations that any set refers to, of the videos that have an older one besides."""
    with context.catalog.transaction() as transaction:
        numbers = sets.generation_numbers(transaction)
    referenced: dict[str, set[int]] = {}
    for video_id, n in itertools.chain.from_iterable(numbers.values()):
        referenced.setdefault(video_id, set()).add(n)
    return {
        video_id: keep
        for video_id, keep in referenced.items()
        if any(n < max(keep) and n not in keep for n in context.paths.generation_numbers(video_id))
    }


# --- purging --------------------------------------------------------------------------------------


def purge(context: StoreContext, *video_ids: str) -> None:
    """Remove videos for good. Their records are removed last, so that the call can be repeated after a crash."""
    paths = context.paths
    with context.index_lock.hold():
        with context.catalog.transaction() as transaction:
            known = [video_id for video_id in video_ids if videos.find(transaction, video_id) is not None]
            for video_id in known:
                videos.forget_generation(transaction, video_id)
        if known:
            files.crash_point("purge-hidden")
            indexing.sync(context, erase=True)
            files.crash_point("purge-unindexed")
        for video_id in video_ids:
            remove_tree(paths.video(video_id))
            for work in (
                paths.sprites_root / video_id,
                paths.work(video_id),
                *paths.work_root.glob(f"{video_id}-set*"),
            ):
                remove_tree(work)
            paths.cancel_marker(video_id).unlink(missing_ok=True)
        files.crash_point("purge-removed")
        with context.catalog.transaction() as transaction:
            for video_id in video_ids:
                videos.remove(transaction, video_id)
