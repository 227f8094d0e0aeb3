"""The clips of an export: the files they are cut from, and which of them cannot be rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

from heimdex_core.errors import (
    Cancelled,
    DiskFull,
    FileUnreadable,
    HeimdexError,
    RenderFailed,
    RenderTimeout,
    SourceChanged,
    SourceMissing,
    ValidationError,
    VideoNotFound,
)
from heimdex_core.export.crop import strategy
from heimdex_core.export.reel_plan import stored_cues
from heimdex_core.export.source import require_source
from heimdex_core.formatting import precise
from heimdex_core.media.render import RenderClip, choose_audio, measure, render_reel
from heimdex_core.store import Store
from heimdex_core.types import Export, Json, ReelClip, Video, VideoState, WorkContext

_TRY_SIZE = (64, 36)
_SOURCE_PROBLEMS: Mapping[type[HeimdexError], str] = {
    SourceMissing: "clip_file_missing",
    SourceChanged: "clip_file_changed",
    FileUnreadable: "clip_file_damaged",
}


def failed_clip(number: int, clip: ReelClip, problem: str, *, title: str | None, detail: str = "") -> Json:
    """A clip that cannot be rendered, as ClipsFailed and Export.left_out have it.

    Args:
        number: its position in the reel, from 1.
        clip: the clip.
        problem: one of errors.PROBLEMS.
        title: of its video; None if there is no record of that any more.
        detail: what the program that failed says.
    """
    return {
        "number": number,
        "video_id": clip.video_id,
        "title": title,
        "start": precise(clip.start_s),
        "end": precise(clip.end_s),
        "problem": problem,
        "detail": detail,
    }


def gone_clip(number: int, clip: ReelClip, video: Video | None) -> Json:
    """A clip without a scene: because of its video (None if there is none), or because the scene has changed."""
    is_deleted = video is None or video.state is VideoState.DELETED
    problem = "clip_video_deleted" if is_deleted else "clip_scene_gone"
    return failed_clip(number, clip, problem, title=video.title if video else None)


def open_clips(store: Store, export: Export) -> tuple[dict[int, RenderClip], list[Json]]:
    """(what can be rendered, by number; what cannot) of an export, without those that it leaves out already."""
    left_out = {clip["number"] for clip in export.left_out}
    found: dict[int, RenderClip] = {}
    failed: list[Json] = []
    for number, clip in enumerate(export.clips, 1):
        if number in left_out:
            continue
        video = find_video(store, export.user_id, clip.video_id)
        if video is None or video.info is None or video.state is VideoState.DELETED:
            failed.append(gone_clip(number, clip, video))
            continue
        try:
            path = require_source(store.paths, video)
        except (SourceMissing, SourceChanged, FileUnreadable) as error:
            failed.append(failed_clip(number, clip, _SOURCE_PROBLEMS[type(error)], title=video.title))
            continue
        name = clip.strategy or export.strategy
        is_following = name is not None and strategy(name).follows
        found[number] = RenderClip(
            path,
            video.info,
            clip.start_s,
            clip.end_s,
            choose_audio(video.info),
            title=video.title,
            cues=stored_cues(export.params, number),
            strategy=name,
            cuts_s=known_cuts(store, export.user_id, clip.video_id) if is_following else (),
        )
    return found, failed


def known_cuts(store: Store, user_id: str, video_id: str) -> tuple[float, ...]:
    """Where scenes of a video begin with a cut, in seconds; not where a long take was divided."""
    scenes = store.reader().ask(lambda view: view.scenes(user_id, video_id))
    return tuple(after.start_s for before, after in pairwise(scenes) if not (before.divided and after.divided))


def find_video(store: Store, user_id: str, video_id: str) -> Video | None:
    """A video of the user, deleted ones included; None if there is none."""
    try:
        return store.video(user_id, video_id)
    except VideoNotFound:
        return None


def find_failing(
    clips: Mapping[int, RenderClip],
    folder: Path,
    *,
    fps: float,
    timeout_s: float | None,
    is_cancelled: Callable[[], bool],
) -> dict[int, tuple[str, str]]:
    """Which clips cannot be rendered, even alone: (problem, detail) by number.

    Each is rendered by itself and very small, which costs little more than decoding it. Raises Cancelled, DiskFull,
    RenderTimeout.
    """
    width, height = _TRY_SIZE
    out = folder / "try.mp4"
    failing: dict[int, tuple[str, str]] = {}
    for number, clip in clips.items():
        if not clip.path.is_file():
            failing[number] = ("clip_file_missing", "")
            continue
        try:
            render_reel(
                [clip], out, width=width, height=height, fps=fps, crf=51, preset="ultrafast", timeout_s=timeout_s,
                context=WorkContext(is_cancelled=is_cancelled),
            )  # fmt: skip
        except (Cancelled, DiskFull, RenderTimeout):
            raise
        except HeimdexError as error:
            failing[number] = _problem(error)
            continue
        if not _has_picture(out):
            failing[number] = ("clip_undecodable", "")
    return failing


def _problem(error: HeimdexError) -> tuple[str, str]:
    """(problem, detail) of what rendering one clip raised."""
    if error.details.get("undecodable"):
        return "clip_undecodable", ""
    reason = str(error.details.get("reason") or error.message)
    if isinstance(error, ValidationError) or "Error opening input" in reason:
        return "clip_file_damaged", ""
    return "clip_render_error", reason


def _has_picture(rendered: Path) -> bool:
    try:
        return measure(rendered).frame_count > 0
    except RenderFailed:
        return False
