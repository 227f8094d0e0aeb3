"""Renders an export of any kind into its work folder, and only then moves the file to exports/."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from heimdex_core.errors import (
    Cancelled,
    ClipsFailed,
    DiskFull,
    HeimdexError,
    LibraryBusy,
    RenderCheckFailed,
    RenderFailed,
    RenderTimeout,
    ValidationError,
)
from heimdex_core.export import export_kind
from heimdex_core.export.clips import failed_clip, find_failing, find_video, open_clips
from heimdex_core.export.kind import ExportKind
from heimdex_core.export.progress import work_folder
from heimdex_core.export.source import require_source
from heimdex_core.files import disk_errors, fsync_file, fsync_folder, make_folder, remove_tree, require_free_space
from heimdex_core.media.ffmpeg import TimeLimit
from heimdex_core.media.render import RenderClip, RenderMeasure
from heimdex_core.settings import Settings
from heimdex_core.store import Store
from heimdex_core.types import Export, ExportState, Json, WorkContext, utc_now

_log = logging.getLogger(__name__)

# 720p at CRF 20 seldom needs more than 6 Mbit/s, and its picture and the finished file lie there at the same time.
_BYTES_PER_S = 1_600_000
_WHAT = "the export"
_LEAST_USABLE = timedelta(hours=1)
"""How long a file can be used at least, even if it was waited for until after its expiry."""


def render(store: Store, export: Export, *, settings: Settings, context: WorkContext) -> Export:
    """Render an export and complete its record. An export that is already completed is returned as it is.

    With the parameter skip_failed, clips that cannot be rendered are left out and named in the record's `left_out`.

    Args:
        store: the library's store.
        export: a record of `store.exports`, with its clips and encoding parameters.
        settings: time limit, free disk space, and how long the file is kept.
        context: receives the progress in seconds of the result, and can cancel the render.

    Raises ClipsFailed, which names every clip that cannot be rendered; RenderFailed, RenderTimeout, RenderCheckFailed,
    DiskFull, Cancelled, UnknownName for a kind that is not registered. The record then has the error, and no file is
    left. An export that has failed or was cancelled is not rendered again; its error is raised.
    """
    target = store.paths.export(export.user_id, export.export_id)
    if export.state is ExportState.COMPLETED and target.is_file():
        return export
    if export.state in (ExportState.FAILED, ExportState.CANCELLED):
        remove_rest(store, export)
        raise HeimdexError.from_dict(export.error) if export.error else Cancelled()
    work = work_folder(store.paths, export.export_id)
    try:
        store.exports.update(export.export_id, unless_cancelled=True, state=ExportState.PROCESSING, error=None)
        kind = export_kind(export.kind)
        with _limited(context, settings.render_timeout_s) as limited:
            export = kind.prepare(store, export, settings, limited) if kind.prepare else export
            measured, left_out = _render_file(store, export, target, work, settings, limited)
        return _complete(store, export, target, measured, left_out, settings)
    except BaseException as error:  # whatever it is: the record must not stay "processing" for ever
        remove_tree(work)  # first, since a full disk takes no record either
        _note_failure(store, export, error)
        raise
    finally:
        remove_tree(work)


def remove_rest(store: Store, export: Export) -> None:
    """Remove what the rendering of an export has left that nobody renders any more, and that did not complete."""
    remove_tree(work_folder(store.paths, export.export_id))
    store.paths.export(export.user_id, export.export_id).unlink(missing_ok=True)


@contextmanager
def _limited(context: WorkContext, timeout_s: float) -> Iterator[WorkContext]:
    """A context for all that is done for one export, several attempts included: RenderTimeout after `timeout_s`."""
    limit = TimeLimit(timeout_s)
    try:
        yield replace(context, is_cancelled=lambda: limit.left_s() == 0 or context.is_cancelled())
    except Cancelled as error:
        if limit.left_s() == 0 and not context.is_cancelled():
            raise RenderTimeout(limit_s=timeout_s) from error
        raise


def _note_failure(store: Store, export: Export, error: BaseException) -> None:
    if isinstance(error, LibraryBusy):
        return  # says nothing about the export: a worker begins again, else it ends as interrupted
    found: HeimdexError = Cancelled()  # an interrupt, for example
    if isinstance(error, HeimdexError):
        found = error
    elif isinstance(error, Exception):  # a defect
        found = RenderFailed(reason=f"{type(error).__name__}: {error}"[:500])
    try:
        store.exports.mark_failed(export.user_id, export.export_id, found)
    except HeimdexError as second:  # the first error is the one to report
        _log.warning("the end of the export %s could not be recorded: %s", export.export_id, second)


def _render_file(
    store: Store, export: Export, target: Path, work: Path, settings: Settings, context: WorkContext
) -> tuple[RenderMeasure, list[Json]]:
    """Write and check the file, and move it to `target`; also returns the clips that it does not contain."""
    kind = export_kind(export.kind)
    params = {**kind.params(settings), **export.params}
    needed_bytes = round(sum(clip.duration_s for clip in export.clips) * _BYTES_PER_S)
    try:
        with disk_errors(_WHAT, target, needed_bytes):
            remove_tree(work)  # left by an attempt that was killed
            make_folder(work, levels=2)
            require_free_space(work, needed_bytes, keep_free_bytes=settings.min_free_bytes, what=_WHAT)
            part = work / "render.mp4"
            measured, left_out = _write(store, export, kind, part, params, settings, context)
            context.check()
            fsync_file(part)
            make_folder(target.parent, levels=2)
            os.replace(part, target)
            fsync_folder(target.parent)
    except DiskFull as error:
        if error.details["what"] == _WHAT:
            raise
        # the names of files on the way say nothing to anybody
        raise DiskFull(what=_WHAT, needed_bytes=needed_bytes, free_bytes=error.details["free_bytes"]) from error
    except OSError as error:
        raise RenderFailed(reason=f"the file could not be written ({error.strerror or error})") from error
    return measured, left_out


def _write(
    store: Store, export: Export, kind: ExportKind, part: Path, params: Json, settings: Settings, context: WorkContext
) -> tuple[RenderMeasure, list[Json]]:
    """Write the file of all clips, or with skip_failed of those that can be rendered. Raises ClipsFailed."""
    skip = bool(params.get("skip_failed"))
    if kind.of_one_scene:
        require_source(store.paths, store.video(export.user_id, export.clips[0].video_id))
    clips, failed = open_clips(store, export)
    _check_failed(clips, failed, skip)

    def write() -> RenderMeasure:
        return kind.write(list(clips.values()), part, params, settings.render_timeout_s, context)

    try:
        measured = write()
    except (RenderFailed, RenderCheckFailed, ValidationError):
        if kind.of_one_scene:
            raise
        failing = find_failing(
            clips,
            part.parent,
            fps=float(params.get("fps", settings.reel_fps)),
            timeout_s=settings.render_timeout_s,
            is_cancelled=context.is_cancelled,
        )
        if not failing:
            raise
        for number, (problem, detail) in failing.items():
            clip = export.clips[number - 1]
            video = find_video(store, export.user_id, clip.video_id)
            title = video.title if video else None
            failed.append(failed_clip(number, clip, problem, title=title, detail=detail))
            del clips[number]
        _check_failed(clips, failed, skip)
        measured = write()
    return measured, sorted([*export.left_out, *failed], key=lambda clip: clip["number"])


def _check_failed(clips: dict[int, RenderClip], failed: list[Json], skip: bool) -> None:
    if failed and (not skip or not clips):
        raise ClipsFailed(clips=sorted(failed, key=lambda clip: clip["number"]))


def _complete(
    store: Store, export: Export, target: Path, measured: RenderMeasure, left_out: list[Json], settings: Settings
) -> Export:
    now = utc_now()
    try:
        return store.exports.update(
            export.export_id,
            unless_cancelled=True,
            state=ExportState.COMPLETED,
            path=store.paths.relative(target),
            size_bytes=measured.size_bytes,
            measured_duration_s=measured.video_duration_s,
            width=measured.width,
            height=measured.height,
            completed_at=now,
            expires_at=max(export.created_at + timedelta(seconds=settings.export_ttl_s), now + _LEAST_USABLE),
            loudness_lufs=measured.loudness_lufs,
            true_peak_dbtp=measured.true_peak_dbtp,
            params={**export.params, "notes": [*export.notes, *measured.notes]} if measured.notes else export.params,
            left_out=tuple(left_out),
            error=None,
        )
    except BaseException:  # nothing would ever remove a file that no record names
        target.unlink(missing_ok=True)
        raise
