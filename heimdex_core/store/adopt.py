"""Adopting a video's folder from another library: it is checked (foreign_folder.py), copied, registered, committed."""

from __future__ import annotations

import os
import shutil
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from heimdex_core import files
from heimdex_core.errors import InvalidFolder
from heimdex_core.files import TEMPORARY_PREFIX, disk_errors, fsync_tree, remove_tree
from heimdex_core.store import commit, sets, sidecar, videos
from heimdex_core.store.catalog import StoreContext
from heimdex_core.store.commit import CommitTarget
from heimdex_core.store.foreign_folder import AdoptableFolder, examine
from heimdex_core.types import Space, Video, VideoState, make_scene_id

ADOPTING = "adopt"
"""The job_id of a video that is being adopted. A crash leaves it there, and the next call completes the work."""

MAX_TITLE_CHARS = 200


def adopt(
    context: StoreContext,
    folder: Path,
    user_id: str,
    *,
    max_file_bytes: int | None = None,
    max_title_chars: int = MAX_TITLE_CHARS,
) -> Video:
    """Copy a complete video folder of another library into this one.

    A video of the same bytes that the user already has is returned as it is. On an error nothing is left; after a
    crash another call completes the work.

    Args:
        context: the library that adopts.
        folder: a video's folder, videos/<video_id>, of another library.
        user_id: the owner of the video in this library.
        max_file_bytes: the limit of the video file, None for none.
        max_title_chars: a longer title is cut, and the video has a note.

    Raises InvalidFolder, SpaceMismatch, FileTooLarge, DiskFull.
    """
    with context.catalog.transaction() as transaction:
        spaces = sets.get(transaction, sets.active_id(transaction)).spaces
    adoptable = examine(folder, spaces, max_file_bytes=max_file_bytes)
    about = adoptable.about
    with context.catalog.transaction() as transaction:
        existing = videos.find_by_content(transaction, user_id, about.sha256)
    if existing is None:
        staging = context.paths.videos / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        try:
            existing = _copy_and_register(context, adoptable, spaces, user_id, staging, max_title_chars)
        finally:
            remove_tree(staging)
    if existing.generation is not None or existing.job_id != ADOPTING:
        return existing
    changes = {
        "transcript_source": about.transcript_source,
        "transcript_rough": about.transcript_rough,
        "has_preview": context.paths.preview(existing.video_id).is_file(),
        "job_id": None,
    }
    no_staging = context.paths.generations(existing.video_id) / f"{TEMPORARY_PREFIX}none"
    n = int(adoptable.generation.name)
    return commit.commit_generation(context, existing.video_id, no_staging, n, changes, CommitTarget())


# --- copying --------------------------------------------------------------------------------------


def _copy_and_register(
    context: StoreContext,
    adoptable: AdoptableFolder,
    spaces: Mapping[str, Space],
    user_id: str,
    staging: Path,
    max_title_chars: int,
) -> Video:
    """Copy, rename into place, register as being adopted. The commit that follows names the generation."""
    paths, about = context.paths, adoptable.about
    with context.catalog.transaction() as transaction:
        id_in_use = bool(transaction.rows("select 1 from videos where video_id = ?", [about.video_id]))
    title = (
        "".join(c for c in about.title if unicodedata.category(c) != "Cc")[:max_title_chars].strip() or about.filename
    )
    notes = [*about.notes, *(["title_shortened"] if title != about.title else [])]
    video_id = str(uuid.uuid4()) if id_in_use else about.video_id
    with disk_errors("an adopted video", paths.videos, adoptable.source.stat().st_size):
        _copy(adoptable, staging)
        if id_in_use:
            _change_video_id(staging / "gen" / adoptable.generation.name, spaces, video_id)
        fsync_tree(staging)
    files.crash_point("adopt-copied")
    with context.index_lock.hold():
        with context.catalog.transaction() as transaction:
            existing = videos.find_by_content(transaction, user_id, about.sha256)
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
                about.sha256,
                title=title,
                filename=about.filename,
                description=about.description,
                language=about.language,
                notes=notes,
                video_id=video_id,
            )
            videos.set_state(transaction, video_id, VideoState.VALIDATING, {"info": about.info})
            video = videos.set_state(transaction, video_id, VideoState.PROCESSING, {"job_id": ADOPTING})
        files.crash_point("adopt-registered")
    return video


def _copy(adoptable: AdoptableFolder, staging: Path) -> None:
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
