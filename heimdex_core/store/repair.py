"""Rebuilding a lost or damaged catalog from the folders of the videos and the copies of the other tables.

The new catalog is made whole under a temporary name and then renamed, so that an interruption leaves the library as it
was. Nothing is deleted: a catalog that cannot be read is kept under a name with the date. In a library whose catalog
is sound, folders that it does not know are added to it, and files that it can write again are written.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heimdex_core.errors import (
    CatalogDamaged,
    EditsDamaged,
    HeimdexError,
    InvalidFolder,
    LibraryDamaged,
    LibraryNotFound,
)
from heimdex_core.files import sha256_of, write_json
from heimdex_core.settings import get_settings
from heimdex_core.store import commit, copies, edits, sets, sidecar, users, videos, visible
from heimdex_core.store.catalog import Catalog, drafted
from heimdex_core.store.catalog_engine import CatalogEngine, DuckDBEngine, dated
from heimdex_core.store.catalog_errors import video_folders
from heimdex_core.store.catalog_place import engine_of
from heimdex_core.store.layout import LibraryPaths, source_files
from heimdex_core.store.library_json import FORMAT_VERSIONS, LibraryManifest, read_manifest
from heimdex_core.store.locks import index_lock
from heimdex_core.store.transaction import Transaction
from heimdex_core.store.video_json import VideoDocument, read_recorded_info, read_video_json, write_video_json
from heimdex_core.types import ModelSet, Space, Video, VideoState, VisibleVideo, utc_now


@dataclass
class RepairReport:
    """What a repair has done."""

    catalog: str = "intact"
    """intact, or rebuilt."""
    moved_to: str | None = None
    """The name that the damaged catalog has now; None if there was none."""
    videos: int = 0
    """How many videos were taken into the catalog from their folders."""
    restored: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By table: the number of rows and the time of the copy that they are from."""
    problems: list[str] = field(default_factory=list)
    """What could not be taken over; its files are where they were."""


def repair(root: Path | str) -> RepairReport:
    """Rebuild the catalog of a library if it is missing or damaged, and add the folders that it does not know.

    Raises LibraryNotFound, LibraryVersion, DiskFull, LibraryBusy, and LibraryDamaged if neither visible.parquet nor
    library.json tells which models the library uses.
    """
    paths = LibraryPaths(root)
    if not (paths.manifest.exists() or paths.visible.exists() or video_folders(paths)):
        raise LibraryNotFound(path=str(paths.root))
    report = RepairReport()
    with index_lock(paths.index_lock).hold():
        engine = _engine(paths)
        catalog = Catalog(paths, engine=engine)
        try:
            _read_completely(catalog)
        except CatalogDamaged:
            _rebuild(paths, engine, report)
        else:
            shown, _ = _published(paths)
            with catalog.transaction() as transaction:
                active = sets.get(transaction, sets.active_id(transaction))
                _add_videos(transaction, paths, active, shown, report)
        with catalog.transaction() as transaction:
            active = sets.get(transaction, sets.active_id(transaction))
            known = videos.every(transaction)
            transaction.changed_tables |= {table for table in copies.COPIED if not _is_readable(paths, table)}
        _write_manifest_again(paths, active, report)
        for video in known:
            describe_again(paths, video)
            _put_damaged_edits_aside(paths, video, report)
    return report


def _engine(paths: LibraryPaths) -> CatalogEngine:
    """Where the catalog is kept. Without a library.json that is catalog.duckdb: one in Postgres is named by it."""
    settings = get_settings()
    try:
        return engine_of(paths, read_manifest(paths), settings)
    except (LibraryNotFound, LibraryDamaged):
        if settings.database_url is not None:
            raise
        return DuckDBEngine(paths, settings.lock_timeout_s)


def _write_manifest_again(paths: LibraryPaths, active: ModelSet, report: RepairReport) -> None:
    """Write library.json where it is missing or cannot be read."""
    try:
        read_manifest(paths)
        return
    except LibraryNotFound:
        pass
    except LibraryDamaged as error:
        os.replace(paths.manifest, paths.root / f"library.json.{dated()}")
        report.problems.append(f"{error.message} It is kept under another name, and written again.")
    created_at = active.created_at.isoformat()
    manifest = LibraryManifest(FORMAT_VERSIONS["file"], active.profile, active.choice, active.spaces, created_at)
    write_json(paths.manifest, manifest, indent=1)


def _read_completely(catalog: Catalog) -> None:
    """Read all of the catalog, so that a block that does not fit its checksum is found. Raises CatalogDamaged."""
    catalog.prepare()
    with catalog.transaction() as transaction:
        for table in transaction.tables():
            transaction.table(f"select * from {table}")  # noqa: S608 - names of the catalog itself


def _is_readable(paths: LibraryPaths, table: str) -> bool:
    try:
        copies.read(paths, table)
    except HeimdexError:
        return False
    return True


def describe_again(paths: LibraryPaths, video: Video) -> None:
    """Write video.json where it is missing or cannot be read."""
    folder = paths.video(video.video_id)
    if not folder.is_dir():
        return
    try:
        read_video_json(folder)
    except InvalidFolder:
        write_video_json(paths, video)


def _put_damaged_edits_aside(paths: LibraryPaths, video: Video, report: RepairReport) -> None:
    """Keep a journal that cannot be used under another name, so that the video can be indexed again without it."""
    folder = paths.video(video.video_id)
    try:
        edits.read_journal(folder)
    except EditsDamaged as error:
        os.replace(folder / edits.FILE, folder / f"{edits.FILE}.{dated()}")
        report.problems.append(f"{error.message} It is kept under another name.")


# --- the catalog as a whole -----------------------------------------------------------------------


def _rebuild(paths: LibraryPaths, engine: CatalogEngine, report: RepairReport) -> None:
    shown, published = _published(paths)
    active = published or _set_of_manifest(paths)
    with drafted(paths, engine) as catalog:
        with catalog.transaction() as transaction:
            _restore_tables(transaction, paths, report)
            users.ensure_user(transaction, users.LOCAL_USER)
            sets.restore(transaction, active)
            _add_videos(transaction, paths, active, shown, report)
            sets.keep_only(transaction, lambda video_id, n: paths.generation(video_id, n).is_dir())
            # Above what is published, so that it is published again when the library is opened.
            revision = (visible.read_revision(paths.visible) or 0) + 1
            transaction.update("counters", {"value": revision}, {"name": "visible_revision"})
        report.moved_to = engine.replace(catalog.engine)
    report.catalog = "rebuilt"
    Catalog(paths, engine=engine).prepare()


def _published(paths: LibraryPaths) -> tuple[dict[str, VisibleVideo], ModelSet | None]:
    """What readers see: (videos by video_id, the active set); empty if visible.parquet cannot be read."""
    try:
        _, shown, active = visible.read(paths.visible)
    except LibraryDamaged:
        return {}, None
    return shown, active if active.choice else None


def _set_of_manifest(paths: LibraryPaths) -> ModelSet:
    """The active set as library.json describes it, with the number of the set in the copy that it is equal to."""
    manifest = read_manifest(paths)
    wanted = ModelSet(1, manifest.profile, manifest.choice, manifest.spaces, utc_now(), is_active=True)
    try:
        copied = copies.read(paths, "model_sets")
    except HeimdexError:
        copied = None
    for row in copied.rows.to_pylist() if copied is not None else ():
        known = sets.from_row(row)
        if dict(known.spaces) == dict(wanted.spaces) and sets.same_models(known.choice, wanted.choice):
            return known
    return wanted


def _restore_tables(transaction: Transaction, paths: LibraryPaths, report: RepairReport) -> None:
    for table in copies.COPIED:
        try:
            copied = copies.read(paths, table)
            if copied is not None:
                transaction.insert_table(table, copied.rows)
                report.restored[table] = {"rows": copied.rows.num_rows, "copied_at": copied.copied_at}
        except HeimdexError as error:
            kept = copies.path_of(paths, table)
            os.replace(kept, kept.with_name(f"{kept.name}.{dated()}"))
            report.problems.append(f"{error.message} It is kept under another name.")
    # Written again in any case, with the counts of the new catalog.
    transaction.changed_tables |= set(copies.COPIED)
    users.restore_preferences(transaction, paths)


# --- the videos -----------------------------------------------------------------------------------


def _add_videos(
    transaction: Transaction,
    paths: LibraryPaths,
    active: ModelSet,
    shown: Mapping[str, VisibleVideo],
    report: RepairReport,
) -> None:
    """Take in every folder of a video that the catalog does not know."""
    known = {video.video_id for video in videos.every(transaction)}
    for video_id in video_folders(paths):
        if video_id in known:
            continue
        try:
            _add_video(transaction, paths, video_id, active, shown.get(video_id), report)
            report.videos += 1
        except (HeimdexError, OSError) as error:
            reason = error.details.get("reason") if isinstance(error, InvalidFolder) else None
            report.problems.append(f"videos/{video_id} was not taken into the catalog: {reason or error}")


def _add_video(
    transaction: Transaction,
    paths: LibraryPaths,
    video_id: str,
    active: ModelSet,
    shown: VisibleVideo | None,
    report: RepairReport,
) -> None:
    folder = paths.video(video_id)
    try:
        about = read_video_json(folder)
    except InvalidFolder:
        if shown is None:
            raise
        about = _described_by(folder, shown)
    if about.video_id != video_id:
        raise InvalidFolder(path=str(folder), reason=f"its video.json is of the video {about.video_id}")
    if videos.find_by_content(transaction, about.user_id, about.sha256) is not None:
        raise InvalidFolder(path=str(folder), reason="the catalog has another video of the same bytes")
    n = _usable_generation(folder, about, active.spaces.values())
    facts: dict[str, Any] = {
        "scene_count": sidecar.read_scenes_table(paths.generation(video_id, n)).num_rows if n is not None else 0,
        "transcript_source": about.transcript_source,
        "transcript_rough": about.transcript_rough,
        "notes": about.notes,
        "has_preview": about.has_preview,
    }
    is_deleted = about.state == VideoState.DELETED or (shown is not None and shown.deleted)
    state = _state(paths, about, n, is_deleted=is_deleted)
    now = utc_now()
    video = Video(
        video_id=video_id,
        user_id=about.user_id,
        sha256=about.sha256,
        title=about.title,
        filename=about.filename,
        state=state,
        created_at=about.created_at or now,
        updated_at=about.updated_at or now,
        description=about.description,
        generation=n,
        info=about.info,
        language=about.language,
        error=about.error,
        params=about.params,
        **facts,
    )
    if state == VideoState.FAILED and video.error is None:
        error = LibraryDamaged(what=f"videos/{video_id}/source", reason="the file is missing")
        video = replace(video, error=error.to_dict())
    videos.restore_record(transaction, video)
    before = sets.generation_in(transaction, video_id, active.set_id)
    if n is not None:
        inputs = before.inputs if before is not None and before.generation == n else None
        sets.put(transaction, video_id, active.set_id, n, inputs, facts)
        transaction.mark_visible_changed()
    elif before is not None:
        sets.forget(transaction, video_id, active.set_id)
    if state == VideoState.VALIDATING:
        step = f"`python -m heimdex_core retry {video_id}`, unless a worker does it"
        report.problems.append(f"“{about.title[:80]}” has to be indexed again: {step}.")


def _usable_generation(folder: Path, about: VideoDocument, spaces: Collection[Space]) -> int | None:
    """The generation that video.json names if it can be read, else the newest one; None if there is none.

    One without words, pictures or some of its vectors is used as it is: doctor reports it.
    """
    numbers = sorted((int(p.name) for p in folder.glob("gen/*") if p.name.isdecimal() and p.is_dir()), reverse=True)
    for n in sorted(numbers, key=lambda number: number != about.generation):
        generation = folder / "gen" / str(n)
        if n != about.generation and not all(sidecar.vectors_path(generation, one.name).is_file() for one in spaces):
            continue  # made for other models
        try:
            commit.check_generation(about.video_id, {space.name: space for space in spaces}, generation)
        except (HeimdexError, OSError):
            continue
        return n
    return None


def _state(paths: LibraryPaths, about: VideoDocument, n: int | None, *, is_deleted: bool) -> VideoState:
    """The state of a video whose work, if there was any, is not going on."""
    if is_deleted:
        return VideoState.DELETED
    if n is not None:
        return VideoState.INDEXED
    if about.state == VideoState.FAILED or paths.source(about.video_id, missing_ok=True) is None:
        return VideoState.FAILED
    return VideoState.VALIDATING  # the worker finds it, and `retry` goes on with it


def _described_by(folder: Path, shown: VisibleVideo) -> VideoDocument:
    """What can still be told of a video whose video.json is lost, from visible.parquet and its files."""
    sources = source_files(folder)
    if not sources:
        raise InvalidFolder(path=str(folder), reason="it has neither a video.json nor a video file")
    return VideoDocument(
        format=1,
        video_id=shown.video_id,
        user_id=shown.user_id,
        sha256=sha256_of(sources[0]),
        title=shown.title,
        filename=shown.filename or sources[0].name,
        created_at=shown.created_at,
        generation=shown.generation,
        info=read_recorded_info(folder / "gen" / str(shown.generation)),
        has_preview=(folder / "preview.mp4").is_file(),
    )
