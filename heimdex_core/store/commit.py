"""Making a generation the visible one, and keeping the indexes to what is visible.

Order of a commit: generation synced and renamed; indexes get the new rows (the old are still in);
one catalog transaction names the generation; visible.parquet. All under index.lock, so that no other
writer drops rows that are about to become visible. Whoever writes an index next drops what no longer
is. A crash anywhere leaves the old or the new, and doing it again completes it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heimdex_core.errors import DiskFull, HeimdexError, InvalidFolder, InvalidValue, VideoNotFound
from heimdex_core.store import generation, lexical, sidecar, vectors, videos, visible
from heimdex_core.store.catalog import Catalog
from heimdex_core.store.files import remove_tree
from heimdex_core.store.layout import LibraryPaths
from heimdex_core.store.locks import FileLock
from heimdex_core.store.vectors import Floats, Key
from heimdex_core.types import Json, Scene, Space, Video, VideoState, WorkContext

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shelf:
    """What the writers of a library share."""

    paths: LibraryPaths
    spaces: Mapping[str, Space]
    catalog: Catalog
    index_lock: FileLock


def commit_generation(shelf: Shelf, video_id: str, staged: Path, n: int, changes: Json) -> Video:
    """Publish `staged` as generation `n` and make it the visible one; done before, it does nothing.

    Raises VideoNotFound, InvalidTransition, InvalidFolder, SpaceMismatch before anything is changed,
    DiskFull with nothing left behind.
    """
    paths = shelf.paths
    generation.check_staging_path(paths, video_id, staged)
    with shelf.index_lock.hold():
        with shelf.catalog.transaction() as transaction:
            video = videos.get(transaction, video_id)
            if video.generation is not None and n < video.generation:
                raise InvalidValue(name="generation", value=n, reason=f"{video.generation} is visible already")
            if video.generation == n:
                return _finish_again(shelf, transaction, video, staged, changes)
            if video.state != VideoState.DELETED:
                videos.check_transition(video.state, VideoState.INDEXED)
        if staged.exists():
            generation.check_scenes(video_id, staged)
            check_vectors(shelf.spaces, staged)
        elif not paths.generation(video_id, n).is_dir():
            raise InvalidFolder(path=staged.name, reason="it is not there")
        try:
            if staged.exists():
                generation.publish(paths, video_id, staged, n)
            scene_count = len(sidecar.read_scenes(paths.generation(video_id, n)))
            sync_indexes(shelf, adding=(video_id, n, video.title))
            visible.hook("indexes-synced")
            with shelf.catalog.transaction() as transaction:
                video = videos.commit_generation(transaction, video_id, n, {**changes, "scene_count": scene_count})
        except DiskFull:
            remove_tree(staged)
            if not _is_visible(shelf, video_id, n):
                remove_tree(paths.generation(video_id, n))
            raise
        visible.hook("published")
        generation.remove_old(paths, video_id, n)
    return video


def _finish_again(shelf: Shelf, transaction: Any, video: Video, staged: Path, changes: Json) -> Video:
    """The generation is visible already: only what a crash can have left undone."""
    remove_tree(staged)
    if video.state != VideoState.DELETED:
        videos.set_state(transaction, video.video_id, VideoState.INDEXED, changes)
    transaction.mark_visible_changed()
    generation.remove_old(shelf.paths, video.video_id, video.generation or 0)
    return videos.get(transaction, video.video_id)


def _is_visible(shelf: Shelf, video_id: str, n: int) -> bool:
    with shelf.catalog.transaction() as transaction:
        try:
            return videos.get(transaction, video_id).generation == n
        except VideoNotFound:
            return False


def check_vectors(spaces: Mapping[str, Space], folder: Path) -> None:
    """SpaceMismatch where a generation's vectors are not of the library's spaces; InvalidFolder for strays."""
    scene_ids = {scene.scene_id for scene in sidecar.read_scenes(folder)}
    for space in spaces.values():
        if not sidecar.vectors_path(folder, space.name).exists():
            continue
        ids, _ = sidecar.read_vectors(folder, space)
        if not set(ids) <= scene_ids or len(set(ids)) != len(ids):
            raise InvalidFolder(path=folder.name, reason=f"vectors of {space.name} do not fit its scenes")


def sync_indexes(
    shelf: Shelf,
    *,
    adding: tuple[str, int, str] | None = None,
    redo_all: bool = False,
    context: WorkContext | None = None,
    index_type: str | None = None,
) -> list[str]:
    """Bring every index to the visible generations and the one being added; returns what could not be read.

    The caller holds index.lock. A generation that cannot be read is left out and told, unless it is the
    one being added: then the error is raised.
    """
    with shelf.catalog.transaction() as transaction:
        known = videos.generations(transaction)
    titles: dict[Key, str] = {(video_id, n): title for video_id, (n, title) in known.items()}
    must: Key | None = None
    if adding is not None:
        must = (adding[0], adding[1])
        titles[must] = adding[2]
    wanted = set(titles)
    redo = wanted if redo_all else {must} if must else set()
    context = context or WorkContext()
    total = len(shelf.spaces) + 1
    problems: list[str] = []
    source = _Sidecars(shelf, titles, must, problems)
    for done, space in enumerate(shelf.spaces.values()):
        context.check()
        context.report(done, total)
        vectors.sync(
            shelf.paths.vector_index(space),
            space,
            wanted,
            source.vectors_of(space),
            redo=redo,
            index_type=index_type,
            hook=visible.hook,
        )
    context.check()
    context.report(total - 1, total)
    lexical.sync(shelf.paths.lexical_index, wanted, source.words, redo=redo, hook=visible.hook)
    context.report(total, total)
    return sorted(set(problems))


def purge(shelf: Shelf, video_id: str) -> None:
    """Remove a video for good. The record goes last, so that a crash leaves something to repeat from."""
    paths = shelf.paths
    with shelf.index_lock.hold():
        with shelf.catalog.transaction() as transaction:
            known = bool(transaction.rows("select 1 from videos where video_id = ?", [video_id]))
            if known:
                videos.forget_generation(transaction, video_id)
        if known:
            visible.hook("purge-hidden")
            sync_indexes(shelf)
            visible.hook("purge-unindexed")
        remove_tree(paths.video(video_id))
        remove_tree(paths.work(video_id))
        paths.cancel_marker(video_id).unlink(missing_ok=True)
        visible.hook("purge-removed")
        with shelf.catalog.transaction() as transaction:
            videos.remove(transaction, video_id)


@dataclass(frozen=True)
class _Sidecars:
    """Reads generations for the indexes."""

    shelf: Shelf
    titles: Mapping[Key, str]
    must: Key | None
    problems: list[str]

    def vectors_of(self, space: Space) -> vectors.Load:
        def load(key: Key) -> tuple[list[str], Floats] | None:
            folder = self.shelf.paths.generation(*key)
            if folder.is_dir() and not sidecar.vectors_path(folder, space.name).exists():
                return [], sidecar.no_vectors(space)
            return self._read(key, lambda: sidecar.read_vectors(folder, space))

        return load

    def words(self, key: Key) -> tuple[str, list[Scene]] | None:
        folder = self.shelf.paths.generation(*key)
        return self._read(key, lambda: (self.titles[key], sidecar.read_scenes(folder)))

    def _read(self, key: Key, read: Any) -> Any:
        try:
            return read()
        except (HeimdexError, OSError) as error:
            if key == self.must:
                raise
            log.warning("generation %s of video %s cannot be indexed: %s", key[1], key[0], error)
            self.problems.append(f"video {key[0]}: {error}")
            return None
