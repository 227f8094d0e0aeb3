"""Adopting videos' folders from another library: checked (foreign_folder.py), copied, registered, committed."""

from __future__ import annotations

import os
import shutil
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from heimdex_core import files
from heimdex_core.errors import DiskFull, HeimdexError, InvalidFolder
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_tree, remove_tree
from heimdex_core.store import commit, sets, sidecar, videos
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.commit import Outcome, StagedGeneration
from heimdex_core.store.foreign_folder import AdoptableFolder, examine
from heimdex_core.store.transaction import Transaction
from heimdex_core.types import Space, Video, VideoState, make_scene_id

ADOPTING = "adopt"
"""The job_id of a video that is being adopted. A crash leaves it there, and the next call completes the work."""

MAX_TITLE_CHARS = 200

BATCH_VIDEOS = 64
"""So many videos are committed together: of one alone the commit takes some tenths of a second."""
BATCH_SCENES = 10_000
"""Or fewer, with so many scenes: their vectors are in memory at once."""


def adopt_all(
    context: StoreContext,
    folders: Iterable[Path],
    user_id: str,
    *,
    max_file_bytes: int | None = None,
    max_title_chars: int = MAX_TITLE_CHARS,
) -> list[Outcome]:
    """Copy complete video folders of another library into this one, in batches that are committed together.

    A video of the same bytes that the user already has is left as it is. Of a folder that is refused nothing is left,
    and the others are adopted; after a crash another call completes the work.

    Args:
        context: the library that adopts.
        folders: videos' folders, videos/<video_id>, of another library.
        user_id: the owner of the videos in this library.
        max_file_bytes: the limit of a video file, None for none.
        max_title_chars: a longer title is cut, and the video has a note.

    Returns the video of each folder, or why it was refused: InvalidFolder, SpaceMismatch, FileTooLarge, DiskFull.
    """
    with context.catalog.transaction() as transaction:
        spaces = sets.get(transaction, sets.active_id(transaction)).spaces
    outcomes: list[Outcome] = []
    for batch in _batches(folders, spaces, max_file_bytes):
        outcomes += _Batch(context, spaces, user_id, max_title_chars).adopt(batch)
    return outcomes


def _batches(
    folders: Iterable[Path], spaces: Mapping[str, Space], max_file_bytes: int | None
) -> Iterator[list[AdoptableFolder | HeimdexError]]:
    """The folders after their check, as many at a time as are committed together."""
    batch: list[AdoptableFolder | HeimdexError] = []
    scenes = 0
    for folder in folders:
        try:
            adoptable = examine(folder, spaces, max_file_bytes=max_file_bytes)
            scenes += sidecar.read_scenes_table(adoptable.generation).num_rows
            batch.append(adoptable)
        except HeimdexError as error:
            batch.append(error)
        if len(batch) >= BATCH_VIDEOS or scenes >= BATCH_SCENES:
            yield batch
            batch, scenes = [], 0
    if batch:
        yield batch


# --- one batch ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Copy:
    """A folder that was copied and is to be renamed to the video's place."""

    adoptable: AdoptableFolder
    staging: Path
    video_id: str


class _Batch:
    """Folders that are looked up, registered and committed together."""

    def __init__(self, context: StoreContext, spaces: Mapping[str, Space], user_id: str, max_title_chars: int) -> None:
        self._context, self._spaces, self._user_id = context, spaces, user_id
        self._max_title_chars = max_title_chars

    def adopt(self, batch: Sequence[AdoptableFolder | HeimdexError]) -> list[Outcome]:
        """The outcomes in the order of the batch."""
        adoptables = {place: one for place, one in enumerate(batch) if not isinstance(one, HeimdexError)}
        outcomes: dict[int, Outcome] = {place: one for place, one in enumerate(batch) if isinstance(one, HeimdexError)}
        known, used_ids = self._look_up(adoptables.values())
        copies: dict[int, _Copy] = {}
        try:
            for place, adoptable in adoptables.items():
                if adoptable.about.sha256 in known:
                    continue
                try:
                    copies[place] = self._copy(adoptable, used_ids)
                except HeimdexError as error:
                    outcomes[place] = error
            registered = self._register(copies)
        finally:
            for copy in copies.values():
                remove_tree(copy.staging)
        for place, adoptable in adoptables.items():
            if place not in outcomes:
                outcomes[place] = registered.get(place) or known[adoptable.about.sha256]
        return self._commit(adoptables, [outcomes[place] for place in range(len(batch))])

    def _look_up(self, adoptables: Iterable[AdoptableFolder]) -> tuple[dict[str, Video], set[str]]:
        """(the user's videos of the same bytes by SHA-256, those of the folders' ids that are in use)."""
        known: dict[str, Video] = {}
        used: set[str] = set()
        with self._context.catalog.transaction() as transaction:
            for one in adoptables:
                video = videos.find_by_content(transaction, self._user_id, one.about.sha256)
                if video is not None:
                    known[one.about.sha256] = video
                if videos.find(transaction, one.about.video_id) is not None:
                    used.add(one.about.video_id)
        return known, used

    def _copy(self, adoptable: AdoptableFolder, used_ids: set[str]) -> _Copy:
        """Copy a folder beside its place; under an id of its own where another video of the library has its id."""
        paths, about = self._context.paths, adoptable.about
        staging = paths.videos / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        video_id = str(uuid.uuid4()) if about.video_id in used_ids else about.video_id
        try:
            with disk_errors("an adopted video", paths.videos, adoptable.source.stat().st_size):
                _copy_files(adoptable, staging)
                if video_id != about.video_id:
                    _change_video_id(staging / "gen" / adoptable.generation.name, self._spaces, video_id)
                fsync_tree(staging)
        except BaseException:
            remove_tree(staging)
            raise
        used_ids.add(video_id)
        files.crash_point("adopt-copied")
        return _Copy(adoptable, staging, video_id)

    def _register(self, copies: Mapping[int, _Copy]) -> dict[int, Outcome]:
        """Rename copies into place and register them as being adopted; the commit after it names the generations."""
        paths = self._context.paths
        outcomes: dict[int, Outcome] = {}
        if not copies:
            return outcomes
        with self._context.index_lock.hold():
            new: dict[int, _Copy] = {}
            with self._context.catalog.transaction() as transaction:
                for place, copy in copies.items():
                    if videos.find(transaction, copy.video_id) is not None:
                        reason = "another call is adopting it; try again"
                        outcomes[place] = InvalidFolder(path=str(copy.adoptable.folder), reason=reason)
                    elif videos.find_by_content(transaction, self._user_id, copy.adoptable.about.sha256) is None:
                        new[place] = copy
            for copy in new.values():
                remove_tree(paths.video(copy.video_id))  # it has no record, so a crash left it
                os.replace(copy.staging, paths.video(copy.video_id))
            files.crash_point("adopt-renamed")
            with self._context.catalog.transaction() as transaction:
                for place in copies.keys() - outcomes.keys():
                    outcomes[place] = self._record(transaction, copies[place])
            files.crash_point("adopt-registered")
        return outcomes

    def _record(self, transaction: Transaction, copy: _Copy) -> Video:
        """The record of a copy, or that of a video of the same bytes that was there first."""
        about = copy.adoptable.about
        plain = "".join(c for c in about.title if unicodedata.category(c) != "Cc")
        title = plain[: self._max_title_chars].strip() or about.filename
        video, is_new = videos.register(
            transaction,
            self._user_id,
            about.sha256,
            title=title,
            filename=about.filename,
            description=about.description,
            language=about.language,
            notes=[*about.notes, *(["title_shortened"] if title != about.title else [])],
            video_id=copy.video_id,
        )
        if is_new:
            videos.set_state(transaction, video.video_id, VideoState.VALIDATING, {"info": about.info})
            video = videos.set_state(transaction, video.video_id, VideoState.PROCESSING, {"job_id": ADOPTING})
        return video

    def _commit(self, adoptables: Mapping[int, AdoptableFolder], outcomes: list[Outcome]) -> list[Outcome]:
        """Commit the generations of those videos that are registered as being adopted."""
        batch: dict[str, StagedGeneration] = {}
        for place, video in enumerate(outcomes):
            if isinstance(video, Video) and video.generation is None and video.job_id == ADOPTING:
                batch[video.video_id] = self._staged(adoptables[place], video.video_id)
        found = dict(zip(batch, commit.commit_generations(self._context, list(batch.values())), strict=True))
        for video_id, outcome in found.items():
            if isinstance(outcome, HeimdexError):
                self._forget(video_id)
        return [found.get(one.video_id, one) if isinstance(one, Video) else one for one in outcomes]

    def _staged(self, adoptable: AdoptableFolder, video_id: str) -> StagedGeneration:
        about, paths = adoptable.about, self._context.paths
        changes = {
            "transcript_source": about.transcript_source,
            "transcript_rough": about.transcript_rough,
            "has_preview": paths.preview(video_id).is_file(),
            "job_id": None,
        }
        no_staging = paths.generations(video_id) / f"{TEMPORARY_PREFIX}none"
        return StagedGeneration(video_id, no_staging, int(adoptable.generation.name), changes)

    def _forget(self, video_id: str) -> None:
        """Leave nothing of a video whose generation could not be committed."""
        context = self._context
        with suppress(DiskFull), context.index_lock.hold(), context.catalog.transaction() as transaction:
            video = videos.find(transaction, video_id)
            if video is not None and video.generation is None:
                remove_tree(context.paths.video(video_id))
                videos.remove(transaction, video_id)


# --- copying --------------------------------------------------------------------------------------


def _copy_files(adoptable: AdoptableFolder, staging: Path) -> None:
    for name in adoptable.files:
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(adoptable.folder / name, staging / name, follow_symlinks=False)


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
            rows = sidecar.read_vector_rows(folder, space)
            renamed = rows._replace(scene_ids=[new_ids[scene_id] for scene_id in rows.scene_ids])
            sidecar.write_vectors(folder, space, renamed)
