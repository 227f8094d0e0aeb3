"""The timeline of a reel, for editing programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heimdex_core.errors import ClipsFailed, InvalidValue
from heimdex_core.export import export_kind
from heimdex_core.export.clips import find_video, open_clips
from heimdex_core.export.plan import plan_export, spoken_language
from heimdex_core.export.timelines import TimelinePart, make_timeline, source_of, write_timeline
from heimdex_core.files import atomic_write
from heimdex_core.library.accounts import Accounts
from heimdex_core.library.context import LibraryContext
from heimdex_core.media.child import ChildLimits
from heimdex_core.media.timecode import read_timecode_in_child
from heimdex_core.types import ReelClip
from heimdex_core.types.timelines import Timeline, TimelineSource


def timeline_text(
    context: LibraryContext,
    clips: Sequence[ReelClip | str],
    name: str,
    *,
    title: str,
    fps: float | None,
    out: Path | None,
) -> str:
    """See Library.timeline."""
    text = write_timeline(_timeline(context, clips, title, fps), name)
    if out is not None:
        try:
            with atomic_write(out) as file:
                file.write(text.encode("utf-8"))
        except (OSError, ValueError) as error:  # a folder, one that is not there, a null character
            reason = f"it cannot be written ({getattr(error, 'strerror', None) or error})"
            raise InvalidValue(name="out", value=str(out), reason=reason) from error
    return text


def _timeline(context: LibraryContext, clips: Sequence[ReelClip | str], title: str, fps: float | None) -> Timeline:
    store, view = context.store, context.store.reader().view()
    planned = plan_export(
        view,
        context.user_id,
        clips,
        kind=export_kind("reel"),
        title=title,
        settings=context.settings,
        find_video=lambda video_id: find_video(store, context.user_id, video_id),
    )
    found, failed = open_clips(store, planned)
    if failed:
        raise ClipsFailed(clips=failed)
    limits = ChildLimits.of(context.settings)
    sees_folders = Accounts(context).is_admin  # or uses the library alone
    sources: dict[str, TimelineSource] = {}
    parts: list[TimelinePart] = []
    for number, clip in enumerate(planned.clips, 1):
        file = found[number]
        video = store.video(context.user_id, clip.video_id)
        if clip.video_id not in sources:
            timecode = read_timecode_in_child(
                file.path, file.info.video_stream_index, limits=limits, filename=video.filename
            )
            sources[clip.video_id] = source_of(
                file.path.absolute() if sees_folders else Path(Path(video.filename).name),
                file.info,
                name=video.filename,
                title=video.title,
                timecode=timecode,
                video_id=video.video_id,
            )
        segments = view.words(context.user_id, clip.video_id)
        language = spoken_language(view, video, clip.scene_id)
        parts.append(
            TimelinePart(
                sources[clip.video_id], file.info.first_frame_s, clip.start_s, clip.end_s, tuple(segments), language
            )
        )
    return make_timeline(parts, title=planned.title, fps=fps)
